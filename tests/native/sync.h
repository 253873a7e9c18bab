/* Mutexes, conditions and the monotonic clock, of POSIX or of Windows. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A time that does not come. */
#define NEVER UINT64_MAX

#ifdef _WIN32
#include <windows.h>

typedef SRWLOCK mutex;
typedef CONDITION_VARIABLE condition;
#define MUTEX_READY SRWLOCK_INIT
#define CONDITION_READY CONDITION_VARIABLE_INIT

static inline void mutex_lock(mutex *m) { AcquireSRWLockExclusive(m); }
static inline void mutex_unlock(mutex *m) { ReleaseSRWLockExclusive(m); }
static inline void condition_signal(condition *c) { WakeConditionVariable(c); }
static inline void condition_broadcast(condition *c) { WakeAllConditionVariable(c); }

/* Nanoseconds since some time in the past. */
static inline uint64_t clock_now(void)
{
    LARGE_INTEGER ticks, per_second;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&per_second);
    uint64_t n = ticks.QuadPart, hz = per_second.QuadPart;
    return n / hz * 1000000000 + n % hz * 1000000000 / hz;
}

/* Waits for a signal, or until clock_now() is `until`; may also end for no reason. */
static inline void condition_wait(condition *c, mutex *m, uint64_t until)
{
    DWORD milliseconds = INFINITE;
    if (until != NEVER) {
        uint64_t now = clock_now();
        uint64_t left = until > now ? (until - now + 999999) / 1000000 : 0;
        milliseconds = left < 0x7fffffff ? (DWORD)left : 0x7fffffff;
    }
    SleepConditionVariableSRW(c, m, milliseconds, 0);
}
#else
#include <pthread.h>
#include <time.h>

typedef pthread_mutex_t mutex;
typedef pthread_cond_t condition;
#define MUTEX_READY PTHREAD_MUTEX_INITIALIZER
#define CONDITION_READY PTHREAD_COND_INITIALIZER

static inline void mutex_lock(mutex *m) { pthread_mutex_lock(m); }
static inline void mutex_unlock(mutex *m) { pthread_mutex_unlock(m); }
static inline void condition_signal(condition *c) { pthread_cond_signal(c); }
static inline void condition_broadcast(condition *c) { pthread_cond_broadcast(c); }

/* Nanoseconds since some time in the past. */
static inline uint64_t clock_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Waits for a signal, or until clock_now() is `until`; may also end for no reason. */
static inline void condition_wait(condition *c, mutex *m, uint64_t until)
{
    if (until == NEVER) {
        pthread_cond_wait(c, m);
        return;
    }
    struct timespec time = {until / 1000000000, until % 1000000000};
    pthread_cond_clockwait(c, m, CLOCK_MONOTONIC, &time);
}
#endif
