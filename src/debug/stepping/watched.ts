/** The data that a step was found to have accessed, by debug registers. */
import { type HardwareBreakpoints, reasonOf } from "../breakpoints/hardware.ts";
import type { Vcpu } from "../guest/vcpu.ts";
import type { StopReason } from "../target.ts";

export class Watched {
  /** The watchpoint that was hit, if any. */
  reason: StopReason | null = null;
  readonly #hardware: HardwareBreakpoints;

  constructor(hardware: HardwareBreakpoints) {
    this.#hardware = hardware;
  }

  /** Notes what bits of DR6 say; true if one of the debugger's is for the next
   * instruction instead, which is nothing to note. */
  note(v: Vcpu, hits: bigint): boolean {
    const { slot, guest } = this.#hardware.hit(v, hits);
    v.guestTrap |= guest;
    if (slot === null) return false;
    if (slot.kind === "hardware") return true;
    this.reason = reasonOf(slot);
    return false;
  }
}
