/**
 * A batch of cases of one form, in the bytes both CPUs take, and the results
 * they give back. Layouts: layout.ts.
 *
 * @module
 */
import {
  Case,
  DATA_BYTES,
  FX_BYTES,
  HLT,
  MAX_CASES,
  Result,
  SLOT_BYTES,
  SLOT_ENTRY,
} from "./layout.ts";
import { Prng } from "./prng.ts";

/** Most bytes one case record can take. */
const RECORD_LIMIT = 2048;

/** What the manual leaves undefined in a case, and so is not compared. */
export class Undefined {
  /** RFLAGS bits. */
  flags = 0;
  /** One bit for each GPR. */
  gprs = 0;
  /** FS and GS bases: what a null selector does to them. */
  bases = false;
  /** The upper halves of GPRs: compatibility mode (SDM vol.1, 3.4.1.1). */
  highHalves = false;
  /** FSW bits (C0-C3). */
  fsw = 0;
  /** The scratch region. */
  memory = false;
  /** Ranges of linear addresses: pairs of first byte and end. */
  ranges: [number, number][] = [];
}

/** Cases of one form, ready to run. */
export class Batch {
  readonly fx: boolean;
  readonly pristine: Uint8Array<ArrayBuffer> = new Uint8Array(DATA_BYTES);
  readonly code: Uint8Array<ArrayBuffer> = new Uint8Array(
    MAX_CASES * SLOT_BYTES,
  );
  readonly input: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  /** Where each case's record begins, and where the next one will. */
  readonly offsets: number[] = [];
  readonly lengths: number[] = [];
  readonly undefinedOf: Undefined[] = [];
  used = 0;
  /** Slot of the first case; not 0 only when one case is run again. */
  firstSlot = 0;
  scratchSeed = 0;

  constructor(fx: boolean, capacity: number) {
    this.fx = fx;
    this.input = new Uint8Array(capacity * RECORD_LIMIT);
    this.view = new DataView(this.input.buffer);
  }

  get length(): number {
    return this.offsets.length;
  }

  /** Slots to load. */
  get slots(): number {
    return this.firstSlot + this.offsets.length;
  }

  /** Fills the pristine scratch region from `scratchSeed`. */
  fillScratch(): void {
    const rng = new Prng(this.scratchSeed, "scratch");
    const words = new Uint32Array(this.pristine.buffer);
    for (let i = 0; i < words.length; i++) words[i] = rng.u32();
  }

  /** The instructions of a case. */
  codeOf(index: number): Uint8Array {
    const at = (index + this.firstSlot) * SLOT_BYTES + SLOT_ENTRY;
    return this.code.subarray(at, at + this.lengths[index]);
  }

  /** Forgets all cases; the pristine scratch region stays. */
  clear(): void {
    this.used = 0;
    this.firstSlot = 0;
    this.offsets.length = 0;
    this.lengths.length = 0;
    this.undefinedOf.length = 0;
    this.code.fill(HLT);
    this.input.fill(0);
  }

  /** First byte of the patches of the case at `offset`. */
  patchesAt(offset: number): number {
    return offset + Case.fx + (this.fx ? FX_BYTES : 0);
  }
}

/** Results of a batch: records one after the other. */
export class Results {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  readonly offsets: number[] = [];

  constructor(bytes: Uint8Array<ArrayBuffer>, count: number) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 0;
    for (let i = 0; i < count; i++) {
      this.offsets.push(at);
      at += this.view.getUint32(at + Result.recordBytes, true);
    }
    if (at !== bytes.length) {
      throw new Error(`results: ${at} bytes of records in ${bytes.length}`);
    }
  }
}

/** A CPU that runs cases: the host's silicon, or the core. */
export interface CpuUnderTest {
  readonly name: string;
  runBatch(batch: Batch): Promise<Results>;
  close(): Promise<void>;
}
