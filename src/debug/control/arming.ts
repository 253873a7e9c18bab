/**
 * What is armed while the guest runs: breakpoints where they belong, debug registers,
 * and the exceptions that exit for them.
 *
 * All is known before the first processor starts, so the exceptions that exit are
 * chosen then; with nothing armed there are none. Whether anybody is connected is
 * never asked.
 */
import { DR6_BS } from "../../x86/debug_registers.ts";
import { Vector, vectorBits } from "../../x86/vectors.ts";
import type { Breakpoints } from "../breakpoints/breakpoints.ts";
import { DmaWatch } from "../breakpoints/dma.ts";
import { reasonOf } from "../breakpoints/hardware.ts";
import type { Guest } from "../guest/guest.ts";
import type { Vcpu } from "../guest/vcpu.ts";
import { STEP_VECTORS } from "../stepping/faults.ts";
import type { Course } from "./course.ts";
import { type Exclusive, NOBODY } from "./exclusive.ts";
import type { Startups } from "./startups.ts";

const DB_BIT = vectorBits(Vector.DB);
/** Host time after which breakpoints whose code was not mapped are tried again. */
const RETRY_MS = 20;

/** What arming needs. */
export interface Armed {
  readonly guest: Guest;
  readonly breakpoints: Breakpoints;
  readonly course: Course;
  readonly exclusive: Exclusive;
  readonly startups: Startups;
}

export class Arming {
  readonly #parts: Armed;
  readonly #dma: DmaWatch;
  #syncing = false;
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(parts: Armed) {
    this.#parts = parts;
    const { guest, course } = parts;
    this.#dma = new DmaWatch(guest.walker);
    guest.machine.onDma.subscribe((access) => {
      if (course.state === "away") return;
      const reason = this.#dma.reason(access);
      if (reason !== null) course.found(course.anyone, reason);
    });
  }

  /** Chooses what exits, and puts breakpoints where they belong: now, and later
   * those that no debug register is free for and no page is mapped. `chosen`: as
   * Breakpoints.set() has it. */
  arm(chosen: boolean): void {
    const { guest, breakpoints, course, startups } = this.#parts;
    const { points, inMemory, hardware } = breakpoints;
    // Those that could not be taken at the stop, too.
    this.#takeDebugRegisters();
    const { plan } = course;
    const steps = plan.some((a) => a.kind === "step" || a.kind === "range");
    const runs = plan.some((a) => a.kind === "continue");
    const going = plan.filter((a) => a.kind !== "stay");
    // One processor that makes one step meets no breakpoint but by its address.
    if (points !== null || going.length > 1 || going[0]?.kind !== "step") {
      breakpoints.set(chosen);
    }
    const { watched } = breakpoints;
    this.#dma.locate(watched, watched.length > 0 ? guest.spaces() : []);
    // A step alone is how a debugger gets off one, before it puts all back.
    if (runs) breakpoints.table.forgetRemoved();
    hardware.activate(
      inMemory?.lent ?? [],
      guest.machine.options.clock.now(),
      runs,
    );
    for (const v of guest.vcpus) hardware.install(v);
    startups.arm();
    guest.machine.setExceptionBitmap(this.#vectors(steps));
    clearTimeout(this.#retry);
    if (!inMemory?.waiting && !startups.blind) return;
    this.#retry = setTimeout(() => this.changed(), RETRY_MS);
  }

  /** Takes everything back: all processors have returned. */
  disarm(): void {
    this.#parts.breakpoints.inMemory?.clear();
    this.#takeDebugRegisters();
  }

  /** Nothing is tried again. */
  rest(): void {
    clearTimeout(this.#retry);
  }

  /** The exceptions that exit, a bit each. */
  #vectors(steps: boolean): bigint {
    const { inMemory, hardware } = this.#parts.breakpoints;
    if (inMemory === null) {
      // Steps need none; a range is left by a fault.
      const ranges = this.#parts.course.plan.some((a) => a.kind === "range");
      return ranges ? STEP_VECTORS : 0n;
    }
    const trap = 1n << BigInt(inMemory.trap.vector);
    if (steps) return STEP_VECTORS | trap;
    // With debug registers alone the guest's own traps are stepped into.
    const armed = inMemory.size > 0 || hardware.armed;
    return armed ? DB_BIT | trap : 0n;
  }

  /** What is armed changed while the guest runs: all are held for a moment. */
  changed(): void {
    const { course } = this.#parts;
    if (!course.goesOn || this.#syncing) return;
    this.#syncing = true;
    this.sync().catch((error) => course.failed(error));
  }

  /** Chooses anew what is in memory and what in debug registers, with all held. */
  async sync(): Promise<void> {
    const { breakpoints, course, exclusive } = this.#parts;
    await exclusive.acquire(NOBODY);
    // Whoever has exited meanwhile judges that first, by what was armed when it did: the
    // trap of a step would be taken for the guest's.
    await new Promise((resolve) => setTimeout(resolve, 0));
    // Changes that come from here on find the others held no longer.
    this.#syncing = false;
    try {
      if (!course.goesOn) return;
      breakpoints.inMemory?.prune();
      this.arm(false);
    } finally {
      exclusive.release(course.goesOn);
    }
  }

  /** From all processors; then throws the first error. */
  #takeDebugRegisters(): void {
    const failed: unknown[] = [];
    for (const v of this.#parts.guest.vcpus) {
      try {
        this.#takeFrom(v);
      } catch (error) {
        failed.push(error);
      }
    }
    if (failed.length > 0) throw failed[0];
  }

  /** Gives a processor its own debug registers back. A hit that is about to be
   * raised is sorted out first: it is by the numbers of ours. */
  #takeFrom(v: Vcpu): void {
    const { breakpoints: { hardware }, startups } = this.#parts;
    if (!hardware.installed(v)) return;
    v.read();
    if (v.pendingDebug !== 0n) {
      const hit = hardware.hit(v, v.pendingDebug);
      v.dropPendingDebug();
      v.guestTrap |= hit.guest | (v.pendingDebug & DR6_BS);
      if (hit.slot !== null && !hit.slot.lent) {
        v.untold.push(reasonOf(hit.slot));
      }
    }
    if (hardware.lost(v)) startups.taken(v);
    hardware.uninstall(v);
  }
}
