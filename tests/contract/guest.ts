// A guest for one test: a partition, a megabyte of memory with descriptor and
// page tables in it, and processors that are about to run a few bytes of code.

import type { WinHvPlatform } from "../../ffi/mod.ts";
import { LocalApicEmulationMode, MapGpaRangeFlag } from "../../ffi/enums.ts";
import { Reg } from "../../ffi/registers.ts";
import {
  type Exit,
  Partition,
  type VirtualProcessor,
} from "../../src/platform/mod.ts";
import { type Opened, testProvider } from "./providers.ts";

export const RAM_BYTES = 1 << 20;
/** Where things are in guest memory. */
export const PML4 = 0x10000;
export const PDPT = 0x11000;
/** Four page directories: 2 MiB pages, identity, of the first 4 GiB. */
export const PD = 0x12000;
export const GDT = 0x16000;
export const IDT = 0x17000;
export const TSS = 0x18000;
export const STACK = 0x20000;
export const CODE = 0x30000;
/** Free for the test. */
export const DATA = 0x50000;
const HANDLERS = 0x40000;

/** The port that a handler of a vector writes the vector to, and then halts. */
export const VECTOR_PORT = 0xf1;
/** A port nothing else uses. */
export const TEST_PORT = 0x80;

const { Read, Write, Execute } = MapGpaRangeFlag;
export const RWX = Read | Write | Execute;

/** Bytes from hex; what is after # on a line is a comment. */
export function hex(text: string): Uint8Array {
  const digits = text.replace(/#.*$/gm, "").replace(/\s+/g, "");
  return Uint8Array.from(
    digits.match(/../g) ?? [],
    (byte) => parseInt(byte, 16),
  );
}

/** How a guest is made. */
export interface GuestOptions {
  /** Runs at CODE in 64-bit mode, ring 0. See `hex`. */
  readonly code?: string;
  readonly cpus?: number;
  /** A LocalApicEmulationMode; None if absent. */
  readonly apic?: number;
  readonly extendedVmExits?: bigint;
  readonly exceptionExitBitmap?: bigint;
  readonly msrExitBitmap?: bigint;
  readonly cpuidExits?: readonly number[];
  /** Anything else to be set before setup. */
  readonly configure?: (partition: Partition) => void;
  /** MapGpaRangeFlag bits of the memory; all three if absent. */
  readonly flags?: number;
}

/** What a test gets. */
export class Guest {
  readonly provider: WinHvPlatform;
  readonly memory: Uint8Array;
  readonly view: DataView;
  readonly partition: Partition;
  readonly vps: VirtualProcessor[] = [];
  readonly #opened: Opened;

  constructor(opened: Opened, options: GuestOptions = {}) {
    this.#opened = opened;
    this.provider = opened.platform;
    this.memory = opened.memory;
    this.view = new DataView(
      opened.memory.buffer,
      opened.memory.byteOffset,
      opened.memory.byteLength,
    );
    const partition = Partition.create(opened.platform);
    this.partition = partition;
    const cpus = options.cpus ?? 1;
    partition.setProcessorCount(cpus);
    partition.setLocalApicEmulationMode(
      options.apic ?? LocalApicEmulationMode.None,
    );
    if (options.extendedVmExits !== undefined) {
      partition.setExtendedVmExits(options.extendedVmExits);
    }
    if (options.exceptionExitBitmap !== undefined) {
      partition.setExceptionExitBitmap(options.exceptionExitBitmap);
    }
    if (options.msrExitBitmap !== undefined) {
      partition.setX64MsrExitBitmap(options.msrExitBitmap);
    }
    if (options.cpuidExits !== undefined) {
      partition.setCpuidExitList(options.cpuidExits);
    }
    options.configure?.(partition);
    partition.setup();
    this.#tables();
    if (options.code !== undefined) this.memory.set(hex(options.code), CODE);
    partition.mapGpaRange(
      this.memory.subarray(0, RAM_BYTES),
      0,
      options.flags ?? RWX,
    );
    for (let i = 0; i < cpus; i++) {
      const vp = partition.createVirtualProcessor(i);
      this.vps.push(vp);
      if (i === 0) this.start(vp);
    }
  }

  /** The first processor. */
  get vp(): VirtualProcessor {
    return this.vps[0];
  }

  /** Runs the first processor until its next exit. */
  run(): Promise<Exit> {
    return this.vp.run();
  }

  /** Writes memory, code or data. */
  write(gpa: number, bytes: Uint8Array): void {
    this.memory.set(bytes, gpa);
    this.#opened.wrote(gpa, bytes.length);
  }

  #tables(): void {
    const { view } = this;
    const present = 7n; // P, R/W, U/S
    view.setBigUint64(PML4, BigInt(PDPT) | present, true);
    for (let i = 0; i < 4; i++) {
      const directory = PD + i * 0x1000;
      view.setBigUint64(PDPT + i * 8, BigInt(directory) | present, true);
      for (let j = 0; j < 512; j++) {
        const page = (BigInt(i) << 30n) | (BigInt(j) << 21n);
        view.setBigUint64(directory + j * 8, page | 0x87n, true);
      }
    }
    const descriptors = [
      0n,
      0x00af9b000000ffffn, // 0x08: code, 64 bits, ring 0
      0x00cf93000000ffffn, // 0x10: data, ring 0
      0x00affb000000ffffn, // 0x18: code, 64 bits, ring 3
      0x00cff3000000ffffn, // 0x20: data, ring 3
      0x0000890000000067n | (BigInt(TSS) << 16n), // 0x28: TSS
      0n,
    ];
    descriptors.forEach((descriptor, i) =>
      view.setBigUint64(GDT + i * 8, descriptor, true)
    );
    view.setBigUint64(TSS + 4, BigInt(STACK - 0x1000), true); // RSP0
    for (let vector = 0; vector < 256; vector++) {
      const handler = HANDLERS + vector * 16;
      this.gate(vector, handler);
      this.memory.set(
        hex(`b0 ${vector.toString(16).padStart(2, "0")} e6 f1 f4`),
        handler,
      );
    }
  }

  /** Makes an interrupt gate of ring 0, or of the DPL given. */
  gate(vector: number, handler: number, dpl = 0): void {
    const at = IDT + vector * 16;
    this.view.setUint32(at, (8 << 16) | (handler & 0xffff), true);
    this.view.setUint32(
      at + 4,
      ((handler & 0xffff0000) | 0x8e00 | (dpl << 13)) >>> 0,
      true,
    );
    this.view.setUint32(at + 8, 0, true);
    this.view.setUint32(at + 12, 0, true);
  }

  /** Sets every register that matters: 64-bit mode, ring 0, at `rip`. */
  start(vp: VirtualProcessor, rip = CODE): void {
    vp.set(Reg.Efer, 0xd01n); // SCE, LME, LMA, NXE
    vp.set(Reg.Cr3, BigInt(PML4));
    vp.set(Reg.Cr4, 0x620n); // PAE, OSFXSR, OSXMMEXCPT
    vp.set(Reg.Cr0, 0x8005_0033n); // PG, AM, WP, NE, ET, MP, PE
    vp.setTable(Reg.Gdtr, { base: BigInt(GDT), limit: 7 * 8 - 1 });
    vp.setTable(Reg.Idtr, { base: BigInt(IDT), limit: 0xfff });
    const code = { base: 0n, limit: 0xffffffff, selector: 8 };
    vp.setSegment(Reg.Cs, { ...code, attributes: 0xa09b });
    const data = { base: 0n, limit: 0xffffffff, selector: 0x10 };
    for (const name of [Reg.Ds, Reg.Es, Reg.Ss, Reg.Fs, Reg.Gs]) {
      vp.setSegment(name, { ...data, attributes: 0xc093 });
    }
    vp.setSegment(Reg.Tr, {
      base: BigInt(TSS),
      limit: 0x67,
      selector: 0x28,
      attributes: 0x8b,
    });
    vp.setSegment(Reg.Ldtr, {
      base: 0n,
      limit: 0xffff,
      selector: 0,
      attributes: 0x82,
    });
    for (let name: number = Reg.Rax; name <= Reg.R15; name++) vp.set(name, 0n);
    vp.set(Reg.Rsp, BigInt(STACK));
    vp.set(Reg.Rflags, 2n);
    vp.set(Reg.Rip, BigInt(rip));
  }

  /** Puts the processor in ring 3, at CODE. */
  toUser(): void {
    const { vp } = this;
    const flat = { base: 0n, limit: 0xffffffff };
    vp.setSegment(Reg.Cs, { ...flat, selector: 0x1b, attributes: 0xa0fb });
    for (const name of [Reg.Ds, Reg.Es, Reg.Ss]) {
      vp.setSegment(name, { ...flat, selector: 0x23, attributes: 0xc0f3 });
    }
  }

  /** Sets RFLAGS bits. */
  setFlags(bits: bigint): void {
    this.vp.set(Reg.Rflags, this.vp.get(Reg.Rflags) | bits);
  }

  /** Goes past the instruction of an exit, `bytes` long. */
  skip(bytes: number, vp = this.vp): void {
    vp.set(Reg.Rip, vp.get(Reg.Rip) + BigInt(bytes));
  }

  /** Deletes the processors and the partition; none is running. */
  delete(): void {
    for (const vp of this.vps) vp.delete();
    this.partition.delete();
  }
}

/** RFLAGS bits. */
export const TF = 0x100n;
export const IF = 0x200n;

/** Turns of the event loop that a platform which runs on it may leave out meanwhile. */
const IMMEDIATES = 128;

/** Lets the platform run for a while: some host time, and, however long they take where
 * others load the host, as many turns of the event loop as it needs. */
export async function turns(ms = 20): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
  for (let n = 0; n < IMMEDIATES; n++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Seconds that a test may take. */
const PATIENCE = 10;

/** Cancels every run of a guest that does not come to an end. */
function watch(guest: Guest): number {
  return Number(setInterval(
    () => guest.vps.forEach((vp) => vp.cancel()),
    PATIENCE * 1000,
  ));
}

const provider = testProvider();

/** Registers a test of one promise of the contract. */
export function contract(
  promise: string,
  options: GuestOptions,
  test: (guest: Guest) => Promise<void> | void,
): void {
  contractRaw(promise, async (opened) => {
    let watchdog: number | undefined;
    try {
      const guest = new Guest(opened, options);
      watchdog = watch(guest);
      await test(guest);
      guest.delete();
    } finally {
      clearInterval(watchdog);
    }
  });
}

/** The same without a partition made: for what comes before setup. */
export function contractRaw(
  promise: string,
  test: (opened: Opened) => Promise<void> | void,
): void {
  Deno.test(`${provider.name}: ${promise}`, async () => {
    const opened = await provider.open();
    try {
      await test(opened);
    } finally {
      opened.platform.close();
    }
  });
}

/** Narrows an exit, or fails naming what it is and where. */
export function expectExit<R extends Exit["reason"]>(
  exit: Exit,
  reason: R,
): Extract<Exit, { reason: R }> {
  if (exit.reason === reason) return exit as Extract<Exit, { reason: R }>;
  const more = exit.reason === "exception"
    ? ` vector ${exit.vector}`
    : exit.reason === "ioPort"
    ? ` port 0x${exit.port.toString(16)} eax 0x${exit.eax.toString(16)}`
    : exit.reason === "memory"
    ? ` gpa 0x${exit.gpa.toString(16)}`
    : "";
  throw new Error(
    `expected ${reason}, got ${exit.reason}${more} at 0x${
      exit.rip.toString(16)
    }`,
  );
}

/** Expects that the guest's handler of `vector` has been reached. */
export function expectVector(exit: Exit, vector: number): void {
  const io = expectExit(exit, "ioPort");
  if (io.port !== VECTOR_PORT || (io.eax & 0xff) !== vector) {
    throw new Error(
      `expected the handler of vector ${vector}, got port 0x${
        io.port.toString(16)
      } value ${io.eax & 0xff}`,
    );
  }
}
