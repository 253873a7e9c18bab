/* What every part of the library is made with: the core, its argument area, its calls. */
#pragma once

#include "core.h"
#include "lock.h"
#include "winhv.h"

/* The one instance of src/soft/core, translated by wasm2c. */
extern Z_core_instance_t core HIDDEN;

/* Calls a function that src/soft/core/main.ts exports. For the holder of the lock. */
#define CORE(function, ...) Z_coreZ_##function(&core, ##__VA_ARGS__)

/* Addresses of src/soft/core/layout.ts: arguments and results of the core's functions. */
#define EXITBUF (low + 0x2000)
#define FETCH (low + 0x2260)
#define IOBUF (low + 0x2300)
#define VALUES (IOBUF + 0x400)
#define SIZE (IOBUF + 0x1800)
#define IOBUF_BYTES 0x1800u
#define EXIT_CONTEXT_BYTES 224
#define MAX_VPS 64

/* Starts the core, if it has not been. For the holder of the lock. */
HIDDEN void core_start(void);
