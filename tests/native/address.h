/*
 * Where the core's addresses are in this process. Below GUEST (layout.ts) lie the
 * core's own tables; from there on guest memory, which is the caller's: granules of
 * 64 KiB, each wherever WHvMapGpaRange was told that it is.
 */
#pragma once

#include <stdint.h>

/* Where guest memory begins: layout.ts has it, build.ts gives it. */
#ifndef GUEST
#error "GUEST is not defined"
#endif
#define GRANULE_SHIFT 16
#define GRANULES (1u << (32 - GRANULE_SHIFT))

/* Of the library, not of its interface. */
#ifdef _WIN32
#define HIDDEN
#else
#define HIDDEN __attribute__((visibility("hidden")))
#endif

/* What is below GUEST. */
extern uint8_t low[GUEST] HIDDEN;

/* For each granule from GUEST on, the address of its first byte less its core address. */
extern uint8_t *granules[GRANULES] HIDDEN;

/*
 * The byte at a core address. What follows it in the same granule follows it here;
 * the core's accesses to guest memory never leave a page.
 */
static inline uint8_t *at(uint64_t address)
{
    return address < GUEST ? low + address
                           : granules[address >> GRANULE_SHIFT] + address;
}
