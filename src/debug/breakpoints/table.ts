/**
 * Breakpoints on code, as their owners see them: an address, who wants to be told,
 * and on what condition. How a processor is made to stop there is one of two
 * ways: 0xF1 in memory (memory_breakpoints.ts), or, where the platform has them,
 * debug points (points.ts).
 *
 * Inserting and removing are O(1) and change nothing of the guest; that is done when
 * it starts.
 */
import type { AgentExpression } from "./agent.ts";
import type { Paging } from "../paging/walk.ts";

/** Who wants to be told of a breakpoint. */
export interface Owner {
  /** By what means it was asked for; what it is told as. */
  readonly kind: "software" | "hardware";
  /** Told if any holds; always if there is none. */
  readonly conditions: readonly AgentExpression[];
}

export class SoftwareBreakpoint {
  readonly address: bigint;
  readonly owners: Owner[] = [];
  /** Steps that end here; not told to anybody. */
  plants = 0;
  /** Whether every owner has conditions. */
  conditional = false;
  /** How a processor was made to stop there when the guest last ran; "" if never. */
  held = "";
  /** Guest time in ns since which it is so. */
  since = 0n;

  /** Notes how it is held from now on. */
  hold(how: string, now: bigint): void {
    if (how === this.held) return;
    this.held = how;
    this.since = now;
  }

  constructor(address: bigint) {
    this.address = address;
  }
}

/** A breakpoint as it was when its last owner went. */
export type Removed = Pick<
  SoftwareBreakpoint,
  "address" | "owners" | "held" | "since"
>;

export abstract class BreakpointTable<
  B extends SoftwareBreakpoint = SoftwareBreakpoint,
> {
  readonly #byAddress = new Map<bigint, B>();
  /** Those that were removed since the guest last started, as they were: debuggers take
   * all away at a stop and put them back. */
  readonly #removed = new Map<bigint, Removed & { readonly was: B }>();
  /** Breakpoints that somebody wants to be told of. */
  #wanted = 0;

  /** A breakpoint that nobody wants yet; `before` is the one that has been removed there
   * since the guest last started. */
  protected abstract make(address: bigint, before?: B): B;

  /** Nobody wants it any more. It is in the table no more when this returns false or
   * nothing. */
  protected abstract unused(breakpoint: B): boolean | void;

  /** Makes a processor stop where its step will end; false if that cannot be, for
   * nothing is mapped there. Every success needs a pull(). */
  abstract plant(address: bigint, spaces: readonly Paging[]): boolean;

  /** The end of a plant(). */
  abstract pull(address: bigint): void;

  /** How many breakpoints want to stop the guest. */
  get size(): number {
    return this.#wanted;
  }

  /** The breakpoint at a linear address, if anybody wants one. */
  at(address: bigint): B | undefined {
    return this.#byAddress.get(address);
  }

  /** All that anybody wants. */
  all(): MapIterator<B> {
    return this.#byAddress.values();
  }

  /** What was removed since the guest last started. */
  get removed(): Iterable<Removed> {
    return this.#removed.values();
  }

  /** The guest starts: what has been removed until now is gone. */
  forgetRemoved(): void {
    if (this.#removed.size > 0) this.#removed.clear();
  }

  /** One more owner of a breakpoint at `address`. */
  insert(
    address: bigint,
    conditions: readonly AgentExpression[],
    kind: Owner["kind"] = "software",
  ): void {
    const breakpoint = this.take(address);
    if (breakpoint.owners.length === 0) this.#wanted++;
    breakpoint.owners.push({ kind, conditions });
    this.#judge(breakpoint);
  }

  /** The breakpoint at an address, made if there is none. */
  protected take(address: bigint): B {
    let breakpoint = this.#byAddress.get(address);
    if (breakpoint === undefined) {
      const before = this.#removed.get(address);
      breakpoint = this.make(address, before?.was);
      this.#byAddress.set(address, breakpoint);
      if (before !== undefined) breakpoint.hold(before.held, before.since);
    }
    return breakpoint;
  }

  #judge(breakpoint: B): void {
    breakpoint.conditional = breakpoint.owners.every(({ conditions }) =>
      conditions.length > 0
    );
  }

  /** One owner less (the last that came); false if there was none. */
  remove(address: bigint, kind: Owner["kind"] = "software"): boolean {
    const breakpoint = this.#byAddress.get(address);
    const last = breakpoint?.owners.findLastIndex((o) => o.kind === kind) ?? -1;
    if (breakpoint === undefined || last < 0) return false;
    if (breakpoint.owners.length === 1) this.#remember(breakpoint);
    breakpoint.owners.splice(last, 1);
    this.#judge(breakpoint);
    if (breakpoint.owners.length === 0) {
      this.#wanted--;
      this.release(breakpoint);
    }
    return true;
  }

  /** Takes every owner of every breakpoint away. */
  removeAll(): void {
    for (const breakpoint of [...this.#byAddress.values()]) {
      if (breakpoint.owners.length === 0) continue;
      this.#remember(breakpoint);
      breakpoint.owners.length = 0;
      this.#wanted--;
      this.release(breakpoint);
    }
  }

  #remember(was: B): void {
    const { address, owners, held, since } = was;
    this.#removed.set(address, {
      address,
      owners: [...owners],
      held,
      since,
      was,
    });
  }

  /** Takes it out of the table unless somebody wants it. */
  protected release(breakpoint: B): void {
    if (breakpoint.plants > 0 || breakpoint.owners.length > 0) return;
    if (this.unused(breakpoint) !== true) this.drop(breakpoint);
  }

  /** Out of the table. */
  protected drop(breakpoint: B): void {
    this.#byAddress.delete(breakpoint.address);
  }
}
