/**
 * What the debugger knows of Linux, all of it: where a kernel has put itself and
 * what it calls itself, without any symbols, and the second set of page tables
 * that its page-table isolation keeps for user programs.
 *
 * Source of facts: Linux' Documentation/arch/x86/x86_64/mm.rst (the kernel's
 * mapping), arch/x86/kernel/head64.c (what of it is mapped),
 * arch/x86/include/asm/pgtable.h (pairs of tables), init/version.c (the banner).
 */
import type { GuestMemory } from "../../machine/memory.ts";
import { CR3_TABLE } from "../../x86/control_registers.ts";
import { PAGE_BYTES } from "../../x86/paging.ts";
import { type PageWalker, type Paging, pagingMode } from "../paging/walk.ts";

/** Where a 64-bit kernel's image is mapped: 2 GiB below the top, 1 GiB of it. */
export const KERNEL_MAP = 0xffffffff80000000n;
/** The end of it: modules begin here. */
export const KERNEL_MAP_END = 0xffffffffc0000000n;
/** Where vmlinux is linked (CONFIG_PHYSICAL_START has not been touched by any
 * distribution), and `_text` is without KASLR. */
const LINK_ADDRESS = 0xffffffff81000000n;
/** The image begins at a multiple of this (CONFIG_PHYSICAL_ALIGN). */
const KERNEL_ALIGN = 0x200000n;

/** A 32-bit kernel's image is somewhere in its mapping of low memory, which begins
 * here (CONFIG_VMSPLIT_3G, as distributions have it), and ends before the fixed
 * mappings. */
const LOW_MAP = 0xc0000000n, LOW_MAP_END = 0xff800000n;
/** Where its vmlinux is linked. */
const LOW_LINK_ADDRESS = 0xc1000000n;
/** Text and constants, in which the banner is, are not longer. */
const LOW_IMAGE_BYTES = 0x4000000n;

const BANNER = new TextEncoder().encode("Linux version ");
/** linux_banner: release, who built it with what, build number. A second one
 * without the number is left over in kernels linked in two steps. */
const BANNER_FORM = /^Linux version \d+\.\d+\S* \(.* #\d+ /;
const BANNER_LIMIT = 512;

/** A kernel in memory. */
export interface LinuxKernel {
  /** The linear address of `_text`, where the image begins. */
  readonly text: bigint;
  /** The guest physical address of it. */
  readonly gpa: number;
  /** How far it is from where it was linked: KASLR's offset. */
  readonly offset: bigint;
  /** It can still write its code: it is starting, and patches that. */
  readonly patching: boolean;
  /** "Linux version ..." and all that follows, a line; null if what is mapped
   * has none and so is no Linux. */
  readonly banner: string | null;
}

/** The kernel that an address space maps; null if nothing is mapped where one
 * would be. A 32-bit kernel is found once it has started. */
export function findKernel(
  memory: GuestMemory,
  walker: PageWalker,
  space: Paging,
): LinuxKernel | null {
  const mode = pagingMode(space);
  if (mode === "PAE" || mode === "32-bit") {
    return findLowKernel(memory, walker, space);
  }
  if (!mode.endsWith("-level")) return null;
  // Nothing in front of the image is mapped, from its first instruction on.
  for (let at = KERNEL_MAP; at < KERNEL_MAP_END; at += KERNEL_ALIGN) {
    const gpa = walker.translate(space, at);
    if (gpa < 0) continue;
    const patching = walker.pageWritable;
    const banner = findBanner(memory, walker, space, at, KERNEL_MAP_END);
    return { text: at, gpa, offset: at - LINK_ADDRESS, patching, banner };
  }
  return null;
}

/** A 32-bit kernel: its image begins where the mapping of low memory becomes
 * read-only, which it does when the kernel has started. */
function findLowKernel(
  memory: GuestMemory,
  walker: PageWalker,
  space: Paging,
): LinuxKernel | null {
  let writable = true;
  for (let at = LOW_MAP; at < LOW_MAP_END; at += KERNEL_ALIGN) {
    const gpa = walker.translate(space, at);
    const begins = gpa >= 0 && writable && !walker.pageWritable;
    writable = gpa < 0 || walker.pageWritable;
    if (!begins) continue;
    const end = at + LOW_IMAGE_BYTES;
    const banner = findBanner(memory, walker, space, at, end);
    if (banner === null) continue;
    const offset = at - LOW_LINK_ADDRESS;
    return { text: at, gpa, offset, patching: false, banner };
  }
  return null;
}

function findBanner(
  memory: GuestMemory,
  walker: PageWalker,
  space: Paging,
  text: bigint,
  end: bigint,
): string | null {
  // Pages that follow each other in physical memory too, as an image's do.
  let gpa = -1, bytes = 0;
  for (let at = text; at < end;) {
    const page = walker.translate(space, at);
    const size = walker.pageBytes;
    at += BigInt(size) - at % BigInt(size);
    if (page >= 0 && page === gpa + bytes) {
      bytes += size;
      continue;
    }
    const banner = bannerIn(memory, gpa, bytes);
    if (banner !== null) return banner;
    gpa = page;
    bytes = page < 0 ? 0 : size;
  }
  return bannerIn(memory, gpa, bytes);
}

function bannerIn(
  memory: GuestMemory,
  gpa: number,
  length: number,
): string | null {
  const bytes = length === 0 ? null : memory.slice(gpa, length);
  if (bytes === null) return null;
  for (let at = bytes.indexOf(BANNER[0]); at >= 0;) {
    if (BANNER.every((byte, i) => bytes[at + i] === byte)) {
      const text = new TextDecoder("latin1")
        .decode(bytes.subarray(at, at + BANNER_LIMIT)).split(/[\0\n]/)[0];
      if (BANNER_FORM.test(text)) return text;
    }
    at = bytes.indexOf(BANNER[0], at + 1);
  }
  return null;
}

/** In CR3: this is the user's top-level table of a pair, the kernel's comes
 * before it (PTI_PGTABLE_SWITCH_BIT). */
const USER_TABLE = 1n << 12n;
const PRESENT = 1;
/** What the two entries of a pair may differ in: the processor sets the one, the
 * kernel the other in its own table. */
const ACCESSED = 0x20, NO_EXECUTE = 0x80000000;

/** With page-table isolation a user program runs on page tables that lack most
 * of the kernel: the kernel's tables that belong to them. Null if `space` is no
 * such space. */
export function kernelSpace(
  memory: GuestMemory,
  space: Paging,
): Paging | null {
  const { cr0, cr3, cr4, efer } = space;
  if ((cr3 & USER_TABLE) === 0n || !pagingMode(space).endsWith("-level")) {
    return null;
  }
  const table = Number(cr3 & ~USER_TABLE & CR3_TABLE);
  const pair = memory.slice(table, 2 * PAGE_BYTES);
  if (pair === null) return null;
  const words = new DataView(pair.buffer, pair.byteOffset, pair.byteLength);
  let shared = 0;
  // The lower half is the program's, and the same in both.
  for (let at = 0; at < PAGE_BYTES / 2; at += 8) {
    const user = words.getUint32(PAGE_BYTES + at, true);
    if ((user & PRESENT) === 0) continue;
    const high = words.getUint32(PAGE_BYTES + at + 4, true);
    if (
      ((user ^ words.getUint32(at, true)) & ~ACCESSED) !== 0 ||
      ((high ^ words.getUint32(at + 4, true)) & ~NO_EXECUTE) !== 0
    ) return null;
    shared++;
  }
  return shared === 0 ? null : { cr0, cr3: cr3 & ~USER_TABLE, cr4, efer };
}
