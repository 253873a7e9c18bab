/**
 * Where processors differ from each other and the manuals allow it, or their
 * vendors disagree: outcomes of a case that are right although the core's is
 * another one. Each has a name and says how often it was taken; what none of
 * them explains is a failure.
 *
 * @module
 */
import type { Batch, Results } from "./batch.ts";
import type { Difference } from "./compare.ts";
import {
  Case,
  CODE,
  CODE_BYTES,
  CS,
  DATA,
  DATA_BYTES,
  DS,
  ES,
  Flag,
  Fx,
  FX_BYTES,
  GPR_NAMES,
  RBX,
  RDI,
  READ_ONLY,
  READ_ONLY_BYTES,
  Result,
  Selector,
} from "./layout.ts";
import { hiddenPart } from "./ldt.ts";

/** A case whose results differ. */
export interface Comparison {
  batch: Batch;
  index: number;
  silicon: Results;
  core: Results;
  /** All that differs; never empty. */
  differences: Difference[];
}

export interface Alternative {
  name: string;
  /** Where it is documented, or where it was seen. */
  source: string;
  /** Names of the forms that may take it. */
  forms: RegExp;
  /** Whether all the differences are this alternative's. */
  explains(c: Comparison, form: string): boolean;
}

/** Whether nothing differs but what `allowed` matches. */
function only(c: Comparison, allowed: RegExp): boolean {
  return c.differences.every(({ what }) => allowed.test(what));
}

interface Fault {
  vector: number;
  errorCode: number;
  cr2: number;
}

const GP: Fault = { vector: 13, errorCode: 0, cr2: 0 };
const MISALIGNED: Fault = { vector: 17, errorCode: 0, cr2: 0 };

/** Ranges of linear addresses that user mode can read: first byte and end. */
const READABLE = [
  [DATA, DATA + DATA_BYTES],
  [READ_ONLY, READ_ONLY + READ_ONLY_BYTES],
  [CODE, CODE + CODE_BYTES],
];

/**
 * The fault that reading `bytes` bytes at an offset in ES gives, or null;
 * `checked`: with alignment checking.
 */
function faultOfRead(
  selector: number,
  long: boolean,
  offset: bigint,
  bytes: number,
  checked: boolean,
): Fault | null {
  let linear = offset;
  if (!long) {
    if (selector <= 3) return GP;
    const hidden = hiddenPart(selector) ??
      { base: 0, limit: 0xffff_ffff, attributes: 0xc0f3 };
    const last = Number(offset) + bytes - 1;
    const { limit, attributes } = hidden;
    const down = (attributes & 12) === 4;
    const top = attributes & 0x4000 ? 0xffff_ffff : 0xffff;
    const inside = down ? offset > limit && last <= top : last <= limit;
    if (!inside || !(attributes & 0x80)) return GP;
    linear = BigInt.asUintN(32, offset + BigInt(hidden.base));
  } else if (BigInt.asIntN(48, linear) !== BigInt.asIntN(64, linear)) {
    return GP;
  }
  if (checked && Number(linear & 7n) % bytes !== 0) return MISALIGNED;
  for (let i = 0; i < bytes; i++) {
    const at = Number(linear) + i;
    if (READABLE.some(([first, end]) => at >= first && at < end)) continue;
    return { vector: 14, errorCode: 4, cr2: at };
  }
  return null;
}

/** Element size and address size of the CMPS that is case `index`. */
function decodeCmps(
  c: Comparison,
): { bytes: number; mask: bigint; long: boolean } | null {
  const { batch, index } = c;
  const cs = batch.view.getUint16(
    batch.offsets[index] + Case.segments + 2 * CS,
    true,
  );
  const long = cs === Selector.userCs;
  let short = cs !== Selector.userCs && cs !== Selector.userCs32;
  let wide = false;
  let operand = false;
  for (const byte of batch.codeOf(index)) {
    if (byte === 0x67) short = !short;
    else if (byte === 0x66) operand = !operand;
    else if (long && (byte & 0xf8) === 0x48) wide = true;
    else if (byte === 0xa6 || byte === 0xa7) {
      const narrow = !long && cs !== Selector.userCs32;
      const bytes = byte === 0xa6 ? 1 : wide ? 8 : operand !== narrow ? 2 : 4;
      const bits = long ? (short ? 32n : 64n) : short ? 16n : 32n;
      return { bytes, long, mask: (1n << bits) - 1n };
    }
  }
  return null;
}

function destinationFirst(c: Comparison): boolean {
  if (!only(c, /^(vector|error code|cr2)$/)) return false;
  const cmps = decodeCmps(c);
  if (cmps === null) return false;
  const { view, offsets } = c.silicon;
  const at = offsets[c.index];
  const rdi = view.getBigUint64(at + Result.gpr + 8 * RDI, true) & cmps.mask;
  const es = view.getUint16(at + Result.segments + 2 * ES, true);
  const ac = (view.getUint32(at + Result.rflags, true) & Flag.AC) !== 0;
  const fault = faultOfRead(es, cmps.long, rdi, cmps.bytes, ac);
  return fault !== null &&
    view.getUint32(at + Result.vector, true) === fault.vector &&
    view.getUint32(at + Result.errorCode, true) === fault.errorCode &&
    (fault.vector !== 14 ||
      view.getBigUint64(at + Result.cr2, true) === BigInt(fault.cr2));
}

/** The FXSAVE image of a result. */
function fxOf({ view, offsets }: Results, index: number): DataView {
  const at = view.byteOffset + offsets[index] + Result.fx;
  return new DataView(view.buffer, at, FX_BYTES);
}

/** An 80-bit number's magnitude as an integer: neighbours differ by one. */
function ordered(v: DataView, at: number): bigint {
  return (BigInt(v.getUint16(at + 8, true) & 0x7fff) << 63n) |
    (v.getBigUint64(at, true) & 0x7fff_ffff_ffff_ffffn);
}

function lastBits(c: Comparison): boolean {
  if (!only(c, /^st[01]$/)) return false;
  const a = fxOf(c.silicon, c.index);
  const b = fxOf(c.core, c.index);
  return [0, 1].every((i) => {
    const at = Fx.st + 16 * i;
    if ((a.getUint8(at + 9) ^ b.getUint8(at + 9)) & 0x80) return false;
    const delta = ordered(a, at) - ordered(b, at);
    return delta >= -2n && delta <= 2n;
  });
}

function twelveBits(c: Comparison): boolean {
  if (!only(c, /^xmm\d+$/)) return false;
  const a = fxOf(c.silicon, c.index);
  const b = fxOf(c.core, c.index);
  for (let at = Fx.xmm; at < Fx.xmm + 256; at += 4) {
    if (a.getUint32(at) === b.getUint32(at)) continue;
    const x = a.getFloat32(at, true);
    const y = b.getFloat32(at, true);
    if (!(Math.abs(x - y) <= 2 * 1.5 * 2 ** -12 * Math.abs(x))) return false;
  }
  return true;
}

/** Bits 16 to 19 of LAR's destination alone. */
function limitBits(c: Comparison): boolean {
  const code = c.batch.codeOf(c.index);
  const at = code.findIndex((byte, i) => byte === 0x0f && code[i + 1] === 2);
  const rex = at > 0 && (code[at - 1] & 0xf0) === 0x40 ? code[at - 1] : 0;
  const reg = code[at + 2] >> 3 & 7 | (rex & 4) << 1;
  return c.differences.every(({ what, expected, actual }) =>
    what === GPR_NAMES[reg] &&
    ((BigInt(expected) ^ BigInt(actual)) & ~0xf_0000n) === 0n
  );
}

function transition(c: Comparison): boolean {
  // TOP to 0 and every tag valid: what both have before, but for the tags
  if (!only(c, /^ftw$/)) return false;
  return fxOf(c.silicon, c.index).getUint8(Fx.ftw) === 0xff;
}

/** A page fault at the last byte of an operand that wraps at 64 KiB. */
function lastByte(c: Comparison, form: string): boolean {
  const bytes = Number(/ m(\d+)byte$/.exec(form)?.[1]);
  const record = c.batch.offsets[c.index];
  const { view, offsets } = c.silicon;
  const at = offsets[c.index];
  const ds = view.getUint16(at + Result.segments + 2 * DS, true);
  const offset = view.getUint16(at + Result.gpr + 8 * RBX, true);
  const last = (offset + bytes - 1 & 0xffff) + (hiddenPart(ds)?.base ?? 0);
  return offset + bytes > 0x1_0000 &&
    view.getBigUint64(at + Result.rip, true) ===
      c.batch.view.getBigUint64(record + Case.rip, true) &&
    view.getUint32(at + Result.vector, true) === 14 &&
    view.getBigUint64(at + Result.cr2, true) === BigInt(last);
}

export const ALTERNATIVES: readonly Alternative[] = [{
  name: "CMPS: the fault of ES:RDI before that of DS:RSI",
  source: "no manual says; AMD's processors before family 1Ah",
  forms: /CMPS[BWDQ]$/,
  explains: destinationFirst,
}, {
  name: "x87 transcendental functions: up to two units in the last place",
  source: "SDM vol.1, 8.3.10: less than 1 ulp to nearest, 1.5 otherwise",
  forms: /\b(F2XM1|FYL2X|FYL2XP1|FPTAN|FPATAN|FSIN|FCOS|FSINCOS)$/,
  explains: lastBits,
}, {
  name: "RCPPS, RCPSS, RSQRTPS, RSQRTSS: relative error up to 1.5 * 2^-12",
  source: "SDM vol.2, of each",
  forms: /^(RCP|RSQRT)[PS]S /,
  explains: twelveBits,
}, {
  name: "LAR: bits 16 to 19",
  source: "SDM vol.2, LAR: undefined",
  forms: /\bLAR r/,
  explains: limitBits,
}, {
  name: "CVTPI2PS from memory makes the transition to MMX",
  source: "SDM vol.2, CVTPI2PS; AMD's and newer processors do not",
  forms: /^CVTPI2PS xmm, mm\/m64/,
  explains: transition,
}, {
  name: "x87 environments and FXSAVE areas: the last byte is touched first",
  source: "no manual says; AMD's processors, family 1Ah at least",
  forms: /^at 64 KiB: (FLDENV|FNSTENV|FXSAVE|FXRSTOR) /,
  explains: lastByte,
}];

/** The alternative that explains every difference, or null. */
export function alternativeFor(
  form: string,
  c: Comparison,
  table: readonly Alternative[] = ALTERNATIVES,
): Alternative | null {
  return table.find((a) => a.forms.test(form) && a.explains(c, form)) ?? null;
}
