// Exits: what a virtual processor's run ended with. Each reason has a class
// whose getters read the bytes the platform wrote, when asked; the objects are
// made once per processor and used again, so an exit allocates nothing.

import { ExitReason } from "../../ffi/enums.ts";
import { WHV_RUN_VP_EXIT_CONTEXT as CONTEXT } from "../../ffi/exits.ts";
import {
  CpuidExit,
  ExceptionExit,
  IoPortExit,
  MemoryExit,
  MsrExit,
} from "./access_exits.ts";
import { DEBUG_POINT_EXIT, DebugPointExit } from "./debug_exits.ts";
import {
  ApicEoiExit,
  ApicWriteExit,
  CanceledExit,
  HaltExit,
  HypercallExit,
  InitSipiExit,
  InterruptWindowExit,
  InvalidStateExit,
  RdtscExit,
  SmiExit,
  SynicExit,
  UnknownExit,
  UnrecoverableExit,
  UnsupportedFeatureExit,
} from "./event_exits.ts";

export * from "./access_exits.ts";
export * from "./event_exits.ts";
export * from "./debug_exits.ts";
export { VpExit } from "./vp_exit.ts";

/**
 * Why a run ended; `reason` tells which.
 *
 * @example
 * ```ts
 * import { type Exit, openSoft, Partition } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 0x10000 });
 * const partition = Partition.create(platform);
 * partition.setProcessorCount(1);
 * partition.setup();
 * // Processors begin at 0xFFFFFFF0, the last 16 bytes below 4 GiB.
 * platform.guestMemory.set([0xe6, 0x80], 0xfff0); // out 0x80, al
 * partition.mapGpaRange(platform.guestMemory, 0xffff0000, 7);
 * const vp = partition.createVirtualProcessor(0);
 * const describe = (exit: Exit): string => {
 *   switch (exit.reason) {
 *     case "ioPort":
 *       return `${exit.isWrite ? "out" : "in"} 0x${exit.port.toString(16)}`;
 *     case "memory":
 *       return `memory 0x${exit.gpa.toString(16)}`;
 *     default:
 *       return exit.reason;
 *   }
 * };
 * assertEquals(describe(await vp.run()), "out 0x80");
 * ```
 */
export type Exit =
  | IoPortExit
  | MemoryExit
  | MsrExit
  | CpuidExit
  | ExceptionExit
  | InterruptWindowExit
  | HaltExit
  | ApicEoiExit
  | CanceledExit
  | UnrecoverableExit
  | InvalidStateExit
  | UnsupportedFeatureExit
  | HypercallExit
  | RdtscExit
  | InitSipiExit
  | SmiExit
  | ApicWriteExit
  | SynicExit
  | DebugPointExit
  | UnknownExit;

/** Finds the exit object for the bytes in one virtual processor's context. */
export class ExitDecoder {
  readonly #view: DataView;
  readonly #exits: ReadonlyMap<number, Exit>;
  readonly #ioPort: IoPortExit;
  readonly #memory: MemoryExit;
  readonly #unknown: UnknownExit;

  /** `context` is a WHV_RUN_VP_EXIT_CONTEXT. */
  constructor(context: Uint8Array) {
    const view = new DataView(
      context.buffer,
      context.byteOffset,
      context.byteLength,
    );
    this.#view = view;
    this.#ioPort = new IoPortExit(view);
    this.#memory = new MemoryExit(view);
    this.#unknown = new UnknownExit(view);
    this.#exits = new Map<number, Exit>([
      [ExitReason.UnrecoverableException, new UnrecoverableExit(view)],
      [ExitReason.InvalidVpRegisterValue, new InvalidStateExit(view)],
      [ExitReason.UnsupportedFeature, new UnsupportedFeatureExit(view)],
      [ExitReason.X64InterruptWindow, new InterruptWindowExit(view)],
      [ExitReason.X64Halt, new HaltExit(view)],
      [ExitReason.X64ApicEoi, new ApicEoiExit(view)],
      [ExitReason.SynicSintDeliverable, new SynicExit(view)],
      [ExitReason.X64MsrAccess, new MsrExit(view)],
      [ExitReason.X64Cpuid, new CpuidExit(view)],
      [ExitReason.Exception, new ExceptionExit(view)],
      [ExitReason.X64Rdtsc, new RdtscExit(view)],
      [ExitReason.X64ApicSmiTrap, new SmiExit(view)],
      [ExitReason.Hypercall, new HypercallExit(view)],
      [ExitReason.X64ApicInitSipiTrap, new InitSipiExit(view)],
      [ExitReason.X64ApicWriteTrap, new ApicWriteExit(view)],
      [ExitReason.Canceled, new CanceledExit(view)],
      [DEBUG_POINT_EXIT, new DebugPointExit(view)],
    ]);
  }

  /** The object for the exit that the context holds now. */
  decode(): Exit {
    const code = CONTEXT.ExitReason.get(this.#view);
    // The two frequent reasons go without a look-up.
    if (code === ExitReason.X64IoPortAccess) return this.#ioPort;
    if (code === ExitReason.MemoryAccess) return this.#memory;
    return this.#exits.get(code) ?? this.#unknown;
  }
}
