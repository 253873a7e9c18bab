// Numbers that src/soft's TypeScript and the core have to agree on, besides the
// addresses of layout.ts.

/** Guest time (ns) that one instruction is taken to last. */
export const TICK: u32 = 10;

/** What running a VP came to. */
export const RUN_SLICE: u32 = 0;
export const RUN_EXIT: u32 = 1;
export const RUN_IDLE: u32 = 2;
export const RUN_SPUN: u32 = 3;

/** Which counter(): see SoftCounters (src/soft/mod.ts). */
export const COUNTER_DECODED: u32 = 0;
export const COUNTER_INVALIDATED: u32 = 1;
export const COUNTER_CACHE_FLUSHES: u32 = 2;
export const COUNTER_TLB_MISSES: u32 = 3;
export const COUNTER_TLB_FLUSHES: u32 = 4;
export const COUNTER_EVENTS: u32 = 5;
export const COUNTER_BESIDE_CODE: u32 = 6;
export const COUNTER_TRANSLATED: u32 = 7;
export const COUNTER_LEFT_FOR_REGION: u32 = 8;
export const COUNTER_LEFT_FOR_OTHER: u32 = 9;
export const COUNTER_LEFT_BY_HANDLER: u32 = 10;
export const COUNTER_TOO_SHORT: u32 = 11;
/** Hits of debug points whose condition was 0. */
export const COUNTER_PASSED: u32 = 12;

/** The case of the inner loop of a record with translated code. */
export const REGION: u32 = 255;
/** In a cell of REGIONS: it is a region's; entry << 20, index in the module's
 * table. */
export const IS_REGION: u32 = 0x80000000;

/** What an access is answered with beside IcebpAnswer's Exit and Done: done,
 * and the VP is to come out behind its instruction. */

/** In a TLB tag: the page is watched. No bit of the low four, which some
 * compare with an operand's, to see its alignment (insn/simd/operands.ts). */
export const WATCHED: u64 = 16;

/** How code is decoded, in CODEKEY and a block's key: 16, 32 or 64-bit code. */
export const KEY_16: u32 = 0;
export const KEY_32: u32 = 1;
export const KEY_64: u32 = 2;

// A decoded record (code/record.ts): its bytes, its flags, and how the address
// of its operand is computed.
export const REC: usize = 32;
export const RF_MEM: u32 = 1;
export const RF_LOCK: u32 = 2;
export const RF_REP: u32 = 4; // F3
export const RF_REPNE: u32 = 8; // F2
export const RF_OPSIZE: u32 = 16; // 66
export const RF_REXW: u32 = 32;
export const RF_VEXL: u32 = 64;
export const RF_ADDR: u32 = 128; // 67
export const EAK_64: u32 = 0; // 64-bit address, no segment base
export const EAK_64SEG: u32 = 1; // 64-bit address, FS or GS
export const EAK_64A32: u32 = 2; // 32-bit address in 64-bit code
export const EAK_32: u32 = 3; // legacy, 32-bit address
export const EAK_16: u32 = 4; // legacy, 16-bit address
