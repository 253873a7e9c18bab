/**
 * Processors that are started anew while debug registers are armed: INIT clears
 * what the debugger has put into a processor's (Intel SDM volume 3, "Processor
 * State After Reset"), so INIT and start-up IPIs exit from then on. They are sent by us,
 * and the debug registers put back before the target runs its first instruction.
 *
 * A processor takes an INIT when it runs next. Who sent it waits until then: the
 * start-up IPI that follows finds the debug registers in their place.
 */
import { getLogger } from "@logtape/logtape";
import type { StartupReturn } from "../../machine/outcome.ts";
import type { Breakpoints } from "../breakpoints/breakpoints.ts";
import type { Guest } from "../guest/guest.ts";
import type { Vcpu } from "../guest/vcpu.ts";
import type { Course } from "./course.ts";
import { awayUntil, type Exclusive, NOBODY } from "./exclusive.ts";

const log = getLogger(["icebp", "debug"]);

/** How often a sender looks before it goes on: who has not taken the INIT by then
 * was not meant. */
const LOOKS = 50;
/** Looks without host time between; then a millisecond is. */
const LOOKS_AT_ONCE = 10;

/** What of run control is needed. */
export interface StartupControl {
  readonly guest: Guest;
  readonly breakpoints: Breakpoints;
  readonly exclusive: Exclusive;
  readonly course: Course;
}

export class Startups {
  /** The host does not let them exit: debug registers are put back some time after. */
  blind = false;
  readonly #control: StartupControl;
  /** Those that an INIT was sent to, and that have not been seen to take it. */
  readonly #sent = new Set<Vcpu>();
  #looking: Promise<void> | null = null;

  constructor(control: StartupControl) {
    this.#control = control;
  }

  /** What is armed is known, and in the processors; none runs. */
  arm(): void {
    const { guest: { machine, vcpus }, breakpoints } = this.#control;
    const { hardware } = breakpoints;
    const armed = hardware.armed;
    if (!armed) this.#sent.clear();
    const blind = armed && !machine.trapStartupIpis() && vcpus.length > 1;
    if (blind && !this.blind) {
      log.warn(
        "this host does not let INIT and start-up IPIs exit: hardware " +
          "breakpoints and watchpoints come back to a processor that is " +
          "started up to 20 ms after",
      );
    }
    this.blind = blind;
  }

  /** The guest goes on: what was sent before is taken now. */
  goOn(): void {
    if (this.#sent.size > 0) this.#look();
  }

  /** A processor was found to have taken an INIT. */
  taken(v: Vcpu): void {
    v.startsAnew();
    this.#sent.delete(v);
  }

  /** Everybody is as after RESET. */
  forget(): void {
    this.#sent.clear();
  }

  /** Sends the INIT or start-up IPI that a processor has exited for. */
  async send(v: Vcpu, why: StartupReturn): Promise<void> {
    const { guest, breakpoints, exclusive } = this.#control;
    const { machine, vcpus } = guest;
    const { hardware } = breakpoints;
    const ipi = machine.startupIpi(v.processor, why);
    const targets = ipi.targets.map((i) => vcpus[i]);
    // Whoever holds the others cannot wait for them.
    const waits = !exclusive.holds(v.index);
    const send = () => {
      for (const request of ipi.requests) {
        machine.partition.requestInterrupt(request);
      }
    };
    if (!ipi.isInit) {
      if (waits && targets.some((t) => this.#sent.has(t))) {
        await awayUntil(v, this.#look());
      }
      send();
      return;
    }
    for (const target of targets) {
      if (hardware.installed(target)) this.#sent.add(target);
    }
    send();
    if (this.#sent.size === 0) return;
    const looked = this.#look();
    // Its own it takes when it runs.
    if (waits && !targets.includes(v)) await awayUntil(v, looked);
  }

  #look(): Promise<void> {
    return this.#looking ??= this.#untilTaken()
      .catch((error) => this.#control.course.failed(error))
      .finally(() => this.#looking = null);
  }

  async #untilTaken(): Promise<void> {
    const { course, exclusive } = this.#control;
    for (let look = 0; look < LOOKS; look++) {
      await new Promise((resolve) =>
        setTimeout(resolve, look < LOOKS_AT_ONCE ? 0 : 1)
      );
      if (!course.goesOn) return;
      await exclusive.acquire(NOBODY);
      try {
        // What stops the guest meanwhile takes the registers out.
        if (!course.goesOn) return;
        this.#putBack();
      } finally {
        exclusive.release(course.goesOn);
      }
      if (![...this.#sent].some((v) => course.takesPart(v))) return;
    }
    for (const v of this.#sent) {
      if (course.takesPart(v)) this.#sent.delete(v);
    }
  }

  #putBack(): void {
    const { hardware } = this.#control.breakpoints;
    for (const v of this.#sent) {
      v.read();
      if (!hardware.lost(v)) continue;
      this.taken(v);
      hardware.renew(v);
    }
  }
}
