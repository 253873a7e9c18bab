// The platform made typed and pleasant: partitions, virtual processors, exits.

export { Partition } from "./partition.ts";
export type {
  CpuidResult,
  DebugPoint,
  InterruptRequest,
  MaskedCpuidResult,
} from "./partition.ts";
export { VALUE_SIZE, VirtualProcessor } from "./virtual_processor.ts";
export type { PartitionOfProcessor, Translation } from "./virtual_processor.ts";
export type { Segment, Table } from "../x86/segments.ts";
export type * from "./exits.ts";
export { Completer } from "./completer.ts";
export type { AccessHandlers, Completion } from "./completer.ts";
export { Emulator } from "./emulator.ts";
export type {
  EmulatedIo,
  EmulatedMemory,
  EmulatorHandlers,
} from "./emulator.ts";
export { ENABLE_PLATFORM, PlatformError, refused } from "./errors.ts";
export { getCapability, readCapabilities } from "./capabilities.ts";
export type { Capabilities } from "./capabilities.ts";
export { openNative, WHP } from "./native.ts";
export { missingFunctions } from "./optional.ts";
