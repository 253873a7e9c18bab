/* Forms of a processor's state other than the core's. */
#include "states.h"

#include "library.h"

#include <stdio.h>
#include <stdlib.h>

static bool oldapic;
static UINT32 xsave_bytes;
/* What XSAVE state has beyond the core's, of each processor. */
static uint8_t *xsave_rest[MAX_VPS];

bool states_take(const char *word)
{
    unsigned long number;
    int end = 0;
    if (!strcmp(word, "oldapic")) {
        oldapic = true;
        return true;
    }
    if (sscanf(word, "xsave=%lu%n", &number, &end) != 1 || word[end] || number < XSAVE_CORE || number > 1 << 24)
        return false;
    xsave_bytes = (UINT32)number;
    return true;
}

/* HV_X64_INTERRUPT_CONTROLLER_STATE: where in the register page its words are. */
static const uint16_t packed[] = {
    0x20, 0x30, 0xd0, 0xe0, 0xf0,
    0x100, 0x110, 0x120, 0x130, 0x140, 0x150, 0x160, 0x170,
    0x180, 0x190, 0x1a0, 0x1b0, 0x1c0, 0x1d0, 0x1e0, 0x1f0,
    0x200, 0x210, 0x220, 0x230, 0x240, 0x250, 0x260, 0x270,
    0x280, 0x310, 0x300, 0x320, 0x330, 0x340, 0x350, 0x360, 0x370, 0x2f0,
    0x280, 0x380, 0x390, 0x3e0, 0xc0,
};
#define WORDS (sizeof packed / sizeof *packed)

UINT32 states_old_apic(void)
{
    return oldapic ? WORDS * 4 : 0;
}

void states_pack_apic(void)
{
    uint8_t state[WORDS * 4];
    for (unsigned i = 0; i < WORDS; i++)
        memcpy(state + 4 * i, IOBUF + packed[i], 4);
    memcpy(IOBUF, state, sizeof state);
}

void states_unpack_apic(const void *state)
{
    for (unsigned i = 0; i < WORDS; i++)
        memcpy(IOBUF + packed[i], (const uint8_t *)state + 4 * i, 4);
}

UINT32 states_xsave(void)
{
    return xsave_bytes;
}

uint8_t *states_xsave_rest(UINT32 vp)
{
    if (xsave_rest[vp] == NULL) {
        xsave_rest[vp] = malloc(xsave_bytes);
        if (xsave_rest[vp] == NULL)
            abort();
        /* something to be lost */
        for (uint32_t i = 0; i < xsave_bytes; i++)
            xsave_rest[vp][i] = (uint8_t)(i * 7 + vp);
    }
    return xsave_rest[vp];
}
