/*
 * A ticket lock whose waiters spin for a while and then sleep. Processors hold the lock
 * for slices of some ten microseconds, so spinning is mostly enough; a plain mutex would
 * be taken again and again by the thread that just gave it up.
 */
#include "lock.h"

#include <stdatomic.h>

/* Turns of the loop; about as long as a processor's slice. */
#define SPINS 1000

static atomic_uint next_ticket, serving;
/* How many sleep until `turn`. */
static atomic_uint sleepers;
static mutex gate = MUTEX_READY;
static condition turn = CONDITION_READY;

void core_lock(void)
{
    unsigned mine = atomic_fetch_add(&next_ticket, 1);
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load(&serving) == mine)
            return;
        __builtin_ia32_pause();
    }
    mutex_lock(&gate);
    atomic_fetch_add(&sleepers, 1);
    while (atomic_load(&serving) != mine)
        condition_wait(&turn, &gate, NEVER);
    atomic_fetch_sub(&sleepers, 1);
    mutex_unlock(&gate);
}

void core_unlock(void)
{
    atomic_fetch_add(&serving, 1);
    /* Who is about to sleep has been counted before it looked, or sees the new number. */
    if (atomic_load(&sleepers)) {
        mutex_lock(&gate);
        condition_broadcast(&turn);
        mutex_unlock(&gate);
    }
}

bool core_wanted(void)
{
    return atomic_load(&next_ticket) - atomic_load(&serving) > 1;
}

void core_sleep(event *e, uint64_t until)
{
    core_unlock();
    mutex_lock(&gate);
    while (!e->woken && (until == NEVER || clock_now() < until))
        condition_wait(&e->signal, &gate, until);
    e->woken = false;
    mutex_unlock(&gate);
    core_lock();
}

void core_wake(event *e)
{
    mutex_lock(&gate);
    e->woken = true;
    condition_signal(&e->signal);
    mutex_unlock(&gate);
}
