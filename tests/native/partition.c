/* The platform's capabilities; the partition's life, properties, time and counters. */
#include "calls.h"
#include "doorbells.h"
#include "engine.h"
#include "guest_memory.h"

EXPORT HRESULT WINAPI WHvGetCapability(WHV_CAPABILITY_CODE CapabilityCode, VOID *CapabilityBuffer, UINT32 CapabilityBufferSizeInBytes, UINT32 *WrittenSizeInBytes)
{
    ENTER(PARTITION);
    if (CapabilityBuffer == NULL && CapabilityBufferSizeInBytes > 0)
        return leave(E_INVALIDARG);
    HRESULT hresult = CORE(whvGetCapability, CapabilityCode, CapabilityBufferSizeInBytes);
    if (hresult == S_OK)
        quirks_capability(CapabilityCode, IOBUF, 8);
    return leave(give(hresult, CapabilityBuffer, WrittenSizeInBytes));
}

EXPORT HRESULT WINAPI WHvCreatePartition(WHV_PARTITION_HANDLE *Partition)
{
    ENTER(PARTITION);
    if (Partition == NULL)
        return leave(E_INVALIDARG);
    HRESULT hresult = CORE(whvCreatePartition);
    if (hresult == S_OK)
        *Partition = PARTITION;
    return leave(hresult);
}

EXPORT HRESULT WINAPI WHvSetupPartition(WHV_PARTITION_HANDLE Partition)
{
    ENTER(Partition);
    return leave(CORE(whvSetupPartition));
}

EXPORT HRESULT WINAPI WHvResetPartition(WHV_PARTITION_HANDLE Partition)
{
    ENTER(Partition);
    return leave(CORE(whvResetPartition));
}

/* Refused with WHV_E_INVALID_VP_STATE while a virtual processor runs. */
EXPORT HRESULT WINAPI WHvDeletePartition(WHV_PARTITION_HANDLE Partition)
{
    ENTER(Partition);
    HRESULT hresult = CORE(whvDeletePartition);
    if (hresult == S_OK) {
        guest_release_all();
        doorbells_remove_all();
        for (UINT32 vp = 0; vp < MAX_VPS; vp++)
            engine_forget(vp);
    }
    return leave(hresult);
}

EXPORT HRESULT WINAPI WHvGetPartitionProperty(WHV_PARTITION_HANDLE Partition, WHV_PARTITION_PROPERTY_CODE PropertyCode, VOID *PropertyBuffer, UINT32 PropertyBufferSizeInBytes, UINT32 *WrittenSizeInBytes)
{
    ENTER(Partition);
    if (PropertyBuffer == NULL && PropertyBufferSizeInBytes > 0)
        return leave(E_INVALIDARG);
    HRESULT hresult = CORE(whvGetPartitionProperty, PropertyCode, PropertyBufferSizeInBytes);
    return leave(give(hresult, PropertyBuffer, WrittenSizeInBytes));
}

EXPORT HRESULT WINAPI WHvSetPartitionProperty(WHV_PARTITION_HANDLE Partition, WHV_PARTITION_PROPERTY_CODE PropertyCode, const VOID *PropertyBuffer, UINT32 PropertyBufferSizeInBytes)
{
    ENTER(Partition);
    if (!take(PropertyBuffer, PropertyBufferSizeInBytes))
        return leave(E_INVALIDARG);
    return leave(CORE(whvSetPartitionProperty, PropertyCode, PropertyBufferSizeInBytes));
}

EXPORT HRESULT WINAPI WHvSuspendPartitionTime(WHV_PARTITION_HANDLE Partition)
{
    ENTER(Partition);
    return leave(CORE(whvSuspendTime));
}

EXPORT HRESULT WINAPI WHvResumePartitionTime(WHV_PARTITION_HANDLE Partition)
{
    ENTER(Partition);
    return leave(CORE(whvResumeTime));
}

EXPORT HRESULT WINAPI WHvGetPartitionCounters(WHV_PARTITION_HANDLE Partition, WHV_PARTITION_COUNTER_SET CounterSet, VOID *Buffer, UINT32 BufferSizeInBytes, UINT32 *BytesWritten)
{
    enum { MEMORY_SET = 0, MEMORY_BYTES = 24 };
    ENTER(Partition);
    if ((UINT32)CounterSet != MEMORY_SET || (Buffer == NULL && BufferSizeInBytes > 0))
        return leave(E_INVALIDARG);
    HRESULT hresult = CORE(whvGetMemoryCounters);
    if (hresult == S_OK)
        hresult = sized(MEMORY_BYTES, BufferSizeInBytes);
    return leave(give(hresult, Buffer, BytesWritten));
}
