/**
 * Breakpoints and watchpoints as debug points of the platform
 * (ffi/debug_points.ts): in the processor, not in memory and not in debug
 * registers. As many as one likes, in any mode, whatever the guest does to its
 * code, its page tables or its processors.
 *
 * What is wanted and what the platform has are compared when the guest starts, so
 * that a debugger which takes everything away at a stop and puts it back costs
 * nothing.
 */
import { ConditionOp } from "../../../ffi/condition.ts";
import {
  DebugAccess,
  DebugSpace,
  MAX_DEBUG_POINTS,
} from "../../../ffi/debug_points.ts";
import type {
  DebugHit,
  DebugPoint,
  DebugPointExit,
  Partition,
} from "../../platform/mod.ts";
import { allRegisters } from "../guest/registers.ts";
import { BreakpointTable, SoftwareBreakpoint } from "./table.ts";
import { type Breakpoint, type StopReason, TargetError } from "../target.ts";

/** A range of data that is watched. */
export interface DataWatch {
  readonly kind: "write" | "read" | "access";
  readonly address: bigint;
  readonly length: number;
  owners: number;
  /** The platform's identifier; -1 while it has none. */
  id: number;
}

const ACCESS = {
  write: DebugAccess.Write,
  read: DebugAccess.Read,
  access: DebugAccess.Read | DebugAccess.Write,
} as const;

const NO_CONDITION = new Uint8Array();

/** The condition on which anybody wants to be told of a breakpoint, as the platform has
 * it: any of its owners' holds. None where somebody always is, or it cannot say. */
function conditionOf(breakpoint: SoftwareBreakpoint): Uint8Array {
  const { owners, plants, conditional } = breakpoint;
  if (plants > 0 || !conditional || owners.length === 0) return NO_CONDITION;
  const all = owners.flatMap(({ conditions }) => conditions);
  const bytes: number[] = [];
  for (const [n, condition] of all.entries()) {
    if (n < all.length - 1) bytes.push(ConditionOp.Or);
    // Only whether it is 0 counts.
    bytes.push(ConditionOp.LogicalNot, ConditionOp.LogicalNot);
    if (!condition.encode(bytes, wholeRegister)) return NO_CONDITION;
  }
  return Uint8Array.from(bytes);
}

/** A register that is the low bytes of a platform's. */
function wholeRegister(
  number: number,
): { source: number; bytes: number } | null {
  const { source, offset, width } = allRegisters[number];
  return offset === 0 && width <= 8 ? { source, bytes: width } : null;
}

function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

export class ProcessorPoints extends BreakpointTable {
  readonly #partition: Partition;
  /** By the platform's identifier; null is a probe. */
  readonly #byId: (SoftwareBreakpoint | DataWatch | null | undefined)[] = [];
  readonly #free: number[] = [];
  /** Code points that the platform has, wanted or not. */
  readonly #ids = new Map<SoftwareBreakpoint, number>();
  /** The conditions that the platform has been given. */
  readonly #conditions = new WeakMap<SoftwareBreakpoint, Uint8Array>();
  readonly #watches: DataWatch[] = [];
  /** Data points that the platform has and nobody wants any more. */
  readonly #stale = new Set<SoftwareBreakpoint | DataWatch>();

  constructor(partition: Partition) {
    super();
    this.#partition = partition;
  }

  protected override make(address: bigint): SoftwareBreakpoint {
    return new SoftwareBreakpoint(address);
  }

  /** What nobody wants stays in the platform until the next start: it may come back
   * before. */
  protected override unused(breakpoint: SoftwareBreakpoint): void {
    this.#stale.add(breakpoint);
  }

  override plant(address: bigint): boolean {
    const breakpoint = this.take(address);
    breakpoint.plants++;
    this.#setCode(breakpoint);
    this.#setCondition(breakpoint);
    return true;
  }

  override pull(address: bigint): void {
    const breakpoint = this.at(address);
    if (breakpoint === undefined || breakpoint.plants === 0) return;
    breakpoint.plants--;
    if (this.#ids.has(breakpoint)) this.#setCondition(breakpoint);
    this.release(breakpoint);
  }

  /** Gives the platform what is wanted, and takes from it what is not; no processor
   * runs. `now` is guest time in ns. */
  sync(now = 0n): void {
    for (const point of this.#stale) {
      if (point instanceof SoftwareBreakpoint) {
        if (this.at(point.address) === point) continue;
        const id = this.#ids.get(point);
        this.#ids.delete(point);
        this.#conditions.delete(point);
        if (id !== undefined) this.#clear(id);
      } else if (!this.#watches.includes(point) && point.id >= 0) {
        this.#clear(point.id);
        point.id = -1;
      }
    }
    this.#stale.clear();
    for (const breakpoint of this.all()) {
      this.#setCode(breakpoint);
      this.#setCondition(breakpoint);
      breakpoint.hold("a debug point in the processor", now);
    }
    for (const watch of this.#watches) {
      if (watch.id >= 0) continue;
      watch.id = this.#allocate(watch);
      this.#partition.setDebugPoint({
        identifier: watch.id,
        access: ACCESS[watch.kind],
        space: DebugSpace.All,
        address: watch.address,
        length: BigInt(watch.length),
        cr3: 0n,
      });
    }
  }

  #setCode(breakpoint: SoftwareBreakpoint): void {
    if (this.#ids.has(breakpoint)) return;
    const identifier = this.#allocate(breakpoint);
    this.#partition.setDebugPoint({
      identifier,
      access: DebugAccess.Execute,
      space: DebugSpace.All,
      address: breakpoint.address,
      length: 0n,
      cr3: 0n,
    });
    this.#ids.set(breakpoint, identifier);
  }

  /** Has the processor judge by itself whether anybody is to be told, where it can. */
  #setCondition(breakpoint: SoftwareBreakpoint): void {
    const condition = conditionOf(breakpoint);
    const before = this.#conditions.get(breakpoint) ?? NO_CONDITION;
    if (areEqual(condition, before)) return;
    const id = this.#ids.get(breakpoint)!;
    const is = this.#partition.setDebugPointCondition(id, condition);
    this.#conditions.set(breakpoint, is ? condition : NO_CONDITION);
  }

  #allocate(point: SoftwareBreakpoint | DataWatch | null): number {
    const id = this.#free.pop() ?? this.#byId.length;
    if (id >= MAX_DEBUG_POINTS) {
      throw new TargetError(
        `more than ${MAX_DEBUG_POINTS} breakpoints and watchpoints`,
      );
    }
    this.#byId[id] = point;
    return id;
  }

  #clear(id: number): void {
    this.#partition.clearDebugPoint(id);
    this.#byId[id] = undefined;
    this.#free.push(id);
  }

  /** Whether the platform's instruction point `id` is to stop anybody. */
  codeAt(id: number): SoftwareBreakpoint | undefined {
    const point = this.#byId[id];
    return point instanceof SoftwareBreakpoint ? point : undefined;
  }

  /** One more owner of a data watch. */
  watch({ kind, address, length }: Breakpoint): void {
    if (kind === "software" || kind === "hardware") {
      throw new TargetError("not data");
    }
    if (length < 1 || address + BigInt(length) > 1n << 64n) {
      throw new TargetError(`${length} bytes cannot be watched`);
    }
    const same = this.#find(kind, address, length);
    if (same !== undefined) {
      same.owners++;
      return;
    }
    for (const stale of this.#stale) {
      if (
        !(stale instanceof SoftwareBreakpoint) && stale.kind === kind &&
        stale.address === address && stale.length === length
      ) {
        stale.owners = 1;
        this.#stale.delete(stale);
        this.#watches.push(stale);
        return;
      }
    }
    this.#watches.push({ kind, address, length, owners: 1, id: -1 });
  }

  /** One owner less; false if there was none. */
  unwatch({ kind, address, length }: Breakpoint): boolean {
    const watch = this.#find(kind, address, length);
    if (watch === undefined) return false;
    if (--watch.owners === 0) {
      this.#watches.splice(this.#watches.indexOf(watch), 1);
      this.#stale.add(watch);
    }
    return true;
  }

  /** Whether somebody watches an address for accesses of this kind. */
  watches(kind: Breakpoint["kind"], address: bigint): boolean {
    return this.#watches.some((w) => w.kind === kind && w.address === address);
  }

  /** Sets a point that stops nobody: for who looks for its identifier, which is returned.
   * No processor runs. */
  probe(point: Omit<DebugPoint, "identifier" | "cr3">): number {
    const identifier = this.#allocate(null);
    this.#partition.setDebugPoint({ ...point, identifier, cr3: 0n });
    return identifier;
  }

  /** The end of a probe(). */
  endProbe(identifier: number): void {
    this.#clear(identifier);
  }

  /** The data watches, for who looks at writes that no processor makes. */
  get watched(): readonly DataWatch[] {
    return this.#watches;
  }

  unwatchAll(): void {
    for (const watch of this.#watches.splice(0)) this.#stale.add(watch);
  }

  #find(
    kind: Breakpoint["kind"],
    address: bigint,
    length: number,
  ): DataWatch | undefined {
    return this.#watches.find((w) =>
      w.kind === kind && w.address === address && w.length === length
    );
  }

  /** The breakpoint that an exit is about; undefined if it is about data, or the end of a
   * step that hit nothing. */
  breakpointOf(exit: DebugPointExit): SoftwareBreakpoint | undefined {
    const [hit] = exit.hits;
    return hit && this.codeAt(hit.identifier);
  }

  /** What hits of data mean; those of watches that are gone mean nothing. */
  reasons(hits: readonly DebugHit[]): StopReason[] {
    const reasons: StopReason[] = [];
    for (const { identifier } of hits) {
      const watch = this.#byId[identifier];
      if (
        !watch || watch instanceof SoftwareBreakpoint ||
        watch.owners === 0
      ) continue;
      reasons.push({
        kind: "watchpoint",
        access: watch.kind,
        address: watch.address,
      });
    }
    return reasons;
  }
}
