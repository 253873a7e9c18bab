/**
 * Where branches, calls and returns of the cases go, and the stack they use.
 *
 * @module
 */
import type { Builder } from "../builder.ts";
import { CS, DATA, DATA_BYTES, READ_ONLY, RSP, SS } from "../layout.ts";

/**
 * RSP: usually in the middle, sometimes at an end of the scratch region.
 * "patched": where a return address can be put. Far returns read the stack in
 * an order of their own on each CPU, so for them it stays "inside"; a far call
 * that leaves 64-bit mode needs it "canonical".
 */
export function placeStack(
  g: Builder,
  where: "anywhere" | "patched" | "inside" | "canonical" = "anywhere",
): void {
  const kind = g.rng.int(20);
  if (where === "inside" && (kind === 1 || kind === 2)) return;
  if ((where === "inside" || where === "patched") && kind === 4) return;
  if (where === "canonical" && kind === 5) return;
  const place = (linear: number) => g.setPointer(RSP, SS, linear);
  if (kind === 0) place(DATA + g.rng.int(12));
  if (kind === 1) place(DATA + DATA_BYTES - g.rng.int(12));
  if (kind === 2) place(DATA + 0x1000 + g.rng.int(15) - 7);
  if (kind === 3) place(DATA + 0x800 + g.rng.int(0x400));
  if (kind === 4) place(READ_ONLY + 0x100 + g.rng.int(0x800));
  if (g.mode === 64 && kind === 5 && g.rng.chance(30)) {
    g.gpr[RSP] ^= 1n << 55n;
  }
  // A 16-bit stack leaves the upper half of ESP alone.
  if (g.mode === 16 && g.rng.chance(30)) g.words[2 * RSP] ^= g.rng.u32() << 16;
}

/** The linear address of the top of the stack. */
export function stackTop(g: Builder): number {
  const sp = g.mode === 16 ? g.gpr[RSP] & 0xffffn : g.gpr[RSP];
  return Number(sp) + g.segmentBase(SS);
}

/** Puts bytes at the top of the stack, if that is in scratch memory. */
export function patchStack(g: Builder, content: Uint8Array): void {
  const at = stackTop(g);
  const room = DATA + DATA_BYTES - at;
  if (at >= DATA && room > 0) g.patch(at, content.subarray(0, room));
}

/** A relative displacement that lands on the HLTs of the case's own slot. */
export function shortTarget(g: Builder): number {
  return (g.rng.chance(50) ? g.rng.int(16) + 1 : -8 - g.rng.int(12)) & 0xff;
}

export function nearTarget(g: Builder): number[] {
  const kind = g.rng.int(10);
  let to = (shortTarget(g) << 24) >> 24;
  if (g.mode === 16) return [to & 0xff, (to >> 8) & 0xff];
  if (kind === 8) to = g.rng.int(0x4000_0000) + 0x4000_0000;
  if (kind === 9) to = DATA + 0x100 - g.rip - 8; // not executable
  return [to & 0xff, (to >> 8) & 0xff, (to >> 16) & 0xff, to >>> 24];
}

/**
 * A linear address to go to, mostly in the case's own slot; with `near`
 * always, since in a 16-bit segment any other is in another case's slot.
 */
export function farTarget(g: Builder, near = g.mode === 16): bigint {
  const kind = near ? 20 : g.rng.int(20);
  if (kind === 0) return BigInt(READ_ONLY + g.rng.int(16));
  if (kind === 1) return 0x1234_5678_9abc_def0n;
  if (kind === 2) return 0x6000_1234_5000n;
  const delta = g.rng.chance(50) ? 16 + g.rng.int(12) : -1 - g.rng.int(20);
  return BigInt(g.rip + delta);
}

/** A value for RIP. */
export function farAddress(g: Builder): bigint {
  return farTarget(g) - BigInt(g.segmentBase(CS));
}

export function bytesOf(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return bytes;
}
