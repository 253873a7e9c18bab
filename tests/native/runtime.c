/* The core's instance and what its translated code calls of its runtime (wasm-rt.h). */
#include "library.h"
#include "quirks.h"

#include <stdio.h>
#include <stdlib.h>

uint8_t low[GUEST] __attribute__((aligned(4096)));
uint8_t *granules[GRANULES];
Z_core_instance_t core;

static wasm_rt_memory_t memory = {low, GRANULES, GRANULES, UINT32_MAX};

wasm_rt_memory_t *Z_envZ_memory(struct Z_env_instance_t *none)
{
    (void)none;
    return &memory;
}

void core_start(void)
{
    static bool started;
    if (started)
        return;
    started = true;
    Z_core_init_module();
    Z_core_instantiate(&core, NULL, NULL);
    CORE(init);
    /* Guest time follows the host's clock. */
    CORE(setTicks, 0);
    quirks_start();
}

void wasm_rt_trap(int why)
{
    static const char *const names[] = {
        [WASM_RT_TRAP_OOB] = "address outside memory",
        [WASM_RT_TRAP_INT_OVERFLOW] = "integer overflow",
        [WASM_RT_TRAP_DIV_BY_ZERO] = "division by zero",
        [WASM_RT_TRAP_INVALID_CONVERSION] = "NaN converted to an integer",
        [WASM_RT_TRAP_UNREACHABLE] = "unreachable",
    };
    fprintf(stderr, "WinHvPlatform (native test library): the core trapped: %s\n", names[why]);
    abort();
}

/* Types are compared by nobody: the core's compiler has. */
uint32_t wasm_rt_register_func_type(uint32_t params, uint32_t results, ...)
{
    (void)params, (void)results;
    return 0;
}

void wasm_rt_allocate_funcref_table(wasm_rt_funcref_table_t *table, uint32_t elements, uint32_t most)
{
    static wasm_rt_funcref_t handlers[4096];
    if (elements > sizeof handlers / sizeof *handlers)
        wasm_rt_trap(WASM_RT_TRAP_OOB);
    *table = (wasm_rt_funcref_table_t){handlers, most, elements};
}

void wasm_rt_free_funcref_table(wasm_rt_funcref_table_t *table)
{
    table->size = 0;
}
