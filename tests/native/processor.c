/* Virtual processors: create, delete, run, cancel; their registers and other state. */
#include "calls.h"
#include "engine.h"
#include "states.h"
#include "variants.h"

#define MAX_REGISTERS 256
#define APIC_BYTES 4096
#define PAGE 4096

static HRESULT create(UINT32 vp)
{
    HRESULT hresult = CORE(whvCreateVirtualProcessor, vp);
    if (hresult == S_OK)
        quirks_reset(vp);
    return hresult;
}

EXPORT HRESULT WINAPI WHvCreateVirtualProcessor(WHV_PARTITION_HANDLE Partition, UINT32 VpIndex, UINT32 Flags)
{
    ENTER(Partition);
    (void)Flags; /* none is defined */
    return leave(create(VpIndex));
}

EXPORT HRESULT WINAPI WHvCreateVirtualProcessor2(WHV_PARTITION_HANDLE Partition, UINT32 VpIndex, const WHV_VIRTUAL_PROCESSOR_PROPERTY *Properties, UINT32 PropertyCount)
{
    /* where memory is near to: the only property that there is, and a hint */
    enum { NUMA_NODE = 0 };
    ENTER(Partition);
    if (Properties == NULL && PropertyCount > 0)
        return leave(E_INVALIDARG);
    for (UINT32 i = 0; i < PropertyCount; i++)
        if ((UINT32)Properties[i].PropertyCode != NUMA_NODE)
            return leave(E_INVALIDARG);
    return leave(create(VpIndex));
}

/* Refused with WHV_E_INVALID_VP_STATE while the processor runs. */
EXPORT HRESULT WINAPI WHvDeleteVirtualProcessor(WHV_PARTITION_HANDLE Partition, UINT32 VpIndex)
{
    ENTER(Partition);
    HRESULT hresult = CORE(whvDeleteVirtualProcessor, VpIndex);
    if (hresult == S_OK)
        engine_forget(VpIndex);
    return leave(hresult);
}

EXPORT HRESULT WINAPI WHvRunVirtualProcessor(WHV_PARTITION_HANDLE Partition, UINT32 VpIndex, VOID *ExitContext, UINT32 ExitContextSizeInBytes)
{
    ENTER(Partition);
    if (ExitContext == NULL || quirks_misaligned(ExitContext))
        return leave(E_INVALIDARG);
    HRESULT hresult = leave(engine_run(VpIndex, ExitContext, ExitContextSizeInBytes));
    if (hresult == S_OK) {
        uint64_t until = clock_now() + quirks_delay(ExitContext);
        while (clock_now() < until)
            ; /* as on its way through a hypervisor */
    }
    return hresult;
}

EXPORT HRESULT WINAPI WHvCancelRunVirtualProcessor(WHV_PARTITION_HANDLE Partition, UINT32 VpIndex, UINT32 Flags)
{
    ENTER(Partition);
    (void)Flags; /* none is defined */
    HRESULT hresult = CORE(whvCheckVp, VpIndex);
    if (hresult == S_OK)
        engine_cancel(VpIndex);
    return leave(hresult);
}

/* Registers' names to IOBUF. */
static bool take_names(const WHV_REGISTER_NAME *names, UINT32 count, const void *values)
{
    return count <= MAX_REGISTERS && values != NULL && !quirks_misaligned(values) && take(names, count * 4);
}

EXPORT HRESULT WINAPI WHvGetVirtualProcessorRegisters(WHV_PARTITION_HANDLE Partition, UINT32 VpIndex, const WHV_REGISTER_NAME *RegisterNames, UINT32 RegisterCount, WHV_REGISTER_VALUE *RegisterValues)
{
    ENTER(Partition);
    if (!take_names(RegisterNames, RegisterCount, RegisterValues))
        return leave(E_INVALIDARG);
    if (quirks_refuses(IOBUF, RegisterCount))
        return leave(HV_REFUSED);
    HRESULT hresult = CORE(whvGetRegisters, VpIndex, RegisterCount);
    if (hresult == S_OK) {
        quirks_registers(IOBUF, RegisterCount, VALUES);
        memcpy((void *)RegisterValues, VALUES, RegisterCount * 16);
    }
    return leave(hresult);
}

EXPORT HRESULT WINAPI WHvSetVirtualProcessorRegisters(WHV_PARTITION_HANDLE Partition, UINT32 VpIndex, const WHV_REGISTER_NAME *RegisterNames, UINT32 RegisterCount, const WHV_REGISTER_VALUE *RegisterValues)
{
    ENTER(Partition);
    if (!take_names(RegisterNames, RegisterCount, RegisterValues))
        return leave(E_INVALIDARG);
    if (quirks_refuses(IOBUF, RegisterCount))
        return leave(HV_REFUSED);
    memcpy(VALUES, (const void *)RegisterValues, RegisterCount * 16);
    return leave(CORE(whvSetRegisters, VpIndex, RegisterCount));
}

static HRESULT get_apic(UINT32 vp, void *state, UINT32 bytes, UINT32 *written)
{
    if (state == NULL && bytes > 0)
        return E_INVALIDARG;
    HRESULT hresult = CORE(whvGetApic, vp);
    if (hresult == S_OK)
        hresult = sized(APIC_BYTES, bytes);
    return give(hresult, state, written);
}

static HRESULT set_apic(UINT32 vp, const void *state, UINT32 bytes)
{
    if (bytes < APIC_BYTES || !take(state, APIC_BYTES))
        return E_INVALIDARG;
    HRESULT hresult = CORE(whvSetApic, vp);
    if (hresult == S_OK)
        quirks_apic(vp);
    return hresult;
}

/* XSAVE state is moved by XSAVES, which takes aligned memory only. */
static bool is_aligned(const void *state)
{
    return state != NULL && (uintptr_t)state % PAGE == 0;
}

/* More of it than the core has: what follows is kept, and means nothing. */
static HRESULT get_large_xsave(UINT32 vp, uint8_t *state, UINT32 bytes, UINT32 size, UINT32 *written)
{
    HRESULT hresult = CORE(whvGetXsave, vp, XSAVE_CORE);
    if (hresult == S_OK)
        hresult = sized(size, bytes);
    if (hresult == S_OK) {
        memcpy(state, IOBUF, XSAVE_CORE);
        memcpy(state + XSAVE_CORE, states_xsave_rest(vp), size - XSAVE_CORE);
    }
    return give(hresult, NULL, written);
}

static HRESULT set_large_xsave(UINT32 vp, const uint8_t *state, UINT32 bytes, UINT32 size)
{
    if (bytes != size || !take(state, XSAVE_CORE))
        return E_INVALIDARG;
    HRESULT hresult = CORE(whvSetXsave, vp, XSAVE_CORE);
    if (hresult == S_OK)
        memcpy(states_xsave_rest(vp), state + XSAVE_CORE, size - XSAVE_CORE);
    return hresult;
}

static HRESULT get_xsave(UINT32 vp, void *state, UINT32 bytes, UINT32 *written)
{
    if (bytes > 0 && !is_aligned(state))
        return E_INVALIDARG;
    UINT32 size = states_xsave();
    if (size > 0)
        return get_large_xsave(vp, state, bytes, size, written);
    return give(CORE(whvGetXsave, vp, bytes), state, written);
}

static HRESULT set_xsave(UINT32 vp, const void *state, UINT32 bytes)
{
    if (!is_aligned(state))
        return E_INVALIDARG;
    UINT32 size = states_xsave();
    if (size > 0)
        return set_large_xsave(vp, state, bytes, size);
    if (!take(state, bytes))
        return E_INVALIDARG;
    return CORE(whvSetXsave, vp, bytes);
}

/* The first release's form of the state, where that is another one. */
static HRESULT get_old_apic(UINT32 vp, void *state, UINT32 bytes, UINT32 *written)
{
    UINT32 size = states_old_apic();
    if (size == 0)
        return get_apic(vp, state, bytes, written);
    if (state == NULL && bytes > 0)
        return E_INVALIDARG;
    HRESULT hresult = CORE(whvGetApic, vp);
    if (hresult == S_OK) {
        states_pack_apic();
        hresult = sized(size, bytes);
    }
    return give(hresult, state, written);
}

static HRESULT set_old_apic(UINT32 vp, const void *state, UINT32 bytes)
{
    UINT32 size = states_old_apic();
    if (size == 0)
        return set_apic(vp, state, bytes);
    if (state == NULL || bytes < size)
        return E_INVALIDARG;
    HRESULT hresult = CORE(whvGetApic, vp);
    if (hresult == S_OK) {
        states_unpack_apic(state);
        hresult = CORE(whvSetApic, vp);
    }
    return hresult;
}

EXPORT HRESULT WINAPI WHvGetVirtualProcessorInterruptControllerState(WHV_PARTITION_HANDLE Partition, UINT32 VpIndex, VOID *State, UINT32 StateSize, UINT32 *WrittenSize)
{
    ENTER(Partition);
    return leave(get_old_apic(VpIndex, State, StateSize, WrittenSize));
}

EXPORT HRESULT WINAPI WHvSetVirtualProcessorInterruptControllerState(WHV_PARTITION_HANDLE Partition, UINT32 VpIndex, const VOID *State, UINT32 StateSize)
{
    ENTER(Partition);
    return leave(set_old_apic(VpIndex, State, StateSize));
}

EXPORT HRESULT WINAPI WHvGetVirtualProcessorInterruptControllerState2(WHV_PARTITION_HANDLE Partition, UINT32 VpIndex, VOID *State, UINT32 StateSize, UINT32 *WrittenSize)
{
    ENTER(Partition);
    return leave(get_apic(VpIndex, State, StateSize, WrittenSize));
}

EXPORT HRESULT WINAPI WHvSetVirtualProcessorInterruptControllerState2(WHV_PARTITION_HANDLE Partition, UINT32 VpIndex, const VOID *State, UINT32 StateSize)
{
    ENTER(Partition);
    return leave(set_apic(VpIndex, State, StateSize));
}

EXPORT HRESULT WINAPI WHvGetVirtualProcessorXsaveState(WHV_PARTITION_HANDLE Partition, UINT32 VpIndex, VOID *Buffer, UINT32 BufferSizeInBytes, UINT32 *BytesWritten)
{
    ENTER(Partition);
    return leave(get_xsave(VpIndex, Buffer, BufferSizeInBytes, BytesWritten));
}

EXPORT HRESULT WINAPI WHvSetVirtualProcessorXsaveState(WHV_PARTITION_HANDLE Partition, UINT32 VpIndex, const VOID *Buffer, UINT32 BufferSizeInBytes)
{
    ENTER(Partition);
    return leave(set_xsave(VpIndex, Buffer, BufferSizeInBytes));
}

/* WHV_VIRTUAL_PROCESSOR_STATE_TYPE, as far as it is here. */
enum { APIC_STATE = 0x1000, XSAVE_STATE = 0x1001 };

EXPORT HRESULT WINAPI WHvGetVirtualProcessorState(WHV_PARTITION_HANDLE Partition, UINT32 VpIndex, WHV_VIRTUAL_PROCESSOR_STATE_TYPE StateType, VOID *Buffer, UINT32 BufferSizeInBytes, UINT32 *BytesWritten)
{
    ENTER(Partition);
    switch ((UINT32)StateType) {
    case APIC_STATE:
        return leave(get_apic(VpIndex, Buffer, BufferSizeInBytes, BytesWritten));
    case XSAVE_STATE:
        return leave(get_xsave(VpIndex, Buffer, BufferSizeInBytes, BytesWritten));
    default:
        return leave(E_INVALIDARG);
    }
}

EXPORT HRESULT WINAPI WHvSetVirtualProcessorState(WHV_PARTITION_HANDLE Partition, UINT32 VpIndex, WHV_VIRTUAL_PROCESSOR_STATE_TYPE StateType, const VOID *Buffer, UINT32 BufferSizeInBytes)
{
    ENTER(Partition);
    switch ((UINT32)StateType) {
    case APIC_STATE:
        return leave(set_apic(VpIndex, Buffer, BufferSizeInBytes));
    case XSAVE_STATE:
        return leave(set_xsave(VpIndex, Buffer, BufferSizeInBytes));
    default:
        return leave(E_INVALIDARG);
    }
}

EXPORT HRESULT WINAPI WHvGetVirtualProcessorCpuidOutput(WHV_PARTITION_HANDLE Partition, UINT32 VpIndex, UINT32 Eax, UINT32 Ecx, WHV_CPUID_OUTPUT *CpuidOutput)
{
    ENTER(Partition);
    if (CpuidOutput == NULL)
        return leave(E_INVALIDARG);
    HRESULT hresult = CORE(whvGetCpuid, VpIndex, Eax, Ecx);
    if (hresult == S_OK)
        memcpy(CpuidOutput, IOBUF, sizeof *CpuidOutput);
    return leave(hresult);
}

EXPORT HRESULT WINAPI WHvGetVirtualProcessorCounters(WHV_PARTITION_HANDLE Partition, UINT32 VpIndex, WHV_PROCESSOR_COUNTER_SET CounterSet, VOID *Buffer, UINT32 BufferSizeInBytes, UINT32 *BytesWritten)
{
    ENTER(Partition);
    if (Buffer == NULL && BufferSizeInBytes > 0)
        return leave(E_INVALIDARG);
    HRESULT hresult = CORE(whvGetVpCounters, VpIndex, CounterSet, BufferSizeInBytes);
    return leave(give(hresult, Buffer, BytesWritten));
}

EXPORT HRESULT WINAPI WHvRequestInterrupt(WHV_PARTITION_HANDLE Partition, const WHV_INTERRUPT_CONTROL *Interrupt, UINT32 InterruptControlSize)
{
    ENTER(Partition);
    if (Interrupt == NULL || InterruptControlSize < sizeof *Interrupt)
        return leave(E_INVALIDARG);
    /* what the interrupt announces may be in memory by now */
    CORE(hostMayWrite);
    HRESULT hresult = CORE(whvRequestInterrupt, Interrupt->Type, Interrupt->DestinationMode, Interrupt->TriggerMode, Interrupt->Destination, Interrupt->Vector);
    return leave(variants_request(hresult));
}
