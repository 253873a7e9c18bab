/**
 * A guest under run control as a protocol server sees it. Here the parts of the debugger
 * are put together: each holds those before it that it needs, and none knows who holds
 * it.
 *
 *     Guest          processors and memory
 *     Breakpoints    all of them, in whatever way they are held
 *     Meaning        what it means that a processor has exited
 *     Course         whether the guest goes on, who takes part, why it stops
 *     Startups       INIT and start-up IPIs, which take debug registers away
 *     Arming         what is in the processors and in memory while the guest runs
 *     Runner         runs a processor, unless it is held
 *     Steps          single instructions, also at breakpoints
 *     Driver         what a processor does for its part of a plan
 *     RunControl     plans: from a resume to the stop that is told
 *     TimedControl   the same with a past
 *     Monitor        commands
 */
import { Subscribers } from "../util/subscribers.ts";
import type { TimeTravel } from "../history/time_travel.ts";
import type { Snapshots } from "../history/snapshots.ts";
import type { Machine } from "../machine/machine.ts";
import { Breakpoints, type BreakpointWay } from "./breakpoints/breakpoints.ts";
import { Arming } from "./control/arming.ts";
import { Course } from "./control/course.ts";
import { Driver } from "./control/driver.ts";
import { Exclusive } from "./control/exclusive.ts";
import { Lookout } from "./control/lookout.ts";
import { Meaning } from "./control/meaning.ts";
import { type LiveHistory, RunControl } from "./control/run_control.ts";
import { Runner } from "./control/runner.ts";
import { Startups } from "./control/startups.ts";
import { Steps } from "./control/steps.ts";
import { TimedControl } from "./control/timed_control.ts";
import { Guest } from "./guest/guest.ts";
import type { Architecture } from "./guest/register_sets.ts";
import type { MemoryRegion } from "./paging/regions.ts";
import { GuestState } from "./guest/state.ts";
import { Monitor } from "./monitor/monitor.ts";
import { Gates } from "./stepping/gates.ts";
import type {
  Breakpoint,
  DebugTarget,
  Plan,
  ProcessorDescription,
  ReverseAction,
  Stop,
} from "./target.ts";

/** What a debugger's protocol needs of a machine: state, memory, breakpoints, running. */
export class Debugger implements DebugTarget {
  readonly guest: Guest;
  readonly breakpoints: Breakpoints;
  readonly state: GuestState;
  readonly lookout: Lookout;
  /** Told when the user wants the program to end, too. */
  readonly onQuit = new Subscribers<[]>();
  readonly #arming: Arming;
  readonly #run: RunControl;
  readonly #time: TimedControl;
  readonly #monitor: Monitor;

  /** Takes over a machine that nobody runs. Throws a TargetError for a way to hold
   * breakpoints that its platform does not have. */
  constructor(machine: Machine, way?: BreakpointWay) {
    const guest = this.guest = new Guest(machine);
    const breakpoints = this.breakpoints = new Breakpoints(guest, way);
    const gates = new Gates(guest.memory);
    const meaning = new Meaning(guest, breakpoints, gates);
    const exclusive = new Exclusive(machine.processors);
    const course = new Course(guest, exclusive);
    const base = { guest, breakpoints, course, exclusive, meaning, gates };
    const startups = new Startups(base);
    const arming = this.#arming = new Arming({ ...base, startups });
    const runner = new Runner({ ...base, startups, arming });
    const steps = new Steps({ ...base, runner });
    const driver = new Driver({ ...base, steps });
    const lookout = this.lookout = new Lookout(course, exclusive);
    this.#run = new RunControl({ ...base, startups, arming, lookout, driver });
    const time = this.#time = new TimedControl(base, this.#run);
    this.state = new GuestState(guest, {
      needStopped: () => course.needStopped(),
      changing: () => time.changing(),
    });
    this.#monitor = new Monitor({
      guest,
      breakpoints,
      course,
      meaning,
      lookout,
      state: this.state,
      run: this.#run,
      time,
      quit: () => this.onQuit.tell(),
    });
  }

  get machine(): Machine {
    return this.guest.machine;
  }

  get processors(): number {
    return this.guest.vcpus.length;
  }

  get stop(): Stop | null {
    return this.#run.stop;
  }

  get onStop(): Subscribers<[stop: Stop]> {
    return this.#run.onStop;
  }

  /** Told when the guest has ended: by itself behind the stop, or by kill(). */
  get onExit(): Subscribers<[code: number]> {
    return this.#run.onExit;
  }

  get onNotice(): Subscribers<[line: string]> {
    return this.#time.onNotice;
  }

  /** Takes a machine's history, before anybody debugs it; or why there is none. */
  keepHistory(time: (TimeTravel & LiveHistory) | string): void {
    this.#time.keepHistory(time);
  }

  /** Goes back in time; where there is no history it stands, and says why. */
  reverse(action: ReverseAction, processor: number): void {
    this.#time.reverse(action, processor);
  }

  /** Takes what makes snapshots of the machine. */
  keepSnapshots(snapshots: Snapshots | null): void {
    this.#monitor.keepSnapshots(snapshots);
  }

  codeAddress(processor: number): bigint {
    return this.state.processor(processor).linear;
  }

  codeBits(processor: number): 16 | 32 | 64 {
    return this.state.processor(processor).codeBits;
  }

  architecture(): Architecture {
    return this.state.architecture();
  }

  describe(processor: number): ProcessorDescription {
    return this.state.describe(processor, this.stop !== null);
  }

  resume(plan: Plan, stepOff = true): void {
    this.#time.resume(plan, stepOff);
  }

  interrupt(): void {
    this.#time.interrupt();
  }

  readMemory(processor: number, address: bigint, into: Uint8Array): number {
    return this.state.readMemory(processor, address, into);
  }

  regionAt(processor: number, address: bigint): MemoryRegion {
    return this.state.regionAt(processor, address);
  }

  writeMemory(processor: number, address: bigint, bytes: Uint8Array): boolean {
    return this.state.writeMemory(processor, address, bytes);
  }

  readPhysical(address: bigint, into: Uint8Array, processor = 0): number {
    return this.state.readPhysical(address, into, processor);
  }

  writePhysical(address: bigint, bytes: Uint8Array): boolean {
    return this.state.writePhysical(address, bytes);
  }

  readRegisters(
    processor: number,
    first: number,
    count: number,
    into: Uint8Array,
  ): void {
    this.state.readRegisters(processor, first, count, into);
  }

  writeRegisters(
    processor: number,
    first: number,
    count: number,
    bytes: Uint8Array,
  ): void {
    this.state.writeRegisters(processor, first, count, bytes);
  }

  insertBreakpoint(breakpoint: Breakpoint): void {
    this.breakpoints.insert(breakpoint);
    this.#arming.changed();
  }

  removeBreakpoint(breakpoint: Breakpoint): boolean {
    const removed = this.breakpoints.remove(breakpoint);
    if (removed) this.#arming.changed();
    return removed;
  }

  /** Takes every breakpoint and watchpoint away. */
  removeAllBreakpoints(): void {
    this.breakpoints.removeAll();
    this.#arming.changed();
  }

  monitor(command: string, processor: number): string | Promise<string> {
    return this.#monitor.perform(command, processor);
  }

  detach(run: boolean): void {
    this.removeAllBreakpoints();
    this.lookout.stopWhen = null;
    for (const v of this.guest.vcpus) v.untold.length = 0;
    if (run) this.#time.letGo();
  }

  kill(): void {
    this.#time.kill();
  }

  restart(): void {
    this.#time.restart();
  }
}
