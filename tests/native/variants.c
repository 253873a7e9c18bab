#include "variants.h"

#include "library.h"

#include <stdio.h>

/* Results of the hypervisor itself, as the core has them. */
#define HV_INVALID_PARAMETER ((HRESULT)0xc0350005)
#define HV_OPERATION_DENIED ((HRESULT)0xc0350008)

/* The bits are those of src/soft/core/whv/variants.ts. */
static const struct {
    const char *word;
    uint32_t bit;
} words[] = {
    {"msrgp", 0x1},        {"extintwakes", 0x2}, {"activity", 0x4},
    {"writebytes", 0x8},   {"hypervisor", 0x10}, {"noapictpr", 0x20},
    {"mtrrcap", 0x40},     {"noruntime", 0x80},  {"nosse", 0x100},
    {"windowlost", 0x200}, {"nohaltwindow", 0x400},
    {"noint1", 0x1000},    {"notsc", 0x2000},    {"amd", 0x4000},
};

static uint32_t bits;
static HRESULT vector0 = HV_INVALID_PARAMETER, noapic = HV_OPERATION_DENIED;

/* NAME=HRESULT, in hexadecimal digits. */
static bool take_hresult(const char *word, const char *name, HRESULT *to)
{
    size_t length = strlen(name);
    unsigned long value;
    int end = 0;
    if (strncmp(word, name, length) || sscanf(word + length, "=%8lx%n", &value, &end) != 1 || word[length + end])
        return false;
    *to = (HRESULT)(uint32_t)value;
    return true;
}

bool variants_take(const char *word)
{
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(word, words[i].word))
            continue;
        bits |= words[i].bit;
        CORE(setVariants, bits);
        return true;
    }
    return take_hresult(word, "vector0", &vector0) || take_hresult(word, "noapic", &noapic);
}

HRESULT variants_request(HRESULT hresult)
{
    switch (hresult) {
    case HV_INVALID_PARAMETER:
        return vector0;
    case HV_OPERATION_DENIED:
        return noapic;
    default:
        return hresult;
    }
}
