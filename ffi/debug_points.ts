// Debug points: optional functions of icebp's own, which a platform that executes
// instructions itself can have beside WinHvPlatform's. No host has them.
//
// A point is an instruction's address or a range of data. A processor that reaches the
// one, or accesses the other, returns with the exit reason DEBUG_POINT: before the
// instruction, or behind the one that made the access. Nothing of a point is in
// guest memory or in a register that the guest can read.

import { nested, struct, U32, U64 } from "./layout.ts";

/**
 * The functions; every result is an HRESULT.
 *
 * @example
 * ```ts
 * import type { debugPoints } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * type Parameters = typeof debugPoints.IcebpClearDebugPoint.parameters;
 * const parameters: Parameters = ["u64", "u32"];
 * assertEquals(parameters[0], "u64");
 * ```
 */
export const debugPoints = {
  /** Sets a point, in place of the one with the same identifier. No processor runs. */
  IcebpSetDebugPoint: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "buffer", // const ICEBP_DEBUG_POINT *Point
      "u32", // UINT32 PointSizeInBytes
    ],
    result: "i32",
    optional: true,
  },
  /** Takes a point away. No processor runs. */
  IcebpClearDebugPoint: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u32", // UINT32 Identifier
    ],
    result: "i32",
    optional: true,
  },
  /** The next instruction of a processor that does not run is not stopped at, or the last
   * of the next run. Setting RIP takes that back. */
  IcebpPassDebugPoints: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u32", // UINT32 VpIndex
      "u32", // UINT32 How (DebugPass)
    ],
    result: "i32",
    optional: true,
  },
  /** Takes the hits that a processor's next run would return with at once. */
  IcebpTakeDebugHits: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u32", // UINT32 VpIndex
      "buffer", // ICEBP_DEBUG_POINT_CONTEXT *Hits
      "u32", // UINT32 HitsSizeInBytes
    ],
    result: "i32",
    optional: true,
  },
  /** Gives an instruction point a condition (ConditionOp): where it is 0 the processor goes
   * on as if there were no point. None (0 bytes) takes it away, and so does setting the
   * point anew. E_NOTIMPL: it is one for the filter to judge. No processor runs. */
  IcebpSetDebugPointCondition: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u32", // UINT32 Identifier
      "buffer", // const UINT8 *Condition
      "u32", // UINT32 ConditionSizeInBytes
    ],
    result: "i32",
    optional: true,
  },
  /** Has a callback asked at every instruction point that is reached and whose condition,
   * if it has one, is not 0 or cannot be told; where it returns 0
   * the processor goes on as if there were none. NULL takes it back. */
  IcebpSetDebugPointFilter: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u64", // UINT32 (CALLBACK *Filter)(UINT32 VpIndex, UINT32 Identifier)
    ],
    result: "i32",
    optional: true,
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** UINT32 (CALLBACK *)(UINT32 VpIndex, UINT32 Identifier). */
export const debugPointFilter = {
  parameters: [
    "u32", // UINT32 VpIndex
    "u32", // UINT32 Identifier
  ],
  result: "u32",
} as const satisfies Deno.UnsafeCallbackDefinition;

/** WHV_RUN_VP_EXIT_REASON of a debug point. */
export const DEBUG_POINT = 0x1ceb0001;

/** Identifiers are below this. */
export const MAX_DEBUG_POINTS = 65536;

/**
 * Accesses that a point is for, or that hit it.
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
 * platform.guestMemory.set([0x2e, 0xa0, 0x00, 0x10], 0xfff0); // mov al, cs:[0x1000]
 * partition.mapGpaRange(platform.guestMemory, 0xffff0000, 7);
 * const vp = partition.createVirtualProcessor(0);
 * partition.setDebugPoint({
 *   identifier: 0,
 *   access: DebugAccess.Read | DebugAccess.Write,
 *   space: DebugSpace.Physical,
 *   address: 0xffff1000n,
 *   length: 1n,
 *   cr3: 0n,
 * });
 * const exit = await vp.run();
 * if (exit.reason !== "debugPoint") throw new Error(exit.reason);
 * assertEquals(exit.hits[0].access, DebugAccess.Read);
 * ```
 */
export const DebugAccess = {
  Read: 1,
  Write: 2,
  /** Not together with the others. */
  Execute: 4,
} as const;

/** How a processor passes a point, or makes one step. */
export const DebugPass = {
  /** Before any interrupt. */
  Next: 0,
  /** As if there were no point; a JMP to itself again and again, until an interrupt or
   * exception comes or the processor's slice of time ends. */
  Spin: 1,
  /** Not at all: what was asked for is taken back. */
  None: 2,
  /** Before any interrupt, and a DEBUG_POINT exit with the hits of data, if any, behind the
   * instruction (of a REP, one iteration), or at the first instruction of an exception's
   * handler. A halted processor goes on. */
  Step: 3,
  /** As Step, but an interrupt that waits comes first, and the exit at its handler. */
  StepOpen: 4,
} as const;

/**
 * Where a point's address is meant.
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
 * platform.guestMemory.set([0x2e, 0xa0, 0x00, 0x10], 0xfff0); // mov al, cs:[0x1000]
 * partition.mapGpaRange(platform.guestMemory, 0xffff0000, 7);
 * const vp = partition.createVirtualProcessor(0);
 * partition.setDebugPoint({
 *   identifier: 0,
 *   access: DebugAccess.Read | DebugAccess.Write,
 *   space: DebugSpace.Physical,
 *   address: 0xffff1000n,
 *   length: 1n,
 *   cr3: 0n,
 * });
 * const exit = await vp.run();
 * if (exit.reason !== "debugPoint") throw new Error(exit.reason);
 * assertEquals(exit.hits[0].access, DebugAccess.Read);
 * ```
 */
export const DebugSpace = {
  /** Linear, whatever the page tables. */
  All: 0,
  /** Linear, with the page tables of Cr3. */
  One: 1,
  /** Guest physical. */
  Physical: 2,
} as const;

/** ICEBP_DEBUG_POINT. */
export const ICEBP_DEBUG_POINT = struct(40, {
  Identifier: new U32(0),
  Access: new U32(4),
  Space: new U32(8),
  Address: new U64(16),
  /** Bytes of data; of no meaning for an instruction. */
  Length: new U64(24),
  Cr3: new U64(32),
});

/** ICEBP_DEBUG_HIT: one point that was hit. */
export const ICEBP_DEBUG_HIT = struct(40, {
  Identifier: new U32(0),
  /** What the instruction did with the data. */
  Access: new U32(4),
  /** Linear address of the access, or of the instruction. */
  Address: new U64(8),
  /** Bytes of the access, 8 at most; 0 for an instruction. */
  Bytes: new U32(16),
  /** Those bytes before the access, little endian. */
  Before: new U64(24),
  After: new U64(32),
});

/** How many hits of one instruction are told. */
export const MAX_DEBUG_HITS = 4;

/** ICEBP_DEBUG_POINT_CONTEXT: the exit's own part. */
export const ICEBP_DEBUG_POINT_CONTEXT = struct(8 + MAX_DEBUG_HITS * 40, {
  Count: new U32(0),
  Hits: nested(8, ICEBP_DEBUG_HIT),
});
