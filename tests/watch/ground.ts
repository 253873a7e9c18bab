/**
 * What a case runs on: guest memory that can also be a device's, at another guest
 * physical address, so that every access of an instruction is seen one by one by
 * something that knows nothing of debug points.
 *
 * @module
 */
import type { AccessHandlers } from "../../src/platform/completer.ts";
import { Completer } from "../../src/platform/completer.ts";
import type {
  Exit,
  Partition,
  VirtualProcessor,
} from "../../src/platform/mod.ts";

/** From here on, guest physical, a device answers with the memory from 0 on. */
export const ALIAS = 0x20_0000;

/** A guest that cases can be placed in. */
export interface Ground {
  readonly partition: Partition;
  readonly vp: VirtualProcessor;
  readonly memory: Uint8Array;
  /** All that a case may touch, guest physical. */
  readonly touched: readonly [number, number];
  /** Where operands are, guest physical; one range of linear addresses, too. */
  readonly operands: readonly [number, number];
  /** Maps what a case may touch but its code to memory, or to the device. */
  map(device: boolean): void;
  /** The linear address of a guest physical one that a case has touched. */
  linearOf(gpa: number): bigint;
  /** Memory and registers as the case is to find them. */
  place(): void;
  /** Registers as bytes, valid until the next call. */
  registers(): Uint8Array;
}

/** How a case ended. */
export interface End {
  readonly reason: string;
  readonly registers: Uint8Array;
  readonly memory: Uint8Array;
}

/** The bytes that an instruction has read and written, by guest physical address. */
export interface Trace {
  readonly reads: Set<number>;
  readonly writes: Set<number>;
  readonly end: End;
}

/** Whether two arrays of a length differ; some() is too slow for a page. */
export function differ(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return true;
  return false;
}

/** What a device does with the memory behind it, noting who asks. */
class Recorder implements AccessHandlers {
  readonly reads = new Set<number>();
  readonly writes = new Set<number>();
  readonly stopped = false;
  readonly #memory: Uint8Array;

  constructor(memory: Uint8Array) {
    this.#memory = memory;
  }

  readMemory(gpa: number, size: number): bigint {
    const at = this.#own(gpa, size);
    let value = 0n;
    for (let i = size - 1; i >= 0; i--) {
      this.reads.add(at + i);
      value = value << 8n | BigInt(this.#memory[at + i]);
    }
    return value;
  }

  writeMemory(gpa: number, size: number, value: bigint): void {
    const at = this.#own(gpa, size);
    for (let i = 0; i < size; i++) {
      this.writes.add(at + i);
      this.#memory[at + i] = Number(value >> BigInt(8 * i) & 0xffn);
    }
  }

  readPort(port: number, size: number): number {
    return Math.imul(port + size, 0x9e37_79b9) >>> (32 - 8 * size);
  }

  writePort(): void {}

  #own(gpa: number, size: number): number {
    const at = gpa - ALIAS;
    if (at < 0 || at + size > this.#memory.length) {
      throw new Error(`access to 0x${gpa.toString(16)}, ${size} bytes`);
    }
    return at;
  }
}

function endOf(ground: Ground, exit: Exit): End {
  const [from, to] = ground.touched;
  return {
    reason: exit.reason === "exception"
      ? `exception ${exit.vector}, ${exit.errorCode}`
      : exit.reason,
    registers: ground.registers().slice(),
    memory: ground.memory.slice(from, to),
  };
}

/** Runs the case with devices completed. */
export async function finish(
  ground: Ground,
  completer: Completer,
): Promise<Exit> {
  for (;;) {
    const exit = await ground.vp.run();
    if (exit.reason !== "memory" && exit.reason !== "ioPort") {
      return exit;
    }
    if (completer.complete(ground.vp).kind === "tables") {
      throw new Error("a page table that is no memory");
    }
  }
}

export function completerOf(ground: Ground): [Recorder, Completer] {
  const recorder = new Recorder(ground.memory);
  const completer = Completer.of(ground.partition.functions, recorder);
  if (completer === null) throw new Error("nothing is completed here");
  return [recorder, completer];
}

/** Runs the case with all its data a device's; the ground is mapped so. */
export async function traced(ground: Ground): Promise<Trace> {
  const [{ reads, writes }, completer] = completerOf(ground);
  ground.place();
  const exit = await finish(ground, completer);
  return { reads, writes, end: endOf(ground, exit) };
}

/** Runs the case in memory. */
export async function plain(ground: Ground): Promise<End> {
  const [, completer] = completerOf(ground);
  ground.place();
  return endOf(ground, await finish(ground, completer));
}
