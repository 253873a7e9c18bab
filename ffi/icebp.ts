// What this project's own implementations of the platform offer beyond
// winhvplatform.h: functions whose names say so. All are optional, no Windows
// has them, and everything works without them as far as a host lets it.

import { struct, U32, U64, U8 } from "./layout.ts";

/**
 * The further exports.
 *
 * @example
 * ```ts
 * import type { icebp } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * type Parameters = typeof icebp.IcebpSetStandstillCallback.parameters;
 * const parameters: Parameters = ["u64", "u64"];
 * assertEquals(parameters[0], "u64");
 * ```
 */
export const icebp = {
  IcebpCompleteAccess: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u32", // UINT32 VpIndex
      "buffer", // ICEBP_ACCESS *Accesses, room for ICEBP_MAX_ACCESSES
      "u32", // UINT32 CarriedOut
      "buffer", // ICEBP_COMPLETION *Completion
    ],
    result: "i32",
    optional: true,
  },
  /** Has a callback called whenever all VPs that are being run are halted with
   * interrupts masked, or wait for a SIPI: what is neither an NMI, an INIT nor a change
   * of registers cannot wake them. NULL takes it back. */
  IcebpSetStandstillCallback: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u64", // VOID (CALLBACK *Standstill)(VOID)
    ],
    result: "i32",
    optional: true,
  },
  /** Tells whether the caller of a VP's runs is about to run it. While it is expected
   * no turn of another VP begins without it, however long it takes to come back from
   * an exit: who takes part in a turn is known, and is the same in every run. That
   * holds until it is said to stay away, which its next run ends; nobody waits for it
   * meanwhile. Who waits for another VP has to say so, or waits for ever. Where VPs
   * have threads of their own there is nothing to tell. */
  IcebpExpectRun: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u32", // UINT32 VpIndex
      "u32", // BOOL Expected
    ],
    result: "i32",
    optional: true,
  },
  /** Has a callback asked what to do about accesses to devices, which may carry them out
   * at once: the VP goes on then as if it had exited and its instruction had been
   * completed. It is not asked about every access. NULL takes it back. */
  IcebpSetAccessCallback: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u64", // UINT32 (CALLBACK *Access)(UINT32 VpIndex, ICEBP_ACCESS *Access)
    ],
    result: "i32",
    optional: true,
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** VOID (CALLBACK *)(VOID). */
export const standstillCallback = {
  parameters: [],
  result: "void",
} as const satisfies Deno.UnsafeCallbackDefinition;

/** Room that IcebpCompleteAccess wants. */
export const ICEBP_MAX_ACCESSES = 256;

/** An access to a device, of the instruction that is completed. */
export const ICEBP_ACCESS = struct(24, {
  /** A guest-physical address or a port. */
  Address: new U64(0),
  /** What is written; for a read, what the device answers. */
  Data: new U64(8),
  /** Bytes, 1 to 8. */
  Size: new U8(16),
  IsWrite: new U8(17),
  IsPort: new U8(18),
  /** Whether it is the first of its instruction; for IcebpSetAccessCallback. */
  IsFirst: new U8(19),
});

/** What a callback of IcebpSetAccessCallback returns. */
export const IcebpAnswer = {
  /** The VP is to exit; nothing has been done. Only for the first access. */
  Exit: 0,
  /** The access is carried out. */
  Done: 1,
  /** It is, and behind the instruction the VP's run is to end as a canceled one does. */
  Return: 2,
} as const;

/** What IcebpCompleteAccess came to. */
export const ICEBP_COMPLETION = struct(24, {
  /** An {@linkcode IcebpOutcome}. */
  Outcome: new U32(0),
  /** Accesses in the list. */
  AccessCount: new U32(4),
  /** Of them, the first that have been carried out; the others are to be, in
   * order, before anything else. */
  CarriedOut: new U32(8),
  /** For Tables: the guest-physical address. */
  Address: new U64(16),
});

/** ICEBP_COMPLETION's outcomes. */
export const IcebpOutcome = {
  /** The instruction, or an iteration of it, is done; the VP's next run goes on
   * from there, beginning with the trap if it has made one. */
  Done: 0,
  /** The list ends with a read: call again with its data. */
  Data: 1,
  /** A repeated instruction goes on: call again with an empty list. */
  Again: 2,
  /** The instruction is not done: it faults, or is not there any more, and the
   * VP's next run begins with that. */
  Run: 3,
  /** A page table is where no memory is: nothing can be done. */
  Tables: 4,
} as const;
