/*
 * crosvm's hypervisor/src/whpx: CPUID answers before set-up and exits for a few leaves,
 * X64MsrExit alone, the older call for the APIC's state, #GP given back for MSRs, a
 * window that is asked for and taken back, EOIs of level-triggered interrupts.
 */
#include "client.h"

/* WHV_X64_CPUID_RESULT */
typedef struct { UINT32 Function, Reserved[3], Eax, Ebx, Ecx, Edx; } cpuid_result;

enum { HYPERVISOR = 0x40000000, VECTOR = 0x51 };

static void set_up(void)
{
    static const cpuid_result results[] = {
        {.Function = HYPERVISOR, .Eax = 0x40000006, .Ebx = 0x7263694d, .Ecx = 0x666f736f, .Edx = 0x76482074},
        {.Function = HYPERVISOR + 3, .Eax = 0x8a00, .Edx = 0x100},
    };
    static const UINT32 exits[] = {0x1, 0x4, 0xb, 0x1f, 0x15};
    property p;
    UINT64 features = 0;
    UINT32 size = 0;
    OK(WHvCreatePartition(&partition));
    memset(&p, 0, sizeof p);
    p.ProcessorCount = 1;
    set_union(PROP_COUNT, p);
    set_bytes(PROP_CPUID_RESULTS, results, sizeof results);
    set_bytes(PROP_CPUID_EXITS, exits, sizeof exits);
    memset(&p, 0, sizeof p);
    p.ExtendedVmExits = VM_EXIT_CPUID | VM_EXIT_MSR;
    set_union(PROP_EXITS, p);
    OK(WHvGetCapability(CAP_FEATURES, &features, sizeof features, &size));
    CHECK(features & 2);
    memset(&p, 0, sizeof p);
    p.LocalApicEmulationMode = APIC_XAPIC;
    set_union(PROP_APIC, p);
    OK(WHvSetupPartition(partition));
    map_memory();
    OK(WHvCreateVirtualProcessor(partition, 0, 0));
}

static void old_apic_state(void)
{
    UINT32 state[PAGE / 4];
    UINT32 written = 0;
    OK(WHvGetVirtualProcessorInterruptControllerState(partition, 0, state, sizeof state, &written));
    CHECK(written > 0 && written <= sizeof state);
    OK(WHvSetVirtualProcessorInterruptControllerState(partition, 0, state, sizeof state));
}

/* #GP for an MSR that nobody has, unless an event is pending already. */
static void inject_gp(void)
{
    const UINT32 name = PENDING_EVENT;
    value event;
    get_registers(0, &name, 1, &event);
    CHECK(!(event.Reg64 & 1));
    /* deliver an error code (bit 8), which is 0 */
    event.Reg64 |= EVENT_EXCEPTION | 0x100 | 13 << 16;
    set_registers(0, &name, 1, &event);
}

static void request(UINT32 vector)
{
    WHV_INTERRUPT_CONTROL interrupt;
    memset(&interrupt, 0, sizeof interrupt);
    interrupt.TriggerMode = 1; /* level */
    interrupt.Vector = vector;
    OK(WHvRequestInterrupt(partition, &interrupt, sizeof interrupt));
}

void client_crosvm(void)
{
    WHV_EMULATOR_HANDLE emulator = make_emulator();
    set_up();
    old_apic_state();
    UINT16 at = put(0x1000, "c7 05 f0 00 e0 fe ff 01 00 00"); /* SVR */
    at = put(at, "b9 45 23 01 00 0f 32 e6 80");               /* rdmsr */
    at = put(at, "b8 00 00 00 40 0f a2 e6 81");               /* cpuid */
    at = put(at, "b8 15 00 00 00 0f a2 fb 90 e6 84 eb fe");   /* cpuid; sti; nop; out */
    put(0x6000, "e6 8d 83 c4 04 83 04 24 02 cf");             /* out; past the code, and the MSR */
    put(0x6100, "c7 05 b0 00 e0 fe 00 00 00 00 e6 83 cf");    /* EOI; out */
    handle(13, 0x6000);
    handle(VECTOR, 0x6100);
    protected_mode(0, 0x1000);
    run(0, EXIT_MSR);
    CHECK(exit_u32(52) == 0x12345);
    inject_gp();
    run_to_port(0, 0x8d);
    run_to_port(0, 0x80);
    /* given before set-up: no exit */
    run_to_port(0, 0x81);
    CHECK(get_register(0, RBX) == 0x7263694d && get_register(0, RAX) == 0x40000006);
    run(0, EXIT_CPUID);
    CHECK((UINT32)exit_u64(48) == 0x15 && EXIT_LENGTH == 2);
    set_register(0, RIP, EXIT_RIP + 2);
    /* a window that was taken back does not come */
    set_register(0, NOTIFICATIONS, 2);
    set_register(0, NOTIFICATIONS, 0);
    run_to_port(0, 0x84);
    request(VECTOR);
    run(0, EXIT_EOI);
    CHECK(exit_u32(48) == VECTOR);
    run_to_port(0, 0x83);
    OK(WHvCancelRunVirtualProcessor(partition, 0, 0));
    run(0, EXIT_CANCELED);
    OK(WHvEmulatorDestroyEmulator(emulator));
    delete_partition(1);
}
