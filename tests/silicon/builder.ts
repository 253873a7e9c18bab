/**
 * Builds cases: fills the machine's state, chooses memory operands, and
 * writes the case's record.
 *
 * @module
 */
import { chooseAddress } from "./addressing.ts";
import { type Batch, Undefined } from "./batch.ts";
import {
  encode,
  type Instruction,
  type Memory,
  type Mode,
  needs66,
} from "./encode.ts";
import {
  Case,
  CS,
  DATA,
  DATA_BYTES,
  DS,
  ES,
  FIRST_SLOT,
  Flag,
  Fx,
  READ_ONLY,
  READ_ONLY_BYTES,
  RSP,
  Selector,
  SLOT_BYTES,
  SLOT_ENTRY,
  SS,
  STATUS_FLAGS,
  UNMAPPED,
} from "./layout.ts";
import { hiddenPart, Local } from "./ldt.ts";
import type { Prng } from "./prng.ts";
import { f80Value, integerValue, type Lane, laneValues } from "./values.ts";

const U64 = (1n << 64n) - 1n;

export interface MemoryOptions {
  /** Needs this alignment; one case in ten violates it. */
  align?: number;
  /** Always aligned to its size (LOCK forms: no split locks). */
  natural?: boolean;
  /** Cases that touch unmapped or read-only memory are wanted (default). */
  faults?: boolean;
  /** What the bytes at the operand hold; default integers of its size. */
  lane?: Lane;
  /** Exactly these bytes. */
  content?: Uint8Array;
  /** How many bytes around the target may be touched (BT with offsets). */
  margin?: number;
}

export class Builder {
  readonly rng: Prng;
  readonly batch: Batch;
  readonly mode: Mode;
  /** GPRs of the case at hand, as 64-bit values. */
  gpr: BigUint64Array<ArrayBuffer> = new BigUint64Array(16);
  /** The same GPRs as pairs of 32-bit words. */
  words: Uint32Array<ArrayBuffer> = new Uint32Array(32);
  undefined: Undefined = new Undefined();
  flags = 0;
  /** GPRs that addressing must leave as they are, one bit each. */
  pinned = 0;
  /** Width of the values that GPRs are filled with. */
  bits = 64;
  lane: Lane = "i32";
  code: number[] = [];
  fx: DataView<ArrayBuffer>;
  #offset = 0;
  #patchAt = 0;

  constructor(rng: Prng, batch: Batch, mode: Mode = 64) {
    this.rng = rng;
    this.batch = batch;
    this.mode = mode;
    this.fx = batch.view;
  }

  /** Linear address of the case's first instruction. */
  get rip(): number {
    return FIRST_SLOT + this.batch.length * SLOT_BYTES + SLOT_ENTRY;
  }

  /** Starts a case: every register gets a value. */
  begin(bits: number, lane: Lane = "i32"): void {
    const { rng, batch } = this;
    this.bits = bits;
    this.lane = lane;
    this.#offset = batch.used;
    this.#patchAt = batch.patchesAt(this.#offset);
    this.undefined = new Undefined();
    this.pinned = 1 << RSP;
    this.code.length = 0;
    const gprAt = this.#offset + Case.gpr;
    this.gpr = new BigUint64Array(batch.input.buffer, gprAt, 16);
    this.words = new Uint32Array(batch.input.buffer, gprAt, 32);
    for (let r = 0; r < 16; r++) integerValue(rng, this.words, 2 * r, bits);
    this.#fillSegments();
    this.setPointer(RSP, SS, DATA + 0x1400 + 8 * rng.int(0x80));
    this.flags = 0x202 | (rng.u32() & (STATUS_FLAGS | Flag.DF));
    if (rng.chance(3)) this.flags |= Flag.ID;
    if (rng.chance(2)) this.flags |= Flag.AC;
    if (rng.chance(2)) this.flags |= Flag.NT;
    this.setBase(Case.fsBase, 0n);
    this.setBase(Case.gsBase, 0n);
    if (batch.fx) {
      // Whether unaligned vector accesses raise #AC differs between CPUs.
      this.flags &= ~Flag.AC;
      this.#fillFx();
    }
  }

  #fillSegments(): void {
    const { rng, mode } = this;
    let selectors = [0, Selector.userCs, Selector.userSs, 0, 0, 0];
    if (mode !== 64) {
      // Upper halves and R8-R15 do not exist for compatibility mode.
      for (let r = 0; r < 16; r++) {
        this.words[2 * r + 1] = 0;
        if (r > 7) this.words[2 * r] = 0;
      }
      this.undefined.highHalves = true;
      const flat = Selector.userSs;
      const { data, small, readOnly, expandDown, data16 } = Local;
      const others = [data, small, readOnly, expandDown, flat, 0];
      selectors = mode === 32
        ? [flat, Selector.userCs32, flat, flat, data, rng.pick(others)]
        : [data, Local.code16, data16, data, flat, rng.pick(others)];
      if (rng.chance(10)) selectors[DS] = rng.pick(others);
      if (rng.chance(10)) selectors[ES] = rng.pick(others);
    }
    selectors.forEach((value, segment) => this.setSegment(segment, value));
  }

  /** Ends the case: its code goes to its slot, its record is complete. */
  end(): void {
    const { batch } = this;
    const slot = batch.length * SLOT_BYTES + SLOT_ENTRY;
    batch.code.set(this.code, slot);
    const rip = this.rip - this.segmentBase(CS);
    batch.view.setBigUint64(this.#offset + Case.rip, BigInt(rip), true);
    batch.view.setUint32(this.#offset + Case.rflags, this.flags, true);
    const bytes = (this.#patchAt - this.#offset + 15) & ~15;
    batch.view.setUint32(this.#offset + Case.recordBytes, bytes, true);
    batch.offsets.push(this.#offset);
    batch.lengths.push(this.code.length);
    batch.undefinedOf.push(this.undefined);
    batch.used = this.#offset + bytes;
  }

  /** Gives a segment register its selector (ES, CS, SS, DS, FS, GS). */
  setSegment(segment: number, value: number): void {
    const at = this.#offset + Case.segments + 2 * segment;
    this.batch.view.setUint16(at, value, true);
  }

  /** A segment's base, as its selector loads it. */
  segmentBase(segment: number): number {
    const at = this.#offset + Case.segments + 2 * segment;
    return hiddenPart(this.batch.view.getUint16(at, true))?.base ?? 0;
  }

  /** The base of the segment a selector names. */
  baseOf(selector: number): number {
    return hiddenPart(selector)?.base ?? 0;
  }

  /** Makes `reg` the offset of a linear address in a segment. */
  setPointer(reg: number, segment: number, linear: number): void {
    this.setAddress(reg, linear - this.segmentBase(segment));
  }

  /** The linear address RSP points at. */
  stackAddress(): number {
    return Number(this.gpr[RSP]) + this.segmentBase(SS);
  }

  /** A general register that the mode has. */
  anyRegister(): number {
    return this.rng.int(this.mode === 64 ? 16 : 8);
  }

  /** FS or GS base, by its offset in the record. */
  setBase(at: number, value: bigint): void {
    this.batch.view.setBigUint64(this.#offset + at, value & U64, true);
  }

  /** Offset of the FXSAVE image in `fx`. */
  get fxAt(): number {
    return this.#offset + Case.fx;
  }

  #fillFx(): void {
    const { rng, fx, fxAt: at } = this;
    // Precision and rounding control are random; most cases mask everything.
    const masks = rng.chance(80) ? 0x3f : rng.int(64);
    const precision = rng.chance(60) ? 3 : rng.int(4);
    const fcw = 0x40 | masks | (precision << 8) | (rng.int(4) << 10);
    let fsw = rng.u32() & 0x7f00;
    if (rng.chance(30)) fsw |= rng.int(128) & masks;
    if (rng.chance(masks === 0x3f ? 1 : 10)) fsw |= rng.int(64);
    if ((fsw & ~fcw & 0x3f) !== 0) fsw |= 0x8080;
    fx.setUint16(at + Fx.fcw, fcw, true);
    fx.setUint16(at + Fx.fsw, fsw, true);
    fx.setUint8(at + Fx.ftw, rng.chance(70) ? 0xff : rng.int(256));
    fx.setUint32(at + Fx.mxcsr, this.#mxcsr(), true);
    for (let i = 0; i < 8; i++) f80Value(rng, fx, at + Fx.st + 16 * i);
    const words = new Uint32Array(fx.buffer, at + Fx.xmm, 64);
    laneValues(rng, words, 0, 64, this.lane);
  }

  #mxcsr(): number {
    const { rng } = this;
    let value = rng.chance(85) ? 0x1f80 : rng.int(64) << 7;
    value |= rng.int(4) << 13;
    if (rng.chance(20)) value |= 0x8000; // flush to zero
    if (rng.chance(20)) value |= 0x0040; // denormals are zeros
    if (rng.chance(30)) value |= rng.int(64);
    return value;
  }

  setFcw(value: number): void {
    this.fx.setUint16(this.fxAt + Fx.fcw, value, true);
  }

  setFsw(value: number): void {
    this.fx.setUint16(this.fxAt + Fx.fsw, value, true);
  }

  /** Masks every SIMD floating-point exception. */
  maskSse(): void {
    const at = this.fxAt + Fx.mxcsr;
    this.fx.setUint32(at, this.fx.getUint32(at, true) | 0x1f80, true);
  }

  /** Gives the MMX registers lanes of this kind. */
  fillMmx(lane: Lane): void {
    const words = new Uint32Array(2);
    for (let i = 0; i < 8; i++) {
      laneValues(this.rng, words, 0, 2, lane);
      const at = this.fxAt + Fx.st + 16 * i;
      this.fx.setUint32(at, words[0], true);
      this.fx.setUint32(at + 4, words[1], true);
    }
  }

  /** Writes an 80-bit number into ST(i). */
  setSt(i: number, exponentAndSign: number, mantissa: bigint): void {
    const at = this.fxAt + Fx.st + 16 * i;
    this.fx.setBigUint64(at, mantissa, true);
    this.fx.setUint16(at + 8, exponentAndSign, true);
  }

  /** Sets the top of the x87 stack, 0 to 7. */
  setTop(top: number): void {
    const at = this.fxAt + Fx.fsw;
    const others = this.fx.getUint16(at, true) & ~0x3800;
    this.fx.setUint16(at, others | top << 11, true);
  }

  /** Marks all of the x87 stack in use. */
  setAllValid(): void {
    this.fx.setUint8(this.fxAt + Fx.ftw, 0xff);
  }

  setAddress(reg: number, address: number): void {
    this.words[2 * reg] = address;
    this.words[2 * reg + 1] = 0;
  }

  setGpr(reg: number, value: bigint): void {
    this.gpr[reg] = value & U64;
  }

  pin(...regs: number[]): void {
    for (const reg of regs) this.pinned |= 1 << reg;
  }

  isPinned(reg: number): boolean {
    return (this.pinned >> reg & 1) !== 0;
  }

  /** A GPR that nothing else depends on, now pinned. */
  freeGpr(): number {
    for (;;) {
      const reg = this.anyRegister();
      if (this.isPinned(reg)) continue;
      this.pin(reg);
      return reg;
    }
  }

  /** Puts bytes somewhere before the case runs. */
  patch(address: number, content: Uint8Array): void {
    const { view, input } = this.batch;
    view.setUint32(this.#patchAt, address, true);
    view.setUint32(this.#patchAt + 4, content.length, true);
    input.set(content, this.#patchAt + 8);
    this.#patchAt = (this.#patchAt + 8 + content.length + 7) & ~7;
    const count = this.#offset + Case.patchCount;
    view.setUint32(count, view.getUint32(count, true) + 1, true);
  }

  /** Patches `bytes` bytes of values, as far as they lie in scratch memory. */
  patchValues(address: number, bytes: number, lane: Lane): void {
    const words = new Uint32Array(((bytes + 7) >> 3) * 2);
    laneValues(this.rng, words, 0, words.length, lane);
    const end = Math.min(bytes, DATA + DATA_BYTES - address);
    if (address < DATA || end <= 0) return;
    this.patch(address, new Uint8Array(words.buffer, 0, end));
  }

  /** Where a memory operand of `bytes` bytes is to be. */
  target(bytes: number, options: MemoryOptions): number {
    const { rng } = this;
    const margin = options.margin ?? 0;
    const kind = options.faults === false ? 0 : rng.int(100);
    let target = DATA + 0x100 + margin +
      rng.int(DATA_BYTES - 0x200 - bytes - 2 * margin);
    if (!options.natural && bytes > 1 && kind >= 70) {
      if (kind < 82) target = DATA + 0x1000 - 1 - rng.int(bytes - 1);
      else if (kind < 90) target = DATA + DATA_BYTES - rng.int(bytes);
      else if (kind < 92) target = DATA - rng.int(bytes + 1);
    }
    if (kind >= 92 && kind < 96) {
      target = READ_ONLY + rng.int(READ_ONLY_BYTES - bytes);
    } else if (kind >= 96 && kind < 98) {
      target = UNMAPPED + rng.int(0x1000);
    }
    const align = options.align ?? 0;
    if (options.natural) target -= target % bytes;
    else if (align > 1 && !rng.chance(5)) target -= target % align;
    else if (align <= 1 && rng.chance(40)) target -= target % bytes;
    return target;
  }

  /** Chooses a memory operand and sets the registers it needs. */
  memory(bytes: number, options: MemoryOptions = {}): Memory {
    const target = this.target(bytes, options);
    if (options.content) this.patch(target, options.content);
    else this.patchValues(target, bytes, options.lane ?? this.#laneOf(bytes));
    return this.address(target, options.faults !== false);
  }

  #laneOf(bytes: number): Lane {
    return bytes === 1
      ? "i8"
      : bytes === 2
      ? "i16"
      : bytes === 4
      ? "i32"
      : "i64";
  }

  /** An addressing form whose linear address is `target`. */
  address(target: number, wild = false): Memory {
    return chooseAddress(this, target, wild);
  }

  /** Encodes one instruction at the end of the case's code. */
  emit(i: Instruction): void {
    const at = this.rip + this.code.length;
    this.code.push(...encode(i, this.mode, at, this.rng));
  }

  /** Encodes an instruction without ModRM; `reg` is in its last byte. */
  plain(size: number, reg: number, ...opcode: number[]): void {
    if (needs66(this.mode, size)) this.code.push(0x66);
    const rex = (size === 64 ? 8 : 0) | (reg > 7 ? 1 : 0);
    if (rex !== 0) this.code.push(0x40 | rex);
    this.code.push(...opcode.slice(0, -1), opcode[opcode.length - 1] | reg & 7);
  }
}
