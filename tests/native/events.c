/* The event objects of kernel32.dll, where there is none: as much as doorbells need. */
#ifndef _WIN32
#include "sync.h"
#include "winhv.h"

#include <stdlib.h>

/* They reset themselves: a signal lets one thread go on, now or when it comes. */
typedef struct {
    mutex gate;
    condition signal;
    bool set;
} event_object;

EXPORT HANDLE CreateEventW(void *attributes, int manual_reset, int initially, const UINT16 *name)
{
    if (attributes != NULL || manual_reset || name != NULL)
        return NULL;
    event_object *event = malloc(sizeof *event);
    if (event != NULL)
        *event = (event_object){MUTEX_READY, CONDITION_READY, initially};
    return event;
}

EXPORT int SetEvent(HANDLE handle)
{
    event_object *event = handle;
    mutex_lock(&event->gate);
    event->set = true;
    condition_signal(&event->signal);
    mutex_unlock(&event->gate);
    return 1;
}

EXPORT UINT32 WaitForSingleObject(HANDLE handle, UINT32 milliseconds)
{
    enum { WAIT_OBJECT_0 = 0, WAIT_TIMEOUT = 258 };
    event_object *event = handle;
    uint64_t until = milliseconds == UINT32_MAX ? NEVER : clock_now() + milliseconds * 1000000ull;
    mutex_lock(&event->gate);
    while (!event->set && (until == NEVER || clock_now() < until))
        condition_wait(&event->signal, &event->gate, until);
    UINT32 why = event->set ? WAIT_OBJECT_0 : WAIT_TIMEOUT;
    event->set = false;
    mutex_unlock(&event->gate);
    return why;
}

EXPORT int CloseHandle(HANDLE handle)
{
    free(handle);
    return 1;
}
#endif
