/*
 * A host that writes code while it runs, as a debugger does: INT1 comes and goes at two
 * places, also while they are decoded. Once a run has begun after the last write, what
 * memory has is what runs. The places look alike and lie at the same place of their
 * lines of 64 bytes: an INT1 that moves from one to the other must not go unseen.
 */
#include "driver.h"

#include <sched.h>

enum { FIRST = 0x1104, SECOND = 0x1184, COUNTER = 0x2000 };
enum { NOP = 0x90, INT1 = 0xf1, ROUNDS = 400, TURNS = 200 };

static atomic_bool over;
static atomic_uint runs_begun, hits[2];

static void *processor(void *argument)
{
    (void)argument;
    while (!over) {
        runs_begun++;
        run_exit exit = run(0);
        if (exit.reason == EXIT_CANCELED)
            continue;
        CHECK(exit.reason == EXIT_EXCEPTION && exit.vector == 1);
        CHECK(exit.rip == FIRST || exit.rip == SECOND);
        hits[exit.rip == SECOND]++;
    }
    return NULL;
}

static uint32_t turns(void)
{
    return *(volatile uint32_t *)(memory + COUNTER);
}

/* Has a run begun that is after everything until now. */
static void begin_again(void)
{
    unsigned before = runs_begun;
    OK(WHvCancelRunVirtualProcessor(partition, 0, 0));
    while (runs_begun == before)
        sched_yield();
}

static void toggle(uint16_t place, bool on)
{
    *(volatile uint8_t *)(memory + place) = on ? INT1 : NOP;
}

void test_code(void)
{
    uint32_t seed = 4711;
    make_partition(1, 1 << 1);
    /* inc dword [COUNTER]; call FIRST-2, -1, -0, SECOND-2, -1, -0; jmp */
    UINT16 at = put(0x1000, "66 ff 06 00 20");
    for (unsigned i = 0; i < 6; i++) {
        uint16_t to = (i < 3 ? FIRST : SECOND) - 2 + i % 3, from = at + 3;
        char call[16];
        snprintf(call, sizeof call, "e8 %02x %02x", (to - from) & 0xff, ((to - from) >> 8) & 0xff);
        at = put(at, call);
    }
    char jump[16];
    snprintf(jump, sizeof jump, "eb %02x", (0x1000 - (at + 2)) & 0xff);
    put(at, jump);
    put(FIRST - 2, "90 90 90 c3");
    put(SECOND - 2, "90 90 90 c3");
    start_at(0, 0x1000);
    pthread_t thread = start_thread(processor, 0);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = below(&seed, 50); i > 0; i--) {
            toggle(below(&seed, 2) ? FIRST : SECOND, below(&seed, 2));
            for (volatile uint32_t wait = below(&seed, 500); wait > 0; wait--)
                ;
        }
        /* one of them, or none: 0, 1, 2 */
        unsigned which = below(&seed, 3);
        toggle(FIRST, which == 0);
        toggle(SECOND, which == 1);
        begin_again();
        unsigned before[2] = {hits[0], hits[1]};
        if (which == 2) {
            uint32_t from = turns();
            while (turns() - from < TURNS)
                sched_yield();
        } else {
            while (hits[which] - before[which] < 2)
                sched_yield();
        }
        for (unsigned i = 0; i < 2; i++)
            CHECK(i == which || hits[i] == before[i]);
    }
    over = true;
    OK(WHvCancelRunVirtualProcessor(partition, 0, 0));
    pthread_join(thread, NULL);
    delete_partition();
}
