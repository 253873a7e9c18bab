/*
 * Memory that comes and goes: a processor uses a page that is unmapped, freed and mapped
 * anew all the while. And memory that is in two places, whole and in part, is one memory,
 * also for the code in it.
 */
#include "driver.h"

enum { PLACE = 0x20000, TIMES = 300 };

static atomic_bool over;

static void *processor(void *argument)
{
    (void)argument;
    while (!over) {
        uint32_t reason = run(0).reason;
        CHECK(reason == EXIT_MEMORY || reason == EXIT_CANCELED);
    }
    return NULL;
}

static void come_and_go(void)
{
    make_partition(1, 0);
    /* mov ax, 0x2000; mov ds, ax; inc dword [0]; jmp */
    put(0x1000, "b8 00 20 8e d8 66 ff 06 00 00 eb f9");
    start_at(0, 0x1000);
    pthread_t thread = start_thread(processor, 0);
    for (unsigned i = 0; i < TIMES; i++) {
        OK(WHvUnmapGpaRange(partition, PLACE, 0x10000));
        uint8_t *page = aligned_alloc(4096, 0x10000);
        memset(page, 0, 0x10000);
        OK(WHvMapGpaRange(partition, page, PLACE, 0x10000, MAP_ALL));
        for (unsigned wait = 0; *(volatile uint32_t *)page == 0; wait++)
            CHECK(wait < 1000000000);
        OK(WHvUnmapGpaRange(partition, PLACE, 0x10000));
        free(page);
        OK(WHvMapGpaRange(partition, memory + PLACE, PLACE, 0x10000, MAP_ALL));
    }
    over = true;
    OK(WHvCancelRunVirtualProcessor(partition, 0, 0));
    pthread_join(thread, NULL);
    delete_partition();
}

static void two_places(void)
{
    make_partition(1, 0);
    uint8_t *shared = aligned_alloc(65536, 0x40000);
    memset(shared, 0xf4, 0x40000);
    /* all of it at 0x60000, an uneven part of it at 0x30000, half of that and more at 0x40000 */
    OK(WHvMapGpaRange(partition, shared, 0x60000, 0x40000, MAP_ALL));
    OK(WHvMapGpaRange(partition, shared + 0x13000, 0x30000, 0x8000, MAP_ALL));
    OK(WHvMapGpaRange(partition, shared + 0x1a000, 0x40000, 0x9000, MAP_ALL));
    memcpy(shared + 0x1a000, "\x40\xcb", 2); /* inc ax; retf */
    /* twice call 4000:0; through 3000:7000 inc ax becomes dec ax; call 4000:0, 7a00:0 */
    put(0x1000, "9a 00 00 00 40 9a 00 00 00 40 b9 00 30 8e d9 c6 06 00 70 48 9a 00 00 00 40 9a 00 00 00 7a "
                /* through 7000:a000 it becomes inc ax again; call 4000:0; out */
                "b9 00 70 8e d9 c6 06 00 a0 40 9a 00 00 00 40 e6 80");
    start_at(0, 0x1000);
    set_register(0, RAX, 10);
    CHECK(run(0).reason == EXIT_IO);
    CHECK(get_register(0, RAX) == 10 + 2 - 2 + 1);
    CHECK(shared[0x1a000] == 0x40);
    delete_partition();
    free(shared);
}

void test_mapping(void)
{
    come_and_go();
    two_places();
}
