/** Memory and registers of the stopped guest, as a protocol asks for them. */
import { getLogger } from "@logtape/logtape";
import { PAGE_BYTES, PAGE_OFFSET, UPPER_HALF } from "../../x86/paging.ts";
import { kernelSpace } from "../linux/kernel.ts";
import { type ProcessorDescription, TargetError } from "../target.ts";
import { DeviceMemory } from "./device_memory.ts";
import type { Guest } from "./guest.ts";
import type { Architecture } from "./register_sets.ts";
import {
  readRegisterRange,
  registerNumber,
  writeRegisterRange,
} from "./registers.ts";
import { type MemoryRegion, regionAt } from "../paging/regions.ts";
import { loadSegment, SEGMENTS } from "./segments.ts";
import type { Vcpu } from "./vcpu.ts";

const RIP = registerNumber("rip");
const log = getLogger(["icebp", "debug"]);

/** Who is asked before the guest is looked at, and told before it is changed. */
export interface Access {
  /** Throws a TargetError unless the guest is stopped. */
  needStopped(): void;
  /** Something of the guest is about to be changed by its user. */
  changing(): void;
}

/** The methods are DebugTarget's of the same names. */
export class GuestState {
  /** Device registers, to be looked at. */
  readonly devices: DeviceMemory;
  readonly #guest: Guest;
  readonly #access: Access;

  constructor(guest: Guest, access: Access) {
    this.#guest = guest;
    this.#access = access;
    this.devices = new DeviceMemory(guest.machine, guest.vcpus);
  }

  /** A processor of the stopped guest, its context read. */
  processor(processor: number): Vcpu {
    this.#access.needStopped();
    const v = this.#guest.vcpus[processor];
    if (v === undefined) throw new TargetError(`no processor ${processor}`);
    v.read();
    return v;
  }

  /** A processor's name and what it is doing; `stands` is false while the guest runs. */
  describe(processor: number, stands: boolean): ProcessorDescription {
    const name = `CPU${processor}`;
    if (!stands) return { name, state: "running" };
    const v = this.processor(processor);
    return {
      name,
      state: v.waitsForSipi
        ? "waiting for SIPI"
        : v.halted
        ? "halted"
        : "running",
    };
  }

  architecture(): Architecture {
    this.#access.needStopped();
    for (const v of this.#guest.vcpus) {
      v.read();
      if (v.longMode) return "x86-64";
    }
    return this.#guest.machine.booted?.architecture ?? "x86-64";
  }

  readMemory(processor: number, address: bigint, into: Uint8Array): number {
    const { memory } = this.#guest;
    const v = this.processor(processor);
    let done = memory.read(v, address, into);
    while (done < into.length) {
      const at = BigInt.asUintN(64, address + BigInt(done));
      const page = into.subarray(
        done,
        done + PAGE_BYTES - Number(at & PAGE_OFFSET),
      );
      const gpa = memory.translate(v, at);
      const count = gpa < 0 ? 0 : this.devices.peek(processor, gpa, page);
      if (count === 0) {
        if (gpa >= 0 && done === 0) {
          log.info("{why}", { why: this.devices.refusal(processor, gpa) });
        }
        break;
      }
      done += count;
      done += memory.read(v, at + BigInt(count), into.subarray(done));
    }
    return done;
  }

  regionAt(processor: number, address: bigint): MemoryRegion {
    const { machine, walker } = this.#guest;
    const v = this.processor(processor);
    const kernel = address < UPPER_HALF ? null : kernelSpace(machine.memory, v);
    return regionAt(
      machine.memory,
      (gpa) => this.devices.nameAt(processor, gpa) !== null,
      walker,
      kernel ?? v,
      address,
    );
  }

  writeMemory(processor: number, address: bigint, bytes: Uint8Array): boolean {
    const v = this.processor(processor);
    this.#access.changing();
    return this.#guest.memory.write(v, address, bytes);
  }

  readPhysical(address: bigint, into: Uint8Array, processor = 0): number {
    this.#access.needStopped();
    const gpa = Number(address);
    const done = this.#guest.machine.memory.read(gpa, into);
    if (done === into.length) return done;
    return done +
      this.devices.peek(processor, gpa + done, into.subarray(done));
  }

  writePhysical(address: bigint, bytes: Uint8Array): boolean {
    this.#access.needStopped();
    const { memory } = this.#guest.machine;
    const gpa = Number(address);
    if (memory.slice(gpa, bytes.length) === null) return false;
    this.#access.changing();
    memory.write(gpa, bytes);
    return true;
  }

  readRegisters(
    processor: number,
    first: number,
    count: number,
    into: Uint8Array,
  ): void {
    this.#access.needStopped();
    readRegisterRange(this.#guest.vcpus[processor], first, count, into);
  }

  writeRegisters(
    processor: number,
    first: number,
    count: number,
    bytes: Uint8Array,
  ): void {
    const v = this.processor(processor);
    const { linear } = v;
    this.#access.changing();
    const selectors = [...SEGMENTS.keys()].map((register) => ({
      register,
      before: v.getSegment(register),
    }));
    writeRegisterRange(v, first, count, bytes);
    for (const { register, before } of selectors) {
      const { selector } = v.getSegment(register);
      if (selector === before.selector) continue;
      try {
        v.read();
        loadSegment(v, this.#guest.memory, register, selector);
      } catch (error) {
        v.setSegment(register, before);
        throw error;
      }
    }
    v.read();
    const jumps = first === RIP && count === 1;
    if (!jumps && v.linear === linear) return;
    // It is sent somewhere: a breakpoint there is a new one, and it does not wait.
    v.toldAt = v.passAt = null;
    if (v.halted) v.wake();
  }
}
