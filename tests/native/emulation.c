/*
 * WinHvEmulation: src/soft/core/system/emulate.ts executes, the caller's callbacks supply
 * registers, memory and ports. Like the real DLL it is a library of its own, with a
 * core of its own, and knows of a partition only what the callbacks tell.
 *
 * A callback may do anything, also wait for a thread that emulates by another handle, so
 * none is called with the lock held. Where the core asks for something not yet known,
 * its attempt is abandoned, the callback is made, and the instruction is begun anew with
 * the answer: it depends on nothing but what it is given. A REP instruction begins anew
 * after each iteration.
 */
#include "library.h"
#include "quirks.h"

#include <stdio.h>
#include <stdlib.h>

/* WHV_EMULATOR_STATUS, and emulation.ts'
 * own EMU_AGAIN. */
enum { SUCCESSFUL = 1, GET_FAILED = 64, SET_FAILED = 128, AGAIN = 0x10000 };

/* What emulate() expects at VALUES; most instructions change only the first. */
enum { INTEGER_RESULTS = 18, WITHOUT_XMM = 28, ALL = 44 };

static const WHV_REGISTER_NAME names[ALL] = {
    /* RAX to R15, RIP, RFLAGS, ES to GS */
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
    0x12, 0x13, 0x14, 0x15, 0x16, 0x17,
    /* CR0, CR3, CR4, EFER, XMM0 to XMM15 */
    0x1c, 0x1e, 0x1f, 0x2001,
    0x1000, 0x1001, 0x1002, 0x1003, 0x1004, 0x1005, 0x1006, 0x1007,
    0x1008, 0x1009, 0x100a, 0x100b, 0x100c, 0x100d, 0x100e, 0x100f,
};

/* What the core asks for, and what the callback answered. */
typedef struct {
    enum { TRANSLATE, MEMORY, IO_PORT } kind;
    uint64_t address;
    uint32_t size, is_write;
    uint8_t data[8];
    uint32_t result;
} question;

/* A call of WHvEmulatorTry...Emulation. */
typedef struct {
    const WHV_EMULATOR_CALLBACKS *callbacks;
    void *context;
    /* `known` answers, of which the core has been given `given`. */
    question *answers;
    unsigned known, given, room;
    /* Whether the attempt got to a question without an answer. */
    bool asks;
    question asked;
} emulation;

/* The attempt that the core is at. */
static emulation *current;

#define MAX_EMULATORS 1024
static WHV_EMULATOR_CALLBACKS emulators[MAX_EMULATORS];

static uint32_t ask(question q)
{
    emulation *e = current;
    if (!e->asks && e->given < e->known) {
        question *answer = &e->answers[e->given++];
        if (!q.is_write)
            memcpy(IOBUF, answer->data, q.kind == IO_PORT ? 4 : 8);
        return answer->result;
    }
    if (!e->asks) {
        e->asks = true;
        memcpy(q.data, IOBUF, 8);
        e->asked = q;
    }
    return UINT32_MAX;
}

u32 Z_hostZ_translate(struct Z_host_instance_t *none, u64 gva, u32 flags)
{
    (void)none;
    return ask((question){.kind = TRANSLATE, .address = gva, .size = flags});
}

u32 Z_hostZ_memory(struct Z_host_instance_t *none, u64 gpa, u32 bytes, u32 is_write)
{
    (void)none;
    return ask((question){.kind = MEMORY, .address = gpa, .size = bytes, .is_write = is_write});
}

u32 Z_hostZ_ioPort(struct Z_host_instance_t *none, u32 port, u32 bytes, u32 is_write)
{
    (void)none;
    return ask((question){.kind = IO_PORT, .address = port, .size = bytes, .is_write = is_write});
}

/* A platform's. */
u32 Z_hostZ_doorbell(struct Z_host_instance_t *none, u64 gpa, u32 bytes, u64 value)
{
    (void)none, (void)gpa, (void)bytes, (void)value;
    return 0;
}

/* Not offered: every access exits. */
u32 Z_hostZ_access(struct Z_host_instance_t *none, u32 vp)
{
    (void)none, (void)vp;
    return 0;
}

u64 Z_hostZ_clock(struct Z_host_instance_t *none)
{
    (void)none;
    return clock_now();
}

/* Makes the callback for a question; its results are those of core/system/host.ts. */
static void answer(const emulation *e, question *q)
{
    HRESULT hresult;
    if (q->kind == TRANSLATE) {
        WHV_TRANSLATE_GVA_RESULT_CODE code = 0;
        WHV_GUEST_PHYSICAL_ADDRESS gpa = 0;
        hresult = e->callbacks->WHvEmulatorTranslateGvaPage(e->context, q->address & ~0xfffull, q->size, &code, &gpa);
        memcpy(q->data, &gpa, 8);
        q->result = hresult < 0 ? UINT32_MAX : code != 0;
    } else if (q->kind == MEMORY) {
        WHV_EMULATOR_MEMORY_ACCESS_INFO access = {.GpaAddress = q->address, .Direction = q->is_write, .AccessSize = q->size};
        if (q->is_write)
            memcpy(access.Data, q->data, 8);
        hresult = e->callbacks->WHvEmulatorMemoryCallback(e->context, &access);
        memcpy(q->data, access.Data, 8);
        q->result = hresult < 0;
    } else {
        WHV_EMULATOR_IO_ACCESS_INFO access = {.Direction = q->is_write, .Port = q->address, .AccessSize = q->size};
        if (q->is_write)
            memcpy(&access.Data, q->data, 4);
        hresult = e->callbacks->WHvEmulatorIoPortCallback(e->context, &access);
        memcpy(q->data, &access.Data, 4);
        q->result = hresult < 0;
    }
}

/* Keeps the answer to the question that the last attempt ended with. */
static bool keep_answer(emulation *e)
{
    if (e->known == e->room) {
        unsigned room = e->room ? 2 * e->room : 16;
        question *more = realloc(e->answers, room * sizeof *more);
        if (more == NULL)
            return false;
        e->answers = more;
        e->room = room;
    }
    answer(e, &e->asked);
    e->answers[e->known++] = e->asked;
    return true;
}

/* One attempt: `values` become the instruction's results if it has any. */
static uint32_t attempt(emulation *e, const uint8_t *code, unsigned bytes, WHV_REGISTER_VALUE *values)
{
    core_lock();
    core_start();
    memcpy(VALUES, values, ALL * 16);
    memcpy(FETCH, code, bytes);
    e->given = 0;
    e->asks = false;
    current = e;
    uint32_t status = CORE(emulateOnce, bytes);
    if (!e->asks && status & (SUCCESSFUL | AGAIN))
        memcpy((void *)values, VALUES, ALL * 16);
    core_unlock();
    return status;
}

/* Returns WHV_EMULATOR_STATUS, or 0 when there is no memory. */
static uint32_t emulate(emulation *e, const uint8_t *code, unsigned bytes)
{
    const WHV_EMULATOR_CALLBACKS *callbacks = e->callbacks;
    _Alignas(16) WHV_REGISTER_VALUE values[ALL];
    memset((void *)values, 0, sizeof values);
    /* XMM registers only matter to instructions of the 0F map */
    unsigned count = bytes && !memchr(code, 0x0f, bytes) ? WITHOUT_XMM : ALL;
    if (callbacks->WHvEmulatorGetVirtualProcessorRegisters(e->context, names, count, values) < 0)
        return GET_FAILED;
    uint32_t status;
    for (;;) {
        status = attempt(e, code, bytes, values);
        if (e->asks) {
            if (!keep_answer(e))
                return 0;
        } else if (status & AGAIN)
            e->known = 0;
        else
            break;
    }
    if (!(status & SUCCESSFUL))
        return status;
    HRESULT hresult = callbacks->WHvEmulatorSetVirtualProcessorRegisters(e->context, names, INTEGER_RESULTS, values);
    if (hresult >= 0 && count > WITHOUT_XMM)
        hresult = callbacks->WHvEmulatorSetVirtualProcessorRegisters(e->context, names + WITHOUT_XMM, ALL - WITHOUT_XMM, values + WITHOUT_XMM);
    return hresult < 0 ? SET_FAILED : status;
}

/* The access contexts of both kinds begin with the instruction's bytes. */
static HRESULT try_emulation(const char *function, WHV_EMULATOR_HANDLE emulator, void *context, const void *access, WHV_EMULATOR_STATUS *status)
{
    uintptr_t handle = (uintptr_t)emulator;
    WHV_EMULATOR_CALLBACKS callbacks = {.Size = 0};
    core_lock();
    core_start();
    HRESULT hresult = quirks_call(function);
    if (handle > 0 && handle <= MAX_EMULATORS)
        callbacks = emulators[handle - 1];
    core_unlock();
    if (hresult != S_OK)
        return hresult;
    if (callbacks.Size == 0 || access == NULL || status == NULL)
        return E_INVALIDARG;
    uint8_t code[16];
    memcpy(code, (const uint8_t *)access + 4, sizeof code);
    unsigned bytes = *(const uint8_t *)access;
    emulation e = {.callbacks = &callbacks, .context = context};
    uint32_t result = emulate(&e, code, bytes < sizeof code ? bytes : sizeof code);
    free(e.answers);
    if (result == 0)
        return E_OUTOFMEMORY;
    memcpy(status, &result, 4);
    return S_OK;
}

EXPORT HRESULT WINAPI WHvEmulatorCreateEmulator(const WHV_EMULATOR_CALLBACKS *Callbacks, WHV_EMULATOR_HANDLE *Emulator)
{
    if (Callbacks == NULL || Emulator == NULL)
        return E_POINTER;
    const WHV_EMULATOR_CALLBACKS c = *Callbacks;
    if (c.Size < sizeof c || !c.WHvEmulatorIoPortCallback || !c.WHvEmulatorMemoryCallback ||
        !c.WHvEmulatorGetVirtualProcessorRegisters || !c.WHvEmulatorSetVirtualProcessorRegisters ||
        !c.WHvEmulatorTranslateGvaPage)
        return E_INVALIDARG;
    core_lock();
    core_start();
    HRESULT hresult = quirks_call(__func__);
    unsigned i = 0;
    while (i < MAX_EMULATORS && emulators[i].Size != 0)
        i++;
    if (hresult == S_OK && i == MAX_EMULATORS)
        hresult = E_OUTOFMEMORY;
    if (hresult == S_OK) {
        emulators[i] = c;
        *Emulator = (WHV_EMULATOR_HANDLE)(uintptr_t)(i + 1);
    }
    core_unlock();
    return hresult;
}

EXPORT HRESULT WINAPI WHvEmulatorDestroyEmulator(WHV_EMULATOR_HANDLE Emulator)
{
    uintptr_t handle = (uintptr_t)Emulator;
    core_lock();
    core_start();
    HRESULT hresult = quirks_call(__func__);
    if (hresult == S_OK && (handle == 0 || handle > MAX_EMULATORS || emulators[handle - 1].Size == 0))
        hresult = E_INVALIDARG;
    if (hresult == S_OK)
        emulators[handle - 1].Size = 0;
    core_unlock();
    return hresult;
}

EXPORT HRESULT WINAPI WHvEmulatorTryIoEmulation(WHV_EMULATOR_HANDLE Emulator, VOID *Context, const WHV_VP_EXIT_CONTEXT *VpContext, const WHV_X64_IO_PORT_ACCESS_CONTEXT *IoInstructionContext, WHV_EMULATOR_STATUS *EmulatorReturnStatus)
{
    (void)VpContext; /* the callbacks know the same, and more */
    return try_emulation(__func__, Emulator, Context, IoInstructionContext, EmulatorReturnStatus);
}

EXPORT HRESULT WINAPI WHvEmulatorTryMmioEmulation(WHV_EMULATOR_HANDLE Emulator, VOID *Context, const WHV_VP_EXIT_CONTEXT *VpContext, const WHV_MEMORY_ACCESS_CONTEXT *MmioInstructionContext, WHV_EMULATOR_STATUS *EmulatorReturnStatus)
{
    (void)VpContext;
    return try_emulation(__func__, Emulator, Context, MmioInstructionContext, EmulatorReturnStatus);
}
