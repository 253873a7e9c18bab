/* Core addresses for the caller's memory (address.h). For the holder of the lock. */
#pragma once

#include "winhv.h"
#include "address.h"

/* WHvMapGpaRange for memory at `source`. */
HIDDEN HRESULT guest_map(const void *source, UINT64 gpa, UINT64 bytes, UINT32 flags);

/* Takes back the core addresses of memory that is not mapped any more. */
HIDDEN void guest_release_unmapped(void);

/* Takes all core addresses back: the partition is gone. */
HIDDEN void guest_release_all(void);
