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

/** What operands may be. */
interface Room {
  readonly general: readonly number[];
  /** Bytes behind RBP. */
  readonly bytes: number;
  /** Few fault: a program would end there. */
  readonly faults: boolean;
  readonly control: boolean;
  /** 16-bit addresses. */
  readonly short: boolean;
}

export const PROGRAM: Room = {
  general: [0, 1, 2, 3, 6],
  bytes: 0x2f00,
  faults: true,
  control: true,
  short: false,
};
export const SHORT: Room = { ...PROGRAM, control: false, short: true };
const LOOP: Room = {
  general: [0, 2, 3, 6],
  bytes: 0x1000,
  faults: false,
  control: false,
  short: false,
};

function word32(v: number): number[] {
  return [v, v >> 8, v >> 16, v >> 24].map((b) => b & 0xff);
}

/** The ModRM byte, and what follows, of a place in the data. */
function place(
  r: Prng,
  room: Room,
  reg: number,
  bytes: number,
  aligned: boolean,
) {
  let at = r.chance(8) && room.faults ? 0x1000 - r.int(20) : r.int(room.bytes);
  if (aligned) at = room.faults && r.int(500) === 0 ? at : at & ~15;
  else if (r.chance(70)) at &= ~(bytes - 1);
  if (room.short) return [0x86 | (reg & 7) << 3, at & 0xff, at >> 8];
  return [0x80 | (reg & 7) << 3 | RBP, ...word32(at)];
}

/** A control word at `at`, and what loads it from there. */
function loaded(at: number, value: number, opcode: readonly number[]) {
  return [
    0xc7,
    0x85,
    ...word32(at),
    ...word32(value),
    ...opcode,
    ...word32(at),
  ];
}

/** LDMXCSR: PE is clear again, or rounding another. */
function control(r: Prng): number[] {
  let value = r.chance(70) ? 0x1f80 : 0x1f80 | r.u32() & 0xe040;
  if (r.chance(40)) value |= 0x20;
  if (r.chance(2)) value &= ~(1 << (7 + r.int(6)));
  return loaded(r.int(0x2f00), value, [0x0f, 0xae, 0x95]);
}

/** FLDCW, FNINIT or FNCLEX. */
function x87Control(r: Prng): number[] {
  if (r.chance(20)) return r.pick([[0xdb, 0xe3], [0xdb, 0xe2]]);
  let value = r.chance(60) ? 0x37f : 0x7f | r.u32() & 0xf00;
  if (r.chance(2)) value &= ~(1 << r.int(6));
  return loaded(r.int(0x2f00), value, [0xd9, 0xad]);
}

/** A random SSE instruction; its data are behind RBP. */
export function vectorInstruction(
  r: Prng,
  long: boolean,
  room = PROGRAM,
): number[] {
  if (r.chance(4) && room.control) return control(r);
  const form = r.pick(r.pick([MOVES, PACKED, FLOATS, FLOATS]));
  const wide = (form.wide ?? false) && long;
  // few registers, so that results are used
  const vector = () => r.int(long && room.faults && r.chance(20) ? 16 : 5);
  const reg = form.digit ??
    (form.reg === "general" ? r.pick(room.general) : vector());
  const rm = form.rm === "general" ? r.pick(room.general) : vector();
  const memory = form.only === "memory" ||
    form.only !== "register" && r.chance(40);
  const prefix = [0x66, F3, F2].includes(form.bytes[0]) ? 1 : 0;
  const rex = (wide ? 8 : 0) | (reg >> 3) << 2 | (memory ? 0 : rm >> 3);
  const out = [...form.bytes.slice(0, prefix)];
  if (rex !== 0 && long) out.push(0x40 | rex);
  out.push(...form.bytes.slice(prefix));
  if (form.bytes.at(-1) === 0x77) return out;
  if (memory) out.push(...place(r, room, reg, 8, form.aligned ?? false));
  else out.push(0xc0 | (reg & 7) << 3 | rm & 7);
  if (form.immediate ?? false) {
    out.push(r.chance(70) ? r.int(32) : r.int(256));
  }
  return out;
}

/** A random x87 instruction; its data are behind RBP. */
export function x87Instruction(r: Prng, room = PROGRAM): number[] {
  const memory = (opcode: number, digit: number) => [
    opcode,
    ...place(r, room, digit, 8, false),
  ];
  if (r.chance(4) && room.control) return x87Control(r);
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
  switch (r.int(16)) {
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
    case 4: // about the ends of integers
      return sign |
        (bias + BigInt(r.pick([15, 31, 63]) + r.int(3) - 2)) << fraction |
        (r.chance(50)
          ? 0n
          : ((1n << fraction) - 1n) ^ low(r.chance(50) ? 1n : 30n % fraction));
    case 5:
    case 6:
    case 7:
    case 8: // few bits: exact results, and ties
      return sign | (bias + BigInt(r.int(8) - 4)) << fraction |
        BigInt(r.int(16)) << (fraction - 4n);
    default:
      return sign | (bias + BigInt(r.int(40) - 20)) << fraction | low(fraction);
  }
}

/** Has some of the data be numbers. */
function numbers(r: Prng, data: Uint32Array): void {
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

/** As numbers(), for most programs. */
export function someNumbers(r: Prng, data: Uint32Array): void {
  if (r.chance(60)) numbers(r, data);
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

// --- loops

/** Where a loop's control words are behind RBP, and what it keeps results in. */
const CONTROL = 0x2000, RESULT = 0x1f00;
/** RBP goes on by 16 bytes a turn. */
const TURNS = 200;

/** Has the data be numbers, and what is at CONTROL words for LDMXCSR and FLDCW. */
export function loopData(r: Prng, data: Uint32Array): void {
  numbers(r, data);
  for (let at = CONTROL; at < CONTROL + TURNS * 16; at += 16) {
    let mxcsr = r.chance(75) ? 0x1f80 : 0x1f80 | r.u32() & 0xe040;
    if (r.chance(60)) mxcsr |= 0x20;
    data[at >> 2] = mxcsr;
    data[(at >> 2) + 1] = r.chance(75) ? 0x37f : 0x7f | r.u32() & 0xf00;
  }
}

/**
 * A loop of few SSE or x87 instructions over many numbers; every turn's results and flags
 * go into XMM6 and EDX.
 */
export function floatingLoop(r: Prng, long: boolean, x87: boolean): Uint8Array {
  const memory = (opcode: readonly number[], digit: number, at: number) => [
    ...opcode,
    0x80 | digit << 3 | RBP,
    ...word32(at),
  ];
  const out = [0xb9, ...word32(TURNS)];
  const top = out.length;
  const put = (...bytes: number[]) => out.push(...bytes);
  /** EDX takes what is at RESULT in. */
  const take = (at: number) =>
    put(...memory([0x03], 2, RESULT + at), 0xc1, 0xc2, 3);
  if (x87) {
    put(0xdb, 0xe3, ...memory([0xd9], 5, CONTROL + 4));
    for (let n = 1 + r.int(3); n >= 0; n--) {
      const [opcode, digit] = r.pick([[0xdd, 0], [0xd9, 0], [0xdb, 0], [
        0xdd,
        0,
      ]]);
      put(...memory([opcode], digit, r.int(0x1000) & ~7));
    }
    for (let n = 2 + r.int(8); n > 0; n--) put(...x87Instruction(r, LOOP));
    // FNSTSW, FSTP, FNSTSW
    put(...memory([0xdd], 7, RESULT), ...memory([0xdb], 7, RESULT + 2));
    take(0);
    take(4);
    take(8);
    put(...memory([0xdd], 7, RESULT));
    take(0);
  } else {
    put(...memory([0x0f, 0xae], 2, CONTROL));
    for (const n of [0, 1, 2, 3]) {
      put(...memory([0x0f, 0x10], n, r.int(0x1000) & ~7));
    }
    for (let n = 2 + r.int(8); n > 0; n--) {
      put(...vectorInstruction(r, long, LOOP));
    }
    // PXOR, PADDQ, PSHUFD; STMXCSR
    for (const n of [0, 1, 2]) {
      put(0x66, 0x0f, n & 1 ? 0xd4 : 0xef, 0xf0 | n);
      put(0x66, 0x0f, 0x70, 0xf6, 0x39);
    }
    put(...memory([0x0f, 0xae], 3, RESULT));
    take(0);
  }
  if (long) put(0x48);
  put(0x83, 0xc5, 16, 0xff, 0xc9, 0x0f, 0x85);
  put(...word32(top - (out.length + 4)), 0xf4);
  return Uint8Array.from(out);
}
