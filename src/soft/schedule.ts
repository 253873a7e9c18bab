// What the scheduler did, in the order in which it did it: which processor ran for how
// many instructions, when idle time was skipped, and where something came from outside.
// A run that follows it is the same run again, whatever made the turns end as they did.
//
// An entry is a byte (kind in the high two bits, processor in the others) and a number
// in groups of seven bits, the lowest first.

import type { ScheduleEntry, ScheduleLog } from "../../ffi/time_travel.ts";

const KINDS = ["run", "skip", "event", "pass"] as const;
const RUN = 0, SKIP = 1, EVENT = 2, PASS = 3;
/** In place of how points were passed: they were met; and, with as many added as the next
 * REP does iterations, it was cut short. */
const MET = 127, CUT = 128;
const FIRST_BYTES = 64;
/** A kind byte and a number of 53 bits. */
const MOST_OF_ENTRY = 9;

/** A growing log. */
export class Schedule implements ScheduleLog {
  readonly start: number;
  #end: number;
  #bytes = new Uint8Array(FIRST_BYTES);
  #length = 0;
  /** The last entry, if it is a run that may still grow: where it began. */
  #open = -1;
  #openVp = 0;
  #openCount = 0;

  /** It begins at a number of instructions. */
  constructor(start: number) {
    this.start = start;
    this.#end = start;
  }

  /** A log of these bytes (`encoded`). */
  static of(start: number, bytes: Uint8Array): Schedule {
    const log = new Schedule(start);
    log.#bytes = bytes.slice();
    log.#length = bytes.length;
    const cursor = new Cursor(log);
    for (;;) {
      const entry = cursor.peek();
      if (entry === null) break;
      cursor.advance(entry.kind === "run" ? entry.value : 0);
    }
    log.#end = cursor.total;
    return log;
  }

  get end(): number {
    return this.#end;
  }

  get bytes(): number {
    return this.#length;
  }

  /** The bytes themselves; valid until the next entry. */
  get encoded(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** A processor was given a run and completed so many instructions in it. */
  ran(vp: number, count: number): void {
    if (this.#open >= 0 && this.#openVp === vp && count > 0) {
      this.#length = this.#open;
      this.#openCount += count;
    } else {
      this.#open = count > 0 ? this.#length : -1;
      this.#openVp = vp;
      this.#openCount = count;
    }
    this.#put(RUN, vp, this.#openCount);
    this.#end += count;
  }

  /** Guest time moved by `ns` while nobody could run. */
  skipped(ns: number): void {
    this.#other(SKIP, 0, ns);
  }

  event(index: number): void {
    this.#other(EVENT, 0, index);
  }

  /** A processor was made to pass debug points (DebugPass). */
  passed(vp: number, how: number): void {
    this.#other(PASS, vp, how);
  }

  /** A processor exited for an instruction point: what comes between two instructions
   * had come before. */
  met(vp: number): void {
    this.#other(PASS, vp, MET);
  }

  /** As ran(), where the last instruction was a REP that a debug point cut short. */
  ranToCut(vp: number, count: number, iterations: number): void {
    if (count > 1) this.ran(vp, count - 1);
    this.#other(PASS, vp, CUT + iterations);
    this.ran(vp, 1);
  }

  #other(kind: number, vp: number, value: number): void {
    this.#open = -1;
    this.#put(kind, vp, value);
  }

  #put(kind: number, vp: number, value: number): void {
    if (this.#length + MOST_OF_ENTRY > this.#bytes.length) {
      const larger = new Uint8Array(this.#bytes.length * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes[this.#length++] = kind << 6 | vp;
    while (value >= 128) {
      this.#bytes[this.#length++] = value % 128 | 128;
      value = Math.floor(value / 128);
    }
    this.#bytes[this.#length++] = value;
  }

  append(other: Schedule): void {
    const bytes = other.encoded;
    const joined = new Uint8Array(this.#length + bytes.length + FIRST_BYTES);
    joined.set(this.encoded);
    joined.set(bytes, this.#length);
    this.#bytes = joined;
    this.#length += bytes.length;
    this.#end = other.end;
    this.#open = -1;
  }

  get settled(): number {
    return this.#open >= 0 ? this.#open : this.#length;
  }

  cutAt(instructions: number): void {
    const cursor = new Cursor(this);
    while (cursor.total < instructions) {
      const entry = cursor.peek();
      if (entry === null) return;
      const whole = entry.kind === "run" ? entry.value : 0;
      cursor.advance(Math.min(whole, instructions - cursor.total));
    }
    this.cut(cursor);
  }

  /** Forgets what is behind a cursor of it; what is between two instructions goes
   * with what comes before. */
  cut(cursor: Cursor): void {
    const entry = cursor.peek();
    this.#length = cursor.at;
    this.#open = -1;
    if (entry?.kind === "run" && cursor.done > 0) {
      this.#put(RUN, entry.vp, cursor.done);
    }
    this.#end = cursor.total;
  }

  /** As cut(), but what is behind goes into a log of its own, which is returned. */
  split(cursor: Cursor): Schedule {
    const entry = cursor.peek();
    const rest = new Schedule(cursor.total);
    const isInside = entry?.kind === "run" && cursor.done > 0;
    if (isInside) rest.#put(RUN, entry.vp, entry.value - cursor.done);
    const bytes = this.encoded.subarray(isInside ? cursor.next : cursor.at);
    const end = this.#end;
    rest.append(Schedule.#raw(bytes, end));
    this.cut(cursor);
    return rest;
  }

  /** Bytes of a log, which are not looked at. */
  static #raw(bytes: Uint8Array, end: number): Schedule {
    const log = new Schedule(end);
    log.#bytes = bytes.slice();
    log.#length = bytes.length;
    return log;
  }

  *[Symbol.iterator](): Iterator<ScheduleEntry & { readonly from: number }> {
    const cursor = new Cursor(this);
    for (;;) {
      const from = cursor.total;
      const entry = cursor.peek();
      if (entry === null) return;
      cursor.advance(entry.kind === "run" ? entry.value : 0);
      yield { ...entry, from };
    }
  }
}

/** A place in a log. */
export class Cursor {
  readonly log: Schedule;
  /** Where the entry at the place begins. */
  at = 0;
  /** Instructions of that entry that are done. */
  done = 0;
  /** Instructions of all processors at the place. */
  total: number;
  #next = 0;
  #entry: ScheduleEntry | null = null;

  /** At the log's beginning. */
  constructor(log: Schedule) {
    this.log = log;
    this.total = log.start;
  }

  /** The entry at the place; null at the end. */
  peek(): ScheduleEntry | null {
    if (this.#entry !== null) return this.#entry;
    const bytes = this.log.encoded;
    if (this.at >= bytes.length) return null;
    let next = this.at;
    const head = bytes[next++];
    let value = 0, scale = 1;
    for (;;) {
      const byte = bytes[next++];
      value += (byte & 127) * scale;
      if (byte < 128) break;
      scale *= 128;
    }
    this.#next = next;
    const code = head >> 6;
    const vp = head & 63;
    if (code === PASS && value >= CUT) {
      return this.#entry = { kind: "cut", vp, value: value - CUT };
    }
    const kind = code === PASS && value === MET ? "met" : KINDS[code];
    return this.#entry = { kind, vp, value };
  }

  /** Where the entry behind the one at the place begins. */
  get next(): number {
    this.peek();
    return this.#next;
  }

  /** So many instructions of the entry have been done; past it when all are. */
  advance(count: number): void {
    const entry = this.peek()!;
    this.total += count;
    this.done += count;
    if (entry.kind === "run" && this.done < entry.value) return;
    this.at = this.#next;
    this.done = 0;
    this.#entry = null;
  }
}
