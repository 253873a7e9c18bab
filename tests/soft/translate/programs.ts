// Random programs for translated code: loops, branches, calls, memory of every size across
// pages, flags read late, code that changes itself, faults in the middle. They end
// with HLT. 64-bit, flat 32-bit and real mode's 16-bit code; in two of three programs with SSE or x87
// instructions among the others.

import { Prng } from "../../silicon/prng.ts";
import {
  PROGRAM,
  SHORT,
  vectorInstruction,
  x87Instruction,
} from "./floating.ts";

/** Sizes of code. */
export type Bits = 16 | 32 | 64;

/** Where programs find their code: its address, or its offset in CS. */
export interface Places {
  readonly code: number;
}

const PAGES = 3 * 0x1000 - 16;

// Registers by number. RBP points to the data, R15 (EDI in 32-bit code) counts loops, and
// ESP is the stack's.
const RCX = 1, RSP = 4, RBP = 5, RDI = 7, R15 = 15;

/** A program, to be run at its place. */
export interface RandomProgram {
  readonly code: Uint8Array;
  /** Where its statements begin and end: NOPs can take the place of any. */
  readonly statements: readonly (readonly [from: number, to: number])[];
}

export function randomProgram(
  seed: number,
  bits: Bits,
  at: Places,
): RandomProgram {
  return new Writer(new Prng(seed, `program ${bits}`), bits, at).program();
}

class Writer {
  readonly #r: Prng;
  readonly #long: boolean;
  /** 16-bit code. */
  readonly #short: boolean;
  readonly #at: Places;
  readonly #out: number[] = [];
  /** Places of immediates that may be changed. */
  readonly #immediates: number[] = [];
  readonly #subroutines: number[] = [];
  readonly #statements: [number, number][] = [];
  #depth = 0;
  /** In 100 instructions: SSE and x87. */
  readonly #vectors: number;
  readonly #x87: number;

  constructor(r: Prng, bits: Bits, at: Places) {
    this.#r = r;
    this.#long = bits === 64;
    this.#short = bits === 16;
    this.#at = at;
    const kind = r.int(6);
    this.#vectors = kind < 2 ? 60 : kind === 3 ? 20 : 0;
    this.#x87 = kind === 2 ? 60 : kind === 3 ? 20 : 0;
  }

  program(): RandomProgram {
    const r = this.#r;
    // jmp over the subroutines
    const over = this.#jump(0xe9);
    for (let n = 0; n < 2; n++) {
      this.#subroutines.push(this.#out.length);
      for (let i = r.int(6); i >= 0; i--) this.#simple();
      this.#byte(0xc3);
    }
    this.#land(over);
    for (let i = 4 + r.int(10); i > 0; i--) this.#statement();
    this.#byte(0xf4);
    return {
      code: Uint8Array.from(this.#out),
      statements: this.#statements,
    };
  }

  #byte(...bytes: number[]): void {
    this.#out.push(...bytes.map((b) => b & 0xff));
  }
  #word32(v: number): void {
    this.#byte(v, v >> 8, v >> 16, v >> 24);
  }

  /** An immediate, address or distance of the code's size. */
  #word(v: number): void {
    if (this.#short) this.#byte(v, v >> 8);
    else this.#word32(v);
  }

  /** A jump of the code's size, to #land() later. */
  #jump(...opcode: number[]): number {
    this.#byte(...opcode);
    this.#word(0);
    return this.#out.length;
  }
  /** Has a jump that ends at `from` lead to `to`. */
  #land(from: number, to = this.#out.length): void {
    const size = this.#short ? 2 : 4;
    for (let i = 0; i < size; i++) {
      this.#out[from - size + i] = (to - from) >> (8 * i) & 0xff;
    }
  }
  /** Says that operands have 2 to the power of `size` bytes, of 1 and 2. */
  #sized(size: number): void {
    if (size === (this.#short ? 2 : 1)) this.#byte(0x66);
  }

  #register(): number {
    for (;;) {
      const n = this.#r.int(this.#long ? 15 : 7);
      if (n !== RSP && n !== RBP) return n;
    }
  }

  get #counter(): number {
    return this.#long ? R15 : RDI;
  }

  #statement(): void {
    const from = this.#out.length;
    this.#anyStatement();
    this.#statements.push([from, this.#out.length]);
  }

  #anyStatement(): void {
    const r = this.#r;
    const kind = r.int(20);
    if (kind < 3 && this.#depth < 2) return this.#loop();
    if (kind < 6) return this.#skip();
    if (kind === 6) return this.#call();
    if (kind === 7 && this.#immediates.length > 0) return this.#modify();
    this.#anySimple();
  }

  #loop(): void {
    const r = this.#r;
    this.#depth++;
    const n = this.#counter;
    this.#rex(0, n, 0, false);
    this.#byte(0x50 + (n & 7)); // push
    this.#rex(0, n, 0, false);
    this.#byte(0xb8 + (n & 7));
    this.#word(2 + r.int(this.#depth === 1 ? 60 : 12));
    const top = this.#out.length;
    for (let i = 1 + r.int(8); i > 0; i--) this.#statement();
    // dec; jnz, or sub; jne, or lea; test; jnz
    if (r.chance(60)) {
      this.#rex(0, n, 0, this.#long && r.chance(50));
      this.#byte(0xff, 0xc8 + (n & 7));
    } else {
      this.#rex(0, n, 0, this.#long);
      this.#byte(0x83, 0xe8 + (n & 7), 1);
    }
    const end = this.#jump(0x0f, 0x84);
    this.#land(this.#jump(0xe9), top);
    this.#land(end);
    this.#rex(0, n, 0, false);
    this.#byte(0x58 + (n & 7)); // pop
    this.#depth--;
  }

  #skip(): void {
    const r = this.#r;
    const from = this.#jump(0x0f, 0x80 + r.int(16));
    for (let i = r.int(4); i >= 0; i--) this.#simple();
    this.#land(from);
  }

  #call(): void {
    this.#land(this.#jump(0xe8), this.#r.pick(this.#subroutines));
  }

  /** Writes an immediate of an instruction of this program. */
  #modify(): void {
    const r = this.#r;
    if (this.#short) this.#byte(0x2e);
    this.#byte(0xc7);
    const address = this.#at.code + r.pick(this.#immediates);
    if (this.#long) this.#byte(0x04, 0x25);
    else this.#byte(this.#short ? 0x06 : 0x05);
    this.#word(address);
    this.#word(r.u32());
  }

  #rex(reg: number, rm: number, index: number, wide: boolean): void {
    const rex = (wide ? 8 : 0) | (reg >> 3) << 2 | (index >> 3) << 1 | rm >> 3;
    if (rex && this.#long) this.#byte(0x40 | rex);
  }

  /** Prefixes, opcode and ModRM of a register or a place in the data. */
  #operand(
    opcode: readonly number[],
    reg: number,
    size: number,
    memory = this.#r.chance(50),
  ): void {
    const r = this.#r;
    const wide = size === 3;
    if (size > 0) this.#sized(size);
    if (memory && this.#long && r.chance(5)) this.#byte(r.pick([0x64, 0x65]));
    if (memory && this.#short) return this.#shortMemory(opcode, reg);
    if (!memory) {
      let rm = this.#register();
      // byte registers without REX are AH to BH
      if (size === 0 && r.chance(20)) rm = r.int(4);
      this.#rex(reg, rm, 0, wide);
      this.#byte(...opcode, 0xc0 | (reg & 7) << 3 | rm & 7);
    } else if (r.chance(70)) {
      this.#rex(reg, RBP, 0, wide);
      this.#byte(...opcode, 0x80 | (reg & 7) << 3 | RBP);
      this.#word32(r.chance(10) ? 0x1000 - 1 - r.int(8) : r.int(PAGES));
    } else {
      // RBP + byte * scale: movzx first
      const index = r.pick([0, 2, 3, 6]);
      this.#prefixed(size, () => {
        this.#rex(reg, RBP, index, wide);
        this.#byte(
          ...opcode,
          0x84 | (reg & 7) << 3,
          r.int(4) << 6 | index << 3 | RBP,
        );
        this.#word32(r.int(0x800));
      }, index);
    }
  }

  /** Opcode and operand of 16-bit code: few go astray, and end at a segment's end. */
  #shortMemory(opcode: readonly number[], reg: number): void {
    const r = this.#r;
    const segment = r.pick([0x26, 0x3e, 0x64, 0x65, 0x36, 0x2e, 0]);
    if (segment !== 0) this.#byte(segment);
    const astray = r.chance(10);
    const rm = astray ? r.pick([0, 1, 2, 3]) : 6;
    this.#byte(
      ...opcode,
      (astray ? r.int(3) << 6 : 0x80) | (reg & 7) << 3 | rm,
    );
    const form = this.#out.at(-1)! >> 6;
    if (form === 1) this.#byte(r.u32());
    if (form === 2) this.#word(r.chance(1) ? 0xffff - r.int(4) : r.int(PAGES));
  }

  /** Has a register be small before an instruction whose prefix is out already. */
  #prefixed(size: number, rest: () => void, index: number): void {
    const prefixes: number[] = [];
    while ([0x66, 0x64, 0x65, 0xf0].includes(this.#out.at(-1)!)) {
      prefixes.unshift(this.#out.pop()!);
    }
    this.#byte(0x0f, 0xb6, 0xc0 | index << 3 | r8(index));
    this.#byte(...prefixes);
    void size;
    rest();
  }

  #simple(): void {
    const from = this.#out.length;
    this.#anySimple();
    this.#statements.push([from, this.#out.length]);
  }

  #anySimple(): void {
    const r = this.#r;
    const room = this.#short ? SHORT : PROGRAM;
    if (r.chance(this.#vectors)) {
      return this.#byte(...vectorInstruction(r, this.#long, room));
    }
    if (r.chance(this.#x87)) return this.#byte(...x87Instruction(r, room));
    const size = r.int(this.#long ? 4 : 3);
    const w = size === 0 ? 0 : 1;
    const reg = this.#register();
    const immediate = () => {
      if (size === 0) this.#byte(r.u32());
      else if (size === 1) this.#byte(r.u32(), r.u32());
      else this.#word32(r.chance(50) ? r.int(256) - 128 : r.u32());
    };
    const pick = r.int(40);
    switch (pick) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
        return this.#operand([r.int(8) << 3 | w], reg, size);
      case 5:
      case 6:
      case 7:
        return this.#operand([r.int(8) << 3 | 2 | w], reg, size);
      case 8:
      case 9:
        this.#operand([0x80 | w], r.int(8), size);
        return immediate();
      case 10:
        this.#operand([0x83], r.int(8), Math.max(size, 1));
        return this.#byte(r.u32());
      case 11:
      case 12:
        return this.#operand([0x88 | w], reg, size);
      case 13:
      case 14:
        return this.#operand([0x8a | w], reg, size);
      case 15:
        this.#operand([0xc6 | w], 0, size);
        return immediate();
      case 16: {
        const n = this.#register();
        this.#rex(0, n, 0, false);
        this.#byte(0xb8 | n & 7);
        this.#immediates.push(this.#out.length);
        return this.#word(r.u32());
      }
      case 17:
        return this.#operand(
          [0x0f, r.pick([0xb6, 0xb7, 0xbe, 0xbf])],
          reg,
          Math.max(size, 1),
        );
      case 18:
        if (this.#long && r.chance(50)) {
          return this.#operand([0x63], reg, 3);
        }
        return this.#operand([0x8d], reg, Math.max(size, 1), true);
      case 19:
      case 20:
        this.#operand([0xc0 | w], r.pick([0, 1, 4, 5, 6, 7]), size);
        return this.#byte(r.chance(80) ? r.int(8 << size) : r.int(256));
      case 21:
        return this.#operand([0xd0 | w], r.pick([0, 1, 2, 3, 4, 5, 7]), size);
      case 22:
        return this.#operand([0xd2 | w], r.pick([0, 1, 4, 5, 7]), size);
      case 23:
      case 24:
        return this.#operand([0xfe | w], r.int(2), size);
      case 25:
        return this.#operand([0xf6 | w], 2 + r.int(2), size);
      case 26:
        this.#operand([0xf6 | w], r.int(2), size);
        return immediate();
      case 27:
        return this.#operand([0x84 | w], reg, size);
      case 28:
        return this.#operand([0x0f, 0xaf], reg, Math.max(size, 1));
      case 29:
        return this.#operand(
          [0xf6 | w],
          r.chance(85) ? 4 + r.int(2) : 6 + r.int(2),
          size,
        );
      case 30:
        return this.#operand([0x0f, 0x90 + r.int(16)], 0, 0);
      case 31:
      case 32:
        return this.#operand([0x0f, 0x40 + r.int(16)], reg, Math.max(size, 1));
      case 33:
        this.#operand([0x0f, 0xba], 4 + r.int(4), Math.max(size, 1));
        return this.#byte(r.u32());
      case 34:
        return this.#operand(
          [0x0f, r.pick([0xa3, 0xab, 0xb3, 0xbb])],
          reg,
          Math.max(size, 1),
          false,
        );
      case 35: {
        const n = this.#register();
        this.#rex(0, n, 0, this.#long && r.chance(50));
        return this.#byte(0x0f, 0xc8 | n & 7);
      }
      case 36:
        // LOCK only with memory
        if (r.chance(50)) {
          this.#byte(0xf0);
          return this.#operand(
            [0x0f, r.pick([0xb0, 0xc0]) | w],
            reg,
            size,
            true,
          );
        }
        return this.#operand(
          [0x0f, r.pick([0xb0, 0xc0]) | w],
          reg,
          size,
          false,
        );
      case 37:
        return this.#operand([0x86 | w], reg, size);
      case 38:
        return this.#byte(
          r.pick([0xf5, 0xf8, 0xf9, 0x98, 0x99, 0x9f, 0x9e, 0x90]),
        );
      default:
        this.#stack();
    }
  }

  /** Two registers pushed, and popped; or the flags; or a REP STOSB. */
  #stack(): void {
    const r = this.#r;
    switch (r.int(4)) {
      case 0: {
        const a = this.#register(), b = this.#register();
        for (const n of [a, b]) {
          this.#rex(0, n, 0, false);
          this.#byte(0x50 | n & 7);
        }
        this.#simpleRegister();
        for (const n of [a, b]) {
          this.#rex(0, n, 0, false);
          this.#byte(0x58 | n & 7);
        }
        return;
      }
      case 1:
        this.#byte(0x9c, 0x9d);
        return;
      case 2:
        this.#byte(0x68);
        this.#word(r.u32());
        this.#byte(0x5a);
        return;
      default:
        if (!this.#long) return this.#byte(0x90);
        this.#byte(0x48, 0x8d, 0xbd);
        this.#word32(r.int(0x1000));
        this.#byte(0xb9);
        this.#word32(r.int(40));
        this.#byte(0xf3, r.pick([0xaa, 0xab]));
    }
  }

  #simpleRegister(): void {
    const r = this.#r;
    this.#operand([r.int(8) << 3 | 1], this.#register(), 2, false);
  }
}

/** The byte register that MOVZX makes an index of. */
function r8(index: number): number {
  return index === 6 ? RCX : index;
}

/** A loop that walks to the end of a segment of 64 KiB, by its operand or by the stack. */
export function walk(seed: number): Uint8Array {
  const r = new Prng(seed, "walk");
  const step = 1 + r.int(5);
  const access = r.pick([
    [0x8a, 0x04],
    [0x8b, 0x04],
    [0x66, 0x8b, 0x04],
    [0x01, 0x04],
    [0x66, 0x89, 0x04],
    [0xd9, 0x04],
    [0x0f, 0x6f, 0x04], // MOVQ
    [0xf3, 0x0f, 0x6f, 0x04], // MOVDQU
    [0xf3, 0x0f, 0x7f, 0x04],
  ]);
  const [start, ...body] = r.pick([
    [[0xbe, r.int(256), 0xf0], access, [0x83, 0xc6, step]],
    [[0xbc, r.int(256), 0x10], [0x50], []],
    [[0xbc, r.int(256), 0xf0], [0x58], []],
  ]);
  const loop = body.flat();
  return Uint8Array.of(...start, ...loop, 0xeb, -2 - loop.length);
}
