// The structures of winhvemulation.h.

import { Bits, Bytes, struct, U16, U32, U64, U8 } from "./layout.ts";

/** WHV_EMULATOR_STATUS. */
export const WHV_EMULATOR_STATUS = struct(4, {
  EmulationSuccessful: new Bits(0, 0, 1),
  InternalEmulationFailure: new Bits(0, 1, 1),
  IoPortCallbackFailed: new Bits(0, 2, 1),
  MemoryCallbackFailed: new Bits(0, 3, 1),
  TranslateGvaPageCallbackFailed: new Bits(0, 4, 1),
  TranslateGvaPageCallbackGpaIsNotAligned: new Bits(0, 5, 1),
  GetVirtualProcessorRegistersCallbackFailed: new Bits(0, 6, 1),
  SetVirtualProcessorRegistersCallbackFailed: new Bits(0, 7, 1),
  InterruptCausedIntercept: new Bits(1, 0, 1),
  GuestCannotBeFaulted: new Bits(1, 1, 1),
  AsUINT32: new U32(0),
});

/** WHV_EMULATOR_MEMORY_ACCESS_INFO. */
export const WHV_EMULATOR_MEMORY_ACCESS_INFO = struct(24, {
  GpaAddress: new U64(0),
  Direction: new U8(8),
  AccessSize: new U8(9),
  Data: new Bytes(10, 8),
});

/** WHV_EMULATOR_IO_ACCESS_INFO. */
export const WHV_EMULATOR_IO_ACCESS_INFO = struct(12, {
  Direction: new U8(0),
  Port: new U16(2),
  AccessSize: new U16(4),
  Data: new U32(8),
});

/** WHV_EMULATOR_CALLBACKS. */
export const WHV_EMULATOR_CALLBACKS = struct(48, {
  Size: new U32(0),
  WHvEmulatorIoPortCallback: new U64(8),
  WHvEmulatorMemoryCallback: new U64(16),
  WHvEmulatorGetVirtualProcessorRegisters: new U64(24),
  WHvEmulatorSetVirtualProcessorRegisters: new U64(32),
  WHvEmulatorTranslateGvaPage: new U64(40),
});
