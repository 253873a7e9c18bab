/* Guest physical memory: mapping, dirty pages, small reads and writes, advice. */
#include "calls.h"
#include "guest_memory.h"

#define PAGE 4096
/* Pages whose dirty bits fill IOBUF. */
#define DIRTY_PAGES (IOBUF_BYTES * 8)

EXPORT HRESULT WINAPI WHvMapGpaRange(WHV_PARTITION_HANDLE Partition, VOID *SourceAddress, WHV_GUEST_PHYSICAL_ADDRESS GuestAddress, UINT64 SizeInBytes, WHV_MAP_GPA_RANGE_FLAGS Flags)
{
    ENTER(Partition);
    return leave(guest_map(SourceAddress, GuestAddress, SizeInBytes, Flags));
}

EXPORT HRESULT WINAPI WHvMapGpaRange2(WHV_PARTITION_HANDLE Partition, HANDLE Process, VOID *SourceAddress, WHV_GUEST_PHYSICAL_ADDRESS GuestAddress, UINT64 SizeInBytes, WHV_MAP_GPA_RANGE_FLAGS Flags)
{
    ENTER(Partition);
    (void)Process; /* always this one */
    return leave(guest_map(SourceAddress, GuestAddress, SizeInBytes, Flags));
}

EXPORT HRESULT WINAPI WHvUnmapGpaRange(WHV_PARTITION_HANDLE Partition, WHV_GUEST_PHYSICAL_ADDRESS GuestAddress, UINT64 SizeInBytes)
{
    ENTER(Partition);
    HRESULT hresult = CORE(whvUnmapGpaRange, GuestAddress, SizeInBytes);
    guest_release_unmapped();
    return leave(hresult);
}

EXPORT HRESULT WINAPI WHvAdviseGpaRange(WHV_PARTITION_HANDLE Partition, const WHV_MEMORY_RANGE_ENTRY *GpaRanges, UINT32 GpaRangesCount, WHV_ADVISE_GPA_RANGE_CODE Advice, const VOID *AdviceBuffer, UINT32 AdviceBufferSizeInBytes)
{
    ENTER(Partition);
    if (!take(GpaRanges, GpaRangesCount * (UINT64)sizeof *GpaRanges) || (AdviceBuffer == NULL && AdviceBufferSizeInBytes > 0))
        return leave(E_INVALIDARG);
    return leave(CORE(whvAdviseGpaRange, GpaRangesCount, Advice, AdviceBufferSizeInBytes));
}

EXPORT HRESULT WINAPI WHvReadGpaRange(WHV_PARTITION_HANDLE Partition, UINT32 VpIndex, WHV_GUEST_PHYSICAL_ADDRESS GuestAddress, WHV_ACCESS_GPA_CONTROLS Controls, PVOID Data, UINT32 DataSizeInBytes)
{
    ENTER(Partition);
    if (Data == NULL)
        return leave(E_INVALIDARG);
    HRESULT hresult = CORE(whvReadGpaRange, VpIndex, GuestAddress, Controls.AsUINT64, DataSizeInBytes);
    if (hresult == S_OK)
        memcpy(Data, IOBUF, DataSizeInBytes);
    return leave(hresult);
}

EXPORT HRESULT WINAPI WHvWriteGpaRange(WHV_PARTITION_HANDLE Partition, UINT32 VpIndex, WHV_GUEST_PHYSICAL_ADDRESS GuestAddress, WHV_ACCESS_GPA_CONTROLS Controls, const VOID *Data, UINT32 DataSizeInBytes)
{
    ENTER(Partition);
    if (!take(Data, DataSizeInBytes))
        return leave(E_INVALIDARG);
    return leave(CORE(whvWriteGpaRange, VpIndex, GuestAddress, Controls.AsUINT64, DataSizeInBytes));
}

EXPORT HRESULT WINAPI WHvQueryGpaRangeDirtyBitmap(WHV_PARTITION_HANDLE Partition, WHV_GUEST_PHYSICAL_ADDRESS GuestAddress, UINT64 RangeSizeInBytes, UINT64 *Bitmap, UINT32 BitmapSizeInBytes)
{
    ENTER(Partition);
    if (Bitmap != NULL && BitmapSizeInBytes < sizeof *Bitmap)
        return leave(E_INVALIDARG);
    UINT32 words = Bitmap != NULL ? BitmapSizeInBytes / sizeof *Bitmap : 0;
    HRESULT hresult = CORE(whvCheckDirty, GuestAddress, RangeSizeInBytes, words);
    if (hresult != S_OK)
        return leave(hresult);
    /* as many at a time as IOBUF holds */
    UINT64 left = RangeSizeInBytes / PAGE;
    for (UINT64 first = 0; left > 0; first += DIRTY_PAGES) {
        UINT32 pages = left < DIRTY_PAGES ? (UINT32)left : DIRTY_PAGES;
        CORE(takeDirty, GuestAddress + first * PAGE, pages);
        if (Bitmap != NULL)
            memcpy((UINT8 *)Bitmap + first / 8, IOBUF, (pages + 63) / 64 * 8);
        left -= pages;
    }
    return leave(S_OK);
}

EXPORT HRESULT WINAPI WHvTranslateGva(WHV_PARTITION_HANDLE Partition, UINT32 VpIndex, WHV_GUEST_VIRTUAL_ADDRESS Gva, WHV_TRANSLATE_GVA_FLAGS TranslateFlags, WHV_TRANSLATE_GVA_RESULT *TranslationResult, WHV_GUEST_PHYSICAL_ADDRESS *Gpa)
{
    ENTER(Partition);
    if (TranslationResult == NULL || Gpa == NULL)
        return leave(E_INVALIDARG);
    HRESULT hresult = CORE(whvTranslateGva, VpIndex, Gva, TranslateFlags);
    if (hresult == S_OK) {
        memcpy(TranslationResult, IOBUF, 8);
        memcpy(Gpa, IOBUF + 8, 8);
    }
    return leave(hresult);
}
