/*
 * OpenVMM's virt_whp with an APIC of its own: what the host offers first, #GP and writes
 * of APIC_BASE exit, all processors before there is memory, CPUID asked for then too,
 * priorities with windows, state by type, and a reset of the whole partition.
 */
#include "client.h"

enum { PROCESSORS = 4 };
/* WHV_X64_MSR_EXIT_BITMAP */
enum { UNHANDLED_MSRS = 1, APIC_BASE_WRITE = 8 };
enum { GP = 13, VECTOR = 0x61 };

/* WHV_PROCESSOR_FEATURES_BANKS, and the synthetic ones' */
typedef struct { UINT32 BanksCount, Reserved; UINT64 Banks[2]; } feature_banks;

static void set_up(void)
{
    UINT32 vendor = 0, present = 0;
    UINT64 exits = 0;
    feature_banks banks, synthetic;
    OK(WHvGetCapability(CAP_HYPERVISOR, &present, sizeof present, NULL));
    OK(WHvGetCapability(CAP_VENDOR, &vendor, sizeof vendor, NULL));
    CHECK(present && vendor <= 2);
    OK(WHvGetCapability(CAP_EXITS, &exits, sizeof exits, NULL));
    memset(&banks, 0, sizeof banks);
    OK(WHvGetCapability(CAP_BANKS, &banks, sizeof banks, NULL));
    CHECK(banks.BanksCount == 2);
    memset(&synthetic, 0, sizeof synthetic);
    OK(WHvGetCapability(CAP_SYNTHETIC, &synthetic, sizeof synthetic, NULL));
    OK(WHvCreatePartition(&partition));
    const UINT32 count = PROCESSORS, mode = APIC_NONE;
    set_bytes(PROP_COUNT, &count, sizeof count);
    set_bytes(PROP_BANKS, &banks, sizeof banks);
    set_bytes(PROP_APIC, &mode, sizeof mode);
    const UINT64 msrs = APIC_BASE_WRITE | UNHANDLED_MSRS, exceptions = 1 << GP;
    set_bytes(PROP_MSR_EXITS, &msrs, sizeof msrs);
    set_bytes(PROP_EXCEPTIONS, &exceptions, sizeof exceptions);
    exits &= VM_EXIT_MSR | VM_EXIT_EXCEPTION | VM_EXIT_CPUID;
    CHECK(exits == (VM_EXIT_MSR | VM_EXIT_EXCEPTION | VM_EXIT_CPUID));
    set_bytes(PROP_EXITS, &exits, sizeof exits);
    OK(WHvSetupPartition(partition));
    for (UINT32 vp = 0; vp < PROCESSORS; vp++)
        OK(WHvCreateVirtualProcessor(partition, vp, 0));
}

/* Before there is memory. */
static void ask_cpuid(void)
{
    UINT32 first[4], features[4];
    OK(WHvGetVirtualProcessorCpuidOutput(partition, 0, 0, 0, (void *)first));
    CHECK(first[0] >= 7);
    OK(WHvGetVirtualProcessorCpuidOutput(partition, 0, 1, 0, (void *)features));
    CHECK(features[3] & 1 << 9 && !(features[2] >> 31));
}

static void state_by_type(void)
{
    static const UINT32 XSAVE_STATE = 0x1001;
    UINT8 *state = NULL, *again;
    UINT32 size = 0, written = 0;
    CHECK(WHvGetVirtualProcessorState(partition, 1, XSAVE_STATE, NULL, 0, &size) == WHV_E_INSUFFICIENT_BUFFER);
    CHECK(size >= 576 && size <= 4 * PAGE);
    /* page-aligned, in memory that is anyhow */
    state = memory + 0x20000;
    again = memory + 0x30000;
    OK(WHvGetVirtualProcessorState(partition, 1, XSAVE_STATE, state, size, &written));
    CHECK(written == size);
    state[160] = 0x5a; /* XMM0 */
    state[512] |= 2;
    OK(WHvSetVirtualProcessorState(partition, 1, XSAVE_STATE, state, size));
    OK(WHvGetVirtualProcessorState(partition, 1, XSAVE_STATE, again, size, &written));
    CHECK(again[160] == 0x5a && (get_register(1, XMM0) & 0xff) == 0x5a);
}

static void own_apic(void)
{
    UINT16 at = put(0x1000, "b9 1b 00 00 00 b8 00 09 e0 fe 31 d2 0f 30"); /* APIC_BASE */
    at = put(at, "b9 45 23 01 00 0f 32");                                 /* an MSR nobody has */
    at = put(at, "66 b8 68 00 8e d8 fb f4 e6 80");                        /* mov ds, 0x68; sti; hlt */
    put(0x6100, "e6 82 cf");
    handle(VECTOR, 0x6100);
    protected_mode(0, 0x1000);
    run(0, EXIT_MSR);
    CHECK(exit_u32(52) == 0x1b && exit_u32(48) == 1);
    CHECK((UINT32)exit_u64(56) == 0xfee00900);
    set_register(0, RIP, EXIT_RIP + 2);
    run(0, EXIT_MSR);
    CHECK(exit_u32(52) == 0x12345 && exit_u32(48) == 0);
    set_register(0, RIP, EXIT_RIP + 2);
    run(0, EXIT_EXCEPTION);
    CHECK(last_exit[72] == GP && exit_u32(76) == 0x68 && exit_u32(68) & 1);
    set_register(0, RIP, EXIT_RIP + 2);
    run(0, EXIT_HALT);
    /* a window above the task priority only */
    set_register(0, CR8, 7);
    set_register(0, NOTIFICATIONS, 2 | 6 << 2);
    set_register(0, RIP, put(0x1100, "90 e6 81") - 3);
    run_to_port(0, 0x81);
    set_register(0, NOTIFICATIONS, 2 | 8 << 2);
    put(0x1103, "90 e6 84");
    run(0, EXIT_WINDOW);
    set_register(0, PENDING_INTERRUPTION, 1 | VECTOR << 16);
    run_to_port(0, 0x82);
    run_to_port(0, 0x84);
    /* the platform's APIC is not asked for anything */
    WHV_INTERRUPT_CONTROL interrupt;
    memset(&interrupt, 0, sizeof interrupt);
    interrupt.Vector = VECTOR;
    CHECK(WHvRequestInterrupt(partition, &interrupt, sizeof interrupt) == HV_OPERATION_DENIED);
}

static void reset(void)
{
    OK(WHvResetPartition(partition));
    for (UINT32 vp = 0; vp < PROCESSORS; vp++)
        CHECK(get_register(vp, RIP) == 0xfff0 && get_register(vp, RFLAGS) == 2);
    real_mode(0, put(0x1200, "e6 85") - 2);
    run_to_port(0, 0x85);
}

void client_openvmm(void)
{
    set_up();
    ask_cpuid();
    map_memory();
    OK(WHvSuspendPartitionTime(partition));
    for (UINT32 vp = 0; vp < PROCESSORS; vp++)
        set_register(vp, TSC, 0);
    OK(WHvResumePartitionTime(partition));
    state_by_type();
    own_apic();
    reset();
    delete_partition(PROCESSORS);
}
