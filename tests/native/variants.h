/*
 * What other versions of the platform do than the core does by itself, and this library
 * when ICEBP_NATIVE asks for it: README.md has the list. For the holder of the lock.
 */
#pragma once

#include "winhv.h"
#include "address.h"

#include <stdbool.h>

/* The words, for people. */
#define VARIANT_WORDS "msrgp, extintwakes, activity, writebytes, hypervisor, noapictpr, mtrrcap, noruntime, nosse, windowlost, nohaltwindow, noint1, notsc, amd, vector0=HRESULT, noapic=HRESULT"

/* Takes a word of ICEBP_NATIVE; false if it is none of these. */
HIDDEN bool variants_take(const char *word);

/* What WHvRequestInterrupt answers where the core answers `hresult`. */
HIDDEN HRESULT variants_request(HRESULT hresult);
