// A machine with the kernel of kernel.ts and programs of many seeds, which is run to exact
// counts; and all of it that a guest can see.

import { Buffer } from "node:buffer";
import { Reg } from "../../../../ffi/registers.ts";
import { Debugger } from "../../../../src/debug/debugger.ts";
import type { Stop } from "../../../../src/debug/target.ts";
import {
  bringBack,
  type Moment,
  momentOf,
} from "../../../../src/history/moment.ts";
import type { Timer } from "../../../../src/machine/timers.ts";
import { Machine } from "../../../../src/machine/machine.ts";
import { saveRegisters } from "../../../../src/machine/reset.ts";
import {
  openSoft,
  type SoftPlatform,
  type TranslateMode,
} from "../../../../src/soft/mod.ts";
import { PAGE_BYTES } from "../../../../src/x86/paging.ts";
import { Prng } from "../../../silicon/prng.ts";
import { type Linked, linked } from "../../../util/linked.ts";
import { once } from "../../../util/once.ts";
import { runTool } from "../../../util/tools.ts";
import {
  AT,
  CR0,
  CR4,
  DESCRIPTORS,
  EFER,
  FUNCTION_PAGES,
  KERNEL,
  OWN,
  SEL,
  STACK_BYTES,
  TABLES_BYTES,
} from "./kernel.ts";
import { type Traits, Writer } from "./programs.ts";

/** How often processors get an interrupt, ns: none waits for ever. */
const WAKE_NS = 300_000n;

/** What the program of a seed may do, and its flags. */
function traitsOf(
  seed: number,
  cpus: number,
): Traits & { readonly flags: bigint } {
  const r = new Prng(seed, `traits ${cpus}`);
  const interrupts = r.chance(80);
  return {
    cpus,
    interrupts,
    real: r.chance(40),
    flags: interrupts ? 0x202n : 2n,
  };
}

/** The kernel with the programs of some seeds, for so many processors: what lies in memory
 * from AT.low on. */
export function assemble(seeds: readonly number[], cpus: number): Linked {
  const folder = Deno.makeTempDirSync();
  try {
    const at = (name: string) => `${folder}/${name}`;
    const programs = seeds.map((seed) =>
      new Writer(
        new Prng(seed, `system ${cpus}`),
        `p${seed}`,
        traitsOf(seed, cpus),
      ).text()
    );
    Deno.writeTextFileSync(at("a.s"), `${KERNEL}\n${programs.join("\n")}\n`);
    runTool("as", ["--64", "-o", at("a.o"), at("a.s")]);
    const image = linked(
      at("a.o"),
      "--no-warn-rwx-segments",
      `-Ttext=0x${AT.image.toString(16)}`,
      `--section-start=.low=0x${AT.low.toString(16)}`,
    );
    if (AT.low + image.bytes.length > AT.data) {
      throw new RangeError("too many programs");
    }
    return image;
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

const RW = 3n, USER = 4n, GLOBAL = 0x100n, LARGE = 0x80n;

/** A machine of `cpus` processors. */
export class SystemMachine {
  readonly soft: SoftPlatform;
  readonly machine: Machine;
  readonly #control: Debugger;
  #stopped: Promise<Stop> | null = null;
  #output = 0;
  readonly #waker: Timer;

  private constructor(soft: SoftPlatform, cpus: number) {
    this.soft = soft;
    this.machine = new Machine({
      platform: soft,
      guestMemory: soft.guestMemory,
      clock: soft.clock,
      entropy: { fill: (into) => into.fill(7) },
      cpus,
      ramBytes: AT.end,
      serialOut: (bytes) => this.#output += bytes.length,
      onHostWrite: (_gpa, length, offset) => soft.hostWrote(offset, length),
    });
    this.#control = new Debugger(this.machine);
    this.#waker = this.machine.timers.create("waker", () => this.#wake());
  }

  static async open(
    cpus: number,
    translate: TranslateMode,
    regions?: number,
  ): Promise<SystemMachine> {
    const soft = await openSoft({ memoryBytes: AT.end, translate, regions });
    return new SystemMachine(soft, cpus);
  }

  /** Nobody waits for ever. */
  #wake(): void {
    const { machine, soft } = this;
    for (const { vp } of machine.processors) {
      machine.requestInterrupt({
        type: 0,
        destinationMode: 0,
        triggerMode: 0,
        destination: vp.index,
        vector: 0x60,
      });
    }
    this.#waker.arm(soft.clock.now() + WAKE_NS);
  }

  /** The machine as a program finds it. No processor runs. */
  begin({ bytes, symbols }: Linked, seed: number): void {
    const { machine, soft } = this;
    const memory = soft.guestMemory;
    const view = new DataView(memory.buffer, memory.byteOffset);
    machine.reset();
    this.#waker.arm(soft.clock.now() + WAKE_NS);
    memory.fill(0, 0, AT.end);
    memory.set(bytes, AT.low);
    const quad = (at: number, value: bigint) =>
      view.setBigUint64(at, value, true);
    DESCRIPTORS.forEach((d, n) => quad(AT.gdt + 8 + n * 8, d));
    for (let vector = 0; vector < 256; vector++) {
      const handler = BigInt(symbols.get("stubs")! + vector * 16);
      const user = vector === 0x80 || vector === 3 ? 0xeen : 0x8en;
      const stack = vector === 8 ? 1n : vector === 2 ? 2n : 0n;
      const at = AT.idt + vector * 16;
      quad(
        at,
        handler & 0xffffn | BigInt(SEL.code) << 16n | stack << 32n |
          user << 40n | handler >> 16n << 48n,
      );
    }
    const random = new Prng(seed, "memory");
    const words = new Uint32Array(memory.buffer, memory.byteOffset);
    for (let at = AT.data; at < AT.functions; at += 4) {
      words[at / 4] = random.chance(60)
        ? random.u32()
        : 0x3f000000 + random.int(1 << 24);
    }
    for (let page = 0; page < FUNCTION_PAGES; page++) {
      memory.set(functionPage(random, page), AT.functions + page * 0x1000);
    }
    const user = symbols.get("user_begin")!;
    memory.set(
      memory.subarray(user, symbols.get("user_end")!),
      AT.userCode,
    );
    for (let page = 0; page < 512; page++) {
      quad(AT.entries + page * 8, entryOf(page));
    }
    const { cpus } = machine.options;
    const { flags } = traitsOf(seed, cpus);
    for (let cpu = 0; cpu < cpus; cpu++) {
      for (const set of [0, 1]) this.#tables(quad, cpu, set);
      const stack = AT.stacks + cpu * STACK_BYTES;
      const tss = AT.tss + cpu * 0x100;
      quad(tss + 4, BigInt(stack + 0x2800));
      quad(tss + 36, BigInt(stack + 0x1800));
      quad(tss + 44, BigInt(stack + 0x1000));
      view.setUint16(tss + 102, 0x68, true);
      const own = AT.perCpu + cpu * 0x1000;
      const start = BigInt(symbols.get(`p${seed}_cpu${cpu}`)!);
      quad(own + OWN.restart, start);
      quad(own + OWN.rsp, BigInt(stack + STACK_BYTES));
      quad(own + OWN.flags, flags);
      this.#processor(cpu, symbols);
    }
    soft.hostWrote(0, AT.end);
  }

  #tables(
    quad: (at: number, value: bigint) => void,
    cpu: number,
    set: number,
  ): void {
    const base = AT.tables + (cpu * 2 + set) * TABLES_BYTES;
    const table = (n: number) => BigInt(base + n * 0x1000) | RW | USER;
    quad(base, table(1));
    quad(base + 0x1000, table(2));
    quad(base + 0x1000 + 3 * 8, table(3));
    for (let n = 0; n < 4; n++) quad(base + 0x2000 + n * 8, table(4 + n));
    if (set === 1) quad(base + 0x2000 + 2 * 8, BigInt(AT.data) | RW | LARGE);
    for (let n = 0; n < 512; n++) {
      quad(
        base + 0x3000 + n * 8,
        0xc0000000n + (BigInt(n) << 21n) | RW | LARGE | 0x10n,
      );
    }
    for (let page = 0; page < 3 * 512; page++) {
      quad(
        base + 0x4000 + page * 8,
        BigInt(page) << 12n | RW | (page % 3 ? 0n : GLOBAL),
      );
    }
    for (let page = 0; page < 512; page++) {
      let from = page;
      // the other set has the data's pages in another order
      if (set === 1 && page < 8) from = page ^ 1;
      quad(base + 0x7000 + page * 8, entryOf(from));
    }
    const own = AT.perCpu + cpu * 0x1000;
    quad(base + 0x7000 + (AT.own - AT.moving) / 0x1000 * 8, BigInt(own) | RW);
  }

  #processor(cpu: number, symbols: ReadonlyMap<string, number>): void {
    const { vp } = this.machine.processors[cpu];
    vp.set(Reg.Cr3, BigInt(AT.tables + cpu * 2 * TABLES_BYTES));
    vp.set(Reg.Cr4, CR4);
    vp.set(Reg.Efer, EFER);
    vp.set(Reg.Cr0, CR0);
    vp.set(Reg.XCr0, 3n);
    const flat = { base: 0n, limit: 0xffffffff };
    vp.setSegment(Reg.Cs, { ...flat, selector: SEL.code, attributes: 0xa09b });
    for (const r of [Reg.Ss, Reg.Ds, Reg.Es, Reg.Fs, Reg.Gs]) {
      vp.setSegment(r, { ...flat, selector: SEL.data, attributes: 0xc093 });
    }
    vp.setSegment(Reg.Tr, {
      base: BigInt(AT.tss + cpu * 0x100),
      limit: 0x67,
      selector: SEL.tss,
      attributes: 0x8b,
    });
    vp.setTable(Reg.Gdtr, {
      base: BigInt(AT.gdt),
      limit: 0x8 * (DESCRIPTORS.length + 1) - 1,
    });
    vp.setTable(Reg.Idtr, { base: BigInt(AT.idt), limit: 0xfff });
    vp.set(Reg.Star, 0x1b_0008n << 32n);
    vp.set(Reg.Lstar, BigInt(symbols.get("syscall_entry")!));
    vp.set(Reg.Sfmask, 0x700n);
    vp.set(Reg.Rip, BigInt(symbols.get("start")!));
    vp.set(Reg.Rsp, BigInt(AT.stacks + (cpu + 1) * STACK_BYTES));
    vp.set(Reg.InternalActivityState, 0n);
  }

  /** Runs to exactly so many instructions, where all are held; false if the guest ended. */
  async to(count: number): Promise<boolean> {
    const time = this.soft.timeTravel;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    time.whenExactly(count, () => time.hold(() => resolve(true)));
    if (this.#stopped === null) {
      this.#stopped = new Promise((stop) => once(this.#control.onStop, stop));
      this.#control.resume(
        this.machine.processors.map(() => ({ kind: "continue" })),
      );
    } else time.release();
    return await Promise.race([promise, this.#stopped.then(() => false)]);
  }

  /** No processor runs. */
  async stop(): Promise<void> {
    const { timeTravel } = this.soft;
    if (this.#stopped === null) return;
    timeTravel.whenQuiet(Infinity, null);
    this.#control.interrupt();
    timeTravel.release();
    await this.#stopped;
    this.#stopped = null;
  }

  /** All that there is but memory, in lines. */
  see(): string {
    const { machine, soft } = this;
    const time = soft.timeTravel;
    return JSON.stringify(
      {
        instructions: time.instructions(),
        time: time.time(),
        output: this.#output,
        processors: machine.processors.map(({ vp }) => ({
          instructions: soft.instructionsOf(vp.index),
          registers: saveRegisters(vp),
          lapic: vp.getLapic().toHex(),
          xsave: vp.getXsave().toHex(),
        })),
        ...machine.save({ memory: false }).board,
      },
      (_, value) => typeof value === "bigint" ? `${value}` : value,
      1,
    );
  }

  /** All that programs can write. */
  get memory(): Uint8Array {
    return this.soft.guestMemory.subarray(0, AT.end);
  }

  /** The machine now, to go back to. */
  keep(): Kept {
    return { moment: momentOf(this.machine), memory: this.memory.slice() };
  }

  /** Makes the machine what it was, while all are held. */
  back({ moment, memory }: Kept): void {
    const { machine, soft } = this;
    bringBack(machine, moment, () => {
      const now = this.memory;
      for (let page = 0; page < AT.end / PAGE_BYTES; page++) {
        const from = page * PAGE_BYTES;
        const then = memory.subarray(from, from + PAGE_BYTES);
        if (Buffer.compare(then, now.subarray(from, from + PAGE_BYTES)) === 0) {
          continue;
        }
        now.set(then, from);
        soft.timeTravel.replaced(page);
      }
    });
  }

  async close(): Promise<void> {
    await this.stop();
    await this.machine.close();
    this.soft.close();
  }
}

/** A machine at a moment. */
export interface Kept {
  readonly moment: Moment;
  readonly memory: Uint8Array;
}

/** The entry of a page that moves, by number. */
function entryOf(page: number): bigint {
  const at = AT.moving + page * 0x1000;
  if (at < AT.movingFunctions) {
    return BigInt(AT.data + page * 0x1000) | RW | (page % 4 === 3 ? USER : 0n);
  }
  if (at < AT.user) return BigInt(AT.functions + at - AT.movingFunctions) | RW;
  if (at < AT.user + 0x1000) return BigInt(AT.userCode) | RW | USER;
  if (at >= AT.userMoving && at < AT.userMoving + 0x4000) {
    return BigInt(AT.userData + at - AT.userMoving) | RW | USER;
  }
  return 0n;
}

/** A page of functions; the last of them ends in the next page, whichever that is. */
function functionPage(random: Prng, page: number): Uint8Array {
  const bytes = new Uint8Array(0x1000).fill(0x90);
  const byte = () => random.int(256);
  // the end of an immediate, and what is behind it: dec edx; jnz -N; ret
  bytes.set([byte(), byte(), byte(), 0xff, 0xca, 0x75, 0xdc, 0xc3], 0);
  // add ecx, imm; 1: add eax, ecx; rol eax, N; dec edx; jnz 1b; ret
  bytes.set([
    0x81,
    0xc1,
    byte(),
    byte(),
    0,
    0,
    1,
    0xc8,
    0xc1,
    0xc0,
    1 + page % 7,
    0xff,
    0xca,
    0x75,
    0xf7,
    0xc3,
  ], 0x40);
  // 1: add [moving + N], edx; dec edx; jnz 1b; ret
  bytes.set([
    0x01,
    0x14,
    0x25,
    page * 8,
    0,
    0x60,
    0,
    0xff,
    0xca,
    0x75,
    0xf5,
    0xc3,
  ], 0x80);
  // inc r11d; xor r10d, r11d; ...; add ecx, imm on both pages
  bytes.set([0x41, 0xff, 0xc3, 0x45, 0x31, 0xda], 0xfe3);
  bytes.set([0x81, 0xc1, byte()], 0xffd);
  return bytes;
}
