/**
 * One processor runs alone while the others are held: how a breakpoint is
 * stepped over. Holders queue; the others go on when nobody holds. Who waits here is
 * not expected to run meanwhile (VirtualProcessor.expectRun()).
 */
import type { Processor } from "../../machine/processor.ts";
import type { Vcpu } from "../guest/vcpu.ts";

/** The holder's number when it is no processor (the debugger itself). */
export const NOBODY = -1;

/** Has a processor wait for what others have to run for, or to stop. */
export async function awayUntil(v: Vcpu, until: Promise<void>): Promise<void> {
  v.expectRun(false);
  try {
    await until;
  } finally {
    v.expectRun(true);
  }
}

export class Exclusive {
  readonly #processors: readonly Processor[];
  #held = false;
  #owner = NOBODY;
  /** Processors that still have to come back from the platform. */
  #outstanding = 0;
  #quiet: (() => void) | null = null;
  readonly #queue: { owner: number; grant: () => void }[] = [];
  readonly #waiters: { index: number; goOn: () => void }[] = [];

  constructor(processors: readonly Processor[]) {
    this.#processors = processors;
  }

  /** True if processor `index` must not run now. */
  blocks(index: number): boolean {
    return this.#held && this.#owner !== index;
  }

  /** True while processor `index` is the one that runs. */
  holds(index: number): boolean {
    return this.#held && this.#owner === index;
  }

  /** Has processor `index` wait until somebody has released, or wake() was called. */
  wait(index: number): Promise<void> {
    this.#expect(index, false);
    return new Promise((goOn) => this.#waiters.push({ index, goOn }));
  }

  /** Lets everybody who waits look again. */
  wake(): void {
    const waiters = this.#waiters.splice(0);
    // All of them, before the first one comes.
    for (const { index } of waiters) this.#expect(index, true);
    for (const { goOn } of waiters) goOn();
  }

  #expect(index: number, expected: boolean): void {
    this.#processors[index].vp.expectRun(expected);
  }

  /** Holds all processors but `owner`; null if that is so at once, else a
   * promise of it. Every acquire() needs a release(). */
  acquire(owner: number): Promise<void> | null {
    if (this.#held) {
      if (owner !== NOBODY) this.#expect(owner, false);
      return new Promise<void>((resolve) =>
        this.#queue.push({ owner, grant: resolve })
      ).then(() => {
        if (owner !== NOBODY) this.#expect(owner, true);
        return this.#take(owner) ?? undefined;
      });
    }
    this.#held = true;
    return this.#take(owner);
  }

  #take(owner: number): Promise<void> | null {
    this.#owner = owner;
    this.#outstanding = 0;
    for (const processor of this.#processors) {
      if (processor.index === owner || !processor.inRun) continue;
      this.#outstanding++;
      processor.requestReturn();
    }
    if (this.#outstanding === 0) return null;
    return new Promise((resolve) => this.#quiet = resolve);
  }

  /** A processor came back from its run. */
  returned(index: number): void {
    if (!this.#held || index === this.#owner || this.#outstanding === 0) return;
    if (--this.#outstanding === 0) {
      const quiet = this.#quiet;
      this.#quiet = null;
      quiet?.();
    }
  }

  /** Lets the others go on; `running` is false if they are to stop anyway. */
  release(running: boolean): void {
    if (running) {
      for (const processor of this.#processors) processor.clearRequest();
    }
    const next = this.#queue.shift();
    if (next !== undefined) {
      // Nobody runs in between: the next one holds from now on.
      this.#owner = next.owner;
      next.grant();
      return;
    }
    this.#held = false;
    this.#owner = NOBODY;
    this.wake();
  }
}
