/*
 * What code made by wasm2c 1.0.32 needs of its runtime: the names are wasm2c's. There
 * is one instance, its memory is address.h's and its only table never grows.
 */
#pragma once

#include "address.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define wasm_rt_memcpy __builtin_memcpy

/* No bounds checks: the core's addresses are its own, or of memory that was mapped. */
#define WASM_RT_MEMCHECK_SIGNAL_HANDLER 1
#define WASM_RT_USE_STACK_DEPTH_COUNT 0

enum {
    WASM_RT_TRAP_OOB,
    WASM_RT_TRAP_INT_OVERFLOW,
    WASM_RT_TRAP_DIV_BY_ZERO,
    WASM_RT_TRAP_INVALID_CONVERSION,
    WASM_RT_TRAP_UNREACHABLE,
};

typedef enum { WASM_RT_I32, WASM_RT_I64, WASM_RT_F32, WASM_RT_F64 } wasm_rt_type_t;

typedef void (*wasm_rt_function_ptr_t)(void);
typedef void *wasm_rt_externref_t;

typedef struct {
    uint32_t func_type;
    wasm_rt_function_ptr_t func;
    void *module_instance;
} wasm_rt_funcref_t;

typedef struct {
    uint8_t *data;
    uint32_t pages, max_pages, size;
} wasm_rt_memory_t;

typedef struct {
    wasm_rt_funcref_t *data;
    uint32_t max_size, size;
} wasm_rt_funcref_table_t;

typedef struct {
    wasm_rt_externref_t *data;
    uint32_t max_size, size;
} wasm_rt_externref_table_t;

static const wasm_rt_funcref_t wasm_rt_funcref_null_value = {0, 0, 0};
static const wasm_rt_externref_t wasm_rt_externref_null_value = 0;

static inline bool wasm_rt_is_initialized(void)
{
    return true;
}

__attribute__((noreturn)) HIDDEN void wasm_rt_trap(int why);
HIDDEN uint32_t wasm_rt_register_func_type(uint32_t params, uint32_t results, ...);
HIDDEN void wasm_rt_allocate_funcref_table(wasm_rt_funcref_table_t *table, uint32_t elements, uint32_t most);
HIDDEN void wasm_rt_free_funcref_table(wasm_rt_funcref_table_t *table);
