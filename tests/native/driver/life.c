/*
 * Nothing is deleted under a processor that runs, time stands still when told to, and
 * partitions can be made again and again, each with a gigabyte of other memory.
 */
#include "driver.h"

#include <sched.h>
#include <sys/mman.h>

static atomic_bool returned;

static void *processor(void *argument)
{
    (void)argument;
    CHECK(run(0).reason == EXIT_CANCELED);
    returned = true;
    return NULL;
}

static void delete_while_running(void)
{
    make_partition(1, 0);
    /* inc dword [0x2000]; jmp */
    put(0x1000, "66 ff 06 00 20 eb f9");
    start_at(0, 0x1000);
    pthread_t thread = start_thread(processor, 0);
    while (*(volatile uint32_t *)(memory + 0x2000) == 0)
        sched_yield();
    CHECK(WHvDeletePartition(partition) == INVALID_VP_STATE);
    CHECK(WHvDeleteVirtualProcessor(partition, 0) == INVALID_VP_STATE);
    CHECK(WHvSuspendPartitionTime(partition) == INVALID_VP_STATE);
    uint8_t exit[EXIT_BYTES];
    CHECK(WHvRunVirtualProcessor(partition, 0, exit, sizeof exit) == INVALID_VP_STATE);
    CHECK(!returned);
    OK(WHvCancelRunVirtualProcessor(partition, 0, 0));
    pthread_join(thread, NULL);
    OK(WHvDeleteVirtualProcessor(partition, 0));
    delete_partition();
}

static void suspended_time(void)
{
    enum { TSC = 0x2000 };
    make_partition(1, 0);
    UINT64 first = get_register(0, TSC), second;
    while ((second = get_register(0, TSC)) == first)
        ;
    CHECK(second > first);
    OK(WHvSuspendPartitionTime(partition));
    first = get_register(0, TSC);
    for (volatile uint32_t wait = 10000000; wait > 0; wait--)
        ;
    CHECK(get_register(0, TSC) == first);
    OK(WHvResumePartitionTime(partition));
    while ((second = get_register(0, TSC)) == first)
        ;
    /* what passed meanwhile is not made up for: it was some 10 ms at least */
    CHECK(second - first < 5000000);
    delete_partition();
}

static void again_and_again(void)
{
    enum { TIMES = 10 };
    const uint64_t gigabyte = 1 << 30;
    uint8_t *all = mmap(NULL, TIMES * gigabyte, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(all != MAP_FAILED);
    for (unsigned i = 0; i < TIMES; i++) {
        make_partition(1, 0);
        uint8_t *big = all + i * gigabyte;
        OK(WHvMapGpaRange(partition, big, 0x40000000, gigabyte, MAP_ALL));
        WHV_ACCESS_GPA_CONTROLS controls = {.AsUINT64 = 0};
        UINT64 value = 0x1122334455667788 + i;
        OK(WHvWriteGpaRange(partition, 0, 0x7ffffff8, controls, &value, 8));
        CHECK(!memcmp(big + gigabyte - 8, &value, 8));
        /* the same memory elsewhere, after it is gone here: its addresses are used again */
        OK(WHvUnmapGpaRange(partition, 0x40000000, gigabyte));
        OK(WHvMapGpaRange(partition, big, 0x100000000, gigabyte, MAP_ALL));
        OK(WHvMapGpaRange(partition, big, 0x40000000, gigabyte, MAP_ALL));
        delete_partition();
    }
    munmap(all, TIMES * gigabyte);
}

void test_life(void)
{
    delete_while_running();
    suspended_time();
    again_and_again();
}
