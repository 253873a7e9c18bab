/*
 * Every thread in WHvRunVirtualProcessor could execute its own processor, taking turns
 * at the lock; but then each turn would cost a change of threads. So one of them, the
 * leader, executes all processors in turns while the others sleep until their processor
 * has an exit. Who begins to run becomes the leader: it is awake. A leader whose own
 * processor exits wakes another thread if there is something to execute. While there is
 * not, nobody leads, and one thread at least sleeps until the next timer is due.
 */
#include "engine.h"

#include "quirks.h"
#include "library.h"

/* Instructions between two looks at who else wants the lock: some 20 microseconds. */
#define SLICE 4096
/* Slices of a processor's turn while others want to go on, too. */
#define TURN 5
/* A host write that nobody tells us about is noticed after so many nanoseconds. */
#define UNTOLD_WRITES 4000000

/* Results of vpRun (src/soft/core/cpu/slice.ts). */
enum { RUN_SLICE, RUN_EXIT, RUN_IDLE };

/* A call of WHvRunVirtualProcessor, on its thread's stack. */
typedef struct {
    UINT32 vp;
    bool ended;
    /* Slices until the exit that nobody asked for (quirks.h); 0: none. */
    unsigned spurious;
    event wake;
    /* What the thread sleeps until, if it sleeps. */
    uint64_t until;
    uint8_t exit[EXIT_CONTEXT_BYTES];
} run;

static run *runs[MAX_VPS];
static bool latched[MAX_VPS];
static run *leader;
static UINT32 owner;
static unsigned turn;
static uint64_t compared;

u64 Z_hostZ_clock(struct Z_host_instance_t *none)
{
    (void)none;
    return clock_now();
}

/* The run's exit is at EXITBUF. */
static void end(run *r)
{
    memcpy(r->exit, EXITBUF, EXIT_CONTEXT_BYTES);
    quirks_exit(r->exit);
    CORE(whvRunEnd, r->vp);
    runs[r->vp] = NULL;
    r->ended = true;
    core_wake(&r->wake);
}

static void cancel(run *r)
{
    CORE(vpCanceled, r->vp);
    end(r);
}

static bool can_go_on(UINT32 vp)
{
    return runs[vp] != NULL && CORE(vpReady, vp);
}

/* The processor whose turn it is, or -1 if all wait. */
static int choose(void)
{
    if (turn > 0 && can_go_on(owner)) {
        turn--;
        return owner;
    }
    for (UINT32 i = 1; i <= MAX_VPS; i++) {
        UINT32 vp = (owner + i) % MAX_VPS;
        if (can_go_on(vp)) {
            owner = vp;
            turn = TURN - 1;
            return vp;
        }
    }
    return -1;
}

/*
 * When the first of the waiting processors' timers is due, on the host's clock. One that
 * was due and has not made its processor ready cannot: it waits for a SIPI.
 */
static uint64_t next_timer(void)
{
    uint64_t now = CORE(guestTime), first = NEVER;
    for (UINT32 vp = 0; vp < MAX_VPS; vp++) {
        uint64_t due = runs[vp] != NULL ? CORE(vpTimer, vp) : NEVER;
        if (due > now && due < first)
            first = due;
    }
    if (first == NEVER || CORE(timeStands))
        return NEVER;
    return clock_now() + (first - now);
}

/* Executes one slice of `vp`. */
static void execute(UINT32 vp)
{
    uint64_t now = clock_now();
    if (now - compared > UNTOLD_WRITES) {
        compared = now;
        CORE(hostMayWrite);
    }
    run *r = runs[vp];
    if (CORE(vpRun, vp, SLICE) == RUN_EXIT)
        end(r);
    else if (r->spurious > 0 && --r->spurious == 0)
        cancel(r);
}

/* Executes all processors until its own has an exit, all wait, or another one leads. */
static void lead(run *me)
{
    while (!me->ended && leader == me) {
        int vp = choose();
        if (vp < 0)
            break;
        execute(vp);
        if (core_wanted()) {
            core_unlock();
            core_lock();
        }
        CORE(updateTime);
    }
    if (leader == me)
        leader = NULL;
}

void engine_look(void)
{
    if (leader != NULL)
        return;
    run *somebody = NULL;
    uint64_t covered = NEVER;
    for (UINT32 vp = 0; vp < MAX_VPS; vp++) {
        if (runs[vp] == NULL)
            continue;
        somebody = runs[vp];
        if (CORE(vpReady, vp)) {
            leader = somebody;
            core_wake(&somebody->wake);
            return;
        }
        if (somebody->until < covered)
            covered = somebody->until;
    }
    if (next_timer() < covered) {
        somebody->until = 0;
        core_wake(&somebody->wake);
    }
}

HRESULT engine_run(UINT32 vp, void *context, UINT32 bytes)
{
    HRESULT hresult = CORE(whvRunBegin, vp, bytes);
    if (hresult != S_OK)
        return hresult;
    /* The caller may have written memory since the last exit. */
    CORE(hostMayWrite);
    run me = {.vp = vp, .wake = {.signal = CONDITION_READY}, .spurious = quirks_cancel()};
    runs[vp] = &me;
    if (latched[vp]) {
        latched[vp] = false;
        cancel(&me);
    } else if (leader == NULL || CORE(vpReady, vp))
        leader = &me;
    while (!me.ended) {
        if (leader == &me) {
            lead(&me);
            continue;
        }
        me.until = leader == NULL ? next_timer() : NEVER;
        core_sleep(&me.wake, me.until);
        CORE(updateTime);
        if (leader == NULL)
            leader = &me;
    }
    if (leader == &me)
        leader = NULL;
    memcpy(context, me.exit, bytes < EXIT_CONTEXT_BYTES ? bytes : EXIT_CONTEXT_BYTES);
    return S_OK;
}

void engine_cancel(UINT32 vp)
{
    if (runs[vp] != NULL)
        cancel(runs[vp]);
    else
        latched[vp] = true;
}

void engine_forget(UINT32 vp)
{
    latched[vp] = false;
}

/* The emulator's callbacks: WinHvEmulation's, and never called here. */
u32 Z_hostZ_translate(struct Z_host_instance_t *none, u64 gva, u32 flags)
{
    (void)none, (void)gva, (void)flags;
    return UINT32_MAX;
}

u32 Z_hostZ_memory(struct Z_host_instance_t *none, u64 gpa, u32 bytes, u32 is_write)
{
    (void)none, (void)gpa, (void)bytes, (void)is_write;
    return UINT32_MAX;
}

u32 Z_hostZ_ioPort(struct Z_host_instance_t *none, u32 port, u32 bytes, u32 is_write)
{
    (void)none, (void)port, (void)bytes, (void)is_write;
    return UINT32_MAX;
}

/* Not offered: every access exits. */
u32 Z_hostZ_access(struct Z_host_instance_t *none, u32 vp)
{
    (void)none, (void)vp;
    return 0;
}
