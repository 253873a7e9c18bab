/*
 * libwhp and the small programs after it: each property with its own size, an exit
 * context of the first release's 144 bytes, XSAVE state by size query, translation and
 * dirty pages, one processor and no APIC.
 */
#include "client.h"

enum { FIRST_CONTEXT = 144, AWAY = 0x40000000, MAP_DIRTY = 8 };

static void set_up(void)
{
    UINT32 present = 0, written = 0, count = 1;
    UINT64 exits = VM_EXIT_CPUID | VM_EXIT_MSR, back = 0;
    OK(WHvGetCapability(CAP_HYPERVISOR, &present, sizeof present, &written));
    CHECK(present && written == sizeof present);
    OK(WHvCreatePartition(&partition));
    set_bytes(PROP_COUNT, &count, sizeof count);
    count = 0;
    OK(WHvGetPartitionProperty(partition, PROP_COUNT, &count, sizeof count, &written));
    CHECK(count == 1 && written == sizeof count);
    set_bytes(PROP_EXITS, &exits, sizeof exits);
    OK(WHvGetPartitionProperty(partition, PROP_EXITS, &back, sizeof back, NULL));
    CHECK(back == exits);
    CHECK(WHvSetPartitionProperty(partition, 0x7777, &exits, sizeof exits) == WHV_E_UNKNOWN_PROPERTY_);
    OK(WHvSetupPartition(partition));
    OK(WHvCreateVirtualProcessor(partition, 0, 0));
    map_memory();
}

static void translate(void)
{
    WHV_TRANSLATE_GVA_RESULT result;
    WHV_GUEST_PHYSICAL_ADDRESS gpa = 0;
    protected_mode(0, 0x1000);
    OK(WHvTranslateGva(partition, 0, 0x5123, 1, &result, &gpa));
    CHECK(result.ResultCode == 0 && gpa == 0x5123);
}

static void dirty_pages(void)
{
    UINT64 bits = ~0ull;
    OK(WHvMapGpaRange(partition, memory + 0x40000, AWAY, 4 * PAGE, MAP_RAM | MAP_DIRTY));
    put(0x1000, "c6 05 04 20 00 40 77 e6 80"); /* mov byte [0x40002004], 0x77 */
    protected_mode(0, 0x1000);
    run_sized(0, EXIT_IO, FIRST_CONTEXT);
    CHECK(EXIT_LENGTH == 2);
    OK(WHvQueryGpaRangeDirtyBitmap(partition, AWAY, 4 * PAGE, &bits, sizeof bits));
    CHECK(bits == 4 && memory[0x42004] == 0x77);
    /* cleared, without a bitmap, too */
    OK(WHvQueryGpaRangeDirtyBitmap(partition, AWAY, 4 * PAGE, NULL, 0));
    OK(WHvUnmapGpaRange(partition, AWAY, 4 * PAGE));
    set_register(0, RIP, 0x1000);
    run_sized(0, EXIT_MEMORY, FIRST_CONTEXT);
    CHECK(exit_u64(72) == AWAY + 0x2004 && exit_u32(68) & 4);
}

static void xsave(void)
{
    UINT32 size = 0, written = 0;
    UINT8 *state = memory + 0x20000;
    CHECK(WHvGetVirtualProcessorXsaveState(partition, 0, NULL, 0, &size) == WHV_E_INSUFFICIENT_BUFFER);
    CHECK(size >= 576);
    OK(WHvGetVirtualProcessorXsaveState(partition, 0, state, size, &written));
    CHECK(written == size && state[527] & 0x80); /* compacted */
    OK(WHvSetVirtualProcessorXsaveState(partition, 0, state, size));
}

static void activity_is_the_platforms(void)
{
    const UINT32 name = INTERNAL_ACTIVITY;
    const value none = {.Reg128 = {0, 0}};
    CHECK(WHvSetVirtualProcessorRegisters(partition, 0, (const void *)&name, 1, (const void *)&none) == HV_ACCESS_DENIED);
}

static void run_loop(void)
{
    put(0x1000, "b8 01 00 00 00 0f a2 b9 45 23 01 00 0f 32 e6 80 f4");
    protected_mode(0, 0x1000);
    /* no leaf is in the list: none exits */
    run_sized(0, EXIT_MSR, FIRST_CONTEXT);
    CHECK(exit_u32(52) == 0x12345);
    set_register(0, RIP, EXIT_RIP + EXIT_LENGTH);
    run_sized(0, EXIT_IO, FIRST_CONTEXT);
    set_register(0, RIP, EXIT_RIP + EXIT_LENGTH);
    run_sized(0, EXIT_HALT, FIRST_CONTEXT);
    CHECK(WHvRunVirtualProcessor(partition, 0, last_exit, 16) == WHV_E_INSUFFICIENT_BUFFER);
}

void client_libwhp(void)
{
    set_up();
    translate();
    dirty_pages();
    xsave();
    activity_is_the_platforms();
    run_loop();
    delete_partition(1);
}
