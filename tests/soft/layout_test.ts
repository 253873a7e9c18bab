// The memory map of the software platform's module (src/soft/core/layout.ts): every
// address in it belongs to an area here, and no two areas have a byte in common.

import { assert, assertEquals } from "@std/assert";
import "../../src/soft/number_types.ts";
import * as layout from "../../src/soft/core/layout.ts";

const {
  BH_ENTRIES,
  HOT_ENTRIES,
  IOBUF_BYTES,
  JC_ENTRIES,
  JP_ENTRIES,
  MAX_VPS,
  STATE,
  STATE_SIZE,
  TLB_VP,
} = layout;

/** Pages of 4 KiB that 32-bit addresses reach: what is kept for each host page. */
const HOST_PAGES = 1 << 20;
/** Bytes of a record (code/record.ts). */
const RECORD = 32;
/** Debug points and the slots of their tables (points/point.ts). */
const POINTS = 65536;
const POINT_SLOTS = 131072;

/** Bytes of each area, by the name of its first address. */
const AREAS: Record<string, number> = {
  STATE: STATE_SIZE,
  EXITBUF: 224,
  BOUNCE: 64,
  BKIND: 4,
  BLIN: 8,
  BSIZE: 4,
  JGEN: 4,
  MAPPINGS: 4,
  FETCH: 16,
  ACCESS: 24,
  IOBUF: IOBUF_BYTES,
  SIZE: 16,
  OPERAND: 16,
  TEMP: 16,
  NEW_TASK: 17 * 4,
  V86_FRAME: 9 * 4,
  EMULATED: 2 * RECORD,
  CROSSING: 3 * RECORD,
  OPTAB: 7 * 4 * 256 * 4,
  SPECS: layout.SPECS_END - layout.SPECS,
  STATICS: layout.BANKS - layout.STATICS,
  BANKS: MAX_VPS * 0x1000,
  LAPICS: MAX_VPS * 0x1000,
  TLBS: MAX_VPS * TLB_VP,
  JCACHE: JC_ENTRIES * 16,
  BHASH: BH_ENTRIES * 4,
  MAPS: layout.WHV - layout.MAPS,
  WHV: 0x10000,
  CODELINES: HOST_PAGES * 8,
  PAGEBLK: HOST_PAGES * 4,
  DIRTY: HOST_PAGES / 8,
  CHANGED: HOST_PAGES / 8,
  POOL: layout.POOL_END - layout.POOL,
  PAGECOPY: 0x1000,
  POINTS: POINTS * 40,
  POINT_ADDRESSES: POINT_SLOTS * 16,
  POINT_PAGES: POINT_SLOTS * 16,
  POINT_DATA: POINTS * 4,
  REGIONS: layout.REGIONS_END - layout.REGIONS,
  HOT: HOT_ENTRIES * 4,
  HOT_COUNT: 4,
  REGION_LEFT: 4,
  REGION_LAST: 4,
  CODE_DROPS: 4,
  REGION_USED: layout.REGION_ENTRIES,
  JLOCAL: JC_ENTRIES / 8,
  JGLOBAL_PAGES: JP_ENTRIES / 8,
  JLOCAL_PAGES: JP_ENTRIES / 8,
  LAST_PAGES: 18 * 5 * 2 * layout.LAST_PAGE_BYTES,
  GUEST: 2 ** 32 - layout.GUEST,
};

/** Bytes of each cell of a processor's state. */
const CELLS: Record<string, number> = {
  REGS: 128,
  ZERO: 8,
  CODEBASE: 8,
  RIP: 8,
  FZ: 8,
  FS: 8,
  FX: 8,
  FC: 8,
  EFL: 4,
  MODE: 1,
  CPL: 1,
  CODEKEY: 1,
  STACKW: 1,
  TLBB: 4,
  FAULT: 4,
  FERR: 4,
  FADDR: 8,
  PENDING: 4,
  SHADOW: 1,
  NMIMASK: 1,
  ACTIVITY: 1,
  SHADOWNEW: 1,
  CR0: 8,
  CR2: 8,
  CR3: 8,
  CR4: 8,
  CR8: 8,
  EFER: 8,
  XCR0: 8,
  DR0: 32,
  DR6: 8,
  DR7: 8,
  DBGPEND: 8,
  XSS: 8,
  SEGS: 8 * 32,
  GDTR: 12,
  IDTR: 12,
  M_STAR: 8,
  M_LSTAR: 8,
  M_CSTAR: 8,
  M_SFMASK: 8,
  M_KGSBASE: 8,
  M_SYSCS: 8,
  M_SYSESP: 8,
  M_SYSEIP: 8,
  M_PAT: 8,
  M_TSCOFF: 8,
  M_TSCAUX: 8,
  M_MISC: 8,
  M_TSCADJ: 8,
  M_MTRRDEF: 8,
  M_SPEC: 8,
  M_MTRR: 27 * 8,
  FPR: 8 * 16,
  FCW: 2,
  FSW: 2,
  FTW: 1,
  FOP: 2,
  FIP: 8,
  FDP: 8,
  FCS: 2,
  FDS: 2,
  MXCSR: 4,
  XMM: 16 * 16,
  PEND_INT: 8,
  PEND_EVENT: 16,
  DELIVER: 8,
  VPINDEX: 4,
  ICOUNT: 8,
  LPBASE: 8,
  LPMASK: 8,
  SUSPECT: 1,
  PASS: 1,
  LATE: 4,
  LATEERR: 4,
  LATEADDR: 8,
  LATELEN: 4,
  HIT_COUNT: 4,
  HITS: 4 * 40,
};

/** Names for places inside an area or a cell. */
const INSIDE: Record<string, string> = {
  ...Object.fromEntries(
    ["RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI", "R11"]
      .map((name) => [name, "REGS"]),
  ),
  VALUES: "IOBUF",
  COUNTERS: "WHV",
};

/** Names of numbers that are no addresses. */
const NUMBERS =
  /^(?:A_|F_|LP_|MODE_|P_|S_|SEG_|TLB_|R_|STATE_SIZE$|BANK_SIZE$|\w+_STRIDE$|MAX_VPS$|\w+_(?:END|ENTRIES|BYTES)$)/;

interface Place {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

function placesOf(sizes: Record<string, number>): Place[] {
  const at: Record<string, unknown> = {
    ZERO: STATE + layout.R_ZERO,
    ...layout,
  };
  return Object.entries(sizes).map(([name, bytes]) => {
    const from = at[name];
    assert(typeof from === "number", `layout.ts has no ${name}`);
    return { name, from, to: from + bytes };
  }).sort((a, b) => a.from - b.from);
}

function overlaps(places: readonly Place[]): string[] {
  return places.slice(1).flatMap((place, i) =>
    places[i].to > place.from ? [`${places[i].name} and ${place.name}`] : []
  );
}

Deno.test("memory map: no two areas overlap", () => {
  assertEquals(overlaps(placesOf(AREAS)), []);
});

Deno.test("memory map: no two cells of a processor's state overlap", () => {
  const cells = placesOf(CELLS);
  assertEquals(overlaps(cells), []);
  assertEquals(cells[0].from, STATE);
  assert(cells[cells.length - 1].to <= STATE + STATE_SIZE);
  assert(STATE_SIZE <= layout.BANK_SIZE, "a bank holds a state");
});

Deno.test("memory map: every address has its place", () => {
  const places = new Map(
    [...placesOf(AREAS), ...placesOf(CELLS)].map((
      place,
    ) => [place.name, place]),
  );
  for (const [name, value] of Object.entries(layout)) {
    if (typeof value !== "number" || NUMBERS.test(name)) continue;
    const place = places.get(INSIDE[name] ?? name);
    assert(place, `what is the size of ${name}?`);
    assert(value >= place.from && value < place.to, `${name} is in its place`);
  }
});

Deno.test("memory map: every record of the pool has its cell", () => {
  assertEquals(
    layout.REGIONS_END - layout.REGIONS,
    (layout.POOL_END - layout.POOL) / RECORD * 4,
  );
});

Deno.test("memory map: AssemblyScript's static data fits", async () => {
  const bytes = await Deno.readFile(
    new URL("../../src/soft/core.wasm", import.meta.url),
  );
  const segments = dataSegments(bytes);
  assert(segments.length > 0);
  for (const { from, to } of segments) {
    assert(from >= layout.STATICS && to <= layout.BANKS, `${from}..${to}`);
  }
});

/** Where a module's data goes: WebAssembly's binary format, section 11. */
function dataSegments(bytes: Uint8Array): { from: number; to: number }[] {
  let at = 8;
  const leb = (): number => {
    let value = 0;
    for (let shift = 0;; shift += 7) {
      const byte = bytes[at++];
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const section = bytes[at++];
    const size = leb();
    const end = at + size;
    if (section !== 11) {
      at = end;
      continue;
    }
    const found: { from: number; to: number }[] = [];
    for (let n = leb(); n > 0; n--) {
      assertEquals(leb(), 0, "an active segment");
      assertEquals(bytes[at++], 0x41, "i32.const");
      const from = leb();
      assertEquals(bytes[at++], 0x0b, "end");
      const length = leb();
      at += length;
      found.push({ from, to: from + length });
    }
    return found;
  }
  return [];
}
