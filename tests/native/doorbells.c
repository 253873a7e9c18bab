#include "doorbells.h"

#include "calls.h"

#define MAX_DOORBELLS 64

static struct {
    WHV_DOORBELL_MATCH_DATA match;
    HANDLE event;
} doorbells[MAX_DOORBELLS];
static unsigned count;

u32 Z_hostZ_doorbell(struct Z_host_instance_t *none, u64 gpa, u32 bytes, u64 value)
{
    (void)none;
    UINT64 written = bytes < 8 ? value & ((1ull << bytes * 8) - 1) : value;
    for (unsigned i = 0; i < count; i++) {
        const WHV_DOORBELL_MATCH_DATA *match = &doorbells[i].match;
        if (match->GuestAddress == gpa && (!match->MatchOnLength || match->Length == bytes) &&
            (!match->MatchOnValue || match->Value == written)) {
            SetEvent(doorbells[i].event);
            return 1;
        }
    }
    return 0;
}

/* The doorbell of a match, or -1. */
static int find(const WHV_DOORBELL_MATCH_DATA *match)
{
    for (unsigned i = 0; i < count; i++)
        if (!memcmp(match, &doorbells[i].match, sizeof *match))
            return i;
    return -1;
}

void doorbells_remove_all(void)
{
    count = 0;
    CORE(setDoorbells, 0);
}

EXPORT HRESULT WINAPI WHvRegisterPartitionDoorbellEvent(WHV_PARTITION_HANDLE Partition, const WHV_DOORBELL_MATCH_DATA *MatchData, HANDLE EventHandle)
{
    ENTER(Partition);
    if (MatchData == NULL || EventHandle == NULL || find(MatchData) >= 0)
        return leave(E_INVALIDARG);
    if (count == MAX_DOORBELLS)
        return leave(E_OUTOFMEMORY);
    doorbells[count].match = *MatchData;
    doorbells[count++].event = EventHandle;
    CORE(setDoorbells, 1);
    return leave(S_OK);
}

EXPORT HRESULT WINAPI WHvUnregisterPartitionDoorbellEvent(WHV_PARTITION_HANDLE Partition, const WHV_DOORBELL_MATCH_DATA *MatchData)
{
    ENTER(Partition);
    int found = MatchData == NULL ? -1 : find(MatchData);
    if (found < 0)
        return leave(E_INVALIDARG);
    doorbells[found] = doorbells[--count];
    CORE(setDoorbells, count > 0);
    return leave(S_OK);
}
