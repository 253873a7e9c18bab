/* The lock around the core: whoever comes first has it first. */
#pragma once

#include "address.h"
#include "sync.h"

/* Something that one thread sleeps for and others wake it with. */
typedef struct {
    condition signal;
    bool woken;
} event;

/* Takes the lock. */
HIDDEN void core_lock(void);

/* Gives it to who has waited longest. */
HIDDEN void core_unlock(void);

/* For its holder: whether somebody waits for it. */
HIDDEN bool core_wanted(void);

/*
 * For its holder: gives the lock up until the event, or until clock_now() is `until`,
 * and takes it again. An event that came before is not missed.
 */
HIDDEN void core_sleep(event *e, uint64_t until);

/* Wakes the thread that sleeps, or the next that will. */
HIDDEN void core_wake(event *e);
