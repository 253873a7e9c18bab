// WinHvEmulation.dll as Deno.dlopen takes it: every function and callback of
// winhvemulation.h, each parameter with its C declaration. A callback's context
// is a number of the caller's choice, never dereferenced here.

/**
 * The exports of WinHvEmulation.dll.
 *
 * @example
 * ```ts
 * import type { winhvemulation } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * type Parameters = typeof winhvemulation.WHvEmulatorDestroyEmulator.parameters;
 * const parameters: Parameters = ["u64"];
 * assertEquals(parameters[0], "u64");
 * ```
 */
export const winhvemulation = {
  WHvEmulatorCreateEmulator: {
    parameters: [
      "buffer", // const WHV_EMULATOR_CALLBACKS *Callbacks
      "buffer", // WHV_EMULATOR_HANDLE *Emulator
    ],
    result: "i32",
  },
  WHvEmulatorDestroyEmulator: {
    parameters: [
      "u64", // WHV_EMULATOR_HANDLE Emulator
    ],
    result: "i32",
  },
  WHvEmulatorTryIoEmulation: {
    parameters: [
      "u64", // WHV_EMULATOR_HANDLE Emulator
      "u64", // VOID *Context
      "buffer", // const WHV_VP_EXIT_CONTEXT *VpContext
      "buffer", // const WHV_X64_IO_PORT_ACCESS_CONTEXT *IoInstructionContext
      "buffer", // WHV_EMULATOR_STATUS *EmulatorReturnStatus
    ],
    result: "i32",
  },
  WHvEmulatorTryMmioEmulation: {
    parameters: [
      "u64", // WHV_EMULATOR_HANDLE Emulator
      "u64", // VOID *Context
      "buffer", // const WHV_VP_EXIT_CONTEXT *VpContext
      "buffer", // const WHV_MEMORY_ACCESS_CONTEXT *MmioInstructionContext
      "buffer", // WHV_EMULATOR_STATUS *EmulatorReturnStatus
    ],
    result: "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/**
 * The emulator's callbacks, as Deno.UnsafeCallback takes them.
 *
 * @example
 * ```ts
 * import type { emulatorCallbacks } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * type IoPort = typeof emulatorCallbacks.ioPort.parameters;
 * const parameters: IoPort = ["u64", "pointer"];
 * assertEquals(parameters.length, 2);
 * ```
 */
export const emulatorCallbacks = {
  // WHV_EMULATOR_IO_PORT_CALLBACK
  ioPort: {
    parameters: [
      "u64", // VOID *Context
      "pointer", // WHV_EMULATOR_IO_ACCESS_INFO *IoAccess
    ],
    result: "i32",
  },
  // WHV_EMULATOR_MEMORY_CALLBACK
  memory: {
    parameters: [
      "u64", // VOID *Context
      "pointer", // WHV_EMULATOR_MEMORY_ACCESS_INFO *MemoryAccess
    ],
    result: "i32",
  },
  // WHV_EMULATOR_GET_VIRTUAL_PROCESSOR_REGISTERS_CALLBACK
  getRegisters: {
    parameters: [
      "u64", // VOID *Context
      "pointer", // const WHV_REGISTER_NAME *RegisterNames
      "u32", // UINT32 RegisterCount
      "pointer", // WHV_REGISTER_VALUE *RegisterValues
    ],
    result: "i32",
  },
  // WHV_EMULATOR_SET_VIRTUAL_PROCESSOR_REGISTERS_CALLBACK
  setRegisters: {
    parameters: [
      "u64", // VOID *Context
      "pointer", // const WHV_REGISTER_NAME *RegisterNames
      "u32", // UINT32 RegisterCount
      "pointer", // const WHV_REGISTER_VALUE *RegisterValues
    ],
    result: "i32",
  },
  // WHV_EMULATOR_TRANSLATE_GVA_PAGE_CALLBACK
  translateGvaPage: {
    parameters: [
      "u64", // VOID *Context
      "u64", // WHV_GUEST_VIRTUAL_ADDRESS Gva
      "u32", // WHV_TRANSLATE_GVA_FLAGS TranslateFlags
      "pointer", // WHV_TRANSLATE_GVA_RESULT_CODE *TranslationResult
      "pointer", // WHV_GUEST_PHYSICAL_ADDRESS *Gpa
    ],
    result: "i32",
  },
} as const satisfies Record<string, Deno.UnsafeCallbackDefinition>;

/**
 * Which of the emulator's callbacks.
 *
 * @example
 * ```ts
 * import { type EmulatorCallbackKind, openSoft } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 65536 });
 * const kind: EmulatorCallbackKind = "memory";
 * platform.callback(kind, () => 0).close();
 * assertEquals(kind, "memory");
 * ```
 */
export type EmulatorCallbackKind = keyof typeof emulatorCallbacks;

/**
 * Each callback as a JavaScript function. A pointer parameter arrives as a view
 * of what it points to, which is valid until the function returns. The result
 * is an HRESULT.
 *
 * @example
 * ```ts
 * import { type EmulatorCallbacks, openSoft } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const E_NOTIMPL = 0x80004001 | 0;
 * const ioPort: EmulatorCallbacks["ioPort"] = (_context, access) =>
 *   access.length > 0 ? 0 : E_NOTIMPL;
 * const platform = await openSoft({ memoryBytes: 65536 });
 * platform.callback("ioPort", ioPort).close();
 * assertEquals(ioPort(0n, new Uint8Array(0)), E_NOTIMPL);
 * ```
 */
export interface EmulatorCallbacks {
  /** `access` is a WHV_EMULATOR_IO_ACCESS_INFO. */
  ioPort(context: bigint, access: Uint8Array): number;
  /** `access` is a WHV_EMULATOR_MEMORY_ACCESS_INFO. */
  memory(context: bigint, access: Uint8Array): number;
  /** Four bytes a name, sixteen a value. */
  getRegisters(
    context: bigint,
    names: Uint8Array,
    count: number,
    values: Uint8Array,
  ): number;
  /** Four bytes a name, sixteen a value. */
  setRegisters(
    context: bigint,
    names: Uint8Array,
    count: number,
    values: Uint8Array,
  ): number;
  /** `code` has four bytes, `gpa` eight; both are to be written. */
  translateGvaPage(
    context: bigint,
    gva: bigint,
    flags: number,
    code: Uint8Array,
    gpa: Uint8Array,
  ): number;
}
