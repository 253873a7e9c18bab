/*
 * QEMU's accelerator (target/i386/whpx, 7.2 and later): every property a whole union,
 * sizes that nobody asks for NULL, the emulator before its processor, the CPUID list
 * again after set-up, all registers in one call, the APIC's page of 4,096 bytes, and the
 * debugger's INT1 and TF.
 */
#include "client.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { PROCESSORS = 2, VECTOR = 0x20 };

static const UINT32 cpuid_exits[] = {1, 0x80000001};
static const UINT32 more_cpuid_exits[] = {1, 0x80000001, 0x40000000, 0x40000010};

static void set_up(bool apic)
{
    property p;
    UINT64 capability = 0, features = 0, frequency = 0;
    UINT32 size = 0;
    OK(WHvGetCapability(CAP_HYPERVISOR, &capability, sizeof capability, &size));
    CHECK((UINT32)capability == 1 && size == 4);
    OK(WHvGetCapability(CAP_FEATURES, &features, sizeof features, NULL));
    CHECK(features & 2); /* LocalApicEmulation */
    OK(WHvCreatePartition(&partition));
    memset(&p, 0, sizeof p);
    p.ProcessorCount = PROCESSORS;
    set_union(PROP_COUNT, p);
    if (apic) {
        const UINT32 mode = APIC_XAPIC;
        set_bytes(PROP_APIC, &mode, sizeof mode);
    }
    memset(&p, 0, sizeof p);
    p.ExtendedVmExits = VM_EXIT_MSR | VM_EXIT_CPUID | VM_EXIT_EXCEPTION | (apic ? VM_EXIT_INIT_SIPI : 0);
    set_union(PROP_EXITS, p);
    set_bytes(PROP_CPUID_EXITS, cpuid_exits, sizeof cpuid_exits);
    OK(WHvSetupPartition(partition));
    map_memory();
    OK(WHvGetCapability(CAP_CLOCK, &frequency, sizeof frequency, NULL));
    CHECK(frequency > 0);
    OK(WHvGetCapability(CAP_APIC_CLOCK, &frequency, sizeof frequency, NULL));
    CHECK(frequency > 0);
}

static WHV_EMULATOR_HANDLE make_processor(UINT32 vp)
{
    WHV_EMULATOR_HANDLE emulator = make_emulator();
    OK(WHvCreateVirtualProcessor(partition, vp, 0));
    set_bytes(PROP_CPUID_EXITS, more_cpuid_exits, sizeof more_cpuid_exits);
    return emulator;
}

/* The sixty-nine registers that go each way in one call. */
static UINT32 all_names[80];
static value all_values[COUNT(all_names)], read_values[COUNT(all_names)];

static UINT32 name_all(void)
{
    static const UINT32 system[] = {CR0, CR2, CR3, CR4, CR8};
    static const UINT32 msrs[] = {EFER, KERNEL_GS_BASE, APIC_BASE, SYSENTER_CS, SYSENTER_EIP, SYSENTER_ESP, STAR, LSTAR, CSTAR, SFMASK};
    UINT32 n = 0;
    for (UINT32 name = RAX; name <= GDTR; name++)
        all_names[n++] = name;
    for (unsigned i = 0; i < COUNT(system); i++)
        all_names[n++] = system[i];
    for (UINT32 name = XMM0; name < XMM0 + 16; name++)
        all_names[n++] = name;
    for (UINT32 name = FP_MMX0; name <= XMM_CONTROL_STATUS; name++)
        all_names[n++] = name;
    for (unsigned i = 0; i < COUNT(msrs); i++)
        all_names[n++] = msrs[i];
    return n;
}

/* Reset state, as it is put into each processor before it runs first. */
static void set_all_registers(UINT32 vp, bool apic)
{
    const UINT32 n = name_all();
    CHECK(n == 69);
    memset(all_values, 0, sizeof all_values);
    for (UINT32 i = 0; i < n; i++) {
        value *v = &all_values[i];
        switch (all_names[i]) {
        case RFLAGS:
            v->Reg64 = 2;
            break;
        case CS:
            v->Segment.Base = 0xffff0000, v->Segment.Selector = 0xf000;
            v->Segment.Limit = 0xffff, v->Segment.Attributes = 0x9b;
            break;
        case ES: case SS: case DS: case FS: case GS:
            v->Segment.Limit = 0xffff, v->Segment.Attributes = 0x93;
            break;
        case LDTR:
            v->Segment.Limit = 0xffff, v->Segment.Attributes = 0x82;
            break;
        case TR:
            v->Segment.Limit = 0xffff, v->Segment.Attributes = 0x8b;
            break;
        case IDTR: case GDTR:
            v->Table.Limit = 0xffff;
            break;
        case CR0:
            v->Reg64 = 0x60000010;
            break;
        case APIC_BASE:
            v->Reg64 = 0xfee00800 | (vp == 0 ? 0x100 : 0);
            break;
        case FP_CONTROL_STATUS:
            v->Reg64 = 0x37f;
            break;
        case XMM_CONTROL_STATUS:
            v->Reg128.High = 0xffff00001f80;
            break;
        case KERNEL_GS_BASE: case LSTAR: case STAR:
            v->Reg64 = 0x1000 * (i + 1);
            break;
        default:
            if (all_names[i] <= R15)
                v->Reg64 = 0x1111 * (i + vp);
            else if (all_names[i] >= XMM0 && all_names[i] < XMM0 + 16)
                v->Reg128.Low = i, v->Reg128.High = ~(UINT64)i;
        }
    }
    UINT32 count = n;
    if (!apic) /* there is none whose base could be set */
        for (UINT32 i = 0; i < n; i++)
            if (all_names[i] == APIC_BASE) {
                all_names[i] = all_names[--count];
                all_values[i] = all_values[count];
            }
    set_registers(vp, all_names, count, all_values);
    get_registers(vp, all_names, count, read_values);
    CHECK(!memcmp(read_values, all_values, count * sizeof *all_values));
}

static void set_time(void)
{
    OK(WHvSuspendPartitionTime(partition));
    for (UINT32 vp = 0; vp < PROCESSORS; vp++)
        set_register(vp, TSC, 1000);
    CHECK(get_register(0, TSC) == get_register(1, TSC));
}

static void set_apic_page(UINT32 vp)
{
    UINT32 page[PAGE / 4], again[PAGE / 4];
    enum { ID = 0x20 / 4, SVR = 0xf0 / 4, LINT0 = 0x350 / 4 };
    OK(WHvGetVirtualProcessorInterruptControllerState2(partition, vp, page, sizeof page, NULL));
    page[ID] = vp << 24;
    page[SVR] = 0x1ff;
    page[LINT0] = 0x700;
    OK(WHvSetVirtualProcessorInterruptControllerState2(partition, vp, page, sizeof page));
    OK(WHvGetVirtualProcessorInterruptControllerState2(partition, vp, again, sizeof again, NULL));
    CHECK(again[ID] == vp << 24 && again[SVR] == 0x1ff && again[LINT0] == 0x700);
}

/* An MSR nobody has: writes are ignored, reads are 0; RIP, RAX, RDX in one call. */
static void ignore_msr(bool is_write)
{
    const UINT32 names[] = {RIP, RAX, RDX};
    value values[3];
    run(0, EXIT_MSR);
    CHECK(exit_u32(48) == is_write && exit_u32(52) == 0x12345 && EXIT_LENGTH == 2);
    memset(values, 0, sizeof values);
    values[0].Reg64 = EXIT_RIP + EXIT_LENGTH;
    set_registers(0, names, is_write ? 1 : 3, values);
}

/* CPUID: the platform's answer with the bit that says that there is a hypervisor. */
static void answer_cpuid(void)
{
    const UINT32 names[] = {RIP, RAX, RCX, RDX, RBX};
    value values[5];
    run(0, EXIT_CPUID);
    CHECK((UINT32)exit_u64(48) == 1 && EXIT_LENGTH == 2);
    UINT64 rcx = exit_u64(88), rdx = exit_u64(96);
    CHECK(exit_u64(80) != 0 && (rdx & 1) && !(rcx >> 31 & 1));
    memset(values, 0, sizeof values);
    values[0].Reg64 = EXIT_RIP + EXIT_LENGTH;
    values[1].Reg64 = exit_u64(80);
    values[2].Reg64 = rcx | 0x80000000;
    values[3].Reg64 = rdx;
    values[4].Reg64 = exit_u64(104);
    set_registers(0, names, 5, values);
}

static void exits(WHV_EMULATOR_HANDLE emulator)
{
    UINT16 at = put(0x1000, "66 b9 45 23 01 00 0f 32 0f 30");   /* rdmsr, wrmsr */
    at = put(at, "66 b8 01 00 00 00 0f a2 66 89 c8 e7 80");     /* cpuid(1); out ecx */
    at = put(at, "67 66 a3 08 00 00 d0 67 66 a1 04 00 00 d0");  /* a device */
    at = put(at, "67 66 a3 10 00 10 d0 e6 81");                 /* ROM */
    real_mode(0, 0x1000);
    ignore_msr(false);
    ignore_msr(true);
    answer_cpuid();
    run(0, EXIT_IO);
    emulate(emulator, 0);
    CHECK(devices.port == 0x80 && devices.register_writes > 0);
    run(0, EXIT_MEMORY);
    emulate(emulator, 0);
    CHECK(devices.gpa == DEVICE + 8 && devices.is_write && devices.size == 4);
    memcpy(devices.data, "\x78\x56\x34\x12", 4);
    run(0, EXIT_MEMORY);
    emulate(emulator, 0);
    CHECK(devices.gpa == DEVICE + 4 && !devices.is_write);
    CHECK((UINT32)get_register(0, RAX) == 0x12345678);
    run(0, EXIT_MEMORY);
    CHECK(exit_u64(72) == ROM + 0x10 && (exit_u32(68) & 7) == 1);
    emulate(emulator, 0);
    CHECK(devices.gpa == ROM + 0x10 && devices.is_write);
    run_to_port(0, 0x81);
}

/* A request to stop that comes before the run ends it. */
static void kick(void)
{
    real_mode(0, put(0x1100, "eb fe") - 2);
    OK(WHvCancelRunVirtualProcessor(partition, 0, 0));
    run(0, EXIT_CANCELED);
    CHECK(EXIT_RIP == 0x1100);
}

/* The PIC's interrupt for a processor that halts, with the platform's APIC: a window,
   then the event and the end of the halt. */
static void pic_interrupt_wakes(void)
{
    const UINT32 names[] = {PENDING_EVENT, INTERNAL_ACTIVITY};
    value values[2];
    put(0x1200, "fb f4 e6 83"); /* sti; hlt; out */
    put(0x2000, "e6 82 cf");
    handle(VECTOR, 0x2000);
    real_mode(0, 0x1200);
    set_register(0, NOTIFICATIONS, 2);
    run(0, EXIT_WINDOW);
    CHECK(exit_u32(48) == 0 && EXIT_RFLAGS & FLAG_IF);
    memset(values, 0, sizeof values);
    values[0].Reg64 = EVENT_EXT_INT | VECTOR << 8;
    set_registers(0, names, 2, values);
    run_to_port(0, 0x82);
    run_to_port(0, 0x83);
}

/* INIT and SIPI come home and are asked for again. */
static void forward_ipi(UINT32 type)
{
    WHV_INTERRUPT_CONTROL ipi;
    run(0, EXIT_INIT_SIPI);
    const UINT64 icr = exit_u64(48);
    CHECK((icr >> 8 & 7) == type && icr >> 56 == 1);
    memset(&ipi, 0, sizeof ipi);
    ipi.Type = type;
    ipi.Destination = 1;
    ipi.Vector = icr & 0xff;
    OK(WHvRequestInterrupt(partition, &ipi, sizeof ipi));
}

static void start_another(void)
{
    enum { INIT = 5, SIPI = 6 };
    UINT16 at = put(0x1300, "67 66 c7 05 10 03 e0 fe 00 00 00 01");
    at = put(at, "67 66 c7 05 00 03 e0 fe 00 45 00 00");
    at = put(at, "67 66 c7 05 00 03 e0 fe 07 46 00 00 e6 84");
    put(0x7000, "e6 85 f4");
    real_mode(0, 0x1300);
    forward_ipi(INIT);
    forward_ipi(SIPI);
    run_to_port(0, 0x84);
    run_to_port(1, 0x85);
    value cs;
    const UINT32 name = CS;
    get_registers(1, &name, 1, &cs);
    CHECK(cs.Segment.Selector == 0x700 && cs.Segment.Base == 0x7000);
}

static void intercept(UINT64 exceptions)
{
    property p;
    memset(&p, 0, sizeof p);
    p.ExceptionExitBitmap = exceptions;
    set_union(PROP_EXCEPTIONS, p);
}

/* TF and a shadow, so that no interrupt is taken first; afterwards all is taken away. */
static void step(bool begin)
{
    UINT64 flags = begin ? get_register(0, RFLAGS) | FLAG_TF : EXIT_RFLAGS & ~(UINT64)FLAG_TF;
    set_register(0, RFLAGS, flags);
    UINT64 state = get_register(0, INTERRUPT_STATE);
    set_register(0, INTERRUPT_STATE, begin ? state | 1 : state & ~1ull);
    if (!begin)
        set_register(0, PENDING_DEBUG_EXCEPTION, get_register(0, PENDING_DEBUG_EXCEPTION) & ~0x10ull);
}

static void debugger(void)
{
    enum { INT1 = 0xf1, AT = 0x3001 };
    put(0x3000, "43 43 43 43 66 b8 01 00 00 00 0f a2 e6 86"); /* inc bx; ...; cpuid; out */
    real_mode(0, 0x3000);
    set_register(0, RBX, 0);
    intercept(1 << 1);
    const uint8_t original = memory[AT];
    memory[AT] = INT1;
    run(0, EXIT_EXCEPTION);
    CHECK(last_exit[72] == 1 && EXIT_RIP == AT);
    memory[AT] = original;
    step(true);
    run(0, EXIT_EXCEPTION);
    CHECK(last_exit[72] == 1 && EXIT_RIP == AT + 1 && EXIT_RFLAGS & FLAG_TF);
    CHECK(get_register(0, RBX) == 2);
    step(false);
    CHECK(get_register(0, INTERRUPT_STATE) == 0 && get_register(0, PENDING_DEBUG_EXCEPTION) == 0);
    memory[AT] = INT1;
    /* an instruction that exits by itself is stepped by carrying it out */
    set_register(0, RIP, 0x300a);
    set_register(0, RAX, 1);
    step(true);
    answer_cpuid();
    step(false);
    run_to_port(0, 0x86);
    intercept(0);
}

void client_qemu(void)
{
    WHV_EMULATOR_HANDLE emulators[PROCESSORS];
    set_up(true);
    for (UINT32 vp = 0; vp < PROCESSORS; vp++)
        emulators[vp] = make_processor(vp);
    set_time();
    for (UINT32 vp = 0; vp < PROCESSORS; vp++) {
        set_all_registers(vp, true);
        set_apic_page(vp);
    }
    exits(emulators[0]);
    kick();
    pic_interrupt_wakes();
    debugger();
    start_another();
    for (UINT32 vp = 0; vp < PROCESSORS; vp++)
        OK(WHvEmulatorDestroyEmulator(emulators[vp]));
    delete_partition(PROCESSORS);
}

/* kernel-irqchip=off: the APIC is QEMU's own; interrupts are injected, HLT comes home. */
void client_qemu_pic(void)
{
    enum { PENDING = 1 };
    set_up(false);
    WHV_EMULATOR_HANDLE emulator = make_processor(0);
    set_all_registers(0, false);
    put(0x1000, "fb f4 e6 80 fa e6 81 fb 90 e6 83");
    put(0x2000, "e6 82 cf");
    handle(VECTOR, 0x2000);
    real_mode(0, 0x1000);
    run(0, EXIT_HALT);
    CHECK(EXIT_RFLAGS & FLAG_IF);
    /* interrupts on, no shadow, nothing pending: at once */
    CHECK(!(exit_u32(8) & 0x1040));
    set_register(0, PENDING_INTERRUPTION, PENDING | VECTOR << 16);
    run_to_port(0, 0x82);
    run_to_port(0, 0x80);
    run_to_port(0, 0x81);
    /* interrupts off: a window first */
    const UINT32 names[] = {CR8, NOTIFICATIONS};
    const value values[] = {{.Reg128 = {0, 0}}, {.Reg128 = {2, 0}}};
    set_registers(0, names, 2, values);
    run(0, EXIT_WINDOW);
    set_register(0, PENDING_INTERRUPTION, PENDING | VECTOR << 16);
    run_to_port(0, 0x82);
    run_to_port(0, 0x83);
    OK(WHvEmulatorDestroyEmulator(emulator));
    delete_partition(1);
}
