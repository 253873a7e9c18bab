#include "client.h"

WHV_PARTITION_HANDLE partition;
uint8_t *memory;
uint8_t last_exit[224] __attribute__((aligned(16)));
struct devices devices;

enum { GDT_AT = 0x800, IDT_AT = 0x8000 };

void set_bytes(UINT32 code, const void *bytes, UINT32 count)
{
    OK(WHvSetPartitionProperty(partition, code, bytes, count));
}

void set_union(UINT32 code, property value)
{
    set_bytes(code, &value, sizeof value);
}

static void *aligned(size_t bytes)
{
#ifdef _WIN32
    void *at = VirtualAlloc(NULL, bytes, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
#else
    void *at = aligned_alloc(PAGE, bytes);
    if (at != NULL)
        memset(at, 0, bytes);
#endif
    CHECK(at != NULL);
    return at;
}

void map_memory(void)
{
    static const uint64_t gdt[] = {0, 0x00cf9b000000ffff, 0x00cf93000000ffff};
    memory = aligned(MEMORY_BYTES);
    memcpy(memory + GDT_AT, gdt, sizeof gdt);
    OK(WHvMapGpaRange(partition, memory, 0, MEMORY_BYTES, MAP_RAM));
    OK(WHvMapGpaRange(partition, memory + MEMORY_BYTES - PAGE, ROM, PAGE, MAP_ROM));
}

void delete_partition(UINT32 processors)
{
    for (UINT32 vp = 0; vp < processors; vp++)
        OK(WHvDeleteVirtualProcessor(partition, vp));
    OK(WHvDeletePartition(partition));
#ifdef _WIN32
    VirtualFree(memory, 0, MEM_RELEASE);
#else
    free(memory);
#endif
}

void set_registers(UINT32 vp, const UINT32 *names, UINT32 count, const value *values)
{
    OK(WHvSetVirtualProcessorRegisters(partition, vp, (const void *)names, count, (const void *)values));
}

void get_registers(UINT32 vp, const UINT32 *names, UINT32 count, value *values)
{
    OK(WHvGetVirtualProcessorRegisters(partition, vp, (const void *)names, count, (void *)values));
}

void set_register(UINT32 vp, UINT32 name, UINT64 bits)
{
    value v = {.Reg128 = {bits, 0}};
    set_registers(vp, &name, 1, &v);
}

UINT64 get_register(UINT32 vp, UINT32 name)
{
    value v;
    get_registers(vp, &name, 1, &v);
    return v.Reg64;
}

UINT32 exit_u32(unsigned offset)
{
    UINT32 bits;
    memcpy(&bits, last_exit + offset, sizeof bits);
    return bits;
}

UINT64 exit_u64(unsigned offset)
{
    UINT64 bits;
    memcpy(&bits, last_exit + offset, sizeof bits);
    return bits;
}

void run_sized(UINT32 vp, UINT32 reason, UINT32 bytes)
{
    OK(WHvRunVirtualProcessor(partition, vp, last_exit, bytes));
    if (exit_u32(0) == reason)
        return;
    fprintf(stderr, "exit 0x%x at 0x%llx: ", exit_u32(0), (unsigned long long)EXIT_RIP);
    CHECK(exit_u32(0) == reason);
}

void run(UINT32 vp, UINT32 reason)
{
    run_sized(vp, reason, sizeof last_exit);
}

void run_to_port(UINT32 vp, UINT16 port)
{
    run(vp, EXIT_IO);
    CHECK((exit_u32(72) & 0xffff) == port);
    set_register(vp, RIP, EXIT_RIP + EXIT_LENGTH);
}

UINT16 put(UINT16 address, const char *code)
{
    for (; *code != 0; code++) {
        unsigned byte;
        int used;
        if (*code == ' ')
            continue;
        CHECK(sscanf(code, "%2x%n", &byte, &used) == 1 && used == 2);
        memory[address++] = byte;
        code++;
    }
    return address;
}

static void start(UINT32 vp, UINT16 rip, value code, value data)
{
    const UINT32 names[] = {CS, DS, ES, SS, RSP, RFLAGS, RIP};
    const value values[] = {
        code, data, data, data,
        {.Reg128 = {0xe000 - vp * 0x100, 0}}, {.Reg128 = {2, 0}}, {.Reg128 = {rip, 0}},
    };
    set_registers(vp, names, sizeof names / sizeof *names, values);
}

void real_mode(UINT32 vp, UINT16 rip)
{
    const value code = {.Segment = {0, 0xffff, 0, 0x9b}};
    /* limit 4 GiB: devices are above the first megabyte */
    const value data = {.Segment = {0, 0xffffffff, 0, 0x8093}};
    start(vp, rip, code, data);
}

void protected_mode(UINT32 vp, UINT16 rip)
{
    const value code = {.Segment = {0, 0xffffffff, 8, 0xc09b}};
    const value data = {.Segment = {0, 0xffffffff, 16, 0xc093}};
    const UINT32 names[] = {CR0, GDTR, IDTR};
    const value values[] = {
        {.Reg128 = {0x11, 0}},
        {.Table = {{0}, 3 * 8 - 1, GDT_AT}},
        {.Table = {{0}, 0x7ff, IDT_AT}},
    };
    set_registers(vp, names, 3, values);
    start(vp, rip, code, data);
}

void handle(unsigned vector, UINT16 address)
{
    const uint64_t gate = address | 8ull << 16 | 0x8eull << 40;
    const uint32_t real = address;
    memcpy(memory + IDT_AT + vector * 8, &gate, 8);
    memcpy(memory + vector * 4, &real, 4);
}

static HRESULT CALLBACK on_port(void *vp, WHV_EMULATOR_IO_ACCESS_INFO *access)
{
    (void)vp;
    devices.ports++;
    devices.port = access->Port;
    if (access->Direction)
        devices.port_data = access->Data;
    else
        access->Data = devices.port_data;
    return S_OK;
}

static HRESULT CALLBACK on_memory(void *vp, WHV_EMULATOR_MEMORY_ACCESS_INFO *access)
{
    (void)vp;
    if (access->GpaAddress < MEMORY_BYTES) {
        uint8_t *at = memory + access->GpaAddress;
        if (access->Direction)
            memcpy(at, access->Data, access->AccessSize);
        else
            memcpy(access->Data, at, access->AccessSize);
        return S_OK;
    }
    devices.accesses++;
    devices.gpa = access->GpaAddress;
    devices.size = access->AccessSize;
    devices.is_write = access->Direction;
    if (access->Direction)
        memcpy(devices.data, access->Data, access->AccessSize);
    else
        memcpy(access->Data, devices.data, access->AccessSize);
    return S_OK;
}

static HRESULT CALLBACK on_get(void *vp, const WHV_REGISTER_NAME *names, UINT32 count, WHV_REGISTER_VALUE *values)
{
    return WHvGetVirtualProcessorRegisters(partition, (UINT32)(uintptr_t)vp, names, count, values);
}

static HRESULT CALLBACK on_set(void *vp, const WHV_REGISTER_NAME *names, UINT32 count, const WHV_REGISTER_VALUE *values)
{
    devices.register_writes++;
    return WHvSetVirtualProcessorRegisters(partition, (UINT32)(uintptr_t)vp, names, count, values);
}

static HRESULT CALLBACK on_translate(void *vp, WHV_GUEST_VIRTUAL_ADDRESS gva, WHV_TRANSLATE_GVA_FLAGS flags, WHV_TRANSLATE_GVA_RESULT_CODE *code, WHV_GUEST_PHYSICAL_ADDRESS *gpa)
{
    WHV_TRANSLATE_GVA_RESULT result;
    HRESULT hresult = WHvTranslateGva(partition, (UINT32)(uintptr_t)vp, gva, flags, &result, gpa);
    if (hresult == S_OK)
        *code = result.ResultCode;
    return hresult;
}

WHV_EMULATOR_HANDLE make_emulator(void)
{
    const WHV_EMULATOR_CALLBACKS callbacks = {
        .Size = sizeof callbacks,
        .WHvEmulatorIoPortCallback = on_port,
        .WHvEmulatorMemoryCallback = on_memory,
        .WHvEmulatorGetVirtualProcessorRegisters = on_get,
        .WHvEmulatorSetVirtualProcessorRegisters = on_set,
        .WHvEmulatorTranslateGvaPage = on_translate,
    };
    WHV_EMULATOR_HANDLE emulator = NULL;
    OK(WHvEmulatorCreateEmulator(&callbacks, &emulator));
    return emulator;
}

void emulate(WHV_EMULATOR_HANDLE emulator, UINT32 vp)
{
    void *context = (void *)(uintptr_t)vp;
    const void *processor = last_exit + 8, *access = last_exit + 48;
    WHV_EMULATOR_STATUS status;
    if (exit_u32(0) == EXIT_IO)
        OK(WHvEmulatorTryIoEmulation(emulator, context, processor, access, &status));
    else
        OK(WHvEmulatorTryMmioEmulation(emulator, context, processor, access, &status));
    CHECK(status.AsUINT32 & 1);
}
