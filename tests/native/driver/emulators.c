/*
 * Two threads emulate a REP MOVSB each, from one device to another, and every callback of
 * the one waits for one of the other: no callback is made with anything locked.
 */
#include "driver.h"

enum { BYTES = 100, SOURCE = 0x10000, TARGET = 0x20000 };

typedef struct {
    UINT64 registers[0x20];
    uint8_t source[BYTES], target[BYTES];
    unsigned reads, writes, sets;
} machine;

static pthread_barrier_t meeting;

static HRESULT io_port(void *context, WHV_EMULATOR_IO_ACCESS_INFO *access)
{
    (void)context, (void)access;
    return E_INVALIDARG;
}

static HRESULT access_memory(void *context, WHV_EMULATOR_MEMORY_ACCESS_INFO *access)
{
    machine *m = context;
    pthread_barrier_wait(&meeting);
    CHECK(access->AccessSize == 1);
    if (access->Direction) {
        CHECK(access->GpaAddress == TARGET + m->writes);
        m->target[m->writes++] = access->Data[0];
    } else {
        CHECK(access->GpaAddress == SOURCE + m->reads);
        access->Data[0] = m->source[m->reads++];
    }
    return S_OK;
}

/* RAX to RFLAGS; segments and control registers are those of 64-bit code. */
static HRESULT get_registers(void *context, const WHV_REGISTER_NAME *names, UINT32 count, WHV_REGISTER_VALUE *values)
{
    machine *m = context;
    for (UINT32 i = 0; i < count; i++) {
        values[i] = (WHV_REGISTER_VALUE){0, 0};
        if (names[i] <= RFLAGS)
            values[i].Low = m->registers[names[i]];
        else if (names[i] == CS)
            values[i].High = 0xa09b0008ffffffff;
        else if (names[i] < 0x18)
            values[i].High = 0xc0930010ffffffff;
        else if (names[i] == 0x1c)
            values[i].Low = 0x80000011; /* CR0 */
        else if (names[i] == 0x1f)
            values[i].Low = 0x20; /* CR4 */
        else if (names[i] == 0x2001)
            values[i].Low = 0x500; /* EFER */
    }
    return S_OK;
}

static HRESULT set_registers(void *context, const WHV_REGISTER_NAME *names, UINT32 count, const WHV_REGISTER_VALUE *values)
{
    machine *m = context;
    for (UINT32 i = 0; i < count; i++)
        if (names[i] <= RFLAGS)
            m->registers[names[i]] = values[i].Low;
    m->sets++;
    return S_OK;
}

static HRESULT translate(void *context, WHV_GUEST_VIRTUAL_ADDRESS gva, WHV_TRANSLATE_GVA_FLAGS flags, WHV_TRANSLATE_GVA_RESULT_CODE *code, WHV_GUEST_PHYSICAL_ADDRESS *gpa)
{
    (void)context, (void)flags;
    pthread_barrier_wait(&meeting);
    *code = 0;
    *gpa = gva;
    return S_OK;
}

static void *emulate(void *argument)
{
    enum { RSI = 6, RDI = 7 };
    const WHV_EMULATOR_CALLBACKS callbacks = {
        sizeof callbacks, 0, io_port, access_memory, get_registers, set_registers, translate,
    };
    WHV_EMULATOR_HANDLE emulator;
    WHV_VP_EXIT_CONTEXT vp = {{0}};
    WHV_MEMORY_ACCESS_CONTEXT access = {2, {0}, {0xf3, 0xa4}};
    OK(WHvEmulatorCreateEmulator(&callbacks, &emulator));
    for (unsigned round = 0; round < 10; round++) {
        machine m = {.registers = {[RCX] = BYTES, [RSI] = SOURCE, [RDI] = TARGET, [RIP] = 0x5000, [RFLAGS] = 0x102}};
        for (unsigned i = 0; i < BYTES; i++)
            m.source[i] = i * 7 + (uintptr_t)argument;
        WHV_EMULATOR_STATUS status = {0};
        OK(WHvEmulatorTryMmioEmulation(emulator, &m, &vp, &access, &status));
        CHECK(status.AsUINT32 == 1 && m.sets == 1);
        CHECK(m.reads == BYTES && m.writes == BYTES && !memcmp(m.source, m.target, BYTES));
        CHECK(m.registers[RCX] == 0 && m.registers[RSI] == SOURCE + BYTES && m.registers[RDI] == TARGET + BYTES);
        CHECK(m.registers[RIP] == 0x5002 && m.registers[RFLAGS] == 0x102);
    }
    OK(WHvEmulatorDestroyEmulator(emulator));
    return NULL;
}

void test_emulators(void)
{
    CHECK(pthread_barrier_init(&meeting, NULL, 2) == 0);
    pthread_t first = start_thread(emulate, 1), second = start_thread(emulate, 2);
    pthread_join(first, NULL);
    pthread_join(second, NULL);
}
