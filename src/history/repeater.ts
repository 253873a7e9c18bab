/** Has the guest do again what a log has: all processors run, with the debug points that
 * are armed, until the replay is where it is to be, or a hit stops it. */
import { DebugAccess } from "../../ffi/debug_points.ts";
import type { PlatformTimeTravel, Replay, ScheduleLog } from "../../ffi/mod.ts";
import type { Machine } from "../machine/machine.ts";
import type { Processor } from "../machine/processor.ts";
import type { Inputs } from "./inputs.ts";
import type { Positions } from "./positions.ts";
import type { Hit, HitVerdict } from "./time_travel.ts";

/** What replaying cannot do; the message is one line for the user. */
export class HistoryError extends Error {
  override readonly name = "HistoryError";
}

/** What is done on the way of a replay. */
export interface Way {
  /** Puts the machine to the beginning, while all processors are held. */
  readonly prepare?: () => void;
  /** Where to stop once, and what to do there: the rest is what that returns. */
  readonly via?: {
    readonly at: number;
    readonly split: (replay: Replay) => Replay;
  } | null;
}

/** Repeats what a machine did. */
export class Repeater {
  readonly #machine: Machine;
  readonly #platform: PlatformTimeTravel;
  readonly #inputs: Inputs;
  readonly #positions: Positions;
  /** Whether somebody is to be told of what is repeated, as when it was live. */
  audible = false;
  #passed: (vp: number) => void = () => {};
  #arrived: (error: Error | null) => void = () => {};

  constructor(machine: Machine, inputs: Inputs, positions: Positions) {
    this.#machine = machine;
    this.#platform = machine.options.platform.timeTravel!;
    this.#inputs = inputs;
    this.#positions = positions;
  }

  /** Prepares to repeat what a log has. */
  replayOf(log: ScheduleLog): Replay {
    return this.#platform.replay({
      log,
      event: (number) => this.#inputs.repeat(number),
      passed: (vp) => this.#passed(vp),
      arrived: (error) => this.#arrived(error),
    });
  }

  /** Runs all processors until a replay is at a position, or a hit is to stop it. Throws a
   * HistoryError if the guest does something else. */
  async run(
    replay: Replay,
    to: number,
    onHit: ((hit: Hit) => HitVerdict) | null,
    { prepare = () => {}, via = null }: Way = {},
  ): Promise<"hit" | "end"> {
    const machine = this.#machine;
    const { processors } = machine;
    let outcome: "hit" | "end" = "end";
    let failed: unknown = null;
    const end = (how: "hit" | "end") => {
      outcome = how;
      this.#platform.hold(() => {});
      for (const processor of processors) processor.requestReturn();
    };
    this.#passed = (processor) => {
      const instructions = BigInt(this.#platform.instructions());
      // It was met as it was before the change.
      if (this.#positions.wasChanged(instructions)) return;
      const hit = { instructions, processor, point: null, left: false };
      if (onHit?.(hit) === "stop") end("hit");
    };
    this.#arrived = (error) => {
      if (error !== null) failed ??= new HistoryError(error.message);
      else if (via !== null) {
        const { split } = via;
        via = null;
        split(replay).runTo(to);
        return;
      }
      end("end");
    };
    machine.repeating = !this.audible;
    machine.resumeTime();
    try {
      this.#platform.hold(() => {
        prepare();
        replay.runTo(via?.at ?? to);
      });
      const runs = processors.map((processor) =>
        this.#drive(processor, onHit, end).catch((error) => {
          failed ??= error;
          end("end");
        })
      );
      await Promise.all(runs);
      if (failed !== null) throw failed;
      return outcome;
    } finally {
      for (const processor of processors) {
        processor.clearRequest();
        processor.vp.expectRun(false);
      }
      this.#platform.release();
      machine.suspendTime();
      machine.repeating = false;
      machine.partition.changes++;
    }
  }

  /** One processor's runs, to the end of the replay. */
  async #drive(
    processor: Processor,
    onHit: ((hit: Hit) => HitVerdict) | null,
    end: (how: "hit" | "end") => void,
  ): Promise<void> {
    for (;;) {
      const why = await processor.run(false);
      switch (why.kind) {
        case "canceled":
          return;
        case "power":
          // What followed was a snapshot.
          return end("end");
        case "point": {
          const [first] = why.exit.hits;
          if (first === undefined) break;
          const verdict = onHit?.({
            instructions: BigInt(this.#platform.instructions()),
            processor: processor.index,
            point: why.exit,
            left: false,
          });
          if (verdict === "stop") return end("hit");
          // Behind an access of data there is nothing to pass.
          if (first.access === DebugAccess.Execute) {
            processor.vp.passDebugPoints();
          }
          break;
        }
        default:
          throw new HistoryError(
            `processor ${processor.index} did not do again what it did`,
          );
      }
    }
  }
}
