// The WebAssembly of one region (regions.ts): guest registers and flags live in local
// variables while it runs. Whatever is out of the ordinary leaves the region before the
// instruction that meets it, with the state as the interpreter wants it, and the
// interpreter carries that instruction out.

import "../number_types.ts";
import type { Size } from "../instructions/forms.ts";
import {
  CODE_DROPS,
  CODEBASE,
  CR0,
  CR4,
  FC,
  FCW,
  FS,
  FX,
  FZ,
  GUEST,
  JC_ENTRIES,
  JCACHE,
  JGEN,
  LAST_PAGE_BYTES,
  LAST_PAGES,
  LP_ADDEND,
  LP_ROOM,
  MAPPINGS,
  POOL,
  R_CODEBASE,
  R_ZERO,
  REGION_LAST,
  REGION_LEFT,
  REGION_USED,
  REGIONS,
  REGS,
  S_CS,
  S_FS,
  S_SS,
  SEG_ATTR,
  SEG_BASE,
  SEG_LIMIT,
  SEGS,
  STACKW,
} from "../core/layout.ts";
import {
  EAK_16,
  EAK_32,
  EAK_64,
  EAK_64A32,
  EAK_64SEG,
  KEY_16,
  KEY_32,
  KEY_64,
  REC,
  REGION,
  RF_MEM,
} from "../core/shared.ts";
import { PAGE_BYTES } from "../../x86/paging.ts";
import type { Block, Instruction } from "./records.ts";
import { MOST_BLOCKS } from "./regions.ts";
import { Lazy } from "./lazy.ts";
import {
  F_FLAGS,
  F_READABLE,
  F_WRITABLE,
  pushTag,
  SHARED,
  T_HANDLER,
  T_REGION,
  TYPES,
} from "./shared_functions.ts";
import { Code, I32, I64, moduleBytes, Op, V128 } from "./wasm.ts";

export type { Size };

/** Where the arithmetic flags are: in the cells' variables, yet to be computed from
 * operands in a known way, or in a way that the variable `kind` knows. */
interface LazyFlags {
  readonly lazy: Lazy;
  readonly size: Size;
}
type Known = "cells" | LazyFlags;
type Flags = Known | "dynamic";

const LOADS = [Op.i32_load8_u, Op.i32_load16_u, Op.i32_load, Op.i64_load];
const LOADS_SIGNED = [Op.i32_load8_s, Op.i32_load16_s, Op.i32_load];
const STORES = [Op.i32_store8, Op.i32_store16, Op.i32_store, Op.i64_store];

/**
 * In the number of a record that a block is left at, before that instruction: the kind of
 * the flags, or that their variable has it. A record's size is a power of two.
 */
const KIND_KNOWN = REC - 1;
const LABELS = Array.from({ length: MOST_BLOCKS }, (_, n) => `block ${n}`);

const PAGE = BigInt(PAGE_BYTES);
const MASK = [0xff, 0xffff, -1];
/** Bytes that 16-bit code can address in a segment. */
const SHORT = 0x10000;

/** What is emitted for an instruction: true if it was; false if its handler is to be called. */
export type Emitter = (
  g: Generator,
  i: Instruction,
  size: Size,
  memory: boolean,
) => void;

export interface Row {
  readonly emit: Emitter;
  readonly size: Size;
}

/** Finds the row of an instruction; undefined if only its handler knows it. */
export type Lookup = (i: Instruction) => Row | undefined;

/** A region that was generated. */
export interface Generated {
  readonly bytes: Uint8Array;
  readonly instructions: number;
}

/**
 * The module of a region of `blocks`, of one page and code size, in their order; its
 * function "run" says in the cell of `slot` that it was entered, takes the record, the number of the block to begin with and the
 * instructions left, and returns the record to go on with, or 0 (as core/code/inner.ts has it).
 */
export function generate(
  blocks: readonly Block[],
  lookup: Lookup,
  slot: number,
): Generated {
  const { code } = new Generator(blocks, lookup, slot);
  const run = { type: T_REGION, code, name: "run" };
  return {
    bytes: moduleBytes(TYPES, SHARED, [run], GUEST / 65536),
    instructions: blocks.reduce((n, b) => n + b.instructions.length, 0),
  };
}

export class Generator {
  readonly code = new Code(3);
  readonly key: number;
  readonly #blocks: readonly Block[];
  readonly #lookup: Lookup;
  readonly #slot: number;
  readonly #numbers = new Map<number, number>();
  /** Registers that are in variables, by their numbers, and those of them that change;
   * whole when all is written. */
  readonly #registers = new Map<number, number>();
  readonly #modified = new Set<number>();
  readonly #segments = new Set<number>();
  /** Bases of segments that 16-bit code uses, by their numbers. */
  readonly #bases = new Map<number, number>();
  /** Whose cell in memory may be older than the variable: all but `#clean` of those that
   * change, or `#dirty` alone. */
  #all = true;
  #clean = new Set<number>();
  #dirty = new Set<number>();
  #flags: Flags = "dynamic";
  /** What to do once the flags are seen as they are. */
  #unseen: (() => void)[] = [];
  /** Blocks that begin with CF in its variable, whatever the other flags are in. */
  readonly #carried = new Set<number>();
  /** Ways between blocks with the flags as they were at the block's begin. */
  readonly #passed: [from: number, to: number][] = [];
  #block = 0;
  /** Instructions of the block, and those of them before the current one. */
  #length = 0;
  #executed = 0;

  readonly #record = 0;
  readonly #entry = 1;
  readonly #left = 2;
  readonly #blockEnd: number;
  readonly #codeBase: number;
  readonly #kind: number;
  readonly #fz: number;
  readonly #fs: number;
  readonly #fx: number;
  readonly #fc: number;
  readonly #drops: number;
  #mappings = -1;
  /** Operands and result of the last instruction that set flags. */
  readonly fa: number;
  readonly fb: number;
  readonly fr: number;
  /** The linear and the host address of the last memory operand. */
  readonly address: number;
  readonly host: number;
  /** The page that is looked for, and its entry of the TLB. */
  readonly #page: number;
  readonly #tlbEntry: number;
  /** Where pages of last accesses are remembered. */
  readonly #pages = new Set<number>();
  readonly #scratch: number[] = [];
  /** Not 0: SSE instructions are refused. Asked for if it is not -1. */
  #noVectors = -1;
  /** It is known to be 0 at the current instruction. */
  #ready = false;
  #noX87 = -1;

  constructor(
    blocks: readonly Block[],
    lookup: Lookup,
    slot: number,
  ) {
    this.#slot = slot;
    this.#blocks = blocks;
    this.#lookup = lookup;
    this.key = blocks[0].key;
    blocks.forEach(({ head }, n) => this.#numbers.set(head, n));
    const { code } = this;
    this.#blockEnd = code.local(I32);
    this.#kind = code.local(I32);
    this.#drops = code.local(I32);
    this.host = code.local(I32);
    this.#codeBase = code.local(I64);
    this.#fz = code.local(I64);
    this.#fs = code.local(I64);
    this.#fx = code.local(I64);
    this.#fc = code.local(I64);
    this.fa = code.local(I64);
    this.fb = code.local(I64);
    this.fr = code.local(I64);
    this.address = code.local(I64);
    this.#page = code.local(I64);
    this.#tlbEntry = code.local(I32);
    this.#region();
    code.complete();
  }

  /** For emitters. */
  get x(): number {
    return this.#scratch[0] ??= this.code.local(I64);
  }
  get y(): number {
    return this.#scratch[1] ??= this.code.local(I64);
  }
  get z(): number {
    return this.#scratch[2] ??= this.code.local(I64);
  }
  get x32(): number {
    return this.#scratch[3] ??= this.code.local(I32);
  }
  get y32(): number {
    return this.#scratch[4] ??= this.code.local(I32);
  }
  get z32(): number {
    return this.#scratch[5] ??= this.code.local(I32);
  }
  get vx(): number {
    return this.#scratch[6] ??= this.code.local(V128);
  }
  get vy(): number {
    return this.#scratch[7] ??= this.code.local(V128);
  }
  get vz(): number {
    return this.#scratch[8] ??= this.code.local(V128);
  }
  get vt(): number {
    return this.#scratch[9] ??= this.code.local(V128);
  }
  /** Addresses of x87 registers, less FPR. */
  get cell(): number {
    return this.#scratch[10] ??= this.code.local(I32);
  }
  get cell2(): number {
    return this.#scratch[11] ??= this.code.local(I32);
  }
  /** Not 0: x87 instructions are refused, or the control word is not the usual one. */
  get noX87(): number {
    if (this.#noX87 < 0) this.#noX87 = this.code.local(I32);
    return this.#noX87;
  }
  /** An offset or an address, for the functions below. */
  get #place(): number {
    return this.#scratch[12] ??= this.code.local(I64);
  }

  // --- the whole

  #region(): void {
    const { code: c } = this;
    c.block("exit");
    c.block("before, flags known", I32);
    c.block("before", I32);
    c.defer(() => this.#begin());
    c.loop("dispatch");
    const labels = LABELS.slice(0, this.#blocks.length);
    for (const label of labels.toReversed()) c.block(label);
    c.get(this.#entry);
    c.brTable(labels);
    this.#blocks.forEach((block, n) => {
      c.end();
      this.#emitBlock(block, n);
    });
    this.#closeCarried();
    c.end();
    c.unreachable();
    // before: an instruction that was not executed, and the kind of the flags
    c.end();
    c.tee(this.#record);
    c.i32(KIND_KNOWN);
    c.op(Op.i32_and);
    c.set(this.#kind);
    c.get(this.#record);
    c.end();
    c.i32(~KIND_KNOWN);
    c.op(Op.i32_and);
    c.set(this.#record);
    c.get(this.#left);
    c.get(this.#blockEnd);
    c.get(this.#record);
    c.op(Op.i32_sub);
    c.i32(Math.log2(REC));
    c.op(Op.i32_shr_u);
    c.op(Op.i32_add);
    c.set(this.#left);
    c.i32(0);
    c.set(this.#blockEnd);
    c.end();
    // exit: the state as the interpreter has it
    c.get(this.#kind);
    c.if_();
    this.#compute(() => c.get(this.#kind));
    c.end();
    this.#storeFlags();
    for (const n of this.#modified) this.#storeRegister(n);
    this.#chain();
    this.#leave(() => c.get(this.#record));
  }

  /** What the variables are at first. */
  #begin(): void {
    const { code: c } = this;
    if (this.key !== KEY_64) this.#guard(() => this.#noProgress());
    c.i32(0);
    c.i32(1);
    c.memory(Op.i32_store8, REGION_USED + this.#slot);
    this.#loadCell(CODEBASE, this.#codeBase);
    this.#loadFlags();
    this.#loadState();
    this.#writeNoPages();
    c.i32(0);
    c.memory(Op.i32_load, CODE_DROPS);
    c.set(this.#drops);
    if (this.#mappings < 0) return;
    c.i32(0);
    c.memory(Op.i32_load, MAPPINGS);
    c.set(this.#mappings);
  }

  /** Goes on in another region if the record leads to one, and what is left is enough for
   * its block, whose header is before the record (core/code/cache.ts); not at an instruction
   * that is the interpreter's to execute. */
  #chain(): void {
    const { code: c } = this;
    c.get(this.#blockEnd);
    c.i32(0);
    c.op(Op.i32_ne);
    c.get(this.#record);
    c.memory(Op.i32_load8_u, 3);
    c.i32(REGION);
    c.op(Op.i32_eq);
    c.op(Op.i32_and);
    c.if_();
    c.get(this.#record);
    c.i32(REC);
    c.op(Op.i32_sub);
    c.memory(Op.i32_load8_u, 8);
    c.get(this.#left);
    c.op(Op.i32_le_s);
    c.if_();
    c.get(this.#record);
    c.get(this.#record);
    c.i32(3);
    c.op(Op.i32_shr_u);
    c.memory(Op.i32_load, REGIONS - (POOL >>> 3));
    c.tee(this.#entry);
    c.i32(20);
    c.op(Op.i32_shr_u);
    c.i32(0x7ff);
    c.op(Op.i32_and);
    c.get(this.#left);
    c.get(this.#entry);
    c.i32(0xfffff);
    c.op(Op.i32_and);
    c.returnCallIndirect(T_REGION);
    c.end();
    c.end();
  }

  /** Returns with what `push` pushes and what is left. */
  #leave(push: () => void): void {
    const { code: c } = this;
    c.i32(0);
    c.get(this.#left);
    c.memory(Op.i32_store, REGION_LEFT);
    push();
    c.return_();
  }

  #noProgress(): void {
    this.#leave(() => this.code.get(this.#record));
  }

  /** What 16 and 32-bit code has to have; else `otherwise`. */
  #guard(otherwise: () => void): void {
    if (this.key === KEY_16) this.#guardShort();
    else this.#guardFlat();
    this.code.ifUnlikely();
    otherwise();
    this.code.end();
  }

  /** Pushes whether the code or a segment used does not have 64 KiB, or the stack not 16 bits. */
  #guardShort(): void {
    const { code: c } = this;
    const short = (segment: number) => {
      c.i32(0);
      c.memory(Op.i32_load, SEGS + (segment << 5) + SEG_LIMIT);
      c.i32(SHORT - 1);
      c.op(Op.i32_lt_u);
    };
    short(S_CS);
    // the code is inside the segment's first 64 KiB, so that IP does not wrap in it
    const bytes = this.#blocks.flatMap(({ instructions }) => {
      const last = instructions.at(-1)!;
      return [instructions[0].offset, last.offset + last.length - 1];
    });
    for (const offset of [Math.min(...bytes), Math.max(...bytes)]) {
      c.i32(0);
      c.memory(Op.i64_load, CODEBASE);
      c.i64(BigInt(offset));
      c.op(Op.i64_add);
      c.i64(BigInt(SHORT));
      c.op(Op.i64_ge_u);
      c.op(Op.i32_or);
    }
    for (const s of this.#segments) {
      short(s);
      c.op(Op.i32_or);
      // writable data, present
      c.i32(0);
      c.memory(Op.i32_load16_u, SEGS + (s << 5) + SEG_ATTR);
      c.i32(0x9e);
      c.op(Op.i32_and);
      c.i32(0x92);
      c.op(Op.i32_ne);
      c.op(Op.i32_or);
    }
    if (this.#segments.has(S_SS)) this.#guardStack(1);
  }

  /** Adds to what is on the stack whether the stack's width is not log2 `width`. */
  #guardStack(width: number): void {
    const { code: c } = this;
    c.i32(0);
    c.memory(Op.i32_load8_u, STACKW);
    c.i32(width);
    c.op(Op.i32_ne);
    c.op(Op.i32_or);
  }

  /** Pushes whether a segment is not flat, or the stack not of 32 bits. */
  #guardFlat(): void {
    const { code: c } = this;
    const flat = 0x0092_0000_ffff_ffffn, mask = 0x009e_0000_ffff_ffffn;
    c.i32(0);
    c.memory(Op.i32_load, SEGS + (S_CS << 5) + SEG_LIMIT);
    c.i32(-1);
    c.op(Op.i32_ne);
    c.i32(0);
    c.memory(Op.i64_load, SEGS + (S_CS << 5) + SEG_BASE);
    c.op(Op.i64_eqz);
    c.op(Op.i32_eqz);
    c.op(Op.i32_or);
    for (const s of this.#segments) {
      c.i32(0);
      c.memory(Op.i64_load, SEGS + (s << 5) + SEG_LIMIT);
      c.i64(mask);
      c.op(Op.i64_and);
      c.i64(flat);
      c.op(Op.i64_ne);
      c.op(Op.i32_or);
      c.i32(0);
      c.memory(Op.i64_load, SEGS + (s << 5) + SEG_BASE);
      c.op(Op.i64_eqz);
      c.op(Op.i32_eqz);
      c.op(Op.i32_or);
    }
    if (this.#segments.has(S_SS)) this.#guardStack(2);
  }

  // --- blocks and ways between them

  #emitBlock(block: Block, n: number): void {
    const { code: c } = this;
    const { instructions, head } = block;
    this.#block = n;
    this.#length = instructions.length;
    this.#executed = 0;
    this.#ready = false;
    this.#flags = "dynamic";
    this.#all = true;
    this.#clean.clear();
    this.#dirty.clear();
    c.loop("self");
    c.i32(head + instructions.length * REC);
    c.set(this.#blockEnd);
    c.get(this.#left);
    c.i32(instructions.length);
    c.op(Op.i32_sub);
    c.tee(this.#left);
    c.i32(0);
    c.op(Op.i32_lt_s);
    c.ifUnlikely();
    this.exit(head);
    c.end();
    let ended = false;
    for (const i of instructions) {
      ended = this.#emit(i);
      this.#executed++;
      if (ended) break;
    }
    if (!ended) this.#fallThrough(block);
    this.#see();
    c.end();
  }

  /** Goes on behind a block that no branch ends: where the interpreter looks its next one
   * up, which finds the same while mappings are as they were. */
  #fallThrough(block: Block): void {
    const { code: c } = this;
    const last = block.instructions.at(-1)!;
    const offset = last.offset + last.length;
    const next = offset < 0x1000 ? this.blockAt(offset) : 0;
    if (next === 0 && this.key === KEY_16) return this.exit(block.end);
    if (next === 0) {
      this.instructionPointer(offset);
      c.set(this.x);
      this.lookUp(block.end, this.x);
      this.jumpTo(this.x, 0);
      return;
    }
    if (this.#mappings < 0) this.#mappings = c.local(I32);
    c.i32(0);
    c.memory(Op.i32_load, MAPPINGS);
    c.get(this.#mappings);
    c.op(Op.i32_ne);
    c.ifUnlikely();
    this.exit(block.end);
    c.end();
    this.goTo(next, 0);
  }

  /** Emits an instruction; true if nothing goes on behind it. */
  #emit(i: Instruction): boolean {
    const row = this.#lookup(i);
    this.#ended = false;
    if (row === undefined || !this.#addressable(i)) {
      this.callHandler(i);
      return this.#ended;
    }
    row.emit(this, i, row.size, (i.flags & RF_MEM) !== 0);
    return this.#ended;
  }
  #ended = false;

  /** For emitters of instructions that nothing follows. */
  endBlock(): void {
    this.#ended = true;
  }

  #addressable(i: Instruction): boolean {
    if ((i.flags & RF_MEM) === 0) return true;
    switch (i.eak) {
      case EAK_64:
      case EAK_64SEG:
        return true;
      case EAK_64A32:
        return i.segment < S_FS;
      case EAK_32:
        return this.key === KEY_32 && i.segment < S_FS && i.segment !== S_CS;
    }
    return this.key === KEY_16 && i.segment !== S_CS;
  }

  /** For emitters of SSE instructions: leaves the region if they are refused. */
  needVectors(i: Instruction): void {
    if (this.#ready) return;
    this.#ready = true;
    if (this.#noVectors < 0) this.#noVectors = this.code.local(I32);
    this.code.get(this.#noVectors);
    this.exitIf(i);
  }

  /** Has variables be what memory has: registers, and what else is asked for. */
  #loadState(): void {
    for (const [n, local] of this.#registers) {
      this.#loadCell(REGS + n * 8, local);
    }
    for (const [s, local] of this.#bases) {
      this.#loadCell(SEGS + (s << 5) + SEG_BASE, local);
    }
    const { code: c } = this;
    const EM_TS = 12, OSFXSR = 0x200;
    if (this.#noX87 >= 0) {
      // all masked, 64 bits, to nearest
      c.i32(0);
      c.memory(Op.i32_load16_u, FCW);
      c.i32(0xf3f);
      c.op(Op.i32_and);
      c.i32(0x33f);
      c.op(Op.i32_xor);
      c.i32(0);
      c.memory(Op.i32_load, CR0);
      c.i32(EM_TS);
      c.op(Op.i32_and);
      c.op(Op.i32_or);
      c.set(this.#noX87);
    }
    if (this.#noVectors < 0) return;
    c.i32(0);
    c.memory(Op.i32_load, CR0);
    c.i32(EM_TS);
    c.op(Op.i32_and);
    c.i32(0);
    c.memory(Op.i32_load, CR4);
    c.i32(OSFXSR);
    c.op(Op.i32_and);
    c.op(Op.i32_eqz);
    c.op(Op.i32_or);
    c.set(this.#noVectors);
  }

  /** Leaves the region at record `p`, before the current instruction or `more` behind it. */
  exit(p: number, more = 0): void {
    const { code: c } = this;
    const { head } = this.#blocks[this.#block];
    if (more === 0 && p === head + this.#executed * REC) {
      this.#see();
      const isKnown = this.#flags !== "dynamic";
      c.i32(isKnown ? p | kindOf(this.#flags) : p);
      c.br(isKnown ? "before" : "before, flags known");
      return;
    }
    c.i32(p);
    c.set(this.#record);
    this.exitTo(more);
  }

  /** As exit(), to the record that the variable `record` has. */
  exitTo(more: number): void {
    this.#giveBack(more);
    this.#sayFlags();
    this.code.br("exit");
  }

  /** The variable that says where exitTo() goes. */
  get record(): number {
    return this.#record;
  }

  /** A block spends all of its instructions when it begins: what is not executed when
   * it is left `more` behind the current instruction is left again. */
  #giveBack(more: number): void {
    const { code: c } = this;
    const n = this.#length - this.#executed - more;
    if (n === 0) return;
    c.get(this.#left);
    c.i32(n);
    c.op(Op.i32_add);
    c.set(this.#left);
  }

  #sayFlags(): void {
    const { code: c } = this;
    this.#see();
    if (this.#flags === "dynamic") return;
    c.i32(kindOf(this.#flags));
    c.set(this.#kind);
  }

  /** Goes on at record `p`, inside the region if it is there; `more` instructions of this
   * block are done besides those before the current one. */
  goTo(p: number, more: number): void {
    const { code: c } = this;
    const n = this.#numbers.get(p);
    if (n === undefined) {
      this.exit(p, more);
      return;
    }
    this.#giveBack(more);
    this.#bringCarry(n);
    this.#sayFlags();
    if (n > this.#block) c.br(LABELS[n]);
    else this.#goBack(n);
  }

  /** Goes on at this block or one before it. */
  #goBack(n: number): void {
    const { code: c } = this;
    if (n === this.#block) c.br("self");
    else {
      c.i32(n);
      c.set(this.#entry);
      c.br("dispatch");
    }
  }

  /** The first record of the block at a page's offset, if it is in the region; else 0. */
  blockAt(offset: number): number {
    for (const { head, instructions } of this.#blocks) {
      if (instructions[0]?.offset === offset) return head;
    }
    return 0;
  }

  /** The region's blocks that are behind a call. */
  #returnSites(): Block[] {
    const behind = new Set<number>();
    for (const { instructions } of this.#blocks) {
      const last = instructions.at(-1);
      if (last !== undefined && isCall(last)) {
        behind.add(last.offset + last.length);
      }
    }
    return this.#blocks.filter(({ instructions }) =>
      instructions.length > 0 && behind.has(instructions[0].offset)
    );
  }

  /** Leaves at the current instruction if the top of the stack is not 0. */
  exitIf(i: Instruction): void {
    const { code: c } = this;
    c.ifUnlikely();
    this.exit(i.p);
    c.end();
  }

  // --- handlers

  /** Has the interpreter's handler carry the instruction out. */
  callHandler(i: Instruction): void {
    const { code: c } = this;
    this.#storeState();
    this.#all = false;
    this.#dirty.clear();
    this.#call(i);
    c.ifUnlikely();
    this.#leaveBehind(i);
    c.end();
    const rest = this.#length - this.#executed - 1;
    c.defer(() => {
      if (this.key !== KEY_64) {
        this.#guard(() => {
          c.get(this.#left);
          c.i32(rest);
          c.op(Op.i32_add);
          c.set(this.#left);
          this.#leave(() => c.i32(i.p + REC));
        });
      }
      this.#loadState();
    });
    this.#ready = false;
    this.#forgetPages();
    this.#loadFlags();
  }

  /** As callHandler(), for a handler that uses general registers for addresses and as a
   * source only (but for `written`, the offset of one), and no flags. */
  callFloating(i: Instruction, written?: number): void {
    const { code: c } = this;
    for (const offset of [i.base, i.index, i.rm, i.reg]) {
      const n = offset >> 3;
      if (n >= 16) continue;
      if (this.#dirty.delete(n)) this.#storeRegister(n);
      else if (this.#all && !this.#clean.has(n)) {
        c.defer(() => this.#storeModified(n));
      }
      this.#clean.add(n);
    }
    this.#call(i);
    c.ifUnlikely();
    const flags = this.#flags;
    this.#storeState();
    this.#flags = flags;
    this.#leaveBehind(i);
    c.end();
    if (written !== undefined) {
      this.#loadCell(REGS + (written & ~7), this.#uses(written >> 3));
    }
    this.#forgetPages();
  }

  /**
   * Does what `quick` emits if the top of the stack is not 0, else what `otherwise` does:
   * one of callFloating() and callHandler(), for the instruction `quick` is for.
   */
  quickly(quick: () => void, otherwise: () => void): void {
    const { code: c } = this;
    const flags = this.#flags;
    const ready = this.#ready;
    const all = this.#all;
    const clean = new Set(this.#clean);
    const dirty = new Set(this.#dirty);
    c.op(Op.i32_eqz);
    c.ifUnlikely();
    otherwise();
    c.else_();
    const after = this.#flags;
    this.#flags = flags;
    this.#all = all;
    this.#clean = clean;
    this.#dirty = dirty;
    quick();
    if (this.#flags !== after) this.#flags = "cells";
    this.#ready = ready;
    c.end();
  }

  /** Has memory have the state, but for what `dirty` says of registers. */
  #storeState(): void {
    this.#cells();
    this.#storeFlags();
    for (const n of this.#dirty) this.#storeRegister(n);
    if (!this.#all) return;
    const done = new Set([...this.#clean, ...this.#dirty]);
    this.code.defer(() => {
      for (const n of this.#modified) if (!done.has(n)) this.#storeRegister(n);
    });
  }

  /** Stores a register if it changes anywhere in the region. */
  #storeModified(n: number): void {
    if (this.#modified.has(n)) this.#storeRegister(n);
  }

  /** Calls a handler; pushes whether the region cannot go on behind it. */
  #call(i: Instruction): void {
    const { code: c } = this;
    c.i32(i.p);
    c.i32(i.handler);
    c.callIndirect(T_HANDLER);
    c.tee(this.#record);
    c.i32(i.p + REC);
    c.op(Op.i32_ne);
    c.i32(0);
    c.memory(Op.i32_load, CODE_DROPS);
    c.get(this.#drops);
    c.op(Op.i32_ne);
    c.op(Op.i32_or);
  }

  /** Leaves with what a handler returned; memory has the state. */
  #leaveBehind(i: Instruction): void {
    const { code: c } = this;
    c.i32(0);
    c.i32(i.p);
    c.memory(Op.i32_store, REGION_LAST);
    c.get(this.#left);
    c.i32(this.#length - this.#executed);
    c.op(Op.i32_add);
    // what did not complete is the loop's to count
    c.get(this.#record);
    c.i32(0);
    c.op(Op.i32_ne);
    c.op(Op.i32_sub);
    c.set(this.#left);
    this.#leave(() => c.get(this.#record));
  }

  // --- registers

  #loadCell(address: number, local: number): void {
    const { code: c } = this;
    c.i32(0);
    c.memory(Op.i64_load, address);
    c.set(local);
  }

  #storeRegister(n: number): void {
    const { code: c } = this;
    c.i32(0);
    c.get(this.#uses(n));
    c.memory(Op.i64_store, REGS + n * 8);
  }

  #uses(n: number): number {
    let local = this.#registers.get(n);
    if (local === undefined) {
      local = this.code.local(I64);
      this.#registers.set(n, local);
    }
    return local;
  }

  /** Pushes a register, by its byte offset: i64 for size 3, else zero-extended i32. */
  getRegister(offset: number, size: Size): void {
    const { code: c } = this;
    c.get(this.#uses(offset >> 3));
    if (size === 3) return;
    c.op(Op.i32_wrap_i64);
    if (offset & 7) {
      c.i32(8);
      c.op(Op.i32_shr_u);
    }
    if (size < 2) {
      c.i32(MASK[size]);
      c.op(Op.i32_and);
    }
  }

  /** Pops a value into a register, as x86-64 does: 32 bits clear the upper half. */
  setRegister(offset: number, size: Size): void {
    const { code: c } = this;
    const n = offset >> 3;
    const local = this.#uses(n);
    this.#modified.add(n);
    this.#dirty.add(n);
    this.#clean.delete(n);
    if (size === 2) c.op(Op.i64_extend_i32_u);
    else if (size < 2) {
      c.i32(MASK[size]);
      c.op(Op.i32_and);
      c.op(Op.i64_extend_i32_u);
      let mask = BigInt(MASK[size]);
      if (offset & 7) {
        c.i64(8n);
        c.op(Op.i64_shl);
        mask <<= 8n;
      }
      c.get(local);
      c.i64(~mask);
      c.op(Op.i64_and);
      c.op(Op.i64_or);
    }
    c.set(local);
  }

  /** Pushes a constant of a size; it is cut to it. */
  constant(value: bigint, size: Size): void {
    const { code: c } = this;
    if (size === 3) c.i64(value);
    else c.i32(Number(BigInt.asIntN(32, value)) & MASK[size]);
  }

  /** Sets an i64 local to the value on the stack, zero-extended. */
  setWide(local: number, size: Size): void {
    if (size < 3) this.code.op(Op.i64_extend_i32_u);
    this.code.set(local);
  }

  /** Pushes an i64 local as an operand of a size. */
  getNarrow(local: number, size: Size): void {
    this.code.get(local);
    if (size < 3) this.code.op(Op.i32_wrap_i64);
  }

  /** Emits the operation of a size, and cuts its result to it. */
  operate(op32: number, op64: number, size: Size): void {
    const { code: c } = this;
    c.op(size === 3 ? op64 : op32);
    if (size < 2) {
      c.i32(MASK[size]);
      c.op(Op.i32_and);
    }
  }

  // --- memory

  /** Pushes the sum of base, index and displacement, and adds nothing for segments. */
  sum(i: Instruction): void {
    const { code: c } = this;
    let terms = 0;
    const add = () => {
      if (terms++ > 0) c.op(Op.i64_add);
    };
    if (i.base === R_CODEBASE) {
      c.get(this.#codeBase);
      add();
    } else if (i.base !== R_ZERO) {
      c.get(this.#uses(i.base >> 3));
      add();
    }
    if (i.index !== R_ZERO) {
      c.get(this.#uses(i.index >> 3));
      if (i.scale > 0) {
        c.i64(BigInt(i.scale));
        c.op(Op.i64_shl);
      }
      add();
    }
    if (i.disp !== 0n || terms === 0) {
      c.i64(i.disp);
      add();
    }
  }

  /** Pushes the offset of a memory operand in its segment. */
  offset(i: Instruction): void {
    const { code: c } = this;
    this.sum(i);
    if (i.eak === EAK_64A32 || i.eak === EAK_32) {
      c.i64(0xffff_ffffn);
      c.op(Op.i64_and);
    } else if (i.eak === EAK_16) {
      c.i64(BigInt(SHORT - 1));
      c.op(Op.i64_and);
    }
  }

  /** Has `address` be the linear address of the offset on the stack in a segment of 64 KiB;
   * leaves the region if the access does not end in them. */
  #short(i: Instruction, segment: number, size: Size | 4): void {
    const { code: c } = this;
    this.#segments.add(segment);
    if (size > 0) {
      c.tee(this.address);
      c.i64(BigInt(SHORT - (1 << size)));
      c.op(Op.i64_gt_u);
      this.exitIf(i);
      c.get(this.address);
    }
    this.#addBase(segment);
    c.set(this.address);
  }

  /** Adds a segment's base to the offset on the stack. */
  #addBase(segment: number): void {
    const { code: c } = this;
    let base = this.#bases.get(segment);
    if (base === undefined) {
      base = c.local(I64);
      this.#bases.set(segment, base);
    }
    c.get(base);
    c.op(Op.i64_add);
    c.i64(0xffff_ffffn);
    c.op(Op.i64_and);
  }

  /** Has `host` be where the memory operand is; leaves the region if that is not plain
   * memory, or not allowed. */
  operand(i: Instruction, size: Size, write: boolean): void {
    this.#linear(i, size);
    this.access(i, size, write);
  }

  /** As operand(), for 16 bytes, which `aligned` ones have to be. */
  operand16(i: Instruction, aligned: boolean, write: boolean): void {
    const { code: c } = this;
    this.#linear(i, 4);
    if (aligned) {
      c.get(this.address);
      c.op(Op.i32_wrap_i64);
      c.i32(15);
      c.op(Op.i32_and);
      this.exitIf(i);
    }
    this.access(i, 4, write);
  }

  /** Has `address` be the linear address of the memory operand. */
  #linear(i: Instruction, size: Size | 4): void {
    const { code: c } = this;
    this.offset(i);
    if (i.eak === EAK_16) return this.#short(i, i.segment, size);
    if (i.eak === EAK_64SEG) {
      c.tee(this.address);
      c.i64(16n);
      c.op(Op.i64_shl);
      c.i64(16n);
      c.op(Op.i64_shr_s);
      c.get(this.address);
      c.op(Op.i64_ne);
      this.exitIf(i);
      c.get(this.address);
      c.i32(0);
      c.memory(Op.i64_load, SEGS + (i.segment << 5) + SEG_BASE);
      c.op(Op.i64_add);
    } else if (i.eak === EAK_32) this.#segments.add(i.segment);
    c.set(this.address);
  }

  /**
   * As operand(), for the linear address in `address`. The page of the last access of
   * its kind is remembered: the TLB stays as it is until a handler is called.
   */
  access(i: Instruction, size: Size | 4, write: boolean): void {
    const { code: c } = this;
    const last = this.#lastPage(i, size, write);
    const more = (1 << size) - 1;
    c.get(this.address);
    c.i32(0);
    c.memory(Op.i64_load, last);
    c.op(Op.i64_sub);
    c.i32(0);
    c.memory(Op.i64_load, last + LP_ROOM);
    c.op(Op.i64_ge_u);
    c.ifUnlikely();
    const otherwise = () => {
      c.get(this.address);
      c.i64(BigInt(more));
      c.i32(last);
      c.call(write ? F_WRITABLE : F_READABLE);
      c.op(Op.i32_eqz);
      this.exitIf(i);
    };
    // what is on the stack is rarely in another page, and code in line costs boots their time
    if ((i.flags & RF_MEM) === 0 || i.base === 4 << 3) otherwise();
    else this.#lookInTlb(last, more, write, otherwise);
    c.end();
    c.get(this.address);
    c.op(Op.i32_wrap_i64);
    c.i32(0);
    c.memory(Op.i32_load, last + LP_ADDEND);
    c.op(Op.i32_add);
    c.set(this.host);
  }

  /** Remembers the page of the access at `address` from the TLB, as F_READABLE and F_WRITABLE
   * do, but in line: a call costs all that is in registers. Emits `otherwise` for a page that
   * is not there, or watched. */
  #lookInTlb(
    last: number,
    more: number,
    write: boolean,
    otherwise: () => void,
  ): void {
    const { code: c } = this;
    pushTag(
      c,
      { address: this.address, page: this.#page, entry: this.#tlbEntry },
      write ? 8 : 0,
      () => {
        if (more === 0) return;
        c.i64(BigInt(more));
        c.op(Op.i64_add);
      },
    );
    c.get(this.#page);
    c.op(Op.i64_ne);
    c.ifUnlikely();
    otherwise();
    c.else_();
    c.i32(0);
    c.get(this.#page);
    c.memory(Op.i64_store, last);
    c.i32(0);
    c.i64(PAGE - BigInt(more));
    c.memory(Op.i64_store, last + LP_ROOM);
    c.i32(0);
    c.get(this.#tlbEntry);
    c.memory(Op.i32_load, 16);
    c.memory(Op.i32_store, last + LP_ADDEND);
    c.end();
  }

  /** What is remembered of pages: for each register that addresses and size, one to read
   * and one to write. It is in memory, for there are many, and few variables in registers. */
  #lastPage(i: Instruction, size: Size | 4, write: boolean): number {
    const register = (i.flags & RF_MEM) === 0
      ? 4 << 3
      : i.base === R_ZERO
      ? i.index
      : i.base;
    const n = (register >> 3) * 10 + size * 2 + (write ? 1 : 0);
    const at = LAST_PAGES + n * LAST_PAGE_BYTES;
    this.#pages.add(at);
    return at;
  }

  #forgetPages(): void {
    this.code.defer(() => this.#writeNoPages());
  }

  #writeNoPages(): void {
    const { code: c } = this;
    for (const at of this.#pages) {
      c.i32(0);
      c.i64(0n);
      c.memory(Op.i64_store, at + LP_ROOM);
    }
  }

  /** Pushes what is at `host`. */
  loadHost(size: Size): void {
    this.code.get(this.host);
    this.code.memory(LOADS[size]);
  }

  /** Pushes what is at `host` as a signed i32; of 4 bytes at most. */
  loadHostSigned(size: 0 | 1 | 2): void {
    this.code.get(this.host);
    this.code.memory(LOADS_SIGNED[size]);
  }

  /** Stores what `push` pushes at `host`. */
  storeHost(size: Size, push: () => void): void {
    this.code.get(this.host);
    push();
    this.code.memory(STORES[size]);
  }

  /** Pushes the ModRM.rm operand. */
  getRm(i: Instruction, size: Size): void {
    if (i.flags & RF_MEM) {
      this.operand(i, size, false);
      this.loadHost(size);
    } else this.getRegister(i.rm, size);
  }

  // --- the stack, as wide as the code

  get stackSize(): Size {
    return this.key === KEY_64 ? 3 : this.key === KEY_32 ? 2 : 1;
  }

  /** Has `host` be the stack's top plus `delta` bytes. */
  stack(i: Instruction, delta: number, write: boolean): void {
    const { code: c } = this;
    if (this.key === KEY_32) this.#segments.add(S_SS);
    c.get(this.#uses(4));
    if (delta !== 0) {
      c.i64(BigInt(delta));
      c.op(Op.i64_add);
    }
    if (this.key === KEY_16) {
      c.i64(BigInt(SHORT - 1));
      c.op(Op.i64_and);
      this.#short(i, S_SS, 1);
      return this.access(i, 1, write);
    }
    if (this.key === KEY_32) {
      c.i64(0xffff_ffffn);
      c.op(Op.i64_and);
    }
    c.set(this.address);
    this.access(i, this.stackSize, write);
  }

  /** The current instruction accesses memory through SS without stack(). */
  usesStackSegment(): void {
    this.#segments.add(S_SS);
  }

  /** Moves the stack pointer. */
  moveStack(delta: number): void {
    const { code: c } = this;
    c.get(this.#uses(4));
    c.i64(BigInt(delta));
    c.op(Op.i64_add);
    if (this.key === KEY_16) {
      c.op(Op.i32_wrap_i64);
      return this.setRegister(4 << 3, 1);
    }
    if (this.key === KEY_32) {
      c.i64(0xffff_ffffn);
      c.op(Op.i64_and);
    }
    this.setRegister(4 << 3, 3);
  }

  // --- the instruction pointer

  /** Pushes the address of an offset in the code's page, as i64. */
  instructionPointer(offset: number): void {
    const { code: c } = this;
    c.get(this.#codeBase);
    c.i64(BigInt(offset));
    c.op(Op.i64_add);
    if (this.key !== KEY_64) {
      c.i64(0xffff_ffffn);
      c.op(Op.i64_and);
    }
  }

  /** The same of a branch's target, which wraps at 64 KiB in 16-bit code. */
  nearPointer(offset: number): void {
    this.instructionPointer(offset);
    if (this.key !== KEY_16) return;
    this.code.i64(BigInt(SHORT - 1));
    this.code.op(Op.i64_and);
  }

  /**
   * Looks the address in `local` up: `record` is then the record there. Leaves the region
   * at record `p` if the look-up does not have it.
   */
  lookUp(p: number, local: number): void {
    const { code: c } = this;
    let linear = local;
    if (this.key === KEY_16) {
      linear = this.#place;
      c.get(local);
      this.#addBase(S_CS);
      c.set(linear);
    }
    c.get(linear);
    c.op(Op.i32_wrap_i64);
    c.tee(this.z32);
    c.get(this.z32);
    c.i32(12);
    c.op(Op.i32_shr_u);
    c.op(Op.i32_xor);
    c.i32(0);
    c.memory(Op.i32_load, JGEN);
    c.op(Op.i32_add);
    c.i32(JC_ENTRIES - 1);
    c.op(Op.i32_and);
    c.i32(4);
    c.op(Op.i32_shl);
    c.tee(this.z32);
    c.memory(Op.i64_load, JCACHE);
    c.get(linear);
    c.op(Op.i64_ne);
    c.get(this.z32);
    c.memory(Op.i32_load, JCACHE + 8);
    c.i32(0);
    c.memory(Op.i32_load, JGEN);
    c.op(Op.i32_ne);
    c.op(Op.i32_or);
    c.ifUnlikely();
    this.exit(p);
    c.end();
    c.get(this.z32);
    c.memory(Op.i32_load, JCACHE + 12);
    c.set(this.#record);
  }

  /**
   * Goes on in the region if `record`, whose address is in `local`, is the begin of one of
   * its blocks behind a call, at the same address as the code here. What `pop` emits is done
   * before, and the current instruction with it.
   */
  returnInside(local: number, pop: () => void): void {
    const { code: c } = this;
    for (const { head, instructions: [{ offset }] } of this.#returnSites()) {
      c.get(this.#record);
      c.i32(head);
      c.op(Op.i32_eq);
      c.if_();
      c.get(local);
      c.get(this.#codeBase);
      c.op(Op.i64_sub);
      c.i64(BigInt(offset));
      c.op(Op.i64_eq);
      c.if_();
      pop();
      this.goTo(head, 1);
      c.end();
      c.end();
    }
  }

  /** Jumps to `record`, whose address is in `local`; `more` instructions are done besides
   * those before the current one. */
  jumpTo(local: number, more = 1): void {
    const { code: c } = this;
    c.get(local);
    if (this.key === KEY_16) {
      c.get(local);
      this.#addBase(S_CS);
      c.i64(PAGE - 1n);
      c.op(Op.i64_and);
      c.op(Op.i64_sub);
    } else {
      c.i64(-PAGE);
      c.op(Op.i64_and);
    }
    c.set(this.#codeBase);
    c.i32(0);
    c.get(this.#codeBase);
    c.memory(Op.i64_store, CODEBASE);
    this.exitTo(more);
  }

  /** Takes a direct branch. */
  branch(i: Instruction): void {
    const { code: c } = this;
    const target = i.offset + i.length + i.imm;
    const inside = target >= 0 && target < 0x1000;
    if (i.link !== 0) this.goTo(i.link, 1);
    else if (inside || (i.osz === 1) !== (this.key === KEY_16)) {
      // it was never taken; by now it may have been
      c.i32(0);
      c.memory(Op.i32_load, i.p + 28);
      c.tee(this.#record);
      c.op(Op.i32_eqz);
      this.exitIf(i);
      this.exitTo(1);
    } else {
      this.nearPointer(target);
      c.set(this.x);
      this.lookUp(i.p, this.x);
      this.jumpTo(this.x);
    }
  }

  // --- flags

  #loadFlags(): void {
    this.#loadCell(FZ, this.#fz);
    this.#loadCell(FS, this.#fs);
    this.#loadCell(FX, this.#fx);
    this.#loadCell(FC, this.#fc);
    this.#flags = "cells";
  }

  #storeFlags(): void {
    const { code: c } = this;
    const cells = [[FZ, this.#fz], [FS, this.#fs], [FX, this.#fx], [
      FC,
      this.#fc,
    ]];
    for (const [cell, local] of cells) {
      c.i32(0);
      c.get(local);
      c.memory(Op.i64_store, cell);
    }
  }

  #compute(pushKind: () => void): void {
    const { code: c } = this;
    pushKind();
    c.get(this.fa);
    c.get(this.fb);
    c.get(this.fr);
    c.get(this.#fc);
    c.call(F_FLAGS);
    c.set(this.#fc);
    c.set(this.#fx);
    c.set(this.#fs);
    c.set(this.#fz);
  }

  /** Computes flags that are yet to be. */
  #cells(): void {
    const { code: c } = this;
    this.#see();
    if (this.#flags === "cells") return;
    if (this.#flags === "dynamic") {
      c.get(this.#kind);
      c.if_();
      this.#compute(() => c.get(this.#kind));
      c.i32(0);
      c.set(this.#kind);
      c.end();
    } else {
      const kind = kindOf(this.#flags);
      this.#compute(() => c.i32(kind));
    }
    this.#flags = "cells";
  }

  /** The flags are to be computed from `fa`, `fb` and `fr`; `write` sets those of them that
   * nothing else needs. */
  setFlags(lazy: Lazy, size: Size, write: () => void): void {
    this.#flags = { lazy, size };
    if (lazy < Lazy.INC) this.#setAll(write);
    else this.#setSome(write);
  }

  /**
   * Emits what sets flags, and keeps others. It is left out if all are overwritten before
   * anything sees them: an instruction that reads them, or a way out of the block. What it
   * reads itself is seen if it stays.
   */
  #setSome(write: () => void): void {
    const before = this.#unseen;
    let isSeen = false;
    this.#unseen = [];
    this.code.optional(write, () => isSeen);
    this.#unseen = [...before, () => isSeen = true];
  }

  /** As #setSome(), of what sets all flags: none before it are seen any more. */
  #setAll(write: () => void): void {
    this.#unseen = [];
    this.#setSome(write);
  }

  /** Flags are seen as they are. */
  #see(): void {
    const unseen = this.#unseen;
    this.#unseen = [];
    for (const see of unseen) see();
  }

  /** Has CF be in its variable: what keeps it needs that. */
  keepCarry(): void {
    const flags = this.#flags;
    const block = this.#block;
    if (flags === "dynamic") this.#unseen.push(() => this.#carried.add(block));
    else this.#setSome(() => this.#setCarryVariable(flags));
  }

  #setCarryVariable(flags: Known): void {
    const { code: c } = this;
    if (carrySource(flags) === undefined) return;
    this.#carryOf(flags);
    c.op(Op.i64_extend_i32_u);
    c.set(this.#fc);
  }

  /** A block of the region follows: brings CF in its variable if the block wants it. */
  #bringCarry(n: number): void {
    const flags = this.#flags;
    if (flags === "dynamic") this.#passed.push([this.#block, n]);
    else if (carrySource(flags) !== undefined) {
      this.code.defer(() => {
        if (this.#carried.has(n)) this.#setCarryVariable(flags);
      });
    }
  }

  /** Who passes the flags on to a block that wants CF in its variable wants it so, too. */
  #closeCarried(): void {
    for (let before = -1; before !== this.#carried.size;) {
      before = this.#carried.size;
      for (const [from, to] of this.#passed) {
        if (this.#carried.has(to)) this.#carried.add(from);
      }
    }
  }

  /** Pushes CF as an i64. */
  carry(): void {
    this.#see();
    this.#pushCarry();
    this.code.op(Op.i64_extend_i32_u);
  }

  /** Pushes CF as an i32. */
  #pushCarry(): void {
    if (this.#flags === "dynamic") {
      this.#carried.add(this.#block);
      this.#carryOf("cells");
    } else this.#carryOf(this.#flags);
  }

  #carryOf(flags: Known): void {
    const { code: c } = this;
    switch (carrySource(flags)?.lazy) {
      case undefined:
        c.get(this.#fc);
        return c.op(Op.i32_wrap_i64);
      case Lazy.SUB:
        c.get(this.fa);
        c.get(this.fb);
        return c.op(Op.i64_lt_u);
      case Lazy.ADD:
        c.get(this.fr);
        c.get(this.fa);
        return c.op(Op.i64_lt_u);
      case Lazy.LOGIC:
        return c.i32(0);
    }
    c.get(this.fa);
    c.op(Op.i32_wrap_i64);
  }

  /** Sets CF to what `push` pushes (0 or 1 as an i64), and keeps the others. */
  setCarry(push: () => void): void {
    const { code: c } = this;
    this.#setSome(() => {
      this.#cells();
      push();
      c.set(this.z);
      c.get(this.#fx);
      c.get(this.z);
      c.get(this.#fc);
      c.op(Op.i64_xor);
      c.i64(63n);
      c.op(Op.i64_shl);
      c.op(Op.i64_xor);
      c.set(this.#fx);
      c.get(this.z);
      c.set(this.#fc);
    });
  }

  /** Sets CF and OF (locals, 0 or 1), and keeps the others. */
  setCarryOverflow(cf: number, of: number): void {
    const { code: c } = this;
    this.#setSome(() => {
      this.#cells();
      c.get(this.#fx);
      c.i64(0x10n);
      c.op(Op.i64_and);
      c.get(cf);
      c.get(of);
      c.op(Op.i64_xor);
      c.i64(63n);
      c.op(Op.i64_shl);
      c.op(Op.i64_or);
      c.set(this.#fx);
      c.get(cf);
      c.set(this.#fc);
    });
  }

  /** Sets all flags' cells: `fr` is the result, `carries` pushes a ^ b ^ r and `carry`
   * CF, both i64. */
  setCells(size: Size, carries: () => void, carry: () => void): void {
    const { code: c } = this;
    this.#setAll(() => {
      c.get(this.fr);
      extend(c, size);
      c.tee(this.#fz);
      c.set(this.#fs);
      carries();
      extend(c, size);
      c.i64(-0x7fff_ffff_ffff_fff0n);
      c.op(Op.i64_and);
      c.set(this.#fx);
      carry();
      c.set(this.#fc);
    });
    this.#flags = "cells";
  }

  /** Sets CF to `below` and ZF to `equal` (i32 locals, 0 or 1), and clears the others. */
  setComparison(below: number, equal: number): void {
    const { code: c } = this;
    this.#setAll(() => {
      c.get(equal);
      c.op(Op.i32_eqz);
      c.op(Op.i64_extend_i32_u);
      c.set(this.#fz);
      c.i64(1n);
      c.set(this.#fs);
      c.get(below);
      c.op(Op.i64_extend_i32_u);
      c.tee(this.#fc);
      c.i64(63n);
      c.op(Op.i64_shl);
      c.set(this.#fx);
    });
    this.#flags = "cells";
  }

  /** Pushes whether condition code `cc` (0 to 15, as in Jcc) holds, as an i32. */
  condition(cc: number): void {
    const { code: c } = this;
    this.#see();
    if (cc >> 1 === 1) this.#pushCarry();
    else {
      if (this.#flags === "dynamic") this.#cells();
      const flags = this.#flags as Known;
      if (flags === "cells" || !this.#lazyCondition(cc >> 1, flags)) {
        this.#cells();
        this.#cellCondition(cc >> 1);
      }
    }
    if (cc & 1) c.op(Op.i32_eqz);
  }

  /** The condition from operands and result; false if that takes the cells. */
  #lazyCondition(which: number, known: LazyFlags): boolean {
    const { code: c } = this;
    const { lazy, size } = known;
    const result = (op32: number, op64: number) => {
      this.#signed(this.fr, size);
      if (size === 3) c.i64(0n);
      else c.i32(0);
      c.op(size === 3 ? op64 : op32);
    };
    const zero = () => {
      c.get(this.fr);
      c.op(Op.i64_eqz);
    };
    const compare = (op: number) => {
      c.get(this.fa);
      c.get(this.fb);
      c.op(op);
    };
    switch (which) {
      case 2:
        if (lazy === Lazy.SUB) compare(Op.i64_eq);
        else zero();
        return true;
      case 3:
        if (lazy === Lazy.SUB) compare(Op.i64_le_u);
        else {
          this.#carryOf(known);
          zero();
          c.op(Op.i32_or);
        }
        return true;
      case 4:
        result(Op.i32_lt_s, Op.i64_lt_s);
        return true;
      case 5:
        c.get(this.fr);
        this.#parity();
        return true;
      case 6:
      case 7:
        if (lazy === Lazy.LOGIC) {
          if (which === 6) result(Op.i32_lt_s, Op.i64_lt_s);
          else result(Op.i32_le_s, Op.i64_le_s);
          return true;
        }
        if (lazy !== Lazy.SUB) return false;
        this.#signed(this.fa, size);
        this.#signed(this.fb, size);
        if (which === 6) c.op(size === 3 ? Op.i64_lt_s : Op.i32_lt_s);
        else c.op(size === 3 ? Op.i64_le_s : Op.i32_le_s);
        return true;
    }
    if (lazy !== Lazy.LOGIC) return false;
    c.i32(0);
    return true;
  }

  #cellCondition(which: number): void {
    const { code: c } = this;
    const overflow = () => {
      c.get(this.#fx);
      c.i64(63n);
      c.op(Op.i64_shr_u);
      c.get(this.#fc);
      c.op(Op.i64_xor);
    };
    const zero = () => {
      c.get(this.#fz);
      c.op(Op.i64_eqz);
    };
    const sign = () => {
      c.get(this.#fs);
      c.i64(63n);
      c.op(Op.i64_shr_u);
    };
    switch (which) {
      case 0:
        overflow();
        c.op(Op.i32_wrap_i64);
        break;
      case 2:
        zero();
        break;
      case 3:
        c.get(this.#fc);
        c.op(Op.i32_wrap_i64);
        zero();
        c.op(Op.i32_or);
        break;
      case 4:
        sign();
        c.op(Op.i32_wrap_i64);
        break;
      case 5:
        c.get(this.#fs);
        this.#parity();
        break;
      default:
        sign();
        overflow();
        c.op(Op.i64_xor);
        c.op(Op.i32_wrap_i64);
        if (which === 7) {
          zero();
          c.op(Op.i32_or);
        }
    }
  }

  /** PF of the i64 on the stack. */
  #parity(): void {
    const { code: c } = this;
    c.op(Op.i32_wrap_i64);
    c.i32(0xff);
    c.op(Op.i32_and);
    c.op(Op.i32_popcnt);
    c.i32(1);
    c.op(Op.i32_and);
    c.op(Op.i32_eqz);
  }

  /** Pushes a local of a size as a signed number: i64 for size 3, else i32. */
  #signed(local: number, size: Size): void {
    const { code: c } = this;
    c.get(local);
    if (size === 3) return;
    c.op(Op.i32_wrap_i64);
    if (size === 0) c.op(Op.i32_extend8_s);
    else if (size === 1) c.op(Op.i32_extend16_s);
  }
}

/** Of those that end a block. */
function isCall({ opcode, modrm }: Instruction): boolean {
  return opcode === 0xe8 || opcode === 0xff && (modrm >> 3 & 7) === 2;
}

/** What CF is to be computed from, if that is not in its variable, where INC and DEC keep it. */
function carrySource(flags: Known): LazyFlags | undefined {
  if (flags === "cells") return undefined;
  const { lazy } = flags;
  return lazy === Lazy.INC || lazy === Lazy.DEC ? undefined : flags;
}

function kindOf(flags: Flags): number {
  if (typeof flags === "string") return 0;
  return flags.lazy << 2 | flags.size;
}

/** Sign-extends the i64 on the stack from a size. */
export function extend(c: Code, size: Size): void {
  if (size === 0) c.op(Op.i64_extend8_s);
  else if (size === 1) c.op(Op.i64_extend16_s);
  else if (size === 2) c.op(Op.i64_extend32_s);
}
