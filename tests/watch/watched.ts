/**
 * Runs a case with debug points beside, on and in what it is known to access, and says
 * what of the hits is not as it must be.
 *
 * @module
 */
import { DebugAccess, DebugSpace } from "../../ffi/debug_points.ts";
import { Reg } from "../../ffi/registers.ts";
import type { DebugHit } from "../../src/platform/debug_exits.ts";
import type { Prng } from "../silicon/prng.ts";
import {
  completerOf,
  differ,
  type End,
  finish,
  type Ground,
  type Trace,
} from "./ground.ts";

const { Read, Write } = DebugAccess;
const EITHER = Read | Write;

interface Point {
  readonly access: number;
  /** Guest physical. */
  readonly from: number;
  readonly length: number;
  /** Whether the instruction does what it is for. */
  readonly isHit: boolean;
  readonly why: string;
}

/** Bytes that follow each other in linear memory. */
function runsOf(bytes: Set<number>, ground: Ground): [number, number][] {
  const runs: [number, number][] = [];
  for (const at of [...bytes].sort((a, b) => a - b)) {
    const last = runs.at(-1);
    if (
      last !== undefined && last[1] === at &&
      ground.linearOf(at) === ground.linearOf(at - 1) + 1n
    ) last[1]++;
    else runs.push([at, at + 1]);
  }
  return runs;
}

/** Points on, in and beside what was accessed; four of them are hit at most. */
function pointsFor(
  { reads, writes }: Trace,
  ground: Ground,
  rng: Prng,
): Point[] {
  const points: Point[] = [];
  const add = (
    why: string,
    access: number,
    isHit: boolean,
    from: number,
    length = 1,
  ) => points.push({ why, access, isHit, from, length });
  const r = [...reads], w = [...writes];
  const all = reads.union(writes);
  if (all.size === 0) {
    const [from, to] = ground.operands;
    add("anything", EITHER, false, from, to - from);
    return points;
  }
  const runs = runsOf(all, ground);
  if (r.length > 0) add("a byte read", Read, true, rng.pick(r));
  if (w.length > 0) add("a byte written", Write, true, rng.pick(w));
  const [from, to] = rng.pick(runs);
  add("all of an operand", EITHER, true, from, to - from);
  const last = rng.pick(runs.at(-1)!);
  add("an end", EITHER, true, last === runs.at(-1)![1] ? last - 1 : last);
  const onlyRead = [...reads.difference(writes)];
  const onlyWritten = [...writes.difference(reads)];
  if (onlyRead.length > 0) {
    add("written? only read", Write, false, rng.pick(onlyRead));
  }
  if (onlyWritten.length > 0) {
    add("read? only written", Read, false, rng.pick(onlyWritten));
  }
  for (const [from, to] of [runs[0], rng.pick(runs), runs.at(-1)!]) {
    if (!all.has(from - 1)) add("the byte before", EITHER, false, from - 1);
    if (!all.has(to)) add("the byte behind", EITHER, false, to);
  }
  return points;
}

function number(memory: Uint8Array, at: number, bytes: number): bigint {
  let value = 0n;
  for (let i = bytes - 1; i >= 0; i--) {
    value = value << 8n | BigInt(memory[at + i]);
  }
  return value;
}

export interface Expected {
  readonly trace: Trace;
  readonly end: End;
  /** RIP before and behind the instruction. */
  readonly first: bigint;
  readonly behind: bigint;
  /** The instruction is carried out, and not ended by an exception. */
  readonly completed: boolean;
  /** It stops between iterations. */
  readonly repeated: boolean;
  /** The data is a device's: nobody knows what it was before it is written. */
  readonly device?: boolean;
}

/** What is wrong with the hits of a case, in words. */
export async function watched(
  ground: Ground,
  expected: Expected,
  rng: Prng,
): Promise<string[]> {
  const wrong: string[] = [];
  const { trace, repeated, completed, device = false } = expected;
  const points = pointsFor(trace, ground, rng);
  const { partition, vp, memory } = ground;
  points.forEach(({ access, from, length }, identifier) =>
    partition.setDebugPoint({
      identifier,
      access,
      space: DebugSpace.All,
      address: ground.linearOf(from),
      length: BigInt(length),
      cr3: 0n,
    })
  );
  const text = ({ why, from, length }: Point) =>
    `${why} (0x${ground.linearOf(from).toString(16)}, ${length})`;
  const gpaOf = new Map<bigint, number>();
  for (const at of trace.reads.union(trace.writes)) {
    gpaOf.set(ground.linearOf(at), at);
  }
  const [, completer] = completerOf(ground);
  const [begin, end] = ground.touched;
  ground.place();
  let before = memory.slice(begin, end);
  const check = (hit: DebugHit) => {
    const point = points[hit.identifier];
    if (!(hit.access & point.access)) wrong.push(`access of ${text(point)}`);
    const at = gpaOf.get(hit.address);
    if (at === undefined || hit.bytes < 1 || hit.bytes > 8) {
      wrong.push(`${text(point)}: 0x${hit.address.toString(16)}, ${hit.bytes}`);
      return;
    }
    // An access over two regions of linear memory cannot be looked up in one go.
    if (
      ground.linearOf(at + hit.bytes - 1) !==
        hit.address + BigInt(hit.bytes - 1)
    ) {
      return;
    }
    const now = number(memory, at, hit.bytes);
    // ENTER reads what it has pushed.
    const again = hit.access === Read &&
      Array.from({ length: hit.bytes }, (_, i) => at + i)
        .some((byte) => trace.writes.has(byte));
    const old = again && hit.before === now
      ? now
      : number(before, at - begin, hit.bytes);
    if (hit.before !== (device && hit.access === Write ? 0n : old)) {
      wrong.push(`${text(point)}: before ${hit.before}, not ${old}`);
    }
    const after = hit.access & Write ? now : old;
    // A point over a source and a destination tells of the first access.
    if (hit.after !== after && !(hit.access === EITHER && hit.after === old)) {
      wrong.push(`${text(point)}: after ${hit.after}, not ${after}`);
    }
  };
  const met = new Set<number>();
  for (;;) {
    const exit = await finish(ground, completer);
    if (exit.reason !== "debugPoint") {
      const now = exit.reason === "exception"
        ? `exception ${exit.vector}, ${exit.errorCode}`
        : exit.reason;
      if (now !== expected.end.reason) {
        wrong.push(`ends with ${now}, not ${expected.end.reason}`);
      }
      break;
    }
    for (const hit of exit.hits) {
      met.add(hit.identifier);
      check(hit);
    }
    const rip = vp.get(Reg.Rip);
    if (rip !== expected.behind && !(repeated && rip === expected.first)) {
      wrong.push(`RIP at a hit 0x${rip.toString(16)}`);
    }
    if (met.size > 0 && !repeated && !completed) break;
    before = memory.slice(begin, end);
  }
  if (differ(ground.registers(), expected.end.registers)) {
    wrong.push("other registers in the end");
  }
  if (differ(memory.subarray(begin, end), expected.end.memory)) {
    wrong.push("other memory in the end");
  }
  points.forEach((point, i) => {
    const isHit = point.isHit && completed;
    if (met.has(i) && !isHit && !(repeated && point.isHit)) {
      wrong.push(`hit: ${text(point)}`);
    }
    if (!met.has(i) && isHit) wrong.push(`not hit: ${text(point)}`);
    partition.clearDebugPoint(i);
  });
  return wrong;
}
