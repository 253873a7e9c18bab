// The exit for a debug point: which were hit, and what the access did.

import {
  DEBUG_POINT,
  ICEBP_DEBUG_HIT,
  ICEBP_DEBUG_POINT_CONTEXT,
} from "../../ffi/debug_points.ts";
import { REASON_OFFSET, VpExit } from "./vp_exit.ts";

/** The reason's number: none of WinHvPlatform's. */
export const DEBUG_POINT_EXIT: number = DEBUG_POINT;

/** One debug point that was hit (ICEBP_DEBUG_HIT). */
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

/** A debug point: before its instruction, or behind one that accessed its data. */
export class DebugPointExit extends VpExit {
  /** Which exit this is. */
  readonly reason = "debugPoint";
  /** What was hit; one for an instruction's point. */
  get hits(): readonly DebugHit[] {
    return debugHits(this.view, REASON_OFFSET);
  }
}
