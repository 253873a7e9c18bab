/**
 * Builds cases: fills the machine's state, chooses memory operands and
 * addressing forms, and encodes the instruction. Encodings: Intel SDM vol.2,
 * chapter 2.
 *
 * @module
 */
import { Batch, Undefined } from "./batch.ts";
import {
  Case,
  DATA,
  DATA_BYTES,
  FIRST_SLOT,
  Flag,
  Fx,
  READ_ONLY,
  READ_ONLY_BYTES,
  RSP,
  Selector,
  SLOT_BYTES,
  SLOT_ENTRY,
  STATUS_FLAGS,
  UNMAPPED,
} from "./layout.ts";
import type { Prng } from "./prng.ts";
import { f80Value, integerValue, type Lane, laneValues } from "./values.ts";

const U64 = (1n << 64n) - 1n;
const U32 = 0xffff_ffffn;

/** A memory operand with its addressing form chosen. */
export interface Memory {
  /** Where it is in linear memory, if `reachable`. */
  target: number;
  base: number;
  index: number;
  scale: number;
  displacement: number;
  /** Bytes of the displacement: 0, 1 or 4. */
  displacementBytes: number;
  ripRelative: boolean;
  /** 0x64, 0x65, a segment prefix without meaning in 64-bit mode, or 0. */
  segment: number;
  addressSize32: boolean;
}

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

/** An instruction to encode. `rm` is a register or a memory operand. */
export interface Instruction {
  opcode: number[];
  reg: number;
  rm: number | Memory;
  /** A mandatory prefix: 0x66, 0xF2 or 0xF3. */
  mandatory?: number;
  /** Operand size where 66 and REX.W select it. */
  size?: number;
  /** `reg` or `rm` is a byte register: REX tells SPL from AH. */
  byteRegisters?: boolean;
  rexW?: boolean;
  lock?: boolean;
  immediate?: number[];
  vex?: { map: number; pp: number; w: number; vvvv: number; l?: number };
}

export class Builder {
  readonly rng: Prng;
  readonly batch: Batch;
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

  constructor(rng: Prng, batch: Batch) {
    this.rng = rng;
    this.batch = batch;
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
    this.setAddress(RSP, DATA + 0x1400 + 8 * rng.int(0x80));
    this.flags = 0x202 | (rng.u32() & (STATUS_FLAGS | Flag.DF));
    if (rng.chance(3)) this.flags |= Flag.ID;
    if (rng.chance(2)) this.flags |= Flag.AC;
    if (rng.chance(2)) this.flags |= Flag.NT;
    [0, Selector.userCs, Selector.userSs, 0, 0, 0].forEach((value, segment) =>
      this.setSegment(segment, value)
    );
    this.#setBase(Case.fsBase, 0n);
    this.#setBase(Case.gsBase, 0n);
    if (batch.fx) {
      // Whether unaligned vector accesses raise #AC differs between CPUs.
      this.flags &= ~Flag.AC;
      this.#fillFx();
    }
  }

  /** Ends the case: its code goes to its slot, its record is complete. */
  end(): void {
    const { batch } = this;
    const slot = batch.length * SLOT_BYTES + SLOT_ENTRY;
    batch.code.set(this.code, slot);
    batch.view.setBigUint64(this.#offset + Case.rip, BigInt(this.rip), true);
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

  #setBase(at: number, value: bigint): void {
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
      const reg = this.rng.int(16);
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
  address(target: number, nonCanonical = false): Memory {
    const { rng } = this;
    const m: Memory = {
      target,
      base: -1,
      index: -1,
      scale: 0,
      displacement: 0,
      displacementBytes: 0,
      ripRelative: false,
      segment: 0,
      addressSize32: rng.chance(12),
    };
    let effective = BigInt(target);
    if (rng.chance(8)) effective = this.#segmentBase(m, effective);
    else if (rng.chance(3)) m.segment = rng.pick([0x26, 0x2e, 0x36, 0x3e]);
    if (nonCanonical && !m.addressSize32 && rng.chance(2)) {
      effective ^= 1n << BigInt(47 + rng.int(16));
    }
    const kind = rng.int(10);
    if (kind === 0 && this.#fits(m, effective)) {
      m.displacement = Number(BigInt.asIntN(32, effective));
      m.displacementBytes = 4;
    } else if (kind === 1 && this.#fits(m, effective - BigInt(this.rip))) {
      m.ripRelative = true;
      m.displacementBytes = 4;
      m.displacement = Number(BigInt.asIntN(32, effective));
    } else {
      this.#baseAndIndex(m, effective, kind);
    }
    return m;
  }

  #segmentBase(m: Memory, linear: bigint): bigint {
    const { rng } = this;
    m.segment = rng.chance(50) ? 0x64 : 0x65;
    let base = BigInt(rng.u32() & 0x0fff_ffff);
    if (!m.addressSize32 && rng.chance(30)) base |= 0x7000_0000_0000n;
    if (rng.chance(30)) base = -base;
    this.#setBase(m.segment === 0x64 ? Case.fsBase : Case.gsBase, base);
    return (linear - base) & (m.addressSize32 ? U32 : U64);
  }

  #fits(m: Memory, value: bigint): boolean {
    if (m.addressSize32) return true;
    const signed = BigInt.asIntN(64, value);
    return BigInt.asIntN(31, signed) === signed;
  }

  #baseAndIndex(m: Memory, effective: bigint, kind: number): void {
    const { rng } = this;
    const mask = m.addressSize32 ? U32 : U64;
    m.displacementBytes = rng.pick([0, 1, 4]);
    if (m.displacementBytes === 1) m.displacement = (rng.u32() << 24) >> 24;
    else if (m.displacementBytes === 4) m.displacement = rng.u32() | 0;
    let rest = effective - BigInt(m.displacement);
    if (kind >= 6) {
      m.index = this.#addressRegister();
      m.scale = rng.int(4);
      if (kind === 6) { // no base: a 32-bit displacement and the index alone
        m.displacementBytes = 4;
        const value = BigInt(rng.u32() & 0x0fff_ffff);
        this.gpr[m.index] = value;
        const left = effective - (value << BigInt(m.scale));
        if (!this.#fits(m, left)) {
          m.scale = 0;
          m.displacement = rng.int(0x1000);
          this.gpr[m.index] = (effective - BigInt(m.displacement)) & mask;
        } else {
          m.displacement = Number(BigInt.asIntN(32, left));
        }
        return;
      }
      this.pin(m.index);
      rest -= this.gpr[m.index] << BigInt(m.scale);
    }
    if (rng.chance(6) && this.#fits(m, effective - this.gpr[RSP])) {
      m.base = RSP;
      m.index = -1;
      m.displacementBytes = 4;
      m.displacement = Number(BigInt.asIntN(32, effective - this.gpr[RSP]));
      return;
    }
    m.base = this.#addressRegister();
    this.pin(m.base);
    const garbage = m.addressSize32 ? BigInt(rng.u32()) << 32n : 0n;
    this.gpr[m.base] = (rest & mask) | garbage;
  }

  #addressRegister(): number {
    for (;;) {
      const reg = this.rng.int(16);
      if (!this.isPinned(reg)) return reg;
    }
  }

  /** Encodes one instruction at the end of the case's code. */
  emit(i: Instruction): void {
    const memory = typeof i.rm === "number" ? null : i.rm;
    const prefixes: number[] = [];
    if (i.lock) prefixes.push(0xf0);
    if (memory?.addressSize32) prefixes.push(0x67);
    if (memory?.segment) prefixes.push(memory.segment);
    if (i.size === 16) prefixes.push(0x66);
    if (i.mandatory) prefixes.push(i.mandatory);
    if (prefixes.length > 1) this.#shuffle(prefixes);
    this.code.push(...prefixes);
    const rm = memory === null ? i.rm as number : Math.max(memory.base, 0);
    const index = memory === null ? 0 : Math.max(memory.index, 0);
    const w = i.rexW || i.size === 64;
    if (i.vex) this.#vex(i.vex, i.reg, index, rm);
    else this.#rex(i, memory, w, index, rm);
    this.code.push(...i.opcode);
    const immediate = i.immediate ?? [];
    if (memory === null) {
      this.code.push(0xc0 | ((i.reg & 7) << 3) | (rm & 7));
    } else {
      this.#modrm(i.reg, memory, immediate.length);
    }
    this.code.push(...immediate);
  }

  #shuffle(prefixes: number[]): void {
    for (let k = prefixes.length - 1; k > 0; k--) {
      const other = this.rng.int(k + 1);
      [prefixes[k], prefixes[other]] = [prefixes[other], prefixes[k]];
    }
  }

  #rex(
    i: Instruction,
    memory: Memory | null,
    w: boolean,
    index: number,
    rm: number,
  ): void {
    const rex = (w ? 8 : 0) | (i.reg > 7 ? 4 : 0) | (index > 7 ? 2 : 0) |
      (rm > 7 ? 1 : 0);
    // An empty REX changes only which byte registers are meant.
    const empty = this.rng.chance(i.byteRegisters ? 40 : 5);
    if (rex !== 0 || empty) this.code.push(0x40 | rex | this.#idleX(memory));
  }

  /** REX.X where no index register is encoded has no meaning. */
  #idleX(memory: Memory | null): number {
    return memory === null && this.rng.chance(5) ? 2 : 0;
  }

  #vex(
    vex: NonNullable<Instruction["vex"]>,
    reg: number,
    index: number,
    rm: number,
  ): void {
    const r = reg > 7 ? 0 : 0x80;
    const x = index > 7 ? 0 : 0x40;
    const b = rm > 7 ? 0 : 0x20;
    const tail = ((~vex.vvvv & 15) << 3) | ((vex.l ?? 0) << 2) | vex.pp;
    if (vex.map === 1 && vex.w === 0 && x && b && this.rng.chance(50)) {
      this.code.push(0xc5, r | tail);
    } else {
      this.code.push(0xc4, r | x | b | vex.map, (vex.w << 7) | tail);
    }
  }

  #modrm(reg: number, m: Memory, immediate: number): void {
    const field = (reg & 7) << 3;
    if (m.ripRelative) {
      this.code.push(field | 5);
      const next = this.rip + this.code.length + 4 + immediate;
      this.#push32(m.displacement - next);
      return;
    }
    let bytes = m.displacementBytes;
    const base = m.base & 7;
    const sib = m.index >= 0 || m.base < 0 || base === 4 ||
      this.rng.chance(5);
    if (m.base < 0) bytes = 0;
    else if (bytes === 0 && base === 5) bytes = 1;
    const mode = bytes === 0 ? 0 : bytes === 1 ? 0x40 : 0x80;
    this.code.push(mode | field | (sib ? 4 : base));
    if (sib) {
      const index = m.index < 0 ? 4 : m.index & 7;
      this.code.push((m.scale << 6) | (index << 3) | (m.base < 0 ? 5 : base));
    }
    if (bytes === 1) this.code.push(m.displacement & 0xff);
    else if (bytes === 4 || m.base < 0) this.#push32(m.displacement);
  }

  #push32(value: number): void {
    this.code.push(
      value & 0xff,
      (value >>> 8) & 0xff,
      (value >>> 16) & 0xff,
      (value >>> 24) & 0xff,
    );
  }
}
