/** Pages and their tables (Intel SDM volume 3, chapter 4). */

/** log2 of the bytes of the smallest page. */
export const PAGE_SHIFT = 12;
/** Bytes of the smallest page. */
export const PAGE_BYTES = 1 << PAGE_SHIFT;
/** The bits of an address that say where in its page it is. */
export const PAGE_OFFSET = BigInt(PAGE_BYTES - 1);
/** Bytes of a page that an entry of the second level maps, but for 32-bit paging. */
export const LARGE_PAGE_BYTES = 0x20_0000;
/** The same in 32-bit paging. */
export const PSE_PAGE_BYTES = 0x40_0000;
/** Entries of a table, but in 32-bit paging. */
export const TABLE_ENTRIES = 512;
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

/** Bits of a page directory pointer table's entry that PAE paging reserves, besides
 * those above the width of physical addresses. */
export const PDPTE_RESERVED = 0x1e6n;

/** The first linear address of the half that kernels have for themselves: canonical
 * addresses have all upper bits as this one. */
export const UPPER_HALF = 1n << 63n;

/** What a page fault's error code says (4.7, figure 4-12). */
export const PageFault = {
  /** By what the entries allow; else there is no translation. */
  Protection: 1,
  Write: 2,
  User: 4,
  /** A reserved bit is set in an entry. */
  Reserved: 8,
  Fetch: 0x10,
} as const;
