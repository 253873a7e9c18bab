// HRESULTs of the platform's functions (winhvplatform's, see ffi/hresult.ts).
export const S_OK: i32 = 0;
export const E_ACCESSDENIED: i32 = <i32> 0x80070005;
export const E_INVALIDARG: i32 = <i32> 0x80070057;
export const E_OUTOFMEMORY: i32 = <i32> 0x8007000e;
// of the hypervisor itself (facility 0x35)
export const HV_INVALID_PARAMETER: i32 = <i32> 0xc0350005;
export const HV_ACCESS_DENIED: i32 = <i32> 0xc0350006;
export const HV_OPERATION_DENIED: i32 = <i32> 0xc0350008;
export const WHV_E_UNKNOWN_CAPABILITY: i32 = <i32> 0x80370300;
export const WHV_E_INSUFFICIENT_BUFFER: i32 = <i32> 0x80370301;
export const WHV_E_UNKNOWN_PROPERTY: i32 = <i32> 0x80370302;
export const WHV_E_INVALID_PARTITION_CONFIG: i32 = <i32> 0x80370304;
export const WHV_E_GPA_RANGE_NOT_FOUND: i32 = <i32> 0x80370305;
export const WHV_E_VP_ALREADY_EXISTS: i32 = <i32> 0x80370306;
export const WHV_E_VP_DOES_NOT_EXIST: i32 = <i32> 0x80370307;
export const WHV_E_INVALID_VP_STATE: i32 = <i32> 0x80370308;
export const WHV_E_INVALID_VP_REGISTER_NAME: i32 = <i32> 0x80370309;
