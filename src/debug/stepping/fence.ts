/**
 * Where a range of code can be left. Instead of stepping through a loop, a
 * processor runs freely inside the range and is stopped at every way out.
 *
 * From where the processor is, every instruction is followed to those that may come
 * next, with the stack pointer as it must be there: an interrupt handler, another task
 * or a deeper call that runs the same code is somewhere else on some stack, and what
 * it meets of the fence is none of this one's.
 */
import { CR3_TABLE } from "../../x86/control_registers.ts";
import { PAGE_OFFSET } from "../../x86/paging.ts";
import { decode, type Decoded, newDecoded } from "../../x86/decode.ts";
import { NEEDS } from "./needs.ts";
import { stackMove } from "./stack_move.ts";
import type { Vcpu } from "../guest/vcpu.ts";
import type { VirtualMemory } from "../guest/vmemory.ts";

/** Bytes that are looked at around where the processor is; a source line is far smaller. */
const WINDOW = 0x4000n;
/** What comes behind so many ways out is looked at when the processor is there. */
const MAX_FENCES = 256;
/** Bytes that an instruction at the window's end may have behind it. */
const SLACK = 15;
const UNSEEN = -0x80000000;
/** Of CR3: where the page tables are, without what a system changes for a program. */

/** What of a fence a processor is at: a way out, an instruction that only running
 * tells of where it goes, any other that was looked at; null if at nothing of the fence's,
 * or not in the frame that it was made for. */
export type FencePlace = "exit" | "gate" | "inside" | null;

/** Where the fence may be put up, and what it is to spare. */
export interface FenceSite {
  readonly memory: VirtualMemory;
  /** Whether a processor can be made to stop at a linear address. */
  canStop(v: Vcpu, linear: bigint): boolean;
  /** Whether a stop there is a byte of memory, which another instruction must not have
   * among its own. */
  readonly inMemory: boolean;
}

export class Fence {
  readonly #start: bigint;
  readonly #bits: 16 | 32 | 64;
  readonly #base: bigint;
  readonly #cpl: number;
  readonly #stack: bigint;
  readonly #space: bigint;
  /** By offset from #start: bytes that the stack pointer has moved by; of exits, too. */
  readonly #depths = new Map<number, number>();
  readonly #exits = new Set<number>();
  readonly #gates = new Set<number>();
  /** Gates behind which everything is looked at anew. */
  readonly #renewing = new Set<number>();
  /** Linear addresses to stop at. */
  readonly stops: bigint[] = [];
  /** False if bytes to stop at lie in other instructions of the range. */
  readonly sound: boolean = true;

  /** For running on from where `v` (read) is, in [start, end) of its code segment. */
  constructor(v: Vcpu, site: FenceSite, start: bigint, end: bigint) {
    this.#bits = v.codeBits;
    this.#base = v.linearOf(0n);
    this.#cpl = v.cpl;
    this.#stack = v.stack;
    this.#space = v.cr3 & CR3_TABLE;
    const from = firstSeen(v, site, start);
    const to = end < from + WINDOW ? end : from + WINDOW;
    this.#start = from;
    const code = new Uint8Array(Number(to - from) + SLACK);
    const readable = site.memory.read(v, v.linearOf(from), code);
    const lengths = this.#follow(
      v,
      site,
      code.subarray(0, readable),
      Number(to - from),
      (rip) => rip >= start && rip < end,
    );
    const stops = [...this.#exits, ...this.#gates];
    for (const offset of stops) {
      this.stops.push(v.linearOf(BigInt.asUintN(64, from + BigInt(offset))));
    }
    if (site.inMemory) this.sound = !stops.some((at) => isInside(at, lengths));
  }

  /** Where `v` (read) is. */
  placeOf(v: Vcpu): FencePlace {
    const offset = Number(BigInt.asIntN(64, v.rip - this.#start));
    const depth = this.#depths.get(offset);
    if (
      depth === undefined || v.codeBits !== this.#bits ||
      v.linearOf(0n) !== this.#base || v.cpl !== this.#cpl ||
      v.stackAt(-depth) !== this.#stack ||
      // A kernel's stacks are its own in every address space; a program's are not.
      (this.#cpl === 3 && (v.cr3 & CR3_TABLE) !== this.#space)
    ) return null;
    if (this.#exits.has(offset)) return "exit";
    return this.#gates.has(offset) ? "gate" : "inside";
  }

  /** Whether what is behind the gate at `rip` has to be looked at anew. */
  renewsBehind(rip: bigint): boolean {
    return this.#renewing.has(Number(rip - this.#start));
  }

  /** Follows the code in `bytes`; returns the lengths of the instructions there, 0 where
   * none begins. */
  #follow(
    v: Vcpu,
    site: FenceSite,
    bytes: Uint8Array,
    size: number,
    inRange: (rip: bigint) => boolean,
  ): Uint8Array {
    const lengths = new Uint8Array(size);
    const depths = new Int32Array(size).fill(UNSEEN);
    const decoded = newDecoded();
    const work: number[] = [];
    /** Whether what comes from `at` to offset `to` can be watched. */
    const go = (at: number, to: number, depth: number): boolean => {
      const rip = this.#start + BigInt(to);
      if (to >= 0 && to < size) {
        if (depths[to] === UNSEEN) {
          depths[to] = depth;
          work.push(to);
        }
        return depths[to] === depth;
      }
      const known = this.#depths.get(to);
      if (known !== undefined) return known === depth;
      const linear = v.linearOf(BigInt.asUintN(64, rip));
      if (!samePage(linear, this.#linear(v, at)) && !site.canStop(v, linear)) {
        return false;
      }
      this.#depths.set(to, depth);
      // What is inside and out of sight is looked at when the processor is there.
      (inRange(rip) ? this.#gates : this.#exits).add(to);
      return true;
    };
    go(0, Number(v.rip - this.#start), 0);
    for (let next = 0; next < work.length; next++) {
      const at = work[next];
      const depth = depths[at];
      this.#depths.set(at, depth);
      if (this.#exits.size + this.#gates.size >= MAX_FENCES) {
        this.#gates.add(at);
        continue;
      }
      const known = decode(bytes, at, this.#bits, decoded);
      if (known) lengths[at] = decoded.length;
      const move = known ? stackMove(decoded, bytes, at, this.#bits) : null;
      // Higher up than where it began, a handler's frame could come to be where this one
      // was before.
      if (
        move === null || depth + move > 0 ||
        !this.#successors(decoded, at, depth + move, go)
      ) this.#gates.add(at);
    }
    return lengths;
  }

  /** Follows an instruction; false if it has to be stepped. */
  #successors(
    decoded: Decoded,
    at: number,
    depth: number,
    go: (at: number, to: number, depth: number) => boolean,
  ): boolean {
    const next = at + decoded.length;
    switch (NEEDS[decoded.kind].goes) {
      case "next":
        return go(at, next, depth);
      case "target":
        return go(at, this.#target(decoded, at), depth);
      case "target or next": {
        const taken = go(at, this.#target(decoded, at), depth);
        return go(at, next, depth) && taken;
      }
      case "next, stepped":
        // As a rule it is there that they end.
        go(at, next, depth);
        return false;
      case "anew":
        this.#renewing.add(at);
        return false;
      case "anywhere":
        return false;
    }
  }

  /** Where a relative jump at offset `at` goes: with a 16-bit operand IP is cut. */
  #target({ target, operandBytes }: Decoded, at: number): number {
    if (this.#bits === 64) return at + target;
    const bits = operandBytes === 2 ? 16 : 32;
    const rip = BigInt.asUintN(bits, this.#start + BigInt(at + target));
    return Number(rip - this.#start);
  }

  #linear(v: Vcpu, offset: number): bigint {
    return v.linearOf(this.#start + BigInt(offset));
  }
}

/** Where the window begins: in [start, v.rip], with all that is between them mapped. */
function firstSeen(v: Vcpu, { memory }: FenceSite, start: bigint): bigint {
  const low = v.rip - WINDOW / 2n;
  const first = start > low ? start : low;
  const page = v.rip - (v.linear & PAGE_OFFSET);
  if (page <= first) return first;
  const before = new Uint8Array(Number(page - first));
  const mapped = memory.read(v, v.linearOf(first), before) === before.length;
  return mapped ? first : page;
}

function samePage(a: bigint, b: bigint): boolean {
  return a >> 12n === b >> 12n;
}

/** Whether offset `at` is inside an instruction that begins before it. */
function isInside(at: number, lengths: Uint8Array): boolean {
  for (let back = 1; back < SLACK; back++) {
    if (back < lengths[at - back]) return true;
  }
  return false;
}
