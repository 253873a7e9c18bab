// Writes WebAssembly functions and modules (binary format: WebAssembly Core
// Specification 2.0, chapter 5). Labels are named, so that who branches need not count
// how deep it is.

export const I32 = 0x7f;
export const I64 = 0x7e;
export const V128 = 0x7b;
export type ValueType = typeof I32 | typeof I64 | typeof V128;

/** Opcodes by the specification's names. */
export const Op = {
  i32_load: 0x28,
  i64_load: 0x29,
  f32_load: 0x2a,
  f64_load: 0x2b,
  i32_load8_s: 0x2c,
  i32_load8_u: 0x2d,
  i32_load16_s: 0x2e,
  i32_load16_u: 0x2f,
  i64_load8_s: 0x30,
  i64_load8_u: 0x31,
  i64_load16_s: 0x32,
  i64_load16_u: 0x33,
  i64_load32_s: 0x34,
  i64_load32_u: 0x35,
  i32_store: 0x36,
  i64_store: 0x37,
  i32_store8: 0x3a,
  i32_store16: 0x3b,
  i32_eqz: 0x45,
  i32_eq: 0x46,
  i32_ne: 0x47,
  i32_lt_s: 0x48,
  i32_lt_u: 0x49,
  i32_gt_s: 0x4a,
  i32_gt_u: 0x4b,
  i32_le_s: 0x4c,
  i32_le_u: 0x4d,
  i32_ge_s: 0x4e,
  i32_ge_u: 0x4f,
  i64_eqz: 0x50,
  i64_eq: 0x51,
  i64_ne: 0x52,
  i64_lt_s: 0x53,
  i64_lt_u: 0x54,
  i64_gt_s: 0x55,
  i64_gt_u: 0x56,
  i64_le_s: 0x57,
  i64_le_u: 0x58,
  i64_ge_s: 0x59,
  i64_ge_u: 0x5a,
  i32_clz: 0x67,
  i32_ctz: 0x68,
  i32_popcnt: 0x69,
  i32_add: 0x6a,
  i32_sub: 0x6b,
  i32_mul: 0x6c,
  i32_div_s: 0x6d,
  i32_div_u: 0x6e,
  i32_rem_s: 0x6f,
  i32_rem_u: 0x70,
  i32_and: 0x71,
  i32_or: 0x72,
  i32_xor: 0x73,
  i32_shl: 0x74,
  i32_shr_s: 0x75,
  i32_shr_u: 0x76,
  i32_rotl: 0x77,
  i32_rotr: 0x78,
  i64_clz: 0x79,
  i64_ctz: 0x7a,
  i64_popcnt: 0x7b,
  i64_add: 0x7c,
  i64_sub: 0x7d,
  i64_mul: 0x7e,
  i64_div_s: 0x7f,
  i64_div_u: 0x80,
  i64_rem_s: 0x81,
  i64_rem_u: 0x82,
  i64_and: 0x83,
  i64_or: 0x84,
  i64_xor: 0x85,
  i64_shl: 0x86,
  i64_shr_s: 0x87,
  i64_shr_u: 0x88,
  i64_rotl: 0x89,
  i64_rotr: 0x8a,
  i32_wrap_i64: 0xa7,
  i64_extend_i32_s: 0xac,
  i64_extend_i32_u: 0xad,
  i32_extend8_s: 0xc0,
  i32_extend16_s: 0xc1,
  i64_extend8_s: 0xc2,
  i64_extend16_s: 0xc3,
  i64_extend32_s: 0xc4,
  select: 0x1b,
  f32_lt: 0x5d,
  f32_ge: 0x60,
  f32_eq: 0x5b,
  f64_eq: 0x61,
  f64_lt: 0x63,
  f64_ge: 0x66,
  f32_trunc: 0x8f,
  f32_nearest: 0x90,
  f32_sqrt: 0x91,
  f32_add: 0x92,
  f32_sub: 0x93,
  f32_mul: 0x94,
  f32_div: 0x95,
  f64_trunc: 0x9d,
  f64_nearest: 0x9e,
  f64_sqrt: 0x9f,
  f64_add: 0xa0,
  f64_sub: 0xa1,
  f64_mul: 0xa2,
  f64_div: 0xa3,
  f32_convert_i32_s: 0xb2,
  f32_convert_i64_s: 0xb4,
  f32_demote_f64: 0xb6,
  f64_convert_i32_s: 0xb7,
  f64_convert_i64_s: 0xb9,
  f64_promote_f32: 0xbb,
  i32_reinterpret_f32: 0xbc,
  i64_reinterpret_f64: 0xbd,
  f32_reinterpret_i32: 0xbe,
  f64_reinterpret_i64: 0xbf,
} as const;

/** Saturating truncations, behind the prefix FC. */
export const Saturating = {
  i32_f32_s: 0,
  i32_f64_s: 2,
  i64_f32_s: 4,
  i64_f64_s: 6,
} as const;

/** Vector instructions, behind the prefix FD. */
export const Simd = {
  v128_load: 0x00,
  v128_store: 0x0b,
  v128_load32_zero: 0x5c,
  v128_load64_zero: 0x5d,
  i8x16_swizzle: 0x0e,
  i8x16_splat: 0x0f,
  i16x8_splat: 0x10,
  i32x4_splat: 0x11,
  i64x2_splat: 0x12,
  i64x2_extract_lane: 0x1d,
  i8x16_eq: 0x23,
  i8x16_gt_s: 0x27,
  i16x8_eq: 0x2d,
  i16x8_gt_s: 0x31,
  i32x4_eq: 0x37,
  i32x4_gt_s: 0x3b,
  f32x4_eq: 0x41,
  f32x4_ne: 0x42,
  f32x4_lt: 0x43,
  f32x4_le: 0x45,
  f64x2_eq: 0x47,
  f64x2_ne: 0x48,
  f64x2_lt: 0x49,
  f64x2_le: 0x4b,
  v128_not: 0x4d,
  v128_and: 0x4e,
  v128_andnot: 0x4f,
  v128_or: 0x50,
  v128_xor: 0x51,
  v128_any_true: 0x53,
  f32x4_demote_f64x2_zero: 0x5e,
  f64x2_promote_low_f32x4: 0x5f,
  i8x16_abs: 0x60,
  i8x16_bitmask: 0x64,
  i8x16_narrow_i16x8_s: 0x65,
  i8x16_narrow_i16x8_u: 0x66,
  i8x16_add: 0x6e,
  i8x16_add_sat_s: 0x6f,
  i8x16_add_sat_u: 0x70,
  i8x16_sub: 0x71,
  i8x16_sub_sat_s: 0x72,
  i8x16_sub_sat_u: 0x73,
  i8x16_min_s: 0x76,
  i8x16_min_u: 0x77,
  i8x16_max_s: 0x78,
  i8x16_max_u: 0x79,
  i8x16_avgr_u: 0x7b,
  i16x8_abs: 0x80,
  i16x8_narrow_i32x4_s: 0x85,
  i16x8_narrow_i32x4_u: 0x86,
  i16x8_extend_low_i8x16_s: 0x87,
  i16x8_extend_low_i8x16_u: 0x89,
  i16x8_shl: 0x8b,
  i16x8_shr_s: 0x8c,
  i16x8_shr_u: 0x8d,
  i16x8_add: 0x8e,
  i16x8_add_sat_s: 0x8f,
  i16x8_add_sat_u: 0x90,
  i16x8_sub: 0x91,
  i16x8_sub_sat_s: 0x92,
  i16x8_sub_sat_u: 0x93,
  i16x8_mul: 0x95,
  i16x8_min_s: 0x96,
  i16x8_min_u: 0x97,
  i16x8_max_s: 0x98,
  i16x8_max_u: 0x99,
  i16x8_avgr_u: 0x9b,
  i32x4_abs: 0xa0,
  i32x4_bitmask: 0xa4,
  i32x4_extend_low_i16x8_s: 0xa7,
  i32x4_extend_low_i16x8_u: 0xa9,
  i32x4_shl: 0xab,
  i32x4_shr_s: 0xac,
  i32x4_shr_u: 0xad,
  i32x4_add: 0xae,
  i32x4_sub: 0xb1,
  i32x4_mul: 0xb5,
  i32x4_min_s: 0xb6,
  i32x4_min_u: 0xb7,
  i32x4_max_s: 0xb8,
  i32x4_max_u: 0xb9,
  i32x4_dot_i16x8_s: 0xba,
  i32x4_extmul_low_i16x8_s: 0xbc,
  i32x4_extmul_high_i16x8_s: 0xbd,
  i32x4_extmul_low_i16x8_u: 0xbe,
  i32x4_extmul_high_i16x8_u: 0xbf,
  i64x2_bitmask: 0xc4,
  i64x2_extend_low_i32x4_s: 0xc7,
  i64x2_extend_low_i32x4_u: 0xc9,
  i64x2_shl: 0xcb,
  i64x2_shr_u: 0xcd,
  i64x2_add: 0xce,
  i64x2_sub: 0xd1,
  i64x2_eq: 0xd6,
  i64x2_gt_s: 0xd9,
  i64x2_extmul_low_i32x4_s: 0xdc,
  i64x2_extmul_low_i32x4_u: 0xde,
  f32x4_sqrt: 0xe3,
  f32x4_add: 0xe4,
  f32x4_sub: 0xe5,
  f32x4_mul: 0xe6,
  f32x4_div: 0xe7,
  f32x4_pmin: 0xea,
  f32x4_pmax: 0xeb,
  f64x2_sqrt: 0xef,
  f64x2_add: 0xf0,
  f64x2_sub: 0xf1,
  f64x2_mul: 0xf2,
  f64x2_div: 0xf3,
  f64x2_pmin: 0xf6,
  f64x2_pmax: 0xf7,
  f32x4_convert_i32x4_s: 0xfa,
  f64x2_convert_low_i32x4_s: 0xfe,
} as const;

const VOID = 0x40;

/** Bytes that grow. */
class Bytes {
  #data = new Uint8Array(256);
  length = 0;

  byte(b: number): void {
    if (this.length === this.#data.length) this.#grow(1);
    this.#data[this.length++] = b;
  }

  at(n: number): number {
    return this.#data[n];
  }

  /** Changes a byte that is there. */
  put1(at: number, b: number): void {
    this.#data[at] = b;
  }

  put(bytes: Uint8Array): void {
    if (this.length + bytes.length > this.#data.length) {
      this.#grow(bytes.length);
    }
    this.#data.set(bytes, this.length);
    this.length += bytes.length;
  }

  #grow(room: number): void {
    const data = new Uint8Array(2 * (this.length + room));
    data.set(this.#data.subarray(0, this.length));
    this.#data = data;
  }

  /** A byte and a number, which is small nearly always. */
  withNumber(b: number, n: number): void {
    if (n < 0x80 && this.length + 2 <= this.#data.length) {
      this.#data[this.length++] = b;
      this.#data[this.length++] = n;
    } else {
      this.byte(b);
      this.u32(n);
    }
  }

  u32(n: number): void {
    n >>>= 0;
    while (n > 0x7f) {
      this.byte(n & 0x7f | 0x80);
      n >>>= 7;
    }
    this.byte(n);
  }

  s32(n: number): void {
    n |= 0;
    while (n < -64 || n > 63) {
      this.byte(n & 0x7f | 0x80);
      n >>= 7;
    }
    this.byte(n & 0x7f);
  }

  s64(n: bigint): void {
    n = BigInt.asIntN(64, n);
    // numbers of 32 bits are the same, and quicker
    const small = Number(n);
    if (small === (small | 0)) {
      this.s32(small);
      return;
    }
    while (n < -64n || n > 63n) {
      this.byte(Number(n & 0x7fn) | 0x80);
      n >>= 7n;
    }
    this.byte(Number(n & 0x7fn));
  }

  text(s: string): void {
    const bytes = new TextEncoder().encode(s);
    this.u32(bytes.length);
    this.put(bytes);
  }

  /** What is there so far; shared until more is added. */
  get view(): Uint8Array {
    return this.#data.subarray(0, this.length);
  }
}

/** A label that is open. */
interface Label {
  readonly name: string;
  /** Where the block or loop begins. */
  readonly at: number;
  used: boolean;
}

/** Code that is decided on when all else is written. */
interface Deferred {
  readonly at: number;
  /** Writes more here, and says where what was written before goes on. */
  readonly write: () => number;
}

const LOOP = 0x03, BLOCK = 0x02;

/** A function's body. */
export class Code {
  #bytes = new Bytes();
  readonly #labels: Label[] = [];
  readonly #locals: ValueType[] = [];
  readonly #params: number;
  /** Places of branches that are rarely taken. */
  #unlikely: number[] = [];
  readonly #deferred: Deferred[] = [];

  constructor(params: number) {
    this.#params = params;
  }

  /** Bytes so far. */
  get size(): number {
    return this.#bytes.length;
  }

  /** A new local variable, 0 at first. */
  local(type: ValueType): number {
    return this.#params + this.#locals.push(type) - 1;
  }

  /** Has `write` write here when the function is finished: it may know more then. */
  defer(write: () => void): void {
    const at = this.#bytes.length;
    this.#deferred.push({
      at,
      write: () => {
        write();
        return at;
      },
    });
  }

  /** What `write` writes now stays if `isWanted` says so when the function is finished. It
   * leaves the stack as it is, and defers nothing. */
  optional(write: () => void, isWanted: () => boolean): void {
    const at = this.#bytes.length;
    write();
    const end = this.#bytes.length;
    this.#deferred.push({ at, write: () => isWanted() ? at : end });
  }

  op(opcode: number): void {
    this.#bytes.byte(opcode);
  }
  get(local: number): void {
    this.#bytes.withNumber(0x20, local);
  }
  set(local: number): void {
    this.#bytes.withNumber(0x21, local);
  }
  tee(local: number): void {
    this.#bytes.withNumber(0x22, local);
  }
  i32(n: number): void {
    this.op(0x41);
    this.#bytes.s32(n);
  }
  i64(n: bigint): void {
    this.op(0x42);
    this.#bytes.s64(n);
  }
  /** A load or a store at the address on the stack plus `offset`. */
  memory(opcode: number, offset = 0): void {
    // no alignment is promised
    this.#bytes.withNumber(opcode, 0);
    this.#bytes.u32(offset);
  }
  /** A vector instruction without immediates. */
  simd(opcode: number): void {
    this.op(0xfd);
    this.#bytes.u32(opcode);
  }
  /** A vector's load or store, as memory(). */
  simdMemory(opcode: number, offset = 0): void {
    this.simd(opcode);
    this.#bytes.u32(0);
    this.#bytes.u32(offset);
  }
  /** A vector of two times 64 bits. */
  v128(low: bigint, high: bigint): void {
    this.simd(0x0c);
    for (const half of [low, high]) {
      for (let n = 0n; n < 64n; n += 8n) {
        this.#bytes.byte(Number(half >> n & 0xffn));
      }
    }
  }
  /** Bytes of two vectors on the stack: 0 to 15 of the first, 16 to 31 of the second. */
  shuffle(lanes: readonly number[]): void {
    this.simd(0x0d);
    for (const lane of lanes) this.#bytes.byte(lane);
  }
  saturating(opcode: number): void {
    this.op(0xfc);
    this.#bytes.u32(opcode);
  }
  call(index: number): void {
    this.#bytes.withNumber(0x10, index);
  }
  /** Calls the function of `type` at the table's index on the stack. */
  callIndirect(type: number): void {
    this.#bytes.withNumber(0x11, type);
    this.#bytes.u32(0);
  }
  /** As callIndirect(), and returns what it returns. */
  returnCallIndirect(type: number): void {
    this.#bytes.withNumber(0x13, type);
    this.#bytes.u32(0);
  }
  return_(): void {
    this.op(0x0f);
  }
  unreachable(): void {
    this.op(0x00);
  }

  /** A block, of a type that its branches bring a value of, or of none. */
  block(label: string, type: ValueType | typeof VOID = VOID): void {
    this.#open(BLOCK, label, type);
  }
  loop(label: string): void {
    this.#open(LOOP, label, VOID);
  }
  if_(): void {
    this.#open(0x04, "", VOID);
  }
  /** An if that is rarely true. */
  ifUnlikely(): void {
    this.#unlikely.push(this.#bytes.length);
    this.if_();
  }
  else_(): void {
    this.op(0x05);
  }
  end(): void {
    this.op(0x0b);
    const { at, used } = this.#labels.pop()!;
    // a loop that nothing goes back to costs the compiler more than a block
    if (!used && this.#bytes.at(at) === LOOP) this.#bytes.put1(at, BLOCK);
  }
  br(label: string): void {
    this.#bytes.withNumber(0x0c, this.#depth(label));
  }
  /** Branches if the top of the stack is not 0. */
  brIf(label: string): void {
    this.#bytes.withNumber(0x0d, this.#depth(label));
  }
  /** Branches to the label by the number on the stack; beyond them to the last. */
  brTable(labels: readonly string[]): void {
    this.op(0x0e);
    this.#bytes.u32(labels.length - 1);
    for (const label of labels) this.#bytes.u32(this.#depth(label));
  }

  #open(opcode: number, name: string, type: number): void {
    this.#labels.push({ name, at: this.#bytes.length, used: false });
    this.op(opcode);
    this.op(type);
  }

  #depth(name: string): number {
    const labels = this.#labels;
    for (let n = labels.length - 1; n >= 0; n--) {
      if (labels[n].name !== name) continue;
      labels[n].used = true;
      return labels.length - 1 - n;
    }
    throw new Error(`no label ${name}`);
  }

  /** Writes what was deferred, and only what is wanted; nothing is added after that. */
  complete(): void {
    const { view } = this.#bytes;
    const places = this.#unlikely;
    const whole = new Bytes();
    this.#bytes = whole;
    this.#unlikely = [];
    let from = 0, next = 0;
    const copy = (to: number) => {
      const moved = whole.length - from;
      for (; next < places.length && places[next] < to; next++) {
        this.#unlikely.push(places[next] + moved);
      }
      whole.put(view.subarray(from, to));
      from = to;
    };
    for (const { at, write } of this.#deferred) {
      copy(at);
      from = write();
      while (places[next] < from) next++;
    }
    copy(view.length);
  }

  /** The function's entry of the code section. */
  finish(): Uint8Array {
    const declarations = this.#declarations();
    const out = new Bytes();
    out.u32(declarations.length + this.#bytes.length + 1);
    out.put(declarations);
    out.put(this.#bytes.view);
    out.byte(0x0b);
    return out.view;
  }

  /** Offsets in the function's body of branches that are rarely taken. */
  unlikely(): number[] {
    const { length } = this.#declarations();
    return this.#unlikely.map((at) => length + at);
  }

  #declarations(): Uint8Array {
    const runs: { type: ValueType; count: number }[] = [];
    for (const type of this.#locals) {
      const last = runs.at(-1);
      if (last?.type === type) last.count++;
      else runs.push({ type, count: 1 });
    }
    const out = new Bytes();
    out.u32(runs.length);
    for (const { type, count } of runs) {
      out.u32(count);
      out.byte(type);
    }
    return out.view;
  }
}

export interface FunctionType {
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** A function of a module: its type's number, and its code; exported under a name. */
export interface Definition {
  readonly type: number;
  readonly code: Code;
  readonly name: string;
}

/** A function that a module imports from "env". */
export interface FunctionImport {
  readonly type: number;
  readonly name: string;
}

/**
 * A module that imports env.memory (of at least `pages` pages), env.table and functions;
 * functions are numbered from 0, imported ones first.
 */
export function moduleBytes(
  types: readonly FunctionType[],
  imports: readonly FunctionImport[],
  functions: readonly Definition[],
  pages: number,
): Uint8Array {
  const out = new Bytes();
  const section = (id: number, write: (to: Bytes) => void) => {
    const body = new Bytes();
    write(body);
    out.byte(id);
    out.u32(body.length);
    out.put(body.view);
  };
  out.put(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
  section(1, (to) => {
    to.u32(types.length);
    for (const { params, results } of types) {
      to.byte(0x60);
      to.u32(params.length);
      params.forEach((t) => to.byte(t));
      to.u32(results.length);
      results.forEach((t) => to.byte(t));
    }
  });
  section(2, (to) => {
    to.u32(2 + imports.length);
    to.text("env");
    to.text("memory");
    to.put(Uint8Array.of(2, 1));
    to.u32(pages);
    to.u32(65536);
    to.text("env");
    to.text("table");
    to.put(Uint8Array.of(1, 0x70, 0, 0));
    for (const { type, name } of imports) {
      to.text("env");
      to.text(name);
      to.byte(0);
      to.u32(type);
    }
  });
  section(3, (to) => {
    to.u32(functions.length);
    functions.forEach(({ type }) => to.u32(type));
  });
  section(7, (to) => {
    to.u32(functions.length);
    functions.forEach(({ name }, n) => {
      to.text(name);
      to.byte(0);
      to.u32(imports.length + n);
    });
  });
  // Branch Hinting (proposal, phase 5): offsets, one byte each that says "not taken"
  section(0, (to) => {
    to.text("metadata.code.branch_hint");
    to.u32(functions.length);
    functions.forEach(({ code }, n) => {
      to.u32(imports.length + n);
      const offsets = code.unlikely();
      to.u32(offsets.length);
      for (const offset of offsets) {
        to.u32(offset);
        to.put(Uint8Array.of(1, 0));
      }
    });
  });
  section(10, (to) => {
    to.u32(functions.length);
    functions.forEach(({ code }) => to.put(code.finish()));
  });
  return out.view;
}
