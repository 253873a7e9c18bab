/**
 * Doorbells: writes to a device's register that signal an event instead of
 * making an exit, on platforms that have them. The processor goes on meanwhile,
 * and what rang is looked after a little later.
 */
import { getLogger } from "@logtape/logtape";
import { WHV_DOORBELL_MATCH_DATA as MATCH } from "../../ffi/devices.ts";
import type { WinHvPlatform } from "../../ffi/mod.ts";
import { type EventFunctions, INFINITE } from "../../ffi/kernel32.ts";
import { PlatformError } from "../platform/errors.ts";
import type { Partition } from "../platform/partition.ts";

const log = getLogger(["icebp", "machine"]);

const WAIT_OBJECT_0 = 0;

/** A partition's doorbells. All signal one event: who is asked has to look
 * whether there is anything to do. */
export class Doorbells {
  readonly #partition: Partition;
  readonly #events: EventFunctions | null;
  #event = 0n;
  readonly #answers: (() => void)[] = [];
  #held = false;
  #rang = false;
  #closed = false;
  /** Settles when nothing waits for the event any more. */
  #waiting: Promise<void> = Promise.resolve();

  constructor(partition: Partition, { events }: WinHvPlatform) {
    this.#partition = partition;
    this.#events = events;
  }

  /**
   * Has `answer` called soon after the guest wrote `bytes` bytes at `gpa`, which
   * makes no exit then. False where the platform cannot: it exits as ever.
   */
  add(gpa: number, bytes: number, answer: () => void): boolean {
    const event = this.#event || this.#open();
    if (event === 0n) return false;
    const match = new Uint8Array(MATCH.size);
    const view = new DataView(match.buffer);
    MATCH.GuestAddress.set(view, BigInt(gpa));
    MATCH.Length.set(view, bytes);
    MATCH.MatchOnLength.set(view, 1);
    try {
      this.#partition.registerDoorbell(match, event);
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      log.info("no doorbell: {message}", { message: error.message });
      return false;
    }
    this.#answers.push(answer);
    return true;
  }

  /** Makes the event and begins to wait for it; 0n if there are none. */
  #open(): bigint {
    if (this.#events === null || !this.#partition.hasDoorbells) return 0n;
    this.#event = this.#events.CreateEventW(null, 0, 0, null);
    if (this.#event !== 0n) {
      this.#waiting = this.#wait(this.#events, this.#event);
    }
    return this.#event;
  }

  async #wait(events: EventFunctions, event: bigint): Promise<void> {
    for (;;) {
      const why = await events.WaitForSingleObject(event, INFINITE);
      if (this.#closed) break;
      if (why !== WAIT_OBJECT_0) {
        log.error("waiting for doorbells failed: {why}", { why });
        break;
      }
      this.again();
    }
    events.CloseHandle(event);
  }

  #ring(): void {
    this.#rang = false;
    for (const answer of this.#answers) answer();
  }

  /** Nobody is asked until release(): the guest stands still. */
  hold(): void {
    this.#held = true;
  }

  /** The guest goes on, and what rang meanwhile is looked after. */
  release(): void {
    this.#held = false;
    if (this.#rang) this.#ring();
  }

  /** Another state of the machine may have what was to ring: everybody is asked. */
  again(): void {
    if (this.#held) this.#rang = true;
    else this.#ring();
  }

  /** Ends the waiting, and resolves when it has ended. */
  close(): Promise<void> {
    if (this.#event !== 0n && !this.#closed) {
      this.#events!.SetEvent(this.#event);
    }
    this.#closed = true;
    return this.#waiting;
  }
}
