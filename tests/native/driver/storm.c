/*
 * Ten thousand cancels of eight spinning processors from four threads, at random times:
 * none is lost, for each must be followed by an exit.
 */
#include "driver.h"

#include <unistd.h>

enum { PROCESSORS = 8, CANCELERS = 4, CANCELS = 2500 };

static atomic_uint exits[PROCESSORS];
static atomic_bool over;

static void *processor(void *argument)
{
    UINT32 vp = (uintptr_t)argument;
    while (!over) {
        CHECK(run(vp).reason == EXIT_CANCELED);
        exits[vp]++;
    }
    return NULL;
}

static void *canceler(void *argument)
{
    uint32_t seed = 77 + (uintptr_t)argument;
    for (unsigned i = 0; i < CANCELS; i++) {
        UINT32 vp = below(&seed, PROCESSORS);
        for (volatile uint32_t wait = below(&seed, 20000); wait > 0; wait--)
            ;
        unsigned before = exits[vp];
        OK(WHvCancelRunVirtualProcessor(partition, vp, 0));
        while (exits[vp] == before)
            usleep(20);
    }
    return NULL;
}

void test_storm(void)
{
    pthread_t processors[PROCESSORS], cancelers[CANCELERS];
    make_partition(PROCESSORS, 0);
    /* inc dword [bx]; jmp: each processor its own counter */
    put(0x1000, "66 ff 07 eb fb");
    for (UINT32 vp = 0; vp < PROCESSORS; vp++) {
        start_at(vp, 0x1000);
        set_register(vp, RBX, 0x2000 + vp * 64);
        /* a cancel that comes before its run */
        for (unsigned i = 0; i < 100; i++) {
            OK(WHvCancelRunVirtualProcessor(partition, vp, 0));
            CHECK(run(vp).reason == EXIT_CANCELED);
        }
        processors[vp] = start_thread(processor, vp);
    }
    for (unsigned i = 0; i < CANCELERS; i++)
        cancelers[i] = start_thread(canceler, i);
    for (unsigned i = 0; i < CANCELERS; i++)
        pthread_join(cancelers[i], NULL);
    over = true;
    for (UINT32 vp = 0; vp < PROCESSORS; vp++) {
        /* one that saw `over` before leaves this cancel for a run that does not come */
        OK(WHvCancelRunVirtualProcessor(partition, vp, 0));
        pthread_join(processors[vp], NULL);
        uint32_t turns;
        memcpy(&turns, memory + 0x2000 + vp * 64, 4);
        CHECK(turns > 0);
    }
    delete_partition();
}
