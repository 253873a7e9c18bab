// The command when run, the library when imported.

export {
  Partition,
  PlatformError,
  VirtualProcessor,
} from "./src/platform/mod.ts";
export { openNative } from "./src/platform/mod.ts";
export { openSoft } from "./src/soft/mod.ts";
export { Machine } from "./src/machine/machine.ts";
export { ForeignStateError } from "./src/machine/device.ts";
export { MachineError } from "./src/machine/exits.ts";
export { askHost } from "./src/machine/probe.ts";
export { BootError, loadGuest, startGuest } from "./src/boot/mod.ts";
export { attachDebugger } from "./src/debug/mod.ts";
export { AgentError, AgentExpression } from "./src/debug/breakpoints/agent.ts";
export { TargetError } from "./src/debug/target.ts";
export { GdbServer } from "./src/gdb/server.ts";
export { Timers } from "./src/machine/timers.ts";
export { GuestMemory } from "./src/machine/memory.ts";
export { Subscribers } from "./src/util/subscribers.ts";

export { MapGpaRangeFlag } from "./ffi/enums.ts";
export { ExtendedVmExits } from "./ffi/flags.ts";
export { Reg } from "./ffi/registers.ts";
export { DebugAccess, DebugSpace } from "./ffi/debug_points.ts";

export type { PartitionPropertyCode } from "./ffi/enums.ts";
export type { RegName } from "./ffi/registers.ts";
export type { Segment, Table } from "./src/x86/segments.ts";
export type {
  CpuidResult,
  InterruptRequest,
  MaskedCpuidResult,
} from "./src/platform/partition.ts";
export type { Exit } from "./src/platform/exits.ts";
export type {
  Action,
  Breakpoint,
  BreakpointKind,
  DebugTarget,
  Plan,
  ProcessorDescription,
  ReverseAction,
  Stop,
  StopReason,
  WatchAccess,
} from "./src/debug/target.ts";
export type {
  PartitionOfProcessor,
  Translation,
} from "./src/platform/virtual_processor.ts";
export type { MachineOptions } from "./src/machine/machine.ts";
export type { MachineEvent } from "./src/machine/outcome.ts";
export type { BoardState, MachineState } from "./src/machine/saved.ts";
export type { ExitCounts } from "./src/machine/exits.ts";
export type {
  Argument,
  Arguments,
  CallbackHandle,
  CFunction,
  EventFunctions,
  Functions,
  Result,
  WinHvEmulationFunctions,
  WinHvPlatform,
  WinHvPlatformFunctions,
} from "./ffi/mod.ts";
export type { CpuidAnswer, HostClocks, HostFacts } from "./src/machine/host.ts";
export type { SavedTimer, Timer } from "./src/machine/timers.ts";
export type {
  BootImage,
  BootModule,
  BootRequest,
  FlatChoice,
  FlatMode,
  InitialGpr,
  InitialSegment,
  InitialState,
  InitialTable,
  MemoryWrite,
  PortWrite,
} from "./src/boot/image.ts";
export type {
  SoftClock,
  SoftCounters,
  SoftOptions,
  SoftPlatform,
  TranslateMode,
} from "./src/soft/mod.ts";
export type { MemoryRegion } from "./src/machine/memory.ts";
export type { Subscribable, Unsubscribe } from "./src/util/subscribers.ts";
export type {
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
} from "./src/platform/event_exits.ts";
export type {
  CpuidExit,
  ExceptionExit,
  IoPortExit,
  MemoryExit,
  MsrExit,
} from "./src/platform/access_exits.ts";
export type {
  Clock,
  Device,
  DeviceState,
  Entropy,
  PowerEvent,
  StateValue,
} from "./src/machine/device.ts";
export type {
  Address as GdbAddress,
  GdbServerOptions,
} from "./src/gdb/server.ts";
export type { AfterDisconnect } from "./src/gdb/session.ts";
export type { ClockMode } from "./src/soft/scheduler.ts";
export type { ApicKind } from "./src/machine/setup.ts";
export type {
  EmulatorCallbackKind,
  EmulatorCallbacks,
  emulatorCallbacks,
  winhvemulation,
} from "./ffi/winhvemulation.ts";
export type { winhvplatform } from "./ffi/winhvplatform.ts";
export type { debugPoints } from "./ffi/debug_points.ts";
export type {
  AccessCallback,
  DebugPointFilter,
  IcebpFunctions,
  PlatformTimeTravel,
  ProcessorsState,
  Replay,
  ReplayOptions,
  ScheduleEntry,
  ScheduleLog,
} from "./ffi/mod.ts";
export type { icebp } from "./ffi/icebp.ts";
export type { DmaAccess } from "./src/machine/machine.ts";
export type { DmaMemory } from "./src/machine/devices/virtio/queue.ts";
export type { Architecture } from "./src/debug/guest/register_sets.ts";
export type { MemoryRegion as DebugMemoryRegion } from "./src/debug/paging/regions.ts";
export type { DebugHit, DebugPointExit } from "./src/platform/debug_exits.ts";
export type { DebugPoint } from "./src/platform/partition.ts";
export type { AgentContext } from "./src/debug/breakpoints/agent.ts";
export type { VpExit } from "./src/platform/vp_exit.ts";

if (import.meta.main) {
  const { main } = await import("./src/cli/main.ts");
  Deno.exit(await main(Deno.args));
}
