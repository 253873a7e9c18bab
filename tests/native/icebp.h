/* What this library offers beyond winhvplatform.h: ffi/icebp.ts says what it is for. */
#pragma once

#include "winhv.h"

#define ICEBP_MAX_ACCESSES 256

typedef struct {
    UINT64 Address, Data;
    UINT8 Size, IsWrite, IsPort, Reserved[5];
} ICEBP_ACCESS;

typedef struct {
    UINT32 Outcome, AccessCount, CarriedOut, Reserved;
    UINT64 Address;
} ICEBP_COMPLETION;

_Static_assert(sizeof(ICEBP_ACCESS) == 24, "");
_Static_assert(sizeof(ICEBP_COMPLETION) == 24, "");

HRESULT WINAPI IcebpCompleteAccess(WHV_PARTITION_HANDLE, UINT32, ICEBP_ACCESS *, UINT32, ICEBP_COMPLETION *);
