/**
 * `info mem` and `info tlb` of QEMU's monitor: what the page tables map.
 * Source of facts: QEMU 7.2's monitor, asked; Intel SDM 3, chapter 4.
 */
import type { GuestMemory } from "../../../machine/memory.ts";
import type { MonitorContext } from "../command.ts";
import { type Paging, type PagingMode, pagingMode } from "../../paging/walk.ts";
import { CR4_PSE } from "../../../x86/control_registers.ts";
import {
  ENTRY,
  ENTRY_ADDRESS,
  ENTRY_NO_EXECUTE,
  PAGE_BYTES,
  PAGE_OFFSET,
  TABLE_ENTRIES,
} from "../../../x86/paging.ts";

const NOT_PAGING = "PG disabled\n";
const RIGHTS = ENTRY.User | ENTRY.Write;
/** As `info tlb` shows them, from the left. */
const LETTERS: readonly (readonly [string, bigint])[] = [
  ["X", ENTRY_NO_EXECUTE],
  ["G", BigInt(ENTRY.Global)],
  ["P", BigInt(ENTRY.Large)],
  ["D", BigInt(ENTRY.Dirty)],
  ["A", BigInt(ENTRY.Accessed)],
  ["C", BigInt(ENTRY.NoCache)],
  ["T", BigInt(ENTRY.WriteThrough)],
  ["U", BigInt(ENTRY.User)],
  ["W", BigInt(ENTRY.Write)],
];

/** One level of tables. */
interface Level {
  /** The bit of an address with which its index begins. */
  readonly shift: number;
  readonly entries: number;
  /** Whether an entry can be a page. */
  readonly large: boolean;
  /** Whether its entries restrict what those below allow. */
  readonly rights: boolean;
}

const level = (shift: number, large: boolean) => ({
  shift,
  entries: TABLE_ENTRIES,
  large,
  rights: true,
});

function levelsOf(mode: PagingMode, cr4: bigint): readonly Level[] {
  const last = level(12, false);
  switch (mode) {
    case "32-bit":
      return [
        { ...level(22, (cr4 & CR4_PSE) !== 0n), entries: 1024 },
        { ...last, entries: 1024 },
      ];
    case "PAE":
      return [
        { shift: 30, entries: 4, large: false, rights: false },
        level(21, true),
        last,
      ];
    default:
      return [
        ...(mode === "5-level" ? [level(48, false)] : []),
        level(39, false),
        level(30, true),
        level(21, true),
        last,
      ];
  }
}

/** A page that is mapped. */
interface Page {
  /** Address, not sign-extended. */
  readonly start: bigint;
  readonly bytes: bigint;
  readonly entry: bigint;
  /** User and Write, as all levels together allow. */
  readonly rights: number;
}

/** All pages, by address. */
function* pages(memory: GuestMemory, p: Paging): Generator<Page> {
  const mode = pagingMode(p);
  const narrow = mode === "32-bit";
  const view = new DataView(
    memory.view.buffer,
    memory.view.byteOffset,
    memory.view.byteLength,
  );
  const levels = levelsOf(mode, p.cr4);
  function* table(
    depth: number,
    at: number,
    base: bigint,
    above: number,
  ): Generator<Page> {
    const { shift, entries, large, rights } = levels[depth];
    const offset = memory.offsetOf(at);
    // No table can be where no memory is.
    if (offset < 0) return;
    for (let i = 0; i < entries; i++) {
      const entry = narrow
        ? BigInt(view.getUint32(offset + 4 * i, true))
        : view.getBigUint64(offset + 8 * i, true);
      const low = Number(entry & PAGE_OFFSET);
      if ((low & ENTRY.Present) === 0) continue;
      const start = base + (BigInt(i) << BigInt(shift));
      const allowed = rights ? above & low : above;
      if (depth === levels.length - 1 || (large && (low & ENTRY.Large) !== 0)) {
        yield { start, bytes: 1n << BigInt(shift), entry, rights: allowed };
      } else {
        yield* table(depth + 1, Number(entry & ENTRY_ADDRESS), start, allowed);
      }
    }
  }
  const root = mode === "PAE" ? p.cr3 & 0xffffffe0n : p.cr3 & ENTRY_ADDRESS;
  yield* table(0, Number(root), 0n, RIGHTS);
}

/** Addresses of long mode continue their highest bit. */
function canonical(mode: PagingMode): (address: bigint) => bigint {
  if (mode !== "4-level" && mode !== "5-level") return (address) => address;
  const bits = mode === "4-level" ? 48 : 57;
  // The end of the last page is shown as it is.
  return (address) =>
    address >> BigInt(bits - 1) & 1n
      ? BigInt.asUintN(64, BigInt.asIntN(bits, address))
      : address;
}

const hex = (value: bigint) => value.toString(16).padStart(16, "0");

/** The address space that a processor of the stopped guest is in. */
function spaceOf(target: MonitorContext, processor: number): Paging {
  target.course.needStopped();
  const v = target.guest.vcpus[processor];
  v.read();
  return v;
}

/** `info mem`: ranges of the same rights. */
export function showMem(target: MonitorContext, processor: number): string {
  const space = spaceOf(target, processor);
  const mode = pagingMode(space);
  if (mode === "none") return NOT_PAGING;
  const shown = canonical(mode);
  const lines: string[] = [];
  let start = 0n, end = -1n, rights = 0;
  const close = () => {
    if (end < 0n) return;
    lines.push(
      `${hex(shown(start))}-${hex(shown(end))} ${hex(shown(end - start))} ` +
        `${rights & ENTRY.User ? "u" : "-"}r${
          rights & ENTRY.Write ? "w" : "-"
        }\n`,
    );
  };
  for (const page of pages(target.guest.machine.memory, space)) {
    if (page.start !== end || page.rights !== rights) {
      close();
      start = page.start;
      rights = page.rights;
    }
    end = page.start + page.bytes;
  }
  close();
  return lines.join("");
}

/** `info tlb`: every page. */
export function showTlb(target: MonitorContext, processor: number): string {
  const space = spaceOf(target, processor);
  const mode = pagingMode(space);
  if (mode === "none") return NOT_PAGING;
  const shown = canonical(mode);
  // Without long mode the monitor shows NX with the address.
  const kept = mode === "PAE"
    ? ENTRY_ADDRESS | ENTRY_NO_EXECUTE
    : ENTRY_ADDRESS;
  const lines: string[] = [];
  for (
    const { start, bytes, entry } of pages(target.guest.machine.memory, space)
  ) {
    // In a table's last level the bit of large pages is another one.
    const flags = bytes > PAGE_BYTES ? entry : entry & ~BigInt(ENTRY.Large);
    const letters = LETTERS.map(([letter, bit]) => flags & bit ? letter : "-");
    const address = entry & kept & ~(frameBytes(mode, bytes) - 1n);
    lines.push(`${hex(shown(start))}: ${hex(address)} ${letters.join("")}\n`);
  }
  return lines.join("");
}

/** A 4 MiB page's address is shown from bit 21 on, as 2 MiB pages' are. */
function frameBytes(mode: PagingMode, bytes: bigint): bigint {
  return mode === "32-bit" && bytes > PAGE_BYTES ? 1n << 21n : bytes;
}
