/*
 * Eight processors exit for ports all the time, each counting; meanwhile other calls of
 * every kind come from another thread. Every exit is the processor's next one, and each
 * exit's memory is freed as soon as the run has returned.
 */
#include "driver.h"

enum { PROCESSORS = 8, EXITS = 1000 };

static atomic_uint running;

static void *processor(void *argument)
{
    UINT32 vp = (uintptr_t)argument;
    for (uint32_t n = 1; n <= EXITS; n++) {
        run_exit exit = run(vp);
        CHECK(exit.reason == EXIT_IO && exit.rax == n);
        set_register(vp, RIP, exit.rip + exit.length);
    }
    running--;
    return NULL;
}

/* Calls that a debugger or a device makes while processors run. */
static void *other_calls(void *argument)
{
    uint32_t seed = (uintptr_t)argument;
    while (running > 0) {
        UINT32 vp = below(&seed, PROCESSORS);
        UINT64 gpa = 0, counters[28], dirty[4];
        WHV_TRANSLATE_GVA_RESULT result;
        WHV_ACCESS_GPA_CONTROLS controls = {.AsUINT64 = 0};
        UINT8 bytes[16];
        UINT32 written;
        CHECK(get_register(vp, RBX) == vp);
        OK(WHvTranslateGva(partition, vp, 0x1000, 1, &result, &gpa));
        CHECK(gpa == 0x1000);
        OK(WHvGetVirtualProcessorCounters(partition, vp, 1, counters, sizeof counters, &written));
        OK(WHvReadGpaRange(partition, vp, 0x1000, controls, bytes, sizeof bytes));
        CHECK(bytes[0] == 0x66);
        uint8_t *more = aligned_alloc(4096, 0x20000);
        OK(WHvMapGpaRange(partition, more, 0x40000000, 0x20000, MAP_ALL | MAP_TRACK_DIRTY));
        OK(WHvWriteGpaRange(partition, vp, 0x40003000, controls, bytes, sizeof bytes));
        OK(WHvQueryGpaRangeDirtyBitmap(partition, 0x40000000, 0x20000, dirty, sizeof dirty));
        CHECK(dirty[0] == 1 << 3);
        OK(WHvUnmapGpaRange(partition, 0x40000000, 0x20000));
        free(more);
    }
    return NULL;
}

void test_exits(void)
{
    pthread_t threads[PROCESSORS + 1];
    make_partition(PROCESSORS, 0);
    /* inc eax; out 0x80, al; jmp */
    put(0x1000, "66 40 e6 80 eb fa");
    running = PROCESSORS;
    for (UINT32 vp = 0; vp < PROCESSORS; vp++) {
        start_at(vp, 0x1000);
        set_register(vp, RBX, vp);
        threads[vp] = start_thread(processor, vp);
    }
    threads[PROCESSORS] = start_thread(other_calls, 5);
    for (unsigned i = 0; i <= PROCESSORS; i++)
        pthread_join(threads[i], NULL);
    delete_partition();
}
