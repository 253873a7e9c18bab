/**
 * The core as a CpuUnderTest: cases run through the platform's functions, on
 * any provider of them. Every exception exits, so that a case's own fault and
 * the #GP of the HLT after it end it the same way as the signals do natively.
 *
 * @module
 */
import { LocalApicEmulationMode } from "../../ffi/enums.ts";
import type { WinHvPlatform } from "../../ffi/mod.ts";
import { Reg } from "../../ffi/registers.ts";
import { Partition, type VirtualProcessor } from "../../src/platform/mod.ts";
import { type Batch, type CpuUnderTest, Results } from "./batch.ts";
import {
  Attributes,
  buildGuest,
  CR0,
  CR4,
  EFER,
  GDT_LIMIT,
  Gpa,
  GUEST_BYTES,
  IDT_LIMIT,
  SYSTEM_BASE,
  TSS_LIMIT,
} from "./guest.ts";
import {
  Case,
  CODE,
  CODE_BYTES,
  DATA,
  DATA_BYTES,
  FIRST_SLOT,
  FS,
  Fx,
  FX_BYTES,
  GS,
  HLT,
  Result,
  Selector,
  SLOT_BYTES,
} from "./layout.ts";

import { hiddenPart, LDT_LIMIT } from "./ldt.ts";

/** ExtendedVmExits: ExceptionExit. */
const EXCEPTION_EXIT = 4n;
/** Vectors 0 to 19 without NMI and the reserved 9 and 15. */
const EVERY_VECTOR = 0xf_7dfbn;
/** Read, write, execute. */
const MAP_FLAGS = 7;
/** Stands for an exit that is not an exception, in place of a vector. */
const NOT_AN_EXCEPTION = 0x1000;
const PAGE_FAULT = 14;

/** A platform together with guest memory it can map. */
export interface CorePlatform extends WinHvPlatform {
  readonly guestMemory: Uint8Array;
  /** Tells the platform that the host wrote guest memory. */
  hostWrote(offset: number, length: number): void;
}

/** Registers of a case in the order of the value buffers. */
const INTEGER_NAMES = [
  ...Array.from({ length: 18 }, (_, i) => Reg.Rax + i), // to RIP, RFLAGS
  ...Array.from({ length: 6 }, (_, i) => Reg.Es + i), // to GS
];
const FX_NAMES = [
  Reg.FpControlStatus,
  Reg.XmmControlStatus,
  ...Array.from({ length: 8 }, (_, i) => Reg.FpMmx0 + i),
  ...Array.from({ length: 16 }, (_, i) => Reg.Xmm0 + i),
];
const RIP = 16;
const RFLAGS = 17;
/** ES, CS, SS, DS, FS, GS. */
const SEGMENTS = 18;
const CONTROL = 24;
/** Value index of ST(0); the XMM registers follow as in FXSAVE. */
const ST = 26;
const VALUE_BYTES = 16;

export class CoreCpu implements CpuUnderTest {
  readonly name: string;
  readonly partition: Partition;
  readonly vp: VirtualProcessor;
  /** Guest memory, from GPA 0. */
  readonly memory: Uint8Array;
  readonly #platform: CorePlatform;
  readonly #data: Int32Array;
  readonly #integerNames = new Uint32Array(INTEGER_NAMES);
  readonly #allNames = new Uint32Array([...INTEGER_NAMES, ...FX_NAMES]);
  readonly #values = new Uint8Array(this.#allNames.length * VALUE_BYTES);
  readonly #view = new DataView(this.#values.buffer);
  readonly #words = new Uint32Array(this.#values.buffer);
  #output = new Uint8Array(1 << 20);
  #out = new Uint32Array(this.#output.buffer);

  constructor(platform: CorePlatform) {
    this.name = platform.name;
    this.#platform = platform;
    this.memory = platform.guestMemory.subarray(0, GUEST_BYTES);
    buildGuest(this.memory);
    this.#data = new Int32Array(
      this.memory.buffer,
      this.memory.byteOffset + Gpa.data,
      DATA_BYTES / 4,
    );
    const partition = Partition.create(platform);
    partition.setProcessorCount(1);
    partition.setLocalApicEmulationMode(LocalApicEmulationMode.None);
    partition.setExtendedVmExits(EXCEPTION_EXIT);
    partition.setExceptionExitBitmap(EVERY_VECTOR);
    partition.setup();
    partition.mapGpaRange(this.memory, 0, MAP_FLAGS);
    this.partition = partition;
    this.vp = partition.createVirtualProcessor(0);
    this.#setSystemRegisters();
  }

  #setSystemRegisters(): void {
    const vp = this.vp;
    vp.set(Reg.Efer, EFER);
    vp.set(Reg.Cr4, CR4);
    vp.set(Reg.Cr3, BigInt(Gpa.pml4));
    vp.set(Reg.Cr0, CR0);
    const table = (name: number, gpa: number, limit: number) =>
      vp.setTable(name, { base: SYSTEM_BASE + BigInt(gpa), limit });
    table(Reg.Gdtr, Gpa.gdt, GDT_LIMIT);
    table(Reg.Idtr, Gpa.idt, IDT_LIMIT);
    vp.setSegment(Reg.Ldtr, {
      base: SYSTEM_BASE + BigInt(Gpa.ldt),
      limit: LDT_LIMIT,
      selector: 0x50,
      attributes: Attributes.ldt,
    });
    vp.setSegment(Reg.Tr, {
      base: SYSTEM_BASE + BigInt(Gpa.tss),
      limit: TSS_LIMIT,
      selector: 0x40,
      attributes: Attributes.tss,
    });
  }

  async runBatch(batch: Batch): Promise<Results> {
    this.load(batch);
    return await this.runCases(batch);
  }

  /** Runs the cases of a batch that was loaded. */
  protected async runCases(batch: Batch): Promise<Results> {
    let at = 0;
    for (let i = 0; i < batch.length; i++) {
      const before = at;
      at = await this.#runCase(batch, batch.offsets[i], at);
      this.#out[(before + Result.recordBytes) / 4] = at - before;
    }
    return new Results(this.#output.slice(0, at), batch.length);
  }

  /** Loads the code and the scratch region of a batch's cases. */
  load(batch: Batch): void {
    const memory = this.memory;
    memory.set(batch.pristine, Gpa.data);
    memory.fill(HLT, Gpa.code, Gpa.code + CODE_BYTES);
    memory.set(
      batch.code.subarray(0, batch.slots * SLOT_BYTES),
      Gpa.code + FIRST_SLOT - CODE,
    );
    this.#platform.hostWrote(Gpa.code, CODE_BYTES);
    // The most a case can report: its registers and every word of scratch.
    const most = batch.length * 1024 + Result.fx + FX_BYTES + 2 * DATA_BYTES;
    if (this.#output.length < most) this.#grow(most);
  }

  #grow(bytes: number): void {
    const grown = new Uint8Array(Math.ceil(bytes / 8) * 8);
    grown.set(this.#output);
    this.#output = grown;
    this.#out = new Uint32Array(grown.buffer);
  }

  async #runCase(batch: Batch, record: number, at: number): Promise<number> {
    this.place(batch, record);
    const exit = await this.vp.run();
    this.readRegisters(batch);
    const out = this.#out;
    const o = at / 4;
    out.fill(0, o, o + Result.fx / 4);
    if (exit.reason === "exception") {
      out[o] = exit.vector;
      out[o + 1] = exit.errorCodeValid ? exit.errorCode : 0;
      if (exit.vector === PAGE_FAULT) {
        const address = exit.parameter;
        out[o + 2] = Number(address & 0xffff_ffffn);
        out[o + 3] = Number(address >> 32n);
      }
    } else {
      out[o] = NOT_AN_EXCEPTION;
    }
    this.#storeRegisters(o, batch.fx);
    if (exit.reason === "exception" && exit.softwareException) {
      // The exit has RIP at INT3 and INTO, a handler would have it after them.
      out[o + Result.rip / 4] += exit.instructionLength;
    }
    const diffs = at + Result.fx + (batch.fx ? FX_BYTES : 0);
    return this.#storeDifferences(batch, at, diffs);
  }

  /** Has the processor begin the case of a record. */
  place(batch: Batch, record: number): void {
    this.#applyPatches(batch, record);
    this.#fillValues(batch, record);
    this.vp.setRegisters(this.#names(batch), this.#values);
  }

  /** The values of the registers that cases have, until the next call. */
  readRegisters(batch: Batch): Uint8Array {
    const names = this.#names(batch);
    this.vp.getRegisters(names, this.#values);
    return this.#values.subarray(0, names.length * VALUE_BYTES);
  }

  #names(batch: Batch): Uint32Array {
    return batch.fx ? this.#allNames : this.#integerNames;
  }

  #applyPatches(batch: Batch, record: number): void {
    const { view, input } = batch;
    let count = view.getUint32(record + Case.patchCount, true);
    for (let from = batch.patchesAt(record); count > 0; count--) {
      const address = view.getUint32(from, true);
      const length = view.getUint32(from + 4, true);
      from += 8;
      this.memory.set(
        input.subarray(from, from + length),
        Gpa.data + address - DATA,
      );
      from = (from + length + 7) & ~7;
    }
  }

  #fillValues(batch: Batch, record: number): void {
    const words = this.#words;
    const from = new Uint32Array(batch.input.buffer, record, Case.fx / 4);
    for (let reg = 0; reg < 16; reg++) {
      words[4 * reg] = from[2 + 2 * reg];
      words[4 * reg + 1] = from[3 + 2 * reg];
    }
    const pair = (value: number, at: number) => {
      words[4 * value] = from[at / 4];
      words[4 * value + 1] = from[at / 4 + 1];
    };
    pair(RIP, Case.rip);
    pair(RFLAGS, Case.rflags);
    for (let i = 0; i < 6; i++) this.#fillSegment(batch, record, i);
    if (batch.fx) this.#fillFx(batch, record + Case.fx);
  }

  /** Loads a segment register as its selector says. */
  #fillSegment(batch: Batch, record: number, segment: number): void {
    const words = this.#words;
    const at = 4 * (SEGMENTS + segment);
    const selector = batch.view.getUint16(
      record + Case.segments + 2 * segment,
      true,
    );
    const hidden = hiddenPart(selector);
    const code64 = batch.view.getUint16(record + Case.segments + 2, true) ===
      Selector.userCs;
    words[at] = hidden?.base ?? 0;
    words[at + 1] = 0;
    if (code64 && (segment === FS || segment === GS)) {
      const base = segment === FS ? Case.fsBase : Case.gsBase;
      words[at] = batch.view.getUint32(record + base, true);
      words[at + 1] = batch.view.getUint32(record + base + 4, true);
    }
    words[at + 2] = hidden?.limit ?? 0xffff_ffff;
    const flat = selector === Selector.userCs
      ? Attributes.code64
      : selector === Selector.userCs32
      ? Attributes.code32
      : Attributes.data;
    // A null selector makes a segment that only 64-bit mode can use.
    const attributes = selector <= 3 ? 0 : hidden?.attributes ?? flat;
    words[at + 3] = selector | attributes << 16;
  }

  #fillFx(batch: Batch, image: number): void {
    const values = this.#values;
    const view = this.#view;
    const control = CONTROL * VALUE_BYTES;
    values.fill(0, control, ST * VALUE_BYTES);
    values.set(batch.input.subarray(image + Fx.fcw, image + 5), control);
    view.setUint32(
      control + VALUE_BYTES + 8,
      batch.view.getUint32(image + Fx.mxcsr, true),
      true,
    );
    values.set(
      batch.input.subarray(image + Fx.st, image + Fx.xmm + 256),
      ST * VALUE_BYTES,
    );
  }

  #storeRegisters(o: number, fx: boolean): void {
    const words = this.#words;
    const out = this.#out;
    const pair = (value: number, at: number) => {
      out[o + at / 4] = words[4 * value];
      out[o + at / 4 + 1] = words[4 * value + 1];
    };
    for (let reg = 0; reg < 16; reg++) pair(reg, Result.gpr + 8 * reg);
    pair(RIP, Result.rip);
    pair(RFLAGS, Result.rflags);
    pair(SEGMENTS + FS, Result.fsBase);
    pair(SEGMENTS + GS, Result.gsBase);
    for (let i = 0; i < 6; i++) {
      this.#output[4 * o + Result.segments + 2 * i] =
        words[4 * (SEGMENTS + i) + 3];
      this.#output[4 * o + Result.segments + 2 * i + 1] =
        words[4 * (SEGMENTS + i) + 3] >>> 8;
    }
    if (!fx) return;
    const image = 4 * o + Result.fx;
    const control = CONTROL * VALUE_BYTES;
    this.#output.fill(0, image, image + FX_BYTES);
    this.#output.set(this.#values.subarray(control, control + 5), image);
    out[(image + Fx.mxcsr) / 4] = this.#view.getUint32(
      control + VALUE_BYTES + 8,
      true,
    );
    this.#output.set(
      this.#values.subarray(ST * VALUE_BYTES),
      image + Fx.st,
    );
    // A register value has 16 bytes, a register 10.
    for (let i = 0; i < 8; i++) {
      const rest = image + Fx.st + 16 * i + 10;
      this.#output.fill(0, rest, rest + 6);
    }
  }

  /** Reports and restores the changed words of the scratch region. */
  #storeDifferences(batch: Batch, at: number, diffs: number): number {
    const data = this.#data;
    const pristine = new Int32Array(batch.pristine.buffer);
    let end = diffs;
    for (let i = 0; i < data.length; i++) {
      if (data[i] === pristine[i]) continue;
      if (end + 1024 > this.#output.length) this.#grow(2 * end);
      this.#out[end / 4] = 4 * i;
      this.#out[end / 4 + 1] = data[i];
      end += 8;
      data[i] = pristine[i];
    }
    this.#out[(at + Result.diffCount) / 4] = (end - diffs) / 8;
    return end;
  }

  close(): Promise<void> {
    this.partition.delete();
    this.#platform.close();
    return Promise.resolve();
  }
}
