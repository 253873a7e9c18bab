// One program on two processors, interpreted and translated, in slices of random lengths:
// every slice ends with the same registers, flags, memory and count. Between slices
// interrupts may come. The two are kept for many programs.

import { PendingInterruption } from "../../../ffi/enums.ts";
import { Reg } from "../../../ffi/registers.ts";
import { WHV_X64_PENDING_INTERRUPTION_REGISTER as PENDING } from "../../../ffi/values.ts";
import { openSoft, type SoftPlatform } from "../../../src/soft/mod.ts";
import {
  CODE,
  DATA,
  GDT,
  Guest,
  hex,
  IDT,
  PD,
  STACK,
} from "../../contract/guest.ts";
import { MEMORY_BYTES } from "../../contract/providers.ts";
import { Prng } from "../../silicon/prng.ts";
import { FLOATING_NAMES, floatingState } from "./floating.ts";
import type { Bits } from "./programs.ts";

/** How programs of a kind are run. */
export interface Manner {
  /** Instructions after which one is left alone. */
  readonly most: number;
  /** Instructions that slices may have. */
  readonly slices: readonly number[];
  /** Changes the data, which is random, as a program finds it. */
  readonly fill: (random: Prng, data: Uint32Array) => void;
  /** 64-bit code sees its data's pages in another order. */
  readonly scattered: boolean;
  /** Interrupts come between slices, and half of the programs are translated when they
   * begin. */
  readonly disturbed: boolean;
}

/** What is run. */
export interface Program {
  readonly seed: number;
  readonly bits: Bits;
  readonly code: Uint8Array;
  readonly manner: Manner;
}

/** Where the two parted. */
export interface Difference {
  /** Instructions that were run at most. */
  readonly after: number;
  /** What differs: its name, interpreted, translated. */
  readonly what: readonly (readonly [string, string, string])[];
}

const NS_PER_INSTRUCTION = 10n;
const REGISTERS: readonly (readonly [string, number])[] = [
  ..."rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split(" ")
    .map((name, n) => [name, Reg.Rax + n] as const),
  ["rip", Reg.Rip],
  ["rflags", Reg.Rflags],
  ["cr2", Reg.Cr2],
  ...FLOATING_NAMES.map((name) =>
    [`register 0x${name.toString(16)}`, name] as const
  ),
];
const NAMES = Uint32Array.from(REGISTERS, ([, name]) => name);

/** Where programs write: stack, code and data. */
const PARTS = [
  [STACK - 0x1000, STACK],
  [CODE, CODE + 0x2000],
  [DATA, DATA + 0x4000],
] as const;

/** The interrupt that comes between slices, and where its handler counts. */
const VECTOR = 0x41;
const COUNT = STACK - 0x1000;
const HANDLER = 0x40000 + VECTOR * 16;
const IDT32 = 0x1a000;
/** The selector of 32-bit code, behind the guest's own descriptors. */
const CS32 = 0x38;

/** Where 64-bit programs see their data: its pages in another order. */
const SCATTERED = 0x600000;
const PAGE_TABLE = 0x19000;

/** Offset of real mode's code in CS, whose base is in no page's beginning. */
export const OFFSET = 0x230;
/** A HLT, at the end of the code's pages: real mode's vectors lead there. */
const HALT = 0x1fff;

/** One of the two that are compared. */
class Side {
  readonly soft: SoftPlatform;
  readonly guest: Guest;
  /** The memory that programs write. */
  readonly parts: readonly Uint32Array[];
  /** Registers after the last run; 16 bytes each. */
  readonly registers = new Uint32Array(NAMES.length * 4);
  /** Instructions since the start, and why the last run ended. */
  instructions = 0n;
  why = "";
  readonly #values = new Uint8Array(this.registers.buffer);

  constructor(soft: SoftPlatform) {
    this.soft = soft;
    this.guest = new Guest({
      platform: soft,
      memory: soft.guestMemory,
      wrote: (offset, bytes) => soft.hostWrote(offset, bytes),
    });
    const { buffer, byteOffset } = soft.guestMemory;
    this.parts = PARTS.map(([from, to]) =>
      new Uint32Array(buffer, byteOffset + from, (to - from) / 4)
    );
    this.#gates32();
  }

  /** Descriptors for 32-bit code: an IDT with the handlers of the other. */
  #gates32(): void {
    const { view } = this.guest;
    view.setBigUint64(GDT + CS32, 0x00cf9b000000ffffn, true);
    for (let vector = 0; vector < 256; vector++) {
      const handler = 0x40000 + vector * 16;
      const at = IDT32 + vector * 8;
      view.setUint32(at, CS32 << 16 | handler & 0xffff, true);
      view.setUint32(at + 4, handler & 0xffff0000 | 0x8e00, true);
    }
  }

  /** Has a program in memory. */
  load({ code, bits }: Program): void {
    const { guest } = this;
    guest.write(CODE, new Uint8Array(0x2000));
    guest.write(CODE, code);
    if (bits === 16) return;
    const count = new Uint8Array(new Uint32Array([COUNT]).buffer).toHex();
    guest.write(
      HANDLER,
      // lock inc dword [COUNT]; iret
      hex(bits === 64 ? `f0ff0425 ${count} 48cf` : `f0ff05 ${count} cf`),
    );
  }

  /** Registers and data as a program finds them. */
  start({ bits, seed, manner }: Program): void {
    const { guest, soft } = this;
    const { vp } = guest;
    const random = new Prng(seed, "data");
    const [stack, , data] = this.parts;
    stack.fill(0);
    soft.hostWrote(PARTS[0][0], stack.byteLength);
    for (let n = 0; n < data.length; n++) data[n] = random.u32();
    manner.fill(random, data);
    soft.hostWrote(DATA, data.byteLength);
    guest.start(vp);
    if (bits === 32) to32(guest);
    if (bits === 16) toReal(guest, random);
    for (let n = 0; n < 16; n++) {
      if (n === 4) continue;
      vp.set(
        Reg.Rax + n,
        bits !== 64 || random.chance(30)
          ? BigInt(random.u32())
          : BigInt(random.u32()) << 32n | BigInt(random.u32()),
      );
    }
    vp.setRegisters(Uint32Array.from(FLOATING_NAMES), floatingState(random));
    const elsewhere = manner.scattered && bits === 64;
    const data16 = bits === 16 ? random.u32() << 16 >>> 0 : DATA;
    vp.set(Reg.Rbp, BigInt(elsewhere ? SCATTERED : data16));
    if (elsewhere) scatter(guest, random);
    if (bits !== 64) {
      for (let n = 8; n < 16; n++) vp.set(Reg.Rax + n, 0n);
    }
    for (const segment of bits === 64 ? [Reg.Fs, Reg.Gs] : []) {
      vp.setSegment(segment, {
        base: 0x40n,
        limit: 0xffffffff,
        selector: 0x10,
        attributes: 0xc093,
      });
    }
  }

  /** Has an interrupt come before the next instruction. */
  interrupt(): void {
    const view = new DataView(new ArrayBuffer(16));
    PENDING.InterruptionPending.set(view, 1);
    PENDING.InterruptionType.set(view, PendingInterruption.Interrupt);
    PENDING.InterruptionVector.set(view, VECTOR);
    this.guest.vp.set(Reg.PendingInterruption, view.getBigUint64(0, true));
  }

  /** Runs for so many instructions. */
  async run(instructions: number): Promise<void> {
    const { clock } = this.soft;
    const { vp } = this.guest;
    clock.setAlarm(
      clock.now() + BigInt(instructions) * NS_PER_INSTRUCTION,
      () => vp.cancel(),
    );
    const { reason } = await vp.run();
    clock.setAlarm(null, () => {});
    vp.getRegisters(NAMES, this.#values);
    this.instructions = clock.instructions();
    this.why = reason;
  }

  close(): void {
    this.guest.delete();
    this.soft.close();
  }
}

/** Maps the data's pages at SCATTERED in a random order, so that who goes from one into the
 * next does not find what follows in memory. */
function scatter(guest: Guest, random: Prng): void {
  const { view } = guest;
  view.setBigUint64(PD + (SCATTERED >> 21) * 8, BigInt(PAGE_TABLE) | 7n, true);
  const pages = [0, 1, 2, 3];
  for (let n = 0; n < 4; n++) {
    const [page] = pages.splice(random.int(pages.length), 1);
    const entry = BigInt(DATA + page * 0x1000) | 0x67n;
    view.setBigUint64(PAGE_TABLE + n * 8, entry, true);
  }
}

/** Flat 32-bit protected mode, without paging. */
function to32({ vp }: Guest): void {
  vp.set(Reg.Cr0, 0x0005_0033n);
  vp.set(Reg.Efer, 0n);
  vp.setTable(Reg.Gdtr, { base: BigInt(GDT), limit: CS32 + 7 });
  vp.setTable(Reg.Idtr, { base: BigInt(IDT32), limit: 0x7ff });
  vp.setSegment(Reg.Cs, {
    base: 0n,
    limit: 0xffffffff,
    selector: CS32,
    attributes: 0xc09b,
  });
}

/** Real mode; the data and the stack are in the 64 KiB at DATA, where all other segments
 * begin, one a bit behind the other. */
function toReal(guest: Guest, random: Prng): void {
  const { vp, view } = guest;
  vp.set(Reg.Cr0, 0x10n);
  vp.set(Reg.Efer, 0n);
  const segment = (base: number) => ({
    base: BigInt(base),
    limit: 0xffff,
    selector: base >> 4,
    attributes: 0x93,
  });
  vp.setSegment(Reg.Cs, { ...segment(CODE - OFFSET), attributes: 0x9b });
  [Reg.Ds, Reg.Es, Reg.Ss, Reg.Fs, Reg.Gs].forEach((name, n) =>
    vp.setSegment(name, segment(DATA + n * 0x10))
  );
  vp.set(Reg.Rip, BigInt(OFFSET));
  vp.set(Reg.Rsp, BigInt(random.u32()) << 16n | 0x3f00n);
  guest.write(CODE + HALT, Uint8Array.of(0xf4));
  const vector = (CODE - OFFSET) << 12 | OFFSET + HALT;
  for (let n = 0; n < 256; n++) view.setUint32(IDT + n * 4, vector, true);
}

async function openSides(): Promise<[never: Side, always: Side]> {
  const open = async (translate: "never" | "always") =>
    new Side(await openSoft({ memoryBytes: MEMORY_BYTES, translate }));
  return [await open("never"), await open("always")];
}

/** An interpreting and a translating platform. */
export class Pair {
  #sides: readonly [never: Side, always: Side];
  /** Instructions on those that are closed, and how many of them were translated. */
  #all = 0;
  #translated = 0;

  private constructor(sides: readonly [never: Side, always: Side]) {
    this.#sides = sides;
  }

  static async open(): Promise<Pair> {
    return new Pair(await openSides());
  }

  /** Runs a program to its end; where the two parted, or null. */
  async run(program: Program): Promise<Difference | null> {
    const difference = await this.#run(program);
    // what was shut down executes nothing more
    if (this.#sides[0].why === "unrecoverable") {
      this.close();
      this.#sides = await openSides();
    }
    return difference;
  }

  async #run(program: Program): Promise<Difference | null> {
    const [a, b] = this.#sides;
    const { manner } = program;
    const slices = new Prng(program.seed, "slices");
    const longest = slices.pick(manner.slices);
    const before = manner.disturbed && slices.chance(50);
    for (const side of [a, b]) {
      side.load(program);
      side.start(program);
      if (!before) continue;
      // so that it is translated when it begins; it may have changed itself
      for (let n = 0; n < 8; n++) {
        await side.run(200);
        if (side.why !== "canceled") break;
      }
      side.start(program);
    }
    for (let done = 0; done < manner.most;) {
      const n = 1 + slices.int(longest);
      done += n;
      if (manner.disturbed && slices.chance(20)) {
        a.interrupt();
        b.interrupt();
      }
      await a.run(n);
      await b.run(n);
      const what = differences(a, b);
      if (what.length > 0) return { after: done, what };
      if (a.why !== "canceled") break;
    }
    return null;
  }

  /** Instructions that ran, and how many of them translated. */
  get ran(): { readonly all: number; readonly translated: number } {
    return { all: this.#all, translated: this.#translated };
  }

  /** Ends it; `ran` is complete then. */
  close(): void {
    const { soft } = this.#sides[1];
    this.#all += Number(soft.clock.instructions());
    this.#translated += Number(soft.counters().translated);
    for (const side of this.#sides) side.close();
  }
}

function differences(a: Side, b: Side): [string, string, string][] {
  const what: [string, string, string][] = [];
  if (a.why !== b.why) what.push(["exit", a.why, b.why]);
  if (a.instructions !== b.instructions) {
    what.push(["instructions", `${a.instructions}`, `${b.instructions}`]);
  }
  const x = a.registers, y = b.registers;
  for (let n = 0; n < x.length; n++) {
    if (x[n] === y[n]) continue;
    const [name] = REGISTERS[n >> 2];
    const part = (n & 3) === 0 ? name : `${name} >> ${(n & 3) * 32}`;
    what.push([part, hex32(x[n]), hex32(y[n])]);
  }
  for (let part = 0; part < PARTS.length; part++) {
    const x = a.parts[part], y = b.parts[part];
    for (let n = 0; n < x.length; n++) {
      if (x[n] === y[n]) continue;
      const at = hex32(PARTS[part][0] + n * 4);
      what.push([`memory at ${at}`, hex32(x[n]), hex32(y[n])]);
      break;
    }
  }
  return what;
}

function hex32(n: number): string {
  return `0x${n.toString(16)}`;
}
