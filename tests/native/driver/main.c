/* `driver TEST`: exit code 0 and one line when it passes, else a line that says why not. */
#include "driver.h"

#include <unistd.h>

/* A test that takes longer, in seconds, hangs. */
#define PATIENCE 120

WHV_PARTITION_HANDLE partition;
uint8_t *memory;

void failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, condition);
    _exit(1);
}

static void set_property(UINT32 code, UINT64 value, UINT32 bytes)
{
    OK(WHvSetPartitionProperty(partition, code, &value, bytes));
}

void make_partition(unsigned count, UINT64 exceptions)
{
    enum { EXTENDED_VM_EXITS = 0x1, EXCEPTION_EXIT_BITMAP = 0x2, PROCESSOR_COUNT = 0x1fff };
    enum { EXCEPTION_EXIT = 4 };
    OK(WHvCreatePartition(&partition));
    set_property(PROCESSOR_COUNT, count, 4);
    set_property(EXTENDED_VM_EXITS, EXCEPTION_EXIT, 8);
    set_property(EXCEPTION_EXIT_BITMAP, exceptions, 8);
    OK(WHvSetupPartition(partition));
    memory = aligned_alloc(4096, MEMORY_BYTES);
    memset(memory, 0, MEMORY_BYTES);
    OK(WHvMapGpaRange(partition, memory, 0, MEMORY_BYTES, MAP_ALL));
    for (UINT32 vp = 0; vp < count; vp++)
        OK(WHvCreateVirtualProcessor(partition, vp, 0));
}

void delete_partition(void)
{
    OK(WHvDeletePartition(partition));
    free(memory);
}

static void set_value(UINT32 vp, WHV_REGISTER_NAME name, WHV_REGISTER_VALUE value)
{
    OK(WHvSetVirtualProcessorRegisters(partition, vp, &name, 1, &value));
}

void set_register(UINT32 vp, UINT32 name, UINT64 value)
{
    set_value(vp, name, (WHV_REGISTER_VALUE){value, 0});
}

UINT64 get_register(UINT32 vp, UINT32 name)
{
    WHV_REGISTER_VALUE value;
    OK(WHvGetVirtualProcessorRegisters(partition, vp, &name, 1, &value));
    return value.Low;
}

void start_at(UINT32 vp, UINT16 address)
{
    /* limit 0xffff, selector 0, attributes in the upper 16 bits */
    const UINT64 code = 0x009b00000000ffff, data = 0x009300000000ffff;
    set_value(vp, CS, (WHV_REGISTER_VALUE){0, code});
    set_value(vp, SS, (WHV_REGISTER_VALUE){0, data});
    set_value(vp, DS, (WHV_REGISTER_VALUE){0, data});
    set_register(vp, RSP, 0xe000 + vp * 0x100);
    set_register(vp, RFLAGS, 2);
    set_register(vp, RIP, address);
}

run_exit run(UINT32 vp)
{
    uint8_t *context = malloc(EXIT_BYTES);
    OK(WHvRunVirtualProcessor(partition, vp, context, EXIT_BYTES));
    run_exit exit = {.length = context[10] & 15, .vector = context[72]};
    memcpy(&exit.reason, context, 4);
    memcpy(&exit.rip, context + 32, 8);
    memcpy(&exit.rax, context + 80, 8);
    free(context);
    return exit;
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

uint32_t below(uint32_t *seed, uint32_t limit)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed % limit;
}

pthread_t start_thread(void *(*function)(void *), uintptr_t argument)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, function, (void *)argument) == 0);
    return thread;
}

static const struct {
    const char *name;
    void (*test)(void);
} tests[] = {
    {"storm", test_storm},   {"exits", test_exits},         {"mapping", test_mapping},
    {"code", test_code},     {"emulators", test_emulators}, {"life", test_life},
};

int main(int count, char **arguments)
{
    /* What hangs is killed by SIGALRM. */
    alarm(PATIENCE);
    for (unsigned i = 0; count == 2 && i < sizeof tests / sizeof *tests; i++) {
        if (strcmp(arguments[1], tests[i].name))
            continue;
        tests[i].test();
        printf("%s: ok\n", arguments[1]);
        return 0;
    }
    fprintf(stderr, "usage: driver storm|exits|mapping|code|emulators|life\n");
    return 2;
}
