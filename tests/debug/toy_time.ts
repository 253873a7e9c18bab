// A history for guests of one processor without timers: it begins anew from the start
// for every position. What run control does with a history can be seen with it.

import type {
  Hit,
  HitVerdict,
  Position,
  TimeTravel,
} from "../../src/history/time_travel.ts";
import type { MachineState } from "../../src/machine/saved.ts";
import type { LongMode } from "./long_mode.ts";

/** Guest nanoseconds of an instruction. */
const TICKS = 10n;

export class ToyTime implements TimeTravel {
  readonly available = null;
  readonly #guest: LongMode;
  readonly #start: MachineState;
  /** Every so many instructions there is a position that `before` tells. */
  readonly #interval: bigint;
  #base: bigint;
  #end: bigint | null = null;
  forks = 0;

  /** The history begins here. */
  constructor(guest: LongMode, interval: number) {
    this.#guest = guest;
    this.#start = guest.machine.save();
    this.#base = this.#count;
    this.#interval = BigInt(interval);
  }

  get #count(): bigint {
    return this.#guest.opened.soft!.clock.instructions();
  }

  #position(instructions: bigint): Position {
    return { instructions, time: instructions * TICKS };
  }

  get inPast(): boolean {
    return this.#end !== null && this.now().instructions < this.#end;
  }

  now(): Position {
    return this.#position(this.#count - this.#base);
  }

  start(): Position {
    return this.#position(0n);
  }

  end(): Position {
    return this.inPast ? this.#position(this.#end!) : this.now();
  }

  before(instructions: bigint): bigint | null {
    if (instructions <= 0n) return null;
    return (instructions - 1n) / this.#interval * this.#interval;
  }

  after(instructions: bigint): bigint | null {
    const next = (instructions / this.#interval + 1n) * this.#interval;
    return next <= this.#end! ? next : null;
  }

  wasChanged(): boolean {
    return false;
  }

  gap(): bigint | null {
    return null;
  }

  lastOf(_processor: number, instructions: bigint): bigint | null {
    return instructions > 0n ? instructions - 1n : null;
  }

  nextOf(_processor: number, instructions: bigint): bigint | null {
    return instructions < this.#end! ? instructions + 1n : null;
  }

  processorAt(): number {
    return 0;
  }

  async goTo(instructions: bigint): Promise<void> {
    this.#end = this.end().instructions;
    this.#guest.machine.load(this.#start);
    this.#base = this.#count;
    await this.#run(instructions, () => "go on");
  }

  replay(to: bigint, onHit: (hit: Hit) => HitVerdict): Promise<"hit" | "end"> {
    return this.#run(to, onHit);
  }

  async #run(
    to: bigint,
    onHit: (hit: Hit) => HitVerdict,
  ): Promise<"hit" | "end"> {
    const { machine, opened: { soft } } = this.#guest;
    const [processor] = machine.processors;
    let isThere = this.now().instructions >= to;
    if (isThere) return "end";
    const left = (to - this.now().instructions) * TICKS;
    machine.resumeTime();
    soft!.clock.setAlarm(soft!.clock.now() + left, () => {
      isThere = true;
      processor.requestReturn();
    });
    try {
      for (;;) {
        const why = await processor.run(false);
        if (why.kind === "point") {
          const point = why.exit;
          const { instructions } = this.now();
          const verdict = onHit({
            instructions,
            processor: 0,
            point,
            left: false,
          });
          const passes = point.hits[0].bytes === 0;
          if (passes) processor.vp.passDebugPoints();
          if (verdict === "stop") return "hit";
        } else if (isThere) return "end";
        else throw new Error(`a toy's history ended with ${why.kind}`);
      }
    } finally {
      soft!.clock.setAlarm(null, () => {});
      processor.clearRequest();
      machine.suspendTime();
    }
  }

  restart(): void {}

  resuming(): void {}

  stopped(): void {}

  fork(): void {
    this.#end = null;
    this.forks++;
  }
}
