/*
 * The C interface of WinHvPlatform.dll and WinHvEmulation.dll: on Windows the
 * mingw-w64 headers', elsewhere as much of it as this library has, with the same
 * names and layouts (System V calling convention, as Deno's FFI calls it).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef _WIN32
#include <windows.h>
#include <winhvplatform.h>
#include <winhvemulation.h>

#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#define WINAPI
#define CALLBACK
#define VOID void

typedef int32_t HRESULT;
typedef uint8_t UINT8;
typedef uint16_t UINT16;
typedef uint32_t UINT32;
typedef uint64_t UINT64;
typedef void *HANDLE, *PVOID;

/* enumerations and sets of flags: 32 bits each */
typedef UINT32 WHV_CAPABILITY_CODE, WHV_PARTITION_PROPERTY_CODE;
typedef UINT32 WHV_MAP_GPA_RANGE_FLAGS, WHV_TRANSLATE_GVA_FLAGS;
typedef UINT32 WHV_TRANSLATE_GVA_RESULT_CODE, WHV_REGISTER_NAME;
typedef UINT32 WHV_ADVISE_GPA_RANGE_CODE, WHV_VIRTUAL_PROCESSOR_STATE_TYPE;
typedef UINT32 WHV_PARTITION_COUNTER_SET, WHV_PROCESSOR_COUNTER_SET;

typedef void *WHV_PARTITION_HANDLE, *WHV_EMULATOR_HANDLE;
typedef UINT64 WHV_GUEST_PHYSICAL_ADDRESS, WHV_GUEST_VIRTUAL_ADDRESS;

typedef union { UINT64 AsUINT64; } WHV_ACCESS_GPA_CONTROLS;
typedef struct { WHV_TRANSLATE_GVA_RESULT_CODE ResultCode; UINT32 Reserved; } WHV_TRANSLATE_GVA_RESULT;
typedef struct { UINT64 GuestAddress, SizeInBytes; } WHV_MEMORY_RANGE_ENTRY;
typedef struct { UINT32 Eax, Ebx, Ecx, Edx; } WHV_CPUID_OUTPUT;
typedef struct { UINT64 Low, High; } WHV_REGISTER_VALUE;
typedef struct { UINT32 PropertyCode, Reserved; UINT16 NumaNode, Padding[3]; } WHV_VIRTUAL_PROCESSOR_PROPERTY;
typedef struct { UINT64 GuestAddress, Value; UINT32 Length, MatchOnValue : 1, MatchOnLength : 1; } WHV_DOORBELL_MATCH_DATA;

typedef struct {
    UINT64 Type : 8, DestinationMode : 4, TriggerMode : 4, Reserved : 48;
    UINT32 Destination, Vector;
} WHV_INTERRUPT_CONTROL;

/* looked into by nobody here */
typedef struct { UINT8 Bytes[40]; } WHV_VP_EXIT_CONTEXT;

/* as far as the emulator looks */
typedef struct { UINT8 InstructionByteCount, Reserved[3], InstructionBytes[16]; } WHV_X64_IO_PORT_ACCESS_CONTEXT;
typedef WHV_X64_IO_PORT_ACCESS_CONTEXT WHV_MEMORY_ACCESS_CONTEXT;

typedef union { UINT32 AsUINT32; } WHV_EMULATOR_STATUS;
typedef struct { UINT64 GpaAddress; UINT8 Direction, AccessSize, Data[8]; } WHV_EMULATOR_MEMORY_ACCESS_INFO;
typedef struct { UINT8 Direction; UINT16 Port, AccessSize; UINT32 Data; } WHV_EMULATOR_IO_ACCESS_INFO;

typedef struct {
    UINT32 Size, Reserved;
    HRESULT (*WHvEmulatorIoPortCallback)(void *, WHV_EMULATOR_IO_ACCESS_INFO *);
    HRESULT (*WHvEmulatorMemoryCallback)(void *, WHV_EMULATOR_MEMORY_ACCESS_INFO *);
    HRESULT (*WHvEmulatorGetVirtualProcessorRegisters)(void *, const WHV_REGISTER_NAME *, UINT32, WHV_REGISTER_VALUE *);
    HRESULT (*WHvEmulatorSetVirtualProcessorRegisters)(void *, const WHV_REGISTER_NAME *, UINT32, const WHV_REGISTER_VALUE *);
    HRESULT (*WHvEmulatorTranslateGvaPage)(void *, WHV_GUEST_VIRTUAL_ADDRESS, WHV_TRANSLATE_GVA_FLAGS, WHV_TRANSLATE_GVA_RESULT_CODE *, WHV_GUEST_PHYSICAL_ADDRESS *);
} WHV_EMULATOR_CALLBACKS;

HRESULT WHvGetCapability(WHV_CAPABILITY_CODE, VOID *, UINT32, UINT32 *);
HRESULT WHvCreatePartition(WHV_PARTITION_HANDLE *);
HRESULT WHvSetupPartition(WHV_PARTITION_HANDLE);
HRESULT WHvResetPartition(WHV_PARTITION_HANDLE);
HRESULT WHvDeletePartition(WHV_PARTITION_HANDLE);
HRESULT WHvGetPartitionProperty(WHV_PARTITION_HANDLE, WHV_PARTITION_PROPERTY_CODE, VOID *, UINT32, UINT32 *);
HRESULT WHvSetPartitionProperty(WHV_PARTITION_HANDLE, WHV_PARTITION_PROPERTY_CODE, const VOID *, UINT32);
HRESULT WHvSuspendPartitionTime(WHV_PARTITION_HANDLE);
HRESULT WHvResumePartitionTime(WHV_PARTITION_HANDLE);
HRESULT WHvMapGpaRange(WHV_PARTITION_HANDLE, VOID *, WHV_GUEST_PHYSICAL_ADDRESS, UINT64, WHV_MAP_GPA_RANGE_FLAGS);
HRESULT WHvMapGpaRange2(WHV_PARTITION_HANDLE, HANDLE, VOID *, WHV_GUEST_PHYSICAL_ADDRESS, UINT64, WHV_MAP_GPA_RANGE_FLAGS);
HRESULT WHvUnmapGpaRange(WHV_PARTITION_HANDLE, WHV_GUEST_PHYSICAL_ADDRESS, UINT64);
HRESULT WHvTranslateGva(WHV_PARTITION_HANDLE, UINT32, WHV_GUEST_VIRTUAL_ADDRESS, WHV_TRANSLATE_GVA_FLAGS, WHV_TRANSLATE_GVA_RESULT *, WHV_GUEST_PHYSICAL_ADDRESS *);
HRESULT WHvCreateVirtualProcessor(WHV_PARTITION_HANDLE, UINT32, UINT32);
HRESULT WHvCreateVirtualProcessor2(WHV_PARTITION_HANDLE, UINT32, const WHV_VIRTUAL_PROCESSOR_PROPERTY *, UINT32);
HRESULT WHvDeleteVirtualProcessor(WHV_PARTITION_HANDLE, UINT32);
HRESULT WHvRunVirtualProcessor(WHV_PARTITION_HANDLE, UINT32, VOID *, UINT32);
HRESULT WHvCancelRunVirtualProcessor(WHV_PARTITION_HANDLE, UINT32, UINT32);
HRESULT WHvGetVirtualProcessorRegisters(WHV_PARTITION_HANDLE, UINT32, const WHV_REGISTER_NAME *, UINT32, WHV_REGISTER_VALUE *);
HRESULT WHvSetVirtualProcessorRegisters(WHV_PARTITION_HANDLE, UINT32, const WHV_REGISTER_NAME *, UINT32, const WHV_REGISTER_VALUE *);
HRESULT WHvGetVirtualProcessorInterruptControllerState(WHV_PARTITION_HANDLE, UINT32, VOID *, UINT32, UINT32 *);
HRESULT WHvSetVirtualProcessorInterruptControllerState(WHV_PARTITION_HANDLE, UINT32, const VOID *, UINT32);
HRESULT WHvGetVirtualProcessorInterruptControllerState2(WHV_PARTITION_HANDLE, UINT32, VOID *, UINT32, UINT32 *);
HRESULT WHvSetVirtualProcessorInterruptControllerState2(WHV_PARTITION_HANDLE, UINT32, const VOID *, UINT32);
HRESULT WHvRequestInterrupt(WHV_PARTITION_HANDLE, const WHV_INTERRUPT_CONTROL *, UINT32);
HRESULT WHvGetVirtualProcessorXsaveState(WHV_PARTITION_HANDLE, UINT32, VOID *, UINT32, UINT32 *);
HRESULT WHvSetVirtualProcessorXsaveState(WHV_PARTITION_HANDLE, UINT32, const VOID *, UINT32);
HRESULT WHvGetVirtualProcessorState(WHV_PARTITION_HANDLE, UINT32, WHV_VIRTUAL_PROCESSOR_STATE_TYPE, VOID *, UINT32, UINT32 *);
HRESULT WHvSetVirtualProcessorState(WHV_PARTITION_HANDLE, UINT32, WHV_VIRTUAL_PROCESSOR_STATE_TYPE, const VOID *, UINT32);
HRESULT WHvGetVirtualProcessorCpuidOutput(WHV_PARTITION_HANDLE, UINT32, UINT32, UINT32, WHV_CPUID_OUTPUT *);
HRESULT WHvGetVirtualProcessorCounters(WHV_PARTITION_HANDLE, UINT32, WHV_PROCESSOR_COUNTER_SET, VOID *, UINT32, UINT32 *);
HRESULT WHvGetPartitionCounters(WHV_PARTITION_HANDLE, WHV_PARTITION_COUNTER_SET, VOID *, UINT32, UINT32 *);
HRESULT WHvQueryGpaRangeDirtyBitmap(WHV_PARTITION_HANDLE, WHV_GUEST_PHYSICAL_ADDRESS, UINT64, UINT64 *, UINT32);
HRESULT WHvAdviseGpaRange(WHV_PARTITION_HANDLE, const WHV_MEMORY_RANGE_ENTRY *, UINT32, WHV_ADVISE_GPA_RANGE_CODE, const VOID *, UINT32);
HRESULT WHvReadGpaRange(WHV_PARTITION_HANDLE, UINT32, WHV_GUEST_PHYSICAL_ADDRESS, WHV_ACCESS_GPA_CONTROLS, PVOID, UINT32);
HRESULT WHvWriteGpaRange(WHV_PARTITION_HANDLE, UINT32, WHV_GUEST_PHYSICAL_ADDRESS, WHV_ACCESS_GPA_CONTROLS, const VOID *, UINT32);
HRESULT WHvRegisterPartitionDoorbellEvent(WHV_PARTITION_HANDLE, const WHV_DOORBELL_MATCH_DATA *, HANDLE);
HRESULT WHvUnregisterPartitionDoorbellEvent(WHV_PARTITION_HANDLE, const WHV_DOORBELL_MATCH_DATA *);

/* Of kernel32.dll. */
HANDLE CreateEventW(void *, int, int, const UINT16 *);
int SetEvent(HANDLE);
UINT32 WaitForSingleObject(HANDLE, UINT32);
int CloseHandle(HANDLE);

HRESULT WHvEmulatorCreateEmulator(const WHV_EMULATOR_CALLBACKS *, WHV_EMULATOR_HANDLE *);
HRESULT WHvEmulatorDestroyEmulator(WHV_EMULATOR_HANDLE);
HRESULT WHvEmulatorTryIoEmulation(WHV_EMULATOR_HANDLE, VOID *, const WHV_VP_EXIT_CONTEXT *, const WHV_X64_IO_PORT_ACCESS_CONTEXT *, WHV_EMULATOR_STATUS *);
HRESULT WHvEmulatorTryMmioEmulation(WHV_EMULATOR_HANDLE, VOID *, const WHV_VP_EXIT_CONTEXT *, const WHV_MEMORY_ACCESS_CONTEXT *, WHV_EMULATOR_STATUS *);

#define S_OK ((HRESULT)0)
#define E_POINTER ((HRESULT)0x80004003)
#define E_OUTOFMEMORY ((HRESULT)0x8007000e)
#define E_INVALIDARG ((HRESULT)0x80070057)
#endif

/* winerror.h of the Windows SDK; mingw's lacks it */
#ifndef WHV_E_INSUFFICIENT_BUFFER
#define WHV_E_INSUFFICIENT_BUFFER ((HRESULT)0x80370301)
#endif

/* Both sides of the #ifdef above have the same layouts. */
_Static_assert(sizeof(WHV_ACCESS_GPA_CONTROLS) == 8, "");
_Static_assert(sizeof(WHV_TRANSLATE_GVA_RESULT) == 8, "");
_Static_assert(sizeof(WHV_MEMORY_RANGE_ENTRY) == 16, "");
_Static_assert(sizeof(WHV_CPUID_OUTPUT) == 16, "");
_Static_assert(sizeof(WHV_REGISTER_VALUE) == 16, "");
_Static_assert(sizeof(WHV_VIRTUAL_PROCESSOR_PROPERTY) == 16, "");
_Static_assert(offsetof(WHV_VIRTUAL_PROCESSOR_PROPERTY, NumaNode) == 8, "");
_Static_assert(sizeof(WHV_INTERRUPT_CONTROL) == 16, "");
_Static_assert(offsetof(WHV_INTERRUPT_CONTROL, Vector) == 12, "");
_Static_assert(sizeof(WHV_VP_EXIT_CONTEXT) == 40, "");
_Static_assert(offsetof(WHV_X64_IO_PORT_ACCESS_CONTEXT, InstructionBytes) == 4, "");
_Static_assert(offsetof(WHV_MEMORY_ACCESS_CONTEXT, InstructionBytes) == 4, "");
_Static_assert(sizeof(WHV_EMULATOR_STATUS) == 4, "");
_Static_assert(sizeof(WHV_EMULATOR_MEMORY_ACCESS_INFO) == 24, "");
_Static_assert(offsetof(WHV_EMULATOR_MEMORY_ACCESS_INFO, Data) == 10, "");
_Static_assert(sizeof(WHV_EMULATOR_IO_ACCESS_INFO) == 12, "");
_Static_assert(offsetof(WHV_EMULATOR_IO_ACCESS_INFO, Data) == 8, "");
_Static_assert(sizeof(WHV_EMULATOR_CALLBACKS) == 48, "");
