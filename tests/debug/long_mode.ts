// Guests for the debugger on a real platform: assembled with GNU as,
// started in 64-bit mode with the first and the fourth GiB mapped to themselves.

import type { WinHvPlatform } from "../../ffi/mod.ts";
import { Reg } from "../../ffi/registers.ts";
import { Debugger } from "../../src/debug/debugger.ts";
import type { BreakpointWay } from "../../src/debug/breakpoints/breakpoints.ts";
import type { Action, Stop } from "../../src/debug/target.ts";
import type { HostFacts } from "../../src/machine/host.ts";
import { Machine, type MachineOptions } from "../../src/machine/machine.ts";
import { type OpenedPlatform, openPlatform } from "../../src/cli/platform.ts";
import { type Linked, linked } from "../util/linked.ts";
import { once } from "../util/once.ts";
import { testPlatform } from "../util/platform.ts";
import { runTool } from "../util/tools.ts";

export const TEXT = 0x100000;
const PML4 = 0x1000, PDPT = 0x2000, PD = 0x3000, GDT = 0x4000;
const IDT = 0x5000, PD_DEVICES = 0x6000;
const STACKS = 0x80000;
export const RAM = 4 << 20;

const CODE64 = {
  base: 0n,
  limit: 0xffffffff,
  selector: 8,
  attributes: 0xa09b,
};
const DATA = { base: 0n, limit: 0xffffffff, selector: 16, attributes: 0xc093 };
const TSS = { base: 0n, limit: 0x67, selector: 0, attributes: 0x8b };

/** Assembles AT&T syntax, to lie at TEXT. */
export function assemble(source: string): Linked {
  const folder = Deno.makeTempDirSync();
  try {
    const at = (name: string) => `${folder}/${name}`;
    Deno.writeTextFileSync(at("a.S"), source);
    runTool("gcc", ["-c", "-m64", "-o", at("a.o"), at("a.S")]);
    return linked(at("a.o"), `-Ttext=0x${TEXT.toString(16)}`);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

type Options = Partial<MachineOptions> & {
  /** How breakpoints are held; by default as the tests are told to. */
  readonly breakpoints?: BreakpointWay;
};

/** ICEBP_TEST_BREAKPOINTS, for running tests with breakpoints in memory where they
 * would be in the processor. */
function testWay(): BreakpointWay | undefined {
  const way = Deno.env.get("ICEBP_TEST_BREAKPOINTS");
  return way === "memory" || way === "processor" ? way : undefined;
}

/** A host where INT1 does not exit. */
export const NO_INT1: HostFacts = {
  int1Exits: false,
  clocks: {
    isIntel: true,
    crystal: null,
    frequency: null,
    tscHz: null,
    apicHz: null,
  },
};

/** A program under the debugger. */
export class LongMode {
  readonly opened: OpenedPlatform;
  readonly machine: Machine;
  readonly debugger: Debugger;
  readonly program: Linked;
  output = "";

  private constructor(
    opened: OpenedPlatform,
    program: Linked,
    cpus: number,
    options: Options,
    wrap: (platform: WinHvPlatform) => WinHvPlatform,
  ) {
    this.opened = opened;
    this.program = program;
    this.machine = new Machine({
      platform: wrap(opened.platform),
      guestMemory: opened.guestMemory,
      clock: opened.clock,
      host: opened.host,
      entropy: { fill: (into) => into.fill(0) },
      cpus,
      ramBytes: RAM,
      serialOut: (bytes) => this.output += String.fromCharCode(...bytes),
      onHostWrite: opened.onHostWrite,
      ...options,
    });
    this.machine.onReset.subscribe(() => this.#load());
    this.#load();
    this.debugger = new Debugger(
      this.machine,
      options.breakpoints ?? testWay(),
    );
  }

  /** `wrap` may put something between the machine and the platform. */
  static async start(
    source: string,
    cpus = 1,
    options: Options = {},
    wrap: (platform: WinHvPlatform) => WinHvPlatform = (platform) => platform,
  ): Promise<LongMode> {
    const program = assemble(source);
    const opened = await openPlatform(testPlatform(), RAM, "virtual");
    return new LongMode(opened, program, cpus, options, wrap);
  }

  #load(): void {
    const { memory } = this.machine;
    const quad = (at: number, value: bigint) => {
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setBigUint64(0, value, true);
      memory.write(at, bytes);
    };
    memory.write(TEXT, this.program.bytes);
    quad(PML4, BigInt(PDPT | 3));
    quad(PDPT, BigInt(PD | 3));
    quad(PDPT + 8 * 3, BigInt(PD_DEVICES | 3));
    for (let i = 0; i < 512; i++) {
      quad(PD + i * 8, (BigInt(i) << 21n) | 0x83n);
      quad(PD_DEVICES + i * 8, 0xc0000000n + (BigInt(i) << 21n) | 0x83n);
    }
    quad(GDT, 0n);
    quad(GDT + 8, 0x00af9b000000ffffn);
    quad(GDT + 16, 0x00cf93000000ffffn);
    for (const [name, address] of this.program.symbols) {
      // A symbol vectorN is the handler of vector N.
      const vector = /^vector(\d+)$/.exec(name);
      if (vector === null) continue;
      const gate = IDT + Number(vector[1]) * 16;
      const low = BigInt(address & 0xffff), high = BigInt(address >>> 16);
      quad(gate, low | (8n << 16n) | (0x8e00n << 32n) | (high << 48n));
      quad(gate + 8, 0n);
    }
    this.machine.processors.forEach(({ vp }, i) => {
      vp.set(Reg.Cr3, BigInt(PML4));
      vp.set(Reg.Cr4, 0x620n);
      vp.set(Reg.Efer, 0x501n);
      vp.set(Reg.Cr0, 0x80000033n);
      vp.setSegment(Reg.Cs, CODE64);
      for (const r of [Reg.Ss, Reg.Ds, Reg.Es, Reg.Fs, Reg.Gs]) {
        vp.setSegment(r, DATA);
      }
      vp.setSegment(Reg.Tr, TSS);
      vp.setTable(Reg.Gdtr, { base: BigInt(GDT), limit: 23 });
      vp.setTable(Reg.Idtr, { base: BigInt(IDT), limit: 0xfff });
      vp.set(Reg.Rip, BigInt(TEXT));
      vp.set(Reg.Rsp, BigInt(STACKS + (i + 1) * 0x4000));
      vp.set(Reg.Rdi, BigInt(i));
      // No waiting for a SIPI.
      vp.set(Reg.InternalActivityState, 0n);
    });
  }

  symbol(name: string): number {
    const address = this.program.symbols.get(name);
    if (address === undefined) throw new RangeError(`no symbol ${name}`);
    return address;
  }

  quad(name: string): bigint {
    const { view } = this.machine.memory;
    return new DataView(view.buffer, view.byteOffset)
      .getBigUint64(this.symbol(name), true);
  }

  reg(name: number, processor = 0): bigint {
    return this.machine.processors[processor].vp.get(name);
  }

  /** Instructions executed by all processors; null where nobody counts them. */
  get instructions(): number | null {
    const count = this.opened.soft?.clock.instructions();
    return count === undefined ? null : Number(count);
  }

  rip(processor = 0): number {
    return Number(this.reg(Reg.Rip, processor));
  }

  break(at: string | number | bigint): void {
    this.debugger.insertBreakpoint(software(this.#address(at)));
  }

  /** The guest is never here. */
  static readonly NOWHERE = 0x300000n;

  /** Leaves none to be lent to breakpoints, which are in memory then. */
  takeDebugRegisters(): void {
    for (let i = 0n; i < 4n; i++) {
      this.debugger.insertBreakpoint({
        kind: "hardware",
        address: LongMode.NOWHERE + i,
        length: 1,
        conditions: [],
      });
    }
  }

  unbreak(at: string | number | bigint): boolean {
    return this.debugger.removeBreakpoint(software(this.#address(at)));
  }

  #address(at: string | number | bigint): bigint {
    return BigInt(typeof at === "string" ? this.symbol(at) : at);
  }

  /** Resumes, and resolves with the stop. Processors not named stay. */
  resume(...plan: (Action | Action["kind"])[]): Promise<Stop> {
    const actions = plan.map((a) =>
      typeof a === "string" ? { kind: a } as Action : a
    );
    while (actions.length < this.debugger.processors) {
      actions.push({ kind: "stay" });
    }
    return new Promise((resolve) => {
      once(this.debugger.onStop, resolve);
      this.debugger.resume(actions);
    });
  }

  run(): Promise<Stop> {
    return this.resume(
      ...this.machine.processors.map(() => "continue" as const),
    );
  }

  close(): void {
    this.machine.close();
    this.opened.platform.close();
  }
}

function software(address: bigint) {
  return {
    kind: "software",
    address,
    length: 1,
    conditions: [],
  } as const;
}
