/* Which virtual processor runs when, and on which thread. For the holder of the lock. */
#pragma once

#include "winhv.h"
#include "address.h"

/* WHvRunVirtualProcessor. */
HIDDEN HRESULT engine_run(UINT32 vp, void *context, UINT32 bytes);

/* WHvCancelRunVirtualProcessor of a processor that exists. */
HIDDEN void engine_cancel(UINT32 vp);

/* Something outside changed: who sleeps while all processors wait looks again. */
HIDDEN void engine_look(void);

/* Forgets the cancel that waits for a processor's next run. */
HIDDEN void engine_forget(UINT32 vp);
