/**
 * A debugger's requests in the past of a machine: back to the last hit or by an
 * instruction, and forward again through what has been. The past itself is src/history's.
 *
 * Every position is a count of instructions. A hit of an instruction is where that
 * comes next. One of data is told behind the instruction that did it when going forward,
 * and before it when going back: there the data is as it was.
 *
 * Back to the last hit is forward through one piece of history after the other, the
 * newest first, with points armed: each piece begins where the machine can be put
 * at once. The last hit of the first piece that has any is it.
 *
 * What a debugger stepped live cannot be repeated: it is gone over as a whole, and data
 * that is another one behind it was written there.
 */
import { DebugAccess, DebugSpace } from "../../../ffi/debug_points.ts";
import type { Hit, HitVerdict, TimeTravel } from "../../history/time_travel.ts";
import type { DmaAccess } from "../../machine/machine.ts";
import { DmaWatch } from "../breakpoints/dma.ts";
import type { Breakpoints } from "../breakpoints/breakpoints.ts";
import type { Plan, ReverseAction, Stop, StopReason } from "../target.ts";
import type { Guest } from "../guest/guest.ts";
import type { Meaning } from "./meaning.ts";

/** Instructions after which a request to stop is looked for. */
const PIECE = 20_000_000n;
/** Host time after which the event loop is to have a turn. */
const BREATH_MS = 50;

/** What the traveller needs of run control. */
export interface Travelled {
  readonly guest: Guest;
  readonly breakpoints: Breakpoints;
  readonly meaning: Meaning;
}

/** A hit, by the position to go to for it. */
interface Found {
  readonly position: bigint;
  readonly processor: number;
  readonly reason: StopReason;
  /** The linear address of the instruction; null for data. */
  readonly at: bigint | null;
  /** Whether the machine was changed there afterwards. */
  readonly left?: boolean;
}

/** Who looks on while pieces of history run. */
interface Onlooker {
  /** A piece begins here, where points are armed, or what is gone over as a whole. */
  begins(): void;
  hit(hit: Hit): HitVerdict;
  /** A device accesses memory. */
  accessed(access: DmaAccess): void;
  /** What began at a position has been gone over as a whole. */
  skipped(from: bigint): void;
}

/** Who wrote to memory last. */
export interface LastWrite {
  /** The position before the instruction. */
  readonly position: bigint;
  readonly processor: number;
  /** The device whose DMA it was; absent for the processor itself. */
  readonly device?: string;
}

/** Bytes that are together in physical memory. */
export interface PhysicalRange {
  readonly gpa: number;
  readonly length: number;
}

export class Traveller {
  readonly time: TimeTravel;
  readonly #guest: Guest;
  readonly #breakpoints: Breakpoints;
  readonly #meaning: Meaning;
  /** Watched data by where it is now, and by where it was at a piece's beginning. */
  readonly #dma: readonly DmaWatch[];
  /** While a piece of history runs. */
  #onlooker: Onlooker | null = null;
  #stopAsked = false;
  #breathed = 0;

  constructor({ guest, breakpoints, meaning }: Travelled, time: TimeTravel) {
    this.#guest = guest;
    this.#breakpoints = breakpoints;
    this.#meaning = meaning;
    this.time = time;
    this.#dma = [new DmaWatch(guest.walker), new DmaWatch(guest.walker)];
  }

  /** Ends what is under way, soon. */
  interrupt(): void {
    this.#stopAsked = true;
  }

  /** A device accesses memory in the past. */
  accessed(access: DmaAccess): void {
    this.#onlooker?.accessed(access);
  }

  get #now(): bigint {
    return this.time.now().instructions;
  }

  /** Back. */
  async reverse(action: ReverseAction, processor: number): Promise<Stop> {
    this.#begin();
    const origin = this.#now;
    const start = this.time.start().instructions;
    const last = action === "step"
      ? this.time.lastOf(processor, origin)
      : start;
    const floor = last ?? start;
    const looks = this.#armed || action === "continue";
    for (let from = origin; looks && from > floor;) {
      const found = await this.#lastHit(from, floor);
      if (found === null) break;
      if (found === "interrupted") return { processor, reason: INTERRUPTED };
      await this.goTo(found.position, action === "step", found.left);
      if (await this.#meets(found)) return stopOf(found);
      from = found.position;
    }
    await this.goTo(floor, action === "step");
    return {
      processor,
      reason: action === "step" && last !== null
        ? { kind: "step" }
        : { kind: "history", end: "begin" },
    };
  }

  /** Forward, through what has been. Null at the end of it, for what goes on live. */
  async resume(plan: Plan): Promise<Stop | null> {
    this.#begin();
    const index = plan.findIndex(({ kind }) =>
      kind === "step" || kind === "range"
    );
    const end = this.time.end().instructions;
    if (index < 0) {
      const processor = Math.max(0, plan.findIndex((a) => a.kind !== "stay"));
      return await this.#forward(end, processor, null) ??
        { processor, reason: { kind: "history", end: "end" } };
    }
    const action = plan[index];
    const v = this.#guest.vcpus[index];
    for (;;) {
      const next = this.time.nextOf(index, this.#now);
      const stop = await this.#forward(next ?? end, index, index);
      if (stop !== null) return stop;
      if (next === null) return null;
      v.read();
      const { linear } = v;
      if (
        action.kind !== "range" || linear < action.start || linear >= action.end
      ) return { processor: index, reason: { kind: "step" } };
      await this.#breathe();
      if (this.#stopAsked) return { processor: index, reason: INTERRUPTED };
    }
  }

  /** Whether the machine, at the position of a hit, is where it was met. The event that
   * brings its processor there may be yet to come: an interrupt whose handler it is. Or
   * a reset came at the same position, and what was before it is out of reach. */
  async #meets({ position, processor, at }: Found): Promise<boolean> {
    const v = this.#guest.vcpus[processor];
    v.read();
    if (at === null || v.linear === at) return true;
    this.#arm();
    const outcome = await this.time.replay(position + 1n, (hit) => {
      const meaning = this.#met(hit);
      const isIt = meaning?.processor === processor && meaning.at === at;
      return isIt && meaning.position === position ? "stop" : "go on";
    });
    return outcome === "hit";
  }

  /** To a position. With `near` others shortly before it are soon reached then. */
  async goTo(position: bigint, near = false, left = false): Promise<void> {
    await this.time.goTo(position, near, left);
    this.#moved();
  }

  /** The last position whose guest time is at most `ns`, or the first one. */
  async positionAt(ns: bigint): Promise<bigint> {
    const { time } = this;
    let low = time.start(), high = time.end();
    if (ns >= high.time) return high.instructions;
    // Time goes at least as fast as instructions: what halts skips some.
    while (high.instructions - low.instructions > 1n && low.time < ns) {
      const span = high.instructions - low.instructions;
      const guess = low.instructions + span * (ns - low.time) /
          (high.time - low.time);
      const middle = low.instructions + (span >> 1n);
      for (const at of [guess, guess + 1n, middle]) {
        if (at <= low.instructions || at >= high.instructions) continue;
        await time.goTo(at);
        const now = time.now();
        if (now.time <= ns) low = now;
        else high = now;
      }
    }
    return low.instructions;
  }

  /** Who wrote to physical memory last before now; null if nobody has since the start.
   * The machine is left anywhere. */
  async lastWrite(
    ranges: readonly PhysicalRange[],
  ): Promise<LastWrite | null | "interrupted"> {
    this.#begin();
    const points = this.#breakpoints.points!;
    const origin = this.#now;
    const probes = ranges.map(({ gpa, length }) =>
      points.probe({
        access: DebugAccess.Write,
        space: DebugSpace.Physical,
        address: BigInt(gpa),
        length: BigInt(length),
      })
    );
    const touches = ({ gpa, length, isWrite }: DmaAccess) =>
      isWrite &&
      ranges.some((r) => gpa < r.gpa + r.length && r.gpa < gpa + length);
    let last: LastWrite | null = null;
    try {
      const { memory } = this.#guest.machine;
      const read = () =>
        ranges.map(({ gpa, length }) => {
          const bytes = new Uint8Array(length);
          memory.read(gpa, bytes);
          return bytes;
        });
      let before: readonly Uint8Array[] = [];
      const interrupted = await this.#pieces(
        origin,
        this.time.start().instructions,
        {
          begins: () => before = read(),
          hit: ({ instructions, processor, point }) => {
            const hits = point?.hits ?? [];
            if (hits.some(({ identifier }) => probes.includes(identifier))) {
              last = { position: instructions - 1n, processor };
            }
            return "go on";
          },
          accessed: (access) => {
            if (!touches(access)) return;
            const position = this.#now - 1n;
            const { device } = access;
            last = { position, processor: this.#actor(position), device };
          },
          skipped: (position) => {
            if (differs(before, read()) < 0) return;
            last = { position, processor: this.#actor(position) };
          },
        },
        () => last !== null,
      );
      return interrupted ? "interrupted" : last;
    } finally {
      for (const probe of probes) points.endProbe(probe);
    }
  }

  #begin(): void {
    this.#stopAsked = false;
    this.#breathed = performance.now();
    this.#dma[0].locate(this.#watched, this.#guest.spaces());
  }

  get #watched() {
    return this.#breakpoints.points!.watched;
  }

  /** Whether anything could be hit. */
  get #armed(): boolean {
    return this.#breakpoints.points!.size > 0 || this.#watched.length > 0;
  }

  /** Lets the event loop have its turn now and then: somebody may ask for a stop. Short
   * replays give it none. */
  async #breathe(): Promise<void> {
    if (performance.now() - this.#breathed < BREATH_MS) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#breathed = performance.now();
  }

  /** What was read of the machine is old. */
  #moved(): void {
    this.#guest.changed();
  }

  /** The processor whose instruction begins at a position. */
  #actor(position: bigint): number {
    return this.time.processorAt(position) ?? 0;
  }

  /** What an access of a device means to a watchpoint. */
  #deviceReason(access: DmaAccess): StopReason | null {
    for (const dma of this.#dma) {
      const reason = dma.reason(access);
      if (reason !== null) return reason;
    }
    return null;
  }

  /** What a hit means, and the position to go to when it is met going back. */
  #met({ instructions, processor, point, left }: Hit): Found | null {
    this.#moved();
    const v = this.#guest.vcpus[processor];
    v.read();
    const reason = point === null
      ? this.#meaning.breaksAt(v)
      : this.#meaning.ofPoint(v, point);
    if (reason === null) return null;
    return reason.kind === "watchpoint"
      ? { position: instructions - 1n, processor, reason, at: null }
      : { position: instructions, processor, reason, at: v.linear, left };
  }

  async #lastHit(
    origin: bigint,
    floor: bigint,
  ): Promise<Found | null | "interrupted"> {
    let found: Found | null = null;
    const take = (hit: Found | null) => {
      if (hit === null || hit.position >= origin) return;
      // Of those of one instruction the data counts: its breakpoint, if there is one, is
      // where gdb finds itself.
      if (found === null || hit.position >= found.position) found = hit;
    };
    let before: readonly Uint8Array[] = [];
    const interrupted = await this.#pieces(origin, floor, {
      begins: () => {
        take(this.#standing());
        before = this.#watchedBytes();
      },
      hit: (hit) => {
        take(this.#met(hit));
        return "go on";
      },
      accessed: (access) => {
        const reason = this.#deviceReason(access);
        if (reason === null) return;
        const position = this.#now - 1n;
        const processor = this.#actor(position);
        take({ position, processor, reason, at: null });
      },
      skipped: (position) => take(this.#written(position, before)),
    }, () => found !== null);
    return interrupted ? "interrupted" : found;
  }

  /** The breakpoint that a processor is at and is about to pass, where a piece of history
   * begins: if the guest was stopped there, it is not met again. */
  #standing(): Found | null {
    const { vcpus } = this.#guest;
    const position = this.#now;
    // It is met as it was before it was changed.
    if (this.time.wasChanged(position)) return null;
    const next = this.time.processorAt(position);
    for (const v of next === null ? vcpus : [vcpus[next]]) {
      v.read();
      const reason = this.#meaning.breaksAt(v);
      if (reason === null) continue;
      return { position, processor: v.index, reason, at: v.linear };
    }
    return null;
  }

  /** The data that is watched for writes, as far as it is mapped. */
  #watchedBytes(): Uint8Array[] {
    const { memory, vcpus } = this.#guest;
    return this.#watched.map(({ kind, address, length }) => {
      const bytes = new Uint8Array(kind === "read" ? 0 : length);
      for (const v of vcpus) {
        v.read();
        if (memory.read(v, address, bytes) === bytes.length) break;
      }
      return bytes;
    });
  }

  /** What was gone over as a whole, and has written data that is watched. */
  #written(position: bigint, before: readonly Uint8Array[]): Found | null {
    const index = differs(before, this.#watchedBytes());
    if (index < 0) return null;
    const { kind, address } = this.#watched[index];
    const reason = { kind: "watchpoint", access: kind, address } as const;
    return { position, processor: this.#actor(position), reason, at: null };
  }

  /** Runs pieces of history from the newest to the oldest until one `suffices`. True if
   * it was asked to stop before: then the machine is where all behind it is known. */
  async #pieces(
    origin: bigint,
    floor: bigint,
    onlooker: Onlooker,
    suffices: () => boolean,
  ): Promise<boolean> {
    const { time } = this;
    for (let to = origin; to > floor && !suffices();) {
      await this.#breathe();
      if (this.#stopAsked) {
        await this.goTo(to);
        return true;
      }
      const before = time.before(to) ?? floor;
      const from = before < floor ? floor : before;
      await time.goTo(from);
      this.#arm();
      onlooker.begins();
      const gap = time.gap(from);
      if (gap !== null && gap < to) {
        if (gap > from) {
          await this.#replay(gap, onlooker);
          onlooker.begins();
        }
        await this.#replay(to, onlooker);
        onlooker.skipped(gap);
      } else await this.#replay(to, onlooker);
      to = from;
    }
    return false;
  }

  /** Gives the platform its points, where the machine is now. */
  #arm(): void {
    this.#moved();
    this.#breakpoints.set();
    this.#dma[1].locate(this.#watched, this.#guest.spaces());
  }

  async #replay(
    to: bigint,
    onlooker: Onlooker,
  ): Promise<"hit" | "end"> {
    this.#onlooker = onlooker;
    try {
      return await this.time.replay(to, (hit) => onlooker.hit(hit));
    } finally {
      this.#onlooker = null;
      this.#moved();
    }
  }

  /** Forward to a position, or a hit before: null if there was none. Instruction points
   * where `passing` is are not for it: that processor is making a step. */
  async #forward(
    to: bigint,
    asked: number,
    passing: number | null,
  ): Promise<Stop | null> {
    this.#arm();
    let found: Found | null = null;
    let byDevice: Found | null = null;
    let before: readonly Uint8Array[] = [];
    const onlooker: Onlooker = {
      begins: () => before = this.#watchedBytes(),
      hit: (hit) => {
        if (byDevice !== null) return "stop";
        const meaning = this.#met(hit);
        if (meaning === null) return "go on";
        const isPassed = meaning.reason.kind !== "watchpoint" &&
          hit.processor === passing;
        if (isPassed) return "go on";
        found = meaning;
        return "stop";
      },
      accessed: (access) => {
        const reason = this.#deviceReason(access);
        if (reason === null || byDevice !== null) return;
        const position = this.#now;
        const processor = this.#actor(position - 1n);
        byDevice = { position, processor, reason, at: null };
      },
      skipped: (from) => found = this.#written(from, before),
    };
    while (this.#now < to) {
      const now = this.#now;
      const gap = this.time.gap(now);
      const border = gap !== null && gap > now
        ? gap
        : this.time.after(now) ?? to;
      const until = [to, now + PIECE, border].reduce((a, b) => a < b ? a : b);
      onlooker.begins();
      await this.#replay(until, onlooker);
      if (now === gap) onlooker.skipped(now);
      // Both may be: the device was earlier.
      const device = byDevice as Found | null;
      if (device !== null) {
        await this.goTo(device.position);
        return stopOf(device);
      }
      if (found === null && this.#now === border && passing === null) {
        found = this.#standing();
      }
      if (found !== null) return stopOf(found);
      await this.#breathe();
      if (this.#stopAsked && this.#now < to) {
        return { processor: asked, reason: INTERRUPTED };
      }
    }
    return null;
  }
}

/** The first of some pieces of memory that differs from what it was; -1 if none does. */
function differs(
  before: readonly Uint8Array[],
  now: readonly Uint8Array[],
): number {
  return before.findIndex((bytes, i) =>
    bytes.some((byte, k) => byte !== now[i][k])
  );
}

function stopOf({ processor, reason }: Found): Stop {
  return { processor, reason };
}

const INTERRUPTED: StopReason = { kind: "interrupted" };
