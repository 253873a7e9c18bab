// The exit for a debug point: which were hit, and what the access did.

import {
  DEBUG_POINT,
  ICEBP_DEBUG_HIT,
  ICEBP_DEBUG_POINT_CONTEXT,
} from "../../ffi/debug_points.ts";
import { REASON_OFFSET, VpExit } from "./vp_exit.ts";

/** The reason's number: none of WinHvPlatform's. */
export const DEBUG_POINT_EXIT: number = DEBUG_POINT;

/**
 * One debug point that was hit (ICEBP_DEBUG_HIT).
 *
 * @example
 * ```ts
 * import {
 *   DebugAccess,
 *   type DebugHit,
 *   DebugSpace,
 *   openSoft,
 *   Partition,
 *   Reg,
 * } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 0x10000 });
 * const partition = Partition.create(platform);
 * partition.setProcessorCount(1);
 * partition.setup();
 * // Processors begin at 0xFFFFFFF0, the last 16 bytes below 4 GiB.
 * platform.guestMemory.set([0x2e, 0xa2, 0x00, 0x10], 0xfff0); // mov cs:[0x1000], al
 * partition.mapGpaRange(platform.guestMemory, 0xffff0000, 7);
 * const vp = partition.createVirtualProcessor(0);
 * vp.set(Reg.Rax, 42n);
 * partition.setDebugPoint({
 *   identifier: 0,
 *   access: DebugAccess.Write,
 *   space: DebugSpace.All,
 *   address: 0xffff1000n,
 *   length: 8n,
 *   cr3: 0n,
 * });
 * const exit = await vp.run();
 * if (exit.reason !== "debugPoint") throw new Error(exit.reason);
 * const hit: DebugHit = exit.hits[0];
 * assertEquals([hit.address, hit.before, hit.after], [0xffff1000n, 0n, 42n]);
 * ```
 */
export interface DebugHit {
  /** The point's. */
  readonly identifier: number;
  /** DebugAccess bits: what the instruction did. */
  readonly access: number;
  /** Linear address of the access, or of the instruction. */
  readonly address: bigint;
  /** Bytes of the access, at most 8; 0 for an instruction. */
  readonly bytes: number;
  /** Those bytes before it. */
  readonly before: bigint;
  /** Those bytes behind it. */
  readonly after: bigint;
}

/** The hits of an ICEBP_DEBUG_POINT_CONTEXT at `at`. */
export function debugHits(view: DataView, at: number): DebugHit[] {
  const count = ICEBP_DEBUG_POINT_CONTEXT.Count.get(view, at);
  const hit = ICEBP_DEBUG_POINT_CONTEXT.Hits;
  return Array.from({ length: count }, (_, i) => {
    const from = at + i * ICEBP_DEBUG_HIT.size;
    return {
      identifier: hit.Identifier.get(view, from),
      access: hit.Access.get(view, from),
      address: hit.Address.get(view, from),
      bytes: hit.Bytes.get(view, from),
      before: hit.Before.get(view, from),
      after: hit.After.get(view, from),
    };
  });
}

/**
 * A debug point: before its instruction, or behind one that accessed its data.
 *
 * @example
 * ```ts
 * import { DebugAccess, DebugSpace, openSoft, Partition } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 0x10000 });
 * const partition = Partition.create(platform);
 * partition.setProcessorCount(1);
 * partition.setup();
 * // Processors begin at 0xFFFFFFF0, the last 16 bytes below 4 GiB.
 * platform.guestMemory.set([0x90, 0xe6, 0x80], 0xfff0); // nop; out 0x80, al
 * partition.mapGpaRange(platform.guestMemory, 0xffff0000, 7);
 * const vp = partition.createVirtualProcessor(0);
 * partition.setDebugPoint({
 *   identifier: 7,
 *   access: DebugAccess.Execute,
 *   space: DebugSpace.All,
 *   address: 0xfffffff1n,
 *   length: 1n,
 *   cr3: 0n,
 * });
 * const exit = await vp.run();
 * if (exit.reason !== "debugPoint") throw new Error(exit.reason);
 * assertEquals(exit.hits.map((hit) => hit.identifier), [7]);
 * ```
 */
export class DebugPointExit extends VpExit {
  /** Which exit this is. */
  readonly reason = "debugPoint";
  /** What was hit; one for an instruction's point. */
  get hits(): readonly DebugHit[] {
    return debugHits(this.view, REASON_OFFSET);
  }
}
