// SSE and x87 instructions for the random programs (programs.ts), and numbers that make
// them meet what is special: zeros, denormals, infinities, NaNs, ties.

import { Reg } from "../../../ffi/registers.ts";
import type { Prng } from "../../silicon/prng.ts";

const RBP = 5;

/** How an instruction's operands are: XMM, general (sized by REX.W) or no register. */
interface Form {
  /** Prefix and opcode. */
  readonly bytes: readonly number[];
  /** ModRM.reg of a group; else a register. */
  readonly digit?: number;
  readonly reg?: "general";
  readonly rm?: "general";
  readonly only?: "memory" | "register";
  /** 16 bytes have to be aligned. */
  readonly aligned?: boolean;
  readonly wide?: boolean;
  readonly immediate?: boolean;
}

const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, n) => from + n);
const P66 = 0x66, F3 = 0xf3, F2 = 0xf2;
const of = (prefix: number | null, ...opcode: number[]) =>
  prefix === null ? [0x0f, ...opcode] : [prefix, 0x0f, ...opcode];

const MOVES: readonly Form[] = [
  ...[0x10, 0x11].flatMap((o) =>
    [null, P66, F3, F2].map((p): Form => ({ bytes: of(p, o) }))
  ),
  ...[0x28, 0x29].flatMap((o) =>
    [null, P66].map((p): Form => ({ bytes: of(p, o), aligned: true }))
  ),
  { bytes: of(P66, 0x6f), aligned: true },
  { bytes: of(F3, 0x6f) },
  { bytes: of(P66, 0x7f), aligned: true },
  { bytes: of(F3, 0x7f) },
  { bytes: of(F3, 0x7e) },
  { bytes: of(P66, 0xd6) },
  { bytes: of(P66, 0xe7), aligned: true, only: "memory" },
  { bytes: of(null, 0x2b), aligned: true, only: "memory" },
  { bytes: of(F2, 0xf0), only: "memory" },
  ...[0x6e, 0x7e].flatMap((o): Form[] => [
    { bytes: of(P66, o), rm: "general" },
    { bytes: of(P66, o), rm: "general", wide: true },
  ]),
  ...[0x12, 0x13, 0x16, 0x17].flatMap((o) =>
    [null, P66].map((p): Form => ({ bytes: of(p, o), only: "memory" }))
  ),
  { bytes: of(null, 0x12), only: "register" },
  { bytes: of(null, 0x16), only: "register" },
  { bytes: of(F2, 0x12) },
  { bytes: of(F3, 0x12), aligned: true },
  { bytes: of(F3, 0x16), aligned: true },
  { bytes: of(P66, 0xd7), reg: "general", only: "register" },
  { bytes: of(null, 0x50), reg: "general", only: "register" },
  { bytes: of(P66, 0x50), reg: "general", only: "register" },
  { bytes: of(P66, 0xc4), rm: "general", immediate: true },
  {
    bytes: of(P66, 0xc5),
    reg: "general",
    only: "register",
    immediate: true,
  },
];

const PACKED: readonly Form[] = [
  ...[
    ...range(0x60, 0x6d),
    ...range(0x74, 0x76),
    ...range(0xd1, 0xd5),
    ...range(0xd8, 0xe5),
    ...range(0xe8, 0xef),
    ...range(0xf1, 0xf6),
    ...range(0xf8, 0xfe),
  ].map((o): Form => ({ bytes: of(P66, o), aligned: true })),
  ...[
    0x00,
    0x04,
    ...range(0x08, 0x0b),
    ...range(0x1c, 0x1e),
    ...range(0x28, 0x29),
    0x2b,
    ...range(0x37, 0x40),
  ].map((o): Form => ({ bytes: of(P66, 0x38, o), aligned: true })),
  ...[...range(0x20, 0x25), ...range(0x30, 0x35)].map((o): Form => ({
    bytes: of(P66, 0x38, o),
  })),
  { bytes: of(P66, 0x3a, 0x0f), aligned: true, immediate: true },
  ...[P66, F3, F2].map((p): Form => ({
    bytes: of(p, 0x70),
    aligned: true,
    immediate: true,
  })),
  ...[null, P66].flatMap((p): Form[] => [
    { bytes: of(p, 0xc6), aligned: true, immediate: true },
    ...[0x14, 0x15, 0x54, 0x55, 0x56, 0x57].map((o): Form => ({
      bytes: of(p, o),
      aligned: true,
    })),
  ]),
  ...[
    [0x71, 2],
    [0x71, 4],
    [0x71, 6],
    [0x72, 2],
    [0x72, 4],
    [0x72, 6],
    [
      0x73,
      2,
    ],
    [0x73, 6],
    [0x73, 3],
    [0x73, 7],
  ].map(([o, digit]): Form => ({
    bytes: of(P66, o),
    digit,
    only: "register",
    immediate: true,
  })),
  // MMX, which makes the x87 registers its own
  { bytes: of(null, 0xfe) },
  { bytes: of(null, 0x6f) },
  { bytes: of(null, 0x77), only: "register" },
];

const FLOATS: readonly Form[] = [
  ...[0x51, 0x58, 0x59, 0x5c, 0x5d, 0x5e, 0x5f].flatMap((o): Form[] => [
    { bytes: of(null, o), aligned: true },
    { bytes: of(P66, o), aligned: true },
    { bytes: of(F3, o) },
    { bytes: of(F2, o) },
  ]),
  ...[null, P66].flatMap((p): Form[] => [
    { bytes: of(p, 0xc2), aligned: true, immediate: true },
    { bytes: of(p, 0x2e) },
    { bytes: of(p, 0x2f) },
    { bytes: of(p, 0x5a), aligned: true },
  ]),
  ...[F3, F2].flatMap((p): Form[] => [
    { bytes: of(p, 0xc2), immediate: true },
    { bytes: of(p, 0x5a) },
    ...[false, true].flatMap((wide): Form[] => [
      { bytes: of(p, 0x2a), rm: "general", wide },
      { bytes: of(p, 0x2c), reg: "general", wide },
      { bytes: of(p, 0x2d), reg: "general", wide },
    ]),
  ]),
  { bytes: of(null, 0x5b), aligned: true },
  { bytes: of(P66, 0x5b), aligned: true },
  { bytes: of(F3, 0x5b), aligned: true },
  { bytes: of(F3, 0xe6) },
  { bytes: of(null, 0x52), aligned: true },
];

/** A general register that programs may change. */
function general(r: Prng, long: boolean): number {
  for (;;) {
    const n = r.int(long ? 15 : 7);
    if (n !== 4 && n !== RBP) return n;
  }
}

function word32(v: number): number[] {
  return [v, v >> 8, v >> 16, v >> 24].map((b) => b & 0xff);
}

/** The ModRM byte, and what follows, of a place in the data. */
function place(r: Prng, reg: number, bytes: number, aligned: boolean) {
  let at = r.chance(8) ? 0x1000 - r.int(20) : r.int(0x2f00);
  if (aligned) at = r.chance(3) ? at : at & ~15;
  else if (r.chance(70)) at &= ~(bytes - 1);
  return [0x80 | (reg & 7) << 3 | RBP, ...word32(at)];
}

/** A random SSE instruction; its data are behind RBP. */
export function vectorInstruction(r: Prng, long: boolean): number[] {
  const form = r.pick(r.pick([MOVES, PACKED, FLOATS]));
  const wide = (form.wide ?? false) && long;
  // few registers, so that results are used
  const vector = () => r.int(long && r.chance(20) ? 16 : 5);
  const reg = form.digit ??
    (form.reg === "general" ? general(r, long) : vector());
  const rm = form.rm === "general" ? general(r, long) : vector();
  const memory = form.only === "memory" ||
    form.only !== "register" && r.chance(40);
  const prefix = [0x66, F3, F2].includes(form.bytes[0]) ? 1 : 0;
  const rex = (wide ? 8 : 0) | (reg >> 3) << 2 | (memory ? 0 : rm >> 3);
  const out = [...form.bytes.slice(0, prefix)];
  if (rex !== 0 && long) out.push(0x40 | rex);
  out.push(...form.bytes.slice(prefix));
  if (form.bytes.at(-1) === 0x77) return out;
  if (memory) out.push(...place(r, reg, 8, form.aligned ?? false));
  else out.push(0xc0 | (reg & 7) << 3 | rm & 7);
  if (form.immediate ?? false) {
    out.push(r.chance(70) ? r.int(32) : r.int(256));
  }
  return out;
}

/** A random x87 instruction; its data are behind RBP. */
export function x87Instruction(r: Prng): number[] {
  const memory = (opcode: number, digit: number) => [
    opcode,
    ...place(r, digit, 8, false),
  ];
  switch (r.int(12)) {
    case 0:
    case 1: // arithmetic with memory
      return memory(r.pick([0xd8, 0xdc, 0xd8, 0xdc, 0xda, 0xde]), r.int(8));
    case 2:
    case 3: // with registers
      return [0xd8, 0xc0 + r.int(64)];
    case 4:
      return [
        r.pick([0xdc, 0xde]),
        r.pick([0xc0, 0xc8, 0xe0, 0xe8, 0xf0, 0xf8]) + r.int(8),
      ];
    case 5:
    case 6: // FLD
      return r.pick([
        () => memory(0xd9, 0),
        () => memory(0xdd, 0),
        () => memory(0xdb, 5),
        () => memory(0xdf, 5),
        () => memory(0xdb, 0),
        () => memory(0xdf, 0),
        () => [0xd9, 0xc0 + r.int(8)],
        () => [0xd9, 0xe8 + r.int(7)],
      ])();
    case 7:
    case 8: // FST, FIST
      return r.pick([
        () => memory(0xd9, 2 + r.int(2)),
        () => memory(0xdd, 2 + r.int(2)),
        () => memory(0xdb, 7),
        () => memory(0xdb, 1 + r.int(3)),
        () => memory(0xdf, r.pick([1, 2, 3, 7])),
        () => [0xdd, 0xd0 + r.int(16)],
      ])();
    case 9: // FXCH, FCHS, FABS, FTST, FXAM, FINCSTP, FDECSTP, FNOP
      return r.pick([
        () => [0xd9, 0xc8 + r.int(8)],
        () => [0xd9, r.pick([0xe0, 0xe1, 0xe4, 0xe5, 0xd0])],
        () => [0xd9, r.pick([0xf6, 0xf7])],
        () => [0xdd, 0xc0 + r.int(8)],
      ])();
    case 10: // FCOM, FUCOM, FCOMI, FNSTSW AX, FCMOV
      return r.pick([
        () => [0xdd, 0xe0 + r.int(16)],
        () => [0xdb, 0xe8 + r.int(16)],
        () => [0xdf, 0xe8 + r.int(16)],
        () => [0xdf, 0xe0],
        () => [r.pick([0xda, 0xdb]), 0xc0 + r.int(32)],
        () => [r.pick([0xda, 0xde]), r.pick([0xe9, 0xd9])],
      ])();
    default: // FSQRT, FRNDINT, FSIN FCOS FPATAN FPTAN F2XM1 FYL2X FPREM FSCALE
      return [
        0xd9,
        r.chance(50) ? r.pick([0xfa, 0xfc]) : r.pick([
          0xf0,
          0xf1,
          0xf2,
          0xf3,
          0xf5,
          0xf8,
          0xf9,
          0xfb,
          0xfd,
          0xfe,
          0xff,
        ]),
      ];
  }
}

/** A single or double number's bits. */
function number(r: Prng, double: boolean): bigint {
  const top = double ? 11n : 8n, fraction = double ? 52n : 23n;
  const random = BigInt(r.u32()) << 32n | BigInt(r.u32());
  const sign = BigInt(r.int(2)) << (top + fraction);
  const bias = (1n << (top - 1n)) - 1n;
  const low = (bits: bigint) => random & ((1n << bits) - 1n);
  switch (r.int(14)) {
    case 0:
      return sign; // zero
    case 1:
      return sign | low(fraction); // denormal
    case 2:
      return sign | ((1n << top) - 1n) << fraction |
        (r.chance(50) ? 0n : low(fraction));
    case 3: // the ends of the range
      return sign |
        (r.chance(50) ? low(2n) + 1n : (1n << top) - 2n - low(2n)) <<
          fraction |
        low(fraction);
    case 4:
    case 5:
    case 6: // few bits: exact results, and ties
      return sign | (bias + BigInt(r.int(8) - 4)) << fraction |
        BigInt(r.int(16)) << (fraction - 4n);
    default:
      return sign | (bias + BigInt(r.int(40) - 20)) << fraction | low(fraction);
  }
}

/** Has some of the data be numbers. */
export function numbers(r: Prng, data: Uint32Array): void {
  for (let n = 0; n < data.length; n += 2) {
    if (r.chance(20)) continue;
    if (r.chance(50)) {
      data[n] = Number(number(r, false));
      data[n + 1] = Number(number(r, false));
    } else {
      const v = number(r, true);
      data[n] = Number(v & 0xffff_ffffn);
      data[n + 1] = Number(v >> 32n);
    }
  }
}

/** XMM and x87 registers, and their control and status. */
export const FLOATING_NAMES = Array.from(
  { length: 26 },
  (_, n) => Reg.Xmm0 + n,
);

/** Values for them, 16 bytes each. */
export function floatingState(r: Prng): Uint8Array {
  const values = new Uint8Array(26 * 16);
  const view = new DataView(values.buffer);
  numbers(r, new Uint32Array(values.buffer, 0, 16 * 4));
  for (let n = 0; n < 8; n++) {
    const at = (16 + n) * 16;
    view.setBigUint64(
      at,
      1n << 63n | BigInt(r.u32()) << (r.chance(50) ? 31n : 10n),
      true,
    );
    view.setUint16(at + 8, 0x3fff - 30 + r.int(60) | r.int(2) << 15, true);
  }
  const usual = r.chance(60);
  const control = usual ? 0x37f : 0x7f | r.u32() & 0xf00;
  view.setUint16(24 * 16, r.chance(10) ? control & ~r.int(64) : control, true);
  view.setUint16(24 * 16 + 2, r.int(8) << 11, true);
  view.setUint8(24 * 16 + 4, r.chance(50) ? 0 : r.int(256));
  let mxcsr = usual ? 0x1f80 : 0x1f80 | r.u32() & 0xe040;
  if (r.chance(60)) mxcsr |= 0x20;
  if (r.chance(5)) mxcsr &= ~(1 << (7 + r.int(6)));
  view.setUint32(25 * 16 + 8, mxcsr, true);
  return values;
}
