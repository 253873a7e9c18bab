// The HRESULTs that the platform returns, with their names. The WHV_E_ codes
// are those of the Windows SDK's winerror.h (facility 0x37, hypervisor); the
// mingw-w64 winerror.h has the general ones only. Hosts also pass on what the
// hypervisor answered, an NTSTATUS (ntstatus.h, STATUS_HV_*), as it is or with
// the bit that makes it an HRESULT (HRESULT_FROM_NT).

/** Result codes as the signed 32-bit numbers that a call returns. */
export const HResult = {
  S_OK: 0,
  S_FALSE: 1,
  E_NOTIMPL: 0x80004001 | 0,
  E_POINTER: 0x80004003 | 0,
  E_FAIL: 0x80004005 | 0,
  E_UNEXPECTED: 0x8000ffff | 0,
  E_ACCESSDENIED: 0x80070005 | 0,
  E_HANDLE: 0x80070006 | 0,
  E_OUTOFMEMORY: 0x8007000e | 0,
  E_INVALIDARG: 0x80070057 | 0,
  WHV_E_UNKNOWN_CAPABILITY: 0x80370300 | 0,
  WHV_E_INSUFFICIENT_BUFFER: 0x80370301 | 0,
  WHV_E_UNKNOWN_PROPERTY: 0x80370302 | 0,
  WHV_E_UNSUPPORTED_HYPERVISOR_CONFIG: 0x80370303 | 0,
  WHV_E_INVALID_PARTITION_CONFIG: 0x80370304 | 0,
  WHV_E_GPA_RANGE_NOT_FOUND: 0x80370305 | 0,
  WHV_E_VP_ALREADY_EXISTS: 0x80370306 | 0,
  WHV_E_VP_DOES_NOT_EXIST: 0x80370307 | 0,
  WHV_E_INVALID_VP_STATE: 0x80370308 | 0,
  WHV_E_INVALID_VP_REGISTER_NAME: 0x80370309 | 0,
  WHV_E_UNSUPPORTED_PROCESSOR_CONFIG: 0x80370310 | 0,
  STATUS_HV_INVALID_PARAMETER: 0xc0350005 | 0,
  STATUS_HV_ACCESS_DENIED: 0xc0350006 | 0,
  STATUS_HV_INVALID_PARTITION_STATE: 0xc0350007 | 0,
  STATUS_HV_OPERATION_DENIED: 0xc0350008 | 0,
  STATUS_HV_UNKNOWN_PROPERTY: 0xc0350009 | 0,
  STATUS_HV_PROPERTY_VALUE_OUT_OF_RANGE: 0xc035000a | 0,
  STATUS_HV_INSUFFICIENT_MEMORY: 0xc035000b | 0,
  STATUS_HV_INVALID_VP_INDEX: 0xc035000e | 0,
  STATUS_HV_INVALID_VP_STATE: 0xc0350015 | 0,
  STATUS_HV_INVALID_REGISTER_VALUE: 0xc0350050 | 0,
} as const;

/** A code's name, such as `WHV_E_INVALID_VP_STATE`. */
export type HResultName = keyof typeof HResult;

const names = new Map<number, HResultName>(
  Object.entries(HResult).map(([name, code]) => [code, name as HResultName]),
);

/** FACILITY_NT_BIT: makes an NTSTATUS an HRESULT. */
const FROM_NT = 0x10000000;

/** The name of a result code, or its number in hex if it has none here. */
export function hresultName(code: number): string {
  return names.get(code) ?? names.get(code & ~FROM_NT) ??
    `HRESULT 0x${(code >>> 0).toString(16).padStart(8, "0")}`;
}
