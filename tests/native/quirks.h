/*
 * What real hosts do, and this library when the environment variable ICEBP_NATIVE asks
 * for it: README.md has the list. For the holder of the lock.
 */
#pragma once

#include "winhv.h"
#include "address.h"

#include <stdbool.h>

/* Reads ICEBP_NATIVE; a word that it does not know ends the program. */
HIDDEN void quirks_start(void);

/* The HRESULT that this call is to fail with, or S_OK. */
HIDDEN HRESULT quirks_call(const char *function);

/* Changes a capability's value. */
HIDDEN void quirks_capability(UINT32 code, void *value, UINT32 bytes);

/* Changes what a WHV_RUN_VP_EXIT_CONTEXT says. */
HIDDEN void quirks_exit(void *context);

/* After how many slices a run is to be canceled by nobody; 0: it is not. */
HIDDEN unsigned quirks_cancel(void);

/* Nanoseconds that an exit takes longer on its way to the caller. */
HIDDEN unsigned quirks_delay(const void *context);

/* Changes registers that were read: names (32 bits each), values (16 bytes each). */
HIDDEN void quirks_registers(const void *names, UINT32 count, void *values);

/* STATUS_HV_INVALID_PARAMETER, passed on. */
#define HV_REFUSED ((HRESULT)0xC0350005)

/* Whether one of the registers (names of 32 bits) is refused, and with it all. */
HIDDEN bool quirks_refuses(const void *names, UINT32 count);

/* Changes the state of a virtual processor that was just created. */
HIDDEN void quirks_reset(UINT32 vp);

/* Changes what a processor's APIC takes of the page at IOBUF that it was set from. */
HIDDEN void quirks_apic(UINT32 vp);

/* Whether a pointer is refused because it is not 16-byte aligned. */
HIDDEN bool quirks_misaligned(const void *address);
