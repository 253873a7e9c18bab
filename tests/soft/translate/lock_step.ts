// One program on two processors, interpreted and translated, in slices of random lengths:
// every slice ends with the same registers, flags, memory and count. Between slices
// interrupts come. The two are kept for many programs.

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
  PD,
  STACK,
} from "../../contract/guest.ts";
import { MEMORY_BYTES } from "../../contract/providers.ts";
import { Prng } from "../../silicon/prng.ts";
import { FLOATING_NAMES, floatingState, numbers } from "./floating.ts";

/** What is run. */
export interface Program {
  readonly seed: number;
  readonly bits: 32 | 64;
  readonly code: Uint8Array;
}

/** Where the two parted. */
export interface Difference {
  /** Instructions that were run at most. */
  readonly after: number;
  /** What differs: its name, interpreted, translated. */
  readonly what: readonly (readonly [string, string, string])[];
}

/** Instructions after which a program is left alone. */
const MOST = 6000;
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
    const count = new Uint8Array(new Uint32Array([COUNT]).buffer).toHex();
    guest.write(
      HANDLER,
      // lock inc dword [COUNT]; iret
      hex(bits === 64 ? `f0ff0425 ${count} 48cf` : `f0ff05 ${count} cf`),
    );
  }

  /** Registers and data as a program finds them. */
  start({ bits, seed }: Program): void {
    const { guest, soft } = this;
    const { vp } = guest;
    const random = new Prng(seed, "data");
    const [stack, , data] = this.parts;
    stack.fill(0);
    soft.hostWrote(PARTS[0][0], stack.byteLength);
    for (let n = 0; n < data.length; n++) data[n] = random.u32();
    if (random.chance(60)) numbers(random, data);
    soft.hostWrote(DATA, data.byteLength);
    guest.start(vp);
    if (bits === 32) to32(guest);
    for (let n = 0; n < 16; n++) {
      if (n === 4) continue;
      vp.set(
        Reg.Rax + n,
        bits === 32 || random.chance(30)
          ? BigInt(random.u32())
          : BigInt(random.u32()) << 32n | BigInt(random.u32()),
      );
    }
    vp.setRegisters(Uint32Array.from(FLOATING_NAMES), floatingState(random));
    vp.set(Reg.Rbp, BigInt(bits === 64 ? SCATTERED : DATA));
    if (bits === 64) scatter(guest, random);
    if (bits === 32) {
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

/** An interpreting and a translating platform. */
export class Pair {
  readonly #never: Side;
  readonly #always: Side;

  private constructor(never: Side, always: Side) {
    this.#never = never;
    this.#always = always;
  }

  static async open(): Promise<Pair> {
    const [never, always] = await Promise.all(
      (["never", "always"] as const).map(async (translate) =>
        new Side(await openSoft({ memoryBytes: MEMORY_BYTES, translate }))
      ),
    );
    return new Pair(never, always);
  }

  /** Runs a program to its end; where the two parted, or null. */
  async run(program: Program): Promise<Difference | null> {
    const a = this.#never, b = this.#always;
    const slices = new Prng(program.seed, "slices");
    const longest = slices.pick([1, 10, 100, 1000, 1000]);
    const before = slices.chance(50);
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
    for (let done = 0; done < MOST;) {
      const n = 1 + slices.int(longest);
      done += n;
      if (slices.chance(20)) {
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
    const { soft } = this.#always;
    return {
      all: Number(soft.clock.instructions()),
      translated: Number(soft.counters().translated),
    };
  }

  close(): void {
    this.#never.close();
    this.#always.close();
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
