/** Pages and their tables (Intel SDM volume 3, chapter 4). */

/** Bytes of the smallest page. */
export const PAGE_BYTES = 4096;
/** The bits of an address that say where in its page it is. */
export const PAGE_OFFSET = BigInt(PAGE_BYTES - 1);
/** Bytes of a page that an entry of the second level maps, but for 32-bit paging. */
export const LARGE_PAGE_BYTES = 0x20_0000;
/** Bytes of a page that an entry of the third level maps. */
export const HUGE_PAGE_BYTES = 0x4000_0000;

/** Bits of a table's entry. */
export const ENTRY = {
  Present: 1,
  Write: 2,
  User: 4,
  WriteThrough: 8,
  NoCache: 0x10,
  Accessed: 0x20,
  Dirty: 0x40,
  Large: 0x80,
  Global: 0x100,
} as const;

/** Where the next table is, or the page: 52 bits of physical address. */
export const ENTRY_ADDRESS = 0xffffffffff000n;
/** The entry's bit against execution, where EFER.NXE has given it that meaning. */
export const ENTRY_NO_EXECUTE = 1n << 63n;

/** The first linear address of the half that kernels have for themselves: canonical
 * addresses have all upper bits as this one. */
export const UPPER_HALF = 1n << 63n;
