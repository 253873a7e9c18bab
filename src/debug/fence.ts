/**
 * Where a range of code can be left. Instead of stepping through a loop, a
 * processor runs freely inside the range and meets an 0xF1 at every way out.
 */
import { decode, Kind, newDecoded } from "./decode.ts";
import type { Vcpu } from "./vcpu.ts";
import type { VirtualMemory } from "./vmemory.ts";

/** Ranges that are looked through; a source line is far smaller. */
const MAX_RANGE = 0x4000n;
/** More ways out than this are not worth watching. */
const MAX_FENCES = 64;
/** Bytes that an instruction at the range's end may have behind it. */
const SLACK = 15;

/** Linear addresses to watch, when running from inside [start, end). */
export interface Fence {
  /** Addresses outside that direct jumps or falling through lead to. */
  readonly exits: readonly bigint[];
  /** Instructions inside that go where only running them tells. */
  readonly gates: readonly bigint[];
  /** Whether what runs from `rip` on, inside, meets the fence at every way out. */
  covers(rip: bigint): boolean;
}

const decoded = newDecoded();

/** The fence for running on from where `v` (read) is; null if the code cannot
 * be followed, and steps are needed. */
export function fenceOf(
  v: Vcpu,
  memory: VirtualMemory,
  start: bigint,
  end: bigint,
): Fence | null {
  const bits = v.codeBits;
  const size = end - start;
  if (size <= 0n || size > MAX_RANGE) return null;
  const code = new Uint8Array(Number(size) + SLACK);
  const readable = memory.read(v, v.linearOf(start), code);
  const bytes = code.subarray(0, readable);
  const length = Number(size);
  const seen = new Uint8Array(length);
  const exits = new Set<number>();
  const gates: number[] = [];
  const work: number[] = [];
  const go = (offset: number) => {
    if (offset < 0 || offset >= length) exits.add(offset);
    else if (seen[offset] === 0) {
      seen[offset] = 1;
      work.push(offset);
    }
  };
  go(Number(v.rip - start));
  for (let at = work.pop(); at !== undefined; at = work.pop()) {
    if (!decode(bytes, at, bits, decoded)) return null;
    const next = at + decoded.length;
    switch (decoded.kind) {
      case Kind.Jump:
        go(at + decoded.target);
        break;
      case Kind.Branch:
        go(at + decoded.target);
        go(next);
        break;
      case Kind.Plain:
      case Kind.Pushf:
      case Kind.LoadSs:
      case Kind.MoveDr:
        go(next);
        break;
      case Kind.Halt:
      case Kind.Popf:
      case Kind.Call:
      case Kind.Interrupt:
      case Kind.Syscall:
        // What they lead to comes back here as a rule.
        gates.push(at);
        go(next);
        break;
      default:
        gates.push(at);
    }
    if (exits.size + gates.length > MAX_FENCES) return null;
  }
  const linear = (offset: number) => {
    const rip = start + BigInt(offset);
    return v.linearOf(bits === 16 ? BigInt.asUintN(16, rip) : rip);
  };
  return {
    exits: [...exits].map(linear),
    gates: gates.map(linear),
    covers: (rip) => seen[Number(rip - start)] === 1,
  };
}
