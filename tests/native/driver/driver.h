/*
 * Programs against the C interface, with threads of their own: what a JavaScript caller
 * cannot do, and what AddressSanitizer has to see. Guests are 16-bit code in memory that
 * begins at guest address 0, each processor with a stack of its own.
 */
#pragma once

#include "../winhv.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMORY_BYTES = 1 << 20, EXIT_BYTES = 224 };

enum exit_reason {
    EXIT_MEMORY = 0x1,
    EXIT_IO = 0x2,
    EXIT_EXCEPTION = 0x1002,
    EXIT_CANCELED = 0x2001,
};

enum register_name {
    RAX = 0x0,
    RCX = 0x1,
    RDX = 0x2,
    RBX = 0x3,
    RSP = 0x4,
    RIP = 0x10,
    RFLAGS = 0x11,
    CS = 0x13,
    SS = 0x14,
    DS = 0x15,
    INTERNAL_ACTIVITY = 0x80000005,
};

enum { MAP_READ = 1, MAP_WRITE = 2, MAP_EXECUTE = 4, MAP_TRACK_DIRTY = 8, MAP_ALL = 7 };

#define INVALID_VP_STATE ((HRESULT)0x80370308)

extern WHV_PARTITION_HANDLE partition;
/* What is mapped at guest address 0. */
extern uint8_t *memory;

/* Says what failed, where, and ends the program. */
void failed(const char *file, int line, const char *condition);
#define CHECK(condition) ((condition) ? (void)0 : failed(__FILE__, __LINE__, #condition))
#define OK(call) CHECK((call) == S_OK)

/* A partition with `count` processors, memory mapped; intercepts the exceptions of a bitmap. */
void make_partition(unsigned count, UINT64 exceptions);
void delete_partition(void);

void set_register(UINT32 vp, UINT32 name, UINT64 value);
UINT64 get_register(UINT32 vp, UINT32 name);

/* Real mode, at a guest address below 64 KiB. */
void start_at(UINT32 vp, UINT16 address);

/* An exit's parts that most tests look at; a port exit's RAX. */
typedef struct {
    uint32_t reason;
    unsigned length, vector;
    UINT64 rip, rax;
} run_exit;

/* Runs a processor. What the platform writes to is freed as soon as it has returned. */
run_exit run(UINT32 vp);

/* Puts code, as hexadecimal digits, into memory; returns the address after it. */
UINT16 put(UINT16 address, const char *code);

/* Numbers below a limit, the same ones for the same seed. */
uint32_t below(uint32_t *seed, uint32_t limit);

pthread_t start_thread(void *(*function)(void *), uintptr_t argument);

void test_storm(void);
void test_exits(void);
void test_mapping(void);
void test_code(void);
void test_emulators(void);
void test_life(void);
