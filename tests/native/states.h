/*
 * A local APIC's state as the first release's calls have it, and XSAVE state of a larger
 * processor, when ICEBP_NATIVE asks for them: README.md. For the holder of the lock.
 */
#pragma once

#include "winhv.h"
#include "address.h"

#include <stdbool.h>

/* The words, for people. */
#define STATE_WORDS "oldapic, xsave=BYTES"

/* Bytes of the core's XSAVE state. */
#define XSAVE_CORE 576

/* Takes a word of ICEBP_NATIVE; false if it is none of these. */
HIDDEN bool states_take(const char *word);

/* Bytes of the packed APIC state that the older call has; 0: it has the page. */
HIDDEN UINT32 states_old_apic(void);

/* Packs the APIC's page at IOBUF; takes a packed one's registers into the page there. */
HIDDEN void states_pack_apic(void);
HIDDEN void states_unpack_apic(const void *state);

/* Bytes of XSAVE state that a processor has; 0: as many as the core. */
HIDDEN UINT32 states_xsave(void);

/* What follows the core's part of it. */
HIDDEN uint8_t *states_xsave_rest(UINT32 vp);
