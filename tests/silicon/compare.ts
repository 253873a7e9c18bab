/**
 * Compares the results of one case and says what differs, with everything
 * left out that the manual leaves undefined.
 *
 * @module
 */
import type { Batch, Results, Undefined } from "./batch.ts";
import {
  COMPARED_FLAGS,
  DATA,
  DIFF_BYTES,
  Fx,
  FX_BYTES,
  GPR_NAMES,
  Result,
  SEGMENT_NAMES,
} from "./layout.ts";

const PAGE_FAULT = 14;
const FLAG_NAMES: [number, string][] = [
  [0, "CF"],
  [2, "PF"],
  [4, "AF"],
  [6, "ZF"],
  [7, "SF"],
  [8, "TF"],
  [9, "IF"],
  [10, "DF"],
  [11, "OF"],
  [14, "NT"],
  [18, "AC"],
  [21, "ID"],
];

/** One difference: what, and its two values as text. */
export interface Difference {
  what: string;
  expected: string;
  actual: string;
}

function hex(value: number | bigint, digits = 0): string {
  return "0x" + value.toString(16).padStart(digits, "0");
}

function flagNames(value: number): string {
  const names = FLAG_NAMES.filter(([bit]) => value >>> bit & 1);
  return names.map(([, name]) => name).join(" ") || "-";
}

/** Compares case `index`; an empty list means equal. */
export function compareCase(
  batch: Batch,
  index: number,
  expected: Results,
  actual: Results,
): Difference[] {
  const found: Difference[] = [];
  const undefinedOf = batch.undefinedOf[index];
  const a = expected.view;
  const b = actual.view;
  const ao = expected.offsets[index];
  const bo = actual.offsets[index];
  const field = (what: string, at: number) => {
    const x = a.getUint32(ao + at, true);
    const y = b.getUint32(bo + at, true);
    if (x !== y) found.push({ what, expected: hex(x), actual: hex(y) });
  };
  const wide = (what: string, at: number) => {
    if (
      a.getUint32(ao + at, true) === b.getUint32(bo + at, true) &&
      a.getUint32(ao + at + 4, true) === b.getUint32(bo + at + 4, true)
    ) return;
    found.push({
      what,
      expected: hex(a.getBigUint64(ao + at, true), 16),
      actual: hex(b.getBigUint64(bo + at, true), 16),
    });
  };
  field("vector", Result.vector);
  field("error code", Result.errorCode);
  if (a.getUint32(ao, true) === PAGE_FAULT) wide("cr2", Result.cr2);
  wide("rip", Result.rip);
  for (let r = 0; r < 16; r++) {
    if (undefinedOf.gprs >>> r & 1) continue;
    if (undefinedOf.highHalves) field(GPR_NAMES[r], Result.gpr + 8 * r);
    else wide(GPR_NAMES[r], Result.gpr + 8 * r);
  }
  const mask = COMPARED_FLAGS & ~undefinedOf.flags;
  const x = a.getUint32(ao + Result.rflags, true) & mask;
  const y = b.getUint32(bo + Result.rflags, true) & mask;
  if (x !== y) {
    const changed = x ^ y;
    found.push({
      what: `flags (${flagNames(changed)})`,
      expected: flagNames(x),
      actual: flagNames(y),
    });
  }
  for (let i = 0; i < SEGMENT_NAMES.length; i++) {
    const at = Result.segments + 2 * i;
    const x = a.getUint16(ao + at, true);
    const y = b.getUint16(bo + at, true);
    // Natively IRET to the signal handler has made other null selectors 0.
    if (x === y || (x <= 3 && y <= 3)) continue;
    found.push({ what: SEGMENT_NAMES[i], expected: hex(x), actual: hex(y) });
  }
  if (!undefinedOf.bases) {
    wide("fs base", Result.fsBase);
    wide("gs base", Result.gsBase);
  }
  if (batch.fx) {
    compareFx(
      new DataView(a.buffer, a.byteOffset + ao + Result.fx, FX_BYTES),
      new DataView(b.buffer, b.byteOffset + bo + Result.fx, FX_BYTES),
      undefinedOf,
      found,
    );
  }
  if (!undefinedOf.memory) {
    const header = Result.fx + (batch.fx ? FX_BYTES : 0);
    const pristine = new DataView(batch.pristine.buffer);
    const { ranges } = undefinedOf;
    compareMemory(a, ao, b, bo, header, pristine, ranges, found);
  }
  return found;
}

function compareMemory(
  a: DataView,
  ao: number,
  b: DataView,
  bo: number,
  header: number,
  pristine: DataView,
  ranges: [number, number][],
  found: Difference[],
): void {
  const an = a.getUint32(ao + Result.diffCount, true);
  const bn = b.getUint32(bo + Result.diffCount, true);
  let equal = an === bn;
  for (let i = 0; equal && i < an * DIFF_BYTES; i += 4) {
    equal = a.getUint32(ao + header + i, true) ===
      b.getUint32(bo + header + i, true);
  }
  if (equal) return;
  const words = (view: DataView, at: number, n: number) => {
    const map = new Map<number, number>();
    for (let i = 0; i < n; i++) {
      const entry = at + header + i * DIFF_BYTES;
      map.set(view.getUint32(entry, true), view.getUint32(entry + 4, true));
    }
    return map;
  };
  const x = words(a, ao, an);
  const y = words(b, bo, bn);
  const text = (value: number | undefined) =>
    value === undefined ? "as before" : hex(value, 8);
  for (const at of [...new Set([...x.keys(), ...y.keys()])].sort()) {
    if (x.get(at) === y.get(at)) continue;
    const before = pristine.getUint32(at, true);
    const changed = (x.get(at) ?? before) ^ (y.get(at) ?? before);
    if (ignored(DATA + at, changed, ranges)) continue;
    found.push({
      what: `memory [${hex(DATA + at)}]`,
      expected: text(x.get(at)),
      actual: text(y.get(at)),
    });
  }
}

/** Whether all bytes with bits in `changed` are in `ranges`. */
function ignored(
  address: number,
  changed: number,
  ranges: [number, number][],
): boolean {
  for (let i = 0; i < 4; i++) {
    if ((changed >>> (8 * i) & 0xff) === 0) continue;
    const at = address + i;
    if (!ranges.some(([first, end]) => at >= first && at < end)) return false;
  }
  return true;
}

function compareFx(
  a: DataView,
  b: DataView,
  undefinedOf: Undefined,
  found: Difference[],
): void {
  const half = (what: string, at: number, mask = 0xffff) => {
    const x = a.getUint16(at, true) & mask;
    const y = b.getUint16(at, true) & mask;
    if (x !== y) found.push({ what, expected: hex(x, 4), actual: hex(y, 4) });
  };
  half("fcw", Fx.fcw);
  half("fsw", Fx.fsw, 0xffff & ~undefinedOf.fsw);
  half("ftw", Fx.ftw, 0xff);
  half("mxcsr", Fx.mxcsr);
  for (let i = 0; i < 8; i++) {
    const at = Fx.st + 16 * i;
    if (equalWords(a, b, at, 2) && equalHalf(a, b, at + 8)) continue;
    const text = (v: DataView) =>
      hex(v.getUint16(at + 8, true), 4) + "_" +
      v.getBigUint64(at, true).toString(16).padStart(16, "0");
    found.push({ what: `st${i}`, expected: text(a), actual: text(b) });
  }
  for (let i = 0; i < 16; i++) {
    const at = Fx.xmm + 16 * i;
    if (equalWords(a, b, at, 4)) continue;
    const text = (v: DataView) =>
      hex(v.getBigUint64(at + 8, true), 16) + "_" +
      v.getBigUint64(at, true).toString(16).padStart(16, "0");
    found.push({ what: `xmm${i}`, expected: text(a), actual: text(b) });
  }
}

function equalWords(a: DataView, b: DataView, at: number, n: number): boolean {
  for (let i = 0; i < n; i++) {
    if (a.getUint32(at + 4 * i) !== b.getUint32(at + 4 * i)) return false;
  }
  return true;
}

function equalHalf(a: DataView, b: DataView, at: number): boolean {
  return a.getUint16(at) === b.getUint16(at);
}
