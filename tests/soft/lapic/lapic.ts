// Test support: compiles the local APIC of the software platform by itself and
// gives each test a fresh set of APICs.

// @ts-types="../../../types/asc.d.ts"
import asc from "assemblyscript/asc";

/** The functions of src/soft/core/lapic under test. */
export interface LapicExports {
  lapicOf(vp: number): number;
  lapicSetVpCount(count: number): void;
  lapicReset(base: number, id: number, features: number, bsp: number): void;
  lapicInit(base: number): void;
  lapicMode(base: number): number;
  lapicPending(base: number): number;
  lapicWaitsForSipi(base: number): number;
  lapicTakeNmi(base: number): number;
  lapicTakeSipi(base: number): number;
  lapicRead(base: number, offset: number, now: bigint): number;
  lapicWrite(base: number, offset: number, value: number, now: bigint): number;
  lapicExport(base: number, to: number, now: bigint): void;
  lapicImport(base: number, from: number, now: bigint): number;
  lapicAccept(base: number, vector: number, level: number): number;
  lapicHighestPending(base: number): number;
  lapicAcknowledge(base: number): number;
  lapicCr8(base: number): number;
  lapicSetCr8(base: number, value: number): number;
  lapicLocalInterrupt(base: number, lvt: number): number;
  lapicSetLint(base: number, pin: number, asserted: number): number;
  lapicExtInt(base: number): number;
  lapicRequest(
    type: number,
    logical: number,
    level: number,
    destination: number,
    vector: number,
  ): number;
  lapicTrapInitSipi(on: number): void;
  lapicTrappedIcr(base: number): bigint;
  lapicTimerTick(base: number, now: bigint): number;
  lapicTimerDue(base: number): bigint;
  lapicReadDeadline(base: number, now: bigint): bigint;
  lapicWriteDeadline(base: number, value: bigint, now: bigint): number;
  lapicSetTscOffset(base: number, offset: bigint, now: bigint): number;
  lapicRdmsr(base: number, msr: number, now: bigint, out: number): number;
  lapicWrmsr(base: number, msr: number, value: bigint, now: bigint): number;
  lapicApicBase(base: number): bigint;
  lapicWriteApicBase(base: number, value: bigint, bits: number): number;
}

// Result flags (lapic/state.ts).
export const OK = 0;
export const RECHECK = 0x100;
export const RECHECK_ALL = 0x200;
export const LEVEL_EOI = 0x400;
export const TIMER = 0x800;
export const MODE = 0x1000;
export const GP = 0x2000;
export const ILLEGAL = 0x4000;
export const TRAP = 0x8000;

export const PENDING_NMI = 1;
export const PENDING_INIT = 2;
export const PENDING_SIPI = 4;

export const X2APIC = 1;
export const DIRECTED_EOI = 2;

/** A result no timer has: nothing is due. */
export const NEVER = 0xffff_ffff_ffff_ffffn;

/** Scratch memory for one register page or MSR value. */
export const SCRATCH = 0x100000;

const directory = new URL("./", import.meta.url);

const ENTRIES = [
  "lapic/page",
  "lapic/state",
  "lapic/interrupt",
  "lapic/ipi",
  "lapic/timer",
  "lapic/msr",
  "layout",
];

async function compile(): Promise<WebAssembly.Module> {
  let binary: Uint8Array | null = null;
  const messages: string[] = [];
  const write = (text: string | Uint8Array) =>
    messages.push(
      typeof text === "string" ? text : new TextDecoder().decode(text),
    );
  const { error } = await asc.main([
    // All are entries, so that what they export can be called.
    ...ENTRIES.map((name) => `../../../src/soft/core/${name}.ts`),
    "--outFile",
    "out.wasm",
    "--runtime",
    "stub",
    "--initialMemory",
    "64",
    "--use",
    "abort=",
  ], {
    stdout: { write },
    stderr: { write },
    readFile(name: string): string | null {
      try {
        return Deno.readTextFileSync(new URL(name, directory));
      } catch (error) {
        // The compiler probes several names for one import.
        if (error instanceof Deno.errors.NotFound) return null;
        throw error;
      }
    },
    writeFile(name: string, contents: Uint8Array | string): void {
      if (name === "out.wasm") binary = contents as Uint8Array;
    },
    listFiles: () => [],
  });
  if (error || binary === null) {
    throw new Error(`asc: ${error?.message ?? "no output"}\n${messages}`);
  }
  return new WebAssembly.Module(binary as Uint8Array<ArrayBuffer>);
}

const module = await compile();

/** One processor's local APIC, with the base pointer applied. */
export class Lapic {
  constructor(
    readonly f: LapicExports,
    readonly memory: DataView,
    readonly base: number,
  ) {}

  read(offset: number, now = 0n): number {
    return this.f.lapicRead(this.base, offset, now) >>> 0;
  }
  write(offset: number, value: number, now = 0n): number {
    return this.f.lapicWrite(this.base, offset, value, now);
  }
  /** The MSR's value, or "#GP". */
  rdmsr(msr: number, now = 0n): bigint | "#GP" {
    const result = this.f.lapicRdmsr(this.base, msr, now, SCRATCH);
    if (result === GP) return "#GP";
    return this.memory.getBigUint64(SCRATCH, true);
  }
  wrmsr(msr: number, value: bigint, now = 0n): number {
    return this.f.lapicWrmsr(this.base, msr, value, now);
  }
  accept(vector: number, level = false): boolean {
    return this.f.lapicAccept(this.base, vector, level ? 1 : 0) !== 0;
  }
  /** The vector that would interrupt the processor, -1 if none. */
  get pending(): number {
    return this.f.lapicHighestPending(this.base);
  }
  /** The pending NMI, INIT and SIPI flags. */
  get events(): number {
    return this.f.lapicPending(this.base);
  }
  acknowledge(): number {
    return this.f.lapicAcknowledge(this.base);
  }
  endOfInterrupt(): number {
    return this.write(0xb0, 0);
  }
  tick(now: bigint): number {
    return this.f.lapicTimerTick(this.base, now);
  }
  get due(): bigint {
    return BigInt.asUintN(64, this.f.lapicTimerDue(this.base));
  }
  /** Vectors set in the 256-bit register at `map`. */
  vectors(map: number): number[] {
    const found: number[] = [];
    for (let vector = 0; vector < 256; vector++) {
      const word = this.read(map + (vector >> 5) * 16);
      if (word >>> (vector & 31) & 1) found.push(vector);
    }
    return found;
  }
  get requested(): number[] {
    return this.vectors(0x200);
  }
  get inService(): number[] {
    return this.vectors(0x100);
  }
  get levels(): number[] {
    return this.vectors(0x180);
  }
  /** Software-enables the APIC, spurious vector 0xff. */
  enable(): this {
    this.write(0xf0, 0x1ff);
    return this;
  }
  /** Enters x2APIC mode. */
  enterX2(): this {
    this.f.lapicWriteApicBase(this.base, this.apicBase | 0x400n, 40);
    return this;
  }
  get apicBase(): bigint {
    return BigInt.asUintN(64, this.f.lapicApicBase(this.base));
  }
  /** WRMSR of IA32_APIC_BASE with 40 physical address bits. */
  writeApicBase(value: bigint): number {
    return this.f.lapicWriteApicBase(this.base, value, 40);
  }
}

/** `count` processors after reset, APIC IDs 0.., VP 0 the BSP. */
export function lapics(count: number, features = X2APIC): Lapic[] {
  const instance = new WebAssembly.Instance(module);
  const f = instance.exports as unknown as LapicExports;
  const memory = instance.exports.memory as WebAssembly.Memory;
  f.lapicSetVpCount(count);
  return Array.from({ length: count }, (_, vp) => {
    const base = f.lapicOf(vp);
    f.lapicReset(base, vp, features, vp === 0 ? 1 : 0);
    return new Lapic(f, new DataView(memory.buffer), base);
  });
}

/** One processor, its APIC software-enabled. */
export function enabled(features = X2APIC): Lapic {
  return lapics(1, features)[0].enable();
}
