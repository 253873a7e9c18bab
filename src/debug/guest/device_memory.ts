/**
 * Device registers in the address space, read for a person: without any of the
 * effects that a read by the guest may have.
 *
 * Source of facts: Intel SDM 3, 10.4.4 (IA32_APIC_BASE).
 */
import { APIC_STATE_SIZE } from "../../../ffi/apic.ts";
import { Reg } from "../../../ffi/registers.ts";
import type { Machine } from "../../machine/machine.ts";
import { PlatformError } from "../../platform/errors.ts";
import {
  APIC_BASE_ENABLED,
  APIC_BASE_PAGE,
  APIC_BASE_X2,
} from "../../x86/apic_base.ts";
import type { Vcpu } from "./vcpu.ts";

export class DeviceMemory {
  readonly #machine: Machine;
  readonly #vcpus: readonly Vcpu[];

  constructor(machine: Machine, vcpus: readonly Vcpu[]) {
    this.#machine = machine;
    this.#vcpus = vcpus;
  }

  /** What is at a guest physical address; null if nothing is. `processor` is
   * whose local APIC is meant. */
  nameAt(processor: number, gpa: number): string | null {
    if (this.#inApic(processor, gpa)) return "local APIC";
    return this.#machine.mmio.claimAt(gpa)?.name ?? null;
  }

  /** Fills `into` from the registers at a guest physical address, as far as one
   * device can be looked at, and returns the number of bytes; 0 if none can. */
  peek(processor: number, gpa: number, into: Uint8Array): number {
    const word = this.#inApic(processor, gpa)
      ? this.#apicWord(processor, gpa)
      : (at: number) => this.#machine.mmio.peek(at);
    if (word === null) return 0;
    let done = 0;
    while (done < into.length) {
      const at = gpa + done;
      const value = word(at - at % 4);
      if (value === null) break;
      for (let byte = at % 4; byte < 4 && done < into.length; byte++) {
        into[done++] = value >>> 8 * byte;
      }
    }
    return done;
  }

  /** Why peek() returns 0 at an address that is no memory. */
  refusal(processor: number, gpa: number): string {
    const name = this.nameAt(processor, gpa);
    const where = `0x${gpa.toString(16)}`;
    if (name === null) return `nothing is at ${where}`;
    return `${where} is ${name}: it cannot be read without effects`;
  }

  #inApic(processor: number, gpa: number): boolean {
    const base = this.#vcpus[processor].get(Reg.ApicBase);
    if ((base & APIC_BASE_ENABLED) === 0n || (base & APIC_BASE_X2) !== 0n) {
      return false;
    }
    const at = gpa - Number(base & APIC_BASE_PAGE);
    return at >= 0 && at < APIC_STATE_SIZE;
  }

  #apicWord(
    processor: number,
    gpa: number,
  ): ((at: number) => number | null) | null {
    const page = gpa - gpa % APIC_STATE_SIZE;
    try {
      const state = this.#vcpus[processor].getLapic();
      const data = new DataView(state.buffer, state.byteOffset);
      return (at) =>
        at - page >= APIC_STATE_SIZE ? null : data.getUint32(at - page, true);
    } catch (error) {
      // A platform that keeps its local APICs to itself.
      if (error instanceof PlatformError) return null;
      throw error;
    }
  }
}
