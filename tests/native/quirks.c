/* Each quirk is a word of ICEBP_NATIVE; fail= may be there several times. */
#include "quirks.h"

#include "library.h"
#include "states.h"
#include "variants.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_FAILURES 8

/* A local APIC's registers in the core (layout.ts), and the offset of its ID's. */
#define LAPIC(vp) (low + 0x140000 + ((vp) << 12))
#define APIC_ID 0x20

static bool length0, nobytes, reset, g0, cancels, capabilities0, off, aligned;
static uint32_t seed = 1;
static unsigned port_delay;
static uint32_t refused[8];
static unsigned refused_count;

static struct {
    char function[64];
    HRESULT hresult;
    unsigned long left;
} failures[MAX_FAILURES];
static unsigned failure_count;

static void refuse(const char *word)
{
    fprintf(stderr, "ICEBP_NATIVE: \"%s\" is none of length0, nobytes, reset, g0, cancels[=SEED], capabilities0, off, noregister=HEX, aligned, portdelay=MICROSECONDS, fail=FUNCTION:HRESULT:N, " STATE_WORDS ", " VARIANT_WORDS "\n", word);
    abort();
}

static void take(const char *word)
{
    char function[64];
    unsigned long hresult, nth, number;
    int end = 0;
    if (!strcmp(word, "length0"))
        length0 = true;
    else if (!strcmp(word, "nobytes"))
        nobytes = true;
    else if (!strcmp(word, "reset"))
        reset = true;
    else if (!strcmp(word, "g0"))
        g0 = true;
    else if (!strcmp(word, "capabilities0"))
        capabilities0 = true;
    else if (!strcmp(word, "off"))
        off = true;
    else if (!strcmp(word, "aligned"))
        aligned = true;
    else if (!strcmp(word, "cancels"))
        cancels = true;
    else if (sscanf(word, "cancels=%lu%n", &number, &end) == 1 && !word[end] && number) {
        cancels = true;
        seed = (uint32_t)number;
    } else if (sscanf(word, "portdelay=%lu%n", &number, &end) == 1 && !word[end]) {
        port_delay = (unsigned)number * 1000;
    } else if (sscanf(word, "noregister=%lx%n", &number, &end) == 1 && !word[end] && refused_count < 8) {
        refused[refused_count++] = (uint32_t)number;
    } else if (sscanf(word, "fail=%63[A-Za-z0-9]:%lx:%lu%n", function, &hresult, &nth, &end) == 3 &&
               !word[end] && nth > 0 && failure_count < MAX_FAILURES) {
        strcpy(failures[failure_count].function, function);
        failures[failure_count].hresult = (HRESULT)(uint32_t)hresult;
        failures[failure_count++].left = nth;
    } else if (!states_take(word) && !variants_take(word))
        refuse(word);
}

void quirks_start(void)
{
    char words[1024] = "";
#ifdef _WIN32
    /* not getenv: Deno sets what only this sees */
    if (GetEnvironmentVariableA("ICEBP_NATIVE", words, sizeof words) >= sizeof words)
        refuse("(too long)");
#else
    const char *value = getenv("ICEBP_NATIVE");
    if (value != NULL && strlen(value) >= sizeof words)
        refuse("(too long)");
    strcpy(words, value ? value : "");
#endif
    for (char *word = strtok(words, ","); word != NULL; word = strtok(NULL, ","))
        take(word);
}

HRESULT quirks_call(const char *function)
{
    for (unsigned i = 0; i < failure_count; i++)
        if (failures[i].left > 0 && !strcmp(failures[i].function, function) && --failures[i].left == 0)
            return failures[i].hresult;
    return S_OK;
}

void quirks_capability(UINT32 code, void *value, UINT32 bytes)
{
    /* HypervisorPresent */
    if (off && code == 0)
        memset(value, 0, bytes);
    /* ExceptionExitBitmap, X64MsrExitBitmap, GpaRangePopulateFlags, SchedulerFeatures */
    if (capabilities0 && code >= 3 && code <= 6)
        memset(value, 0, bytes);
}

/* A WHV_X64_SEGMENT_REGISTER: the limit is at 8, the attributes at 14, their G is bit 15. */
static void clear_g(uint8_t *segment)
{
    uint32_t limit;
    memcpy(&limit, segment + 8, 4);
    if (limit > 0xfffff)
        segment[15] &= 0x7f;
}

void quirks_exit(void *context)
{
    enum { MEMORY = 1, IO_PORT = 2 };
    uint8_t *exit = context;
    uint32_t reason;
    memcpy(&reason, exit, 4);
    if (length0 && reason == MEMORY)
        exit[10] &= 0xf0;
    if (nobytes && (reason == MEMORY || reason == IO_PORT))
        memset(exit + 48, 0, 20);
    if (!g0)
        return;
    clear_g(exit + 16);
    if (reason == IO_PORT) {
        clear_g(exit + 112);
        clear_g(exit + 128);
    }
}

unsigned quirks_cancel(void)
{
    if (!cancels)
        return 0;
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed % 8 ? 0 : 1 + (seed >> 8) % 4;
}

unsigned quirks_delay(const void *context)
{
    enum { IO_PORT = 2 };
    uint32_t reason;
    memcpy(&reason, context, 4);
    return reason == IO_PORT ? port_delay : 0;
}

void quirks_registers(const void *names, UINT32 count, void *values)
{
    enum { ES = 0x12, TR = 0x19 };
    for (UINT32 i = 0; g0 && i < count; i++) {
        uint32_t name;
        memcpy(&name, (const uint8_t *)names + 4 * i, 4);
        if (name >= ES && name <= TR)
            clear_g((uint8_t *)values + 16 * i);
    }
}

bool quirks_refuses(const void *names, UINT32 count)
{
    for (UINT32 i = 0; i < count; i++)
        for (unsigned k = 0; k < refused_count; k++)
            if (!memcmp((const uint8_t *)names + 4 * i, &refused[k], 4))
                return true;
    return false;
}

void quirks_reset(UINT32 vp)
{
    enum { CS = 0x13, TSC = 0x2000 };
    static const uint32_t names[] = {CS, TSC};
    static const uint8_t values[2][16] = {
        /* F000:FFF0 with the base that real mode would give it */
        {0, 0, 0x0f, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0xf0, 0x9b, 0},
        {0x15, 0xcd, 0x5b, 0x07},
    };
    if (!reset)
        return;
    memcpy(IOBUF, names, sizeof names);
    memcpy(VALUES, values, sizeof values);
    CORE(whvSetRegisters, vp, 2);
    memset(LAPIC(vp) + APIC_ID, 0, 4);
}

void quirks_apic(UINT32 vp)
{
    if (reset)
        memcpy(LAPIC(vp) + APIC_ID, IOBUF + APIC_ID, 4);
}

bool quirks_misaligned(const void *address)
{
    return aligned && (uintptr_t)address % 16;
}
