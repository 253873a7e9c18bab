/** The address space as a list of regions: what is mapped, and how. */
import type { GuestMemory } from "../../machine/memory.ts";
import { EFER_NXE } from "../../x86/control_registers.ts";
import {
  ENTRY,
  ENTRY_NO_EXECUTE,
  PAGE_BYTES,
  PAGE_OFFSET,
} from "../../x86/paging.ts";
import { type PageWalker, type Paging, pagingMode } from "./walk.ts";

/**
 * A stretch of linear addresses of one kind.
 *
 * @example
 * ```ts
 * import {
 *   attachDebugger,
 *   type DebugMemoryRegion,
 *   loadGuest,
 *   Machine,
 *   openSoft,
 *   startGuest,
 * } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const ramBytes = 2 << 20;
 * const platform = await openSoft({ memoryBytes: ramBytes });
 * const machine = new Machine({
 *   platform,
 *   guestMemory: platform.guestMemory,
 *   clock: platform.clock,
 *   entropy: { fill: (into) => into.fill(4) },
 *   cpus: 1,
 *   ramBytes,
 * });
 * startGuest(
 *   machine,
 *   loadGuest({
 *     image: Uint8Array.from([0xb0, 0x2a, 0xe6, 0xf4]), // mov al, 42; out 0xf4, al
 *     name: "ends",
 *     commandLine: "",
 *     modules: [],
 *     ramBytes,
 *     cpus: 1,
 *     virtioDevices: 0,
 *     flat: { address: 0x7000, mode: 16 },
 *   }),
 * );
 * const target = attachDebugger(machine);
 * const region: DebugMemoryRegion | undefined = target.regionAt?.(0, 0x7123n);
 * assertEquals(region, { start: 0x7000n, bytes: 0x1f9000n, permissions: "rwx" });
 * ```
 */
export interface MemoryRegion {
  /** The first linear address. */
  readonly start: bigint;
  /** Size in bytes. */
  readonly bytes: bigint;
  /** Letters of "rwx" as the page tables have it for their owner, or "" where
   * nothing is. */
  readonly permissions: string;
}

/** Page table entries followed for one answer at most. */
const MAX_PIECES = 1 << 14;
const END = 1n << 64n;
const FOUR_GIB = 1n << 32n;
const ENTRY_WRITE = BigInt(ENTRY.Write);

/** The region that `address` is in, from its page on. */
export function regionAt(
  memory: GuestMemory,
  isDevice: (gpa: number) => boolean,
  walker: PageWalker,
  space: Paging,
  address: bigint,
): MemoryRegion {
  const start = address & ~PAGE_OFFSET;
  let { end, permissions } = pieceAt(start);
  for (let i = 0; i < MAX_PIECES && end < END; i++) {
    const next = pieceAt(end);
    if (next.permissions !== permissions) break;
    end = next.end;
  }
  return { start, bytes: end - start, permissions };

  function pieceAt(at: bigint): { end: bigint; permissions: string } {
    const mode = pagingMode(space);
    const long = mode.endsWith("-level");
    if (!long && at >= FOUR_GIB) return { end: END, permissions: "" };
    const half = mode === "4-level" ? 1n << 47n : 1n << 56n;
    if (long && at >= half && at < END - half) {
      return { end: END - half, permissions: "" };
    }
    const { gpa, pageBytes, entries } = walker.walk(space, at);
    const page = BigInt(pageBytes);
    let pageEnd = mode === "none" ? FOUR_GIB : at - at % page + page;
    if (gpa < 0) return { end: pageEnd, permissions: "" };
    for (const region of memory.regions) {
      const { gpa: first, bytes } = region;
      const last = first + bytes;
      if (gpa >= first && gpa < last) {
        const left = BigInt(last - gpa);
        if (at + left < pageEnd) pageEnd = at + left;
        const rom = region.kind === "rom";
        return { end: pageEnd, permissions: permissionsOf(entries, rom) };
      }
    }
    if (isDevice(gpa)) {
      return {
        end: at + BigInt(PAGE_BYTES),
        permissions: permissionsOf(entries, false),
      };
    }
    // Devices lie on pages of their own.
    return {
      end: mode === "none" ? at + BigInt(PAGE_BYTES) : pageEnd,
      permissions: "",
    };
  }

  function permissionsOf(
    entries: readonly { readonly level: string; readonly value: bigint }[],
    rom: boolean,
  ): string {
    const pae = pagingMode(space) === "PAE";
    // PAE's directory pointers have no such bit.
    const writable = !rom &&
      entries.every(({ level, value }) =>
        (pae && level === "PDPTE") || (value & ENTRY_WRITE) !== 0n
      );
    const executable = (space.efer & EFER_NXE) === 0n ||
      entries.every(({ value }) => (value & ENTRY_NO_EXECUTE) === 0n);
    return `r${writable ? "w" : ""}${executable ? "x" : ""}`;
  }
}
