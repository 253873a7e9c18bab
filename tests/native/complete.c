/* Completing the instruction of an exit: src/soft/core/system/complete.ts. */
#include "calls.h"
#include "icebp.h"

/* The accesses are made by the caller, without the lock. */
EXPORT HRESULT WINAPI IcebpCompleteAccess(WHV_PARTITION_HANDLE Partition, UINT32 VpIndex, ICEBP_ACCESS *Accesses, UINT32 CarriedOut, ICEBP_COMPLETION *Completion)
{
    ENTER(Partition);
    if (Accesses == NULL || Completion == NULL || CarriedOut > ICEBP_MAX_ACCESSES)
        return leave(E_INVALIDARG);
    memcpy(IOBUF, Accesses, CarriedOut * sizeof *Accesses);
    HRESULT hresult = CORE(whvCompleteAccess, VpIndex, CarriedOut);
    if (hresult == S_OK) {
        memcpy(Completion, SIZE, sizeof *Completion);
        memcpy(Accesses, IOBUF, Completion->AccessCount * sizeof *Accesses);
    }
    return leave(hresult);
}
