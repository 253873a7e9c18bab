// Translated code: what the interpreter knows of it. A region is a function in
// the module's table that executes the instructions of some blocks of one page
// as the interpreter would (src/soft/translate). The first records of its
// blocks lead to it: their case in the inner loop is REGION, and their cell in
// REGIONS says which function, and where in it.
//
// A cell that is no region's counts heat: how often a chunk of the loop ended,
// and the next taken branch led to the record. So heat is counted in
// instructions, and costs the code between two chunks nothing.
import {
  HOT,
  HOT_COUNT,
  HOT_ENTRIES,
  POOL,
  POOL_END,
  REGIONS,
} from "../layout";

/** The case of the inner loop of a record with translated code. */
export const REGION: u32 = 255;
/**
 * In a cell of REGIONS: it is a region's; entry << 20, index in the module's
 * table.
 */
export const IS_REGION: u32 = 0x80000000;

/** Instructions between two samples; 0: none are taken. */
export let sampling: i32 = 0;
/** Samples that make a record hot. */
let threshold: u32 = 1;

/**
 * Begins or ends (`every` = 0) to look for hot code, each `every` instructions.
 */
export function setTranslation(every: i32, samples: u32): void {
  sampling = every;
  threshold = samples;
}

@inline
export function regionCell(p: usize): usize {
  return REGIONS + ((p - POOL) >> 3);
}

/** A sample: a taken branch leads to record p. */
export function sample(p: usize): void {
  if (p < POOL || p >= POOL_END) return;
  const cell = regionCell(p);
  const heat = load<u32>(cell) + 1;
  if (heat & IS_REGION) return;
  store<u32>(cell, heat);
  if (heat != threshold) return;
  const n = load<u32>(HOT_COUNT);
  if (n < HOT_ENTRIES) {
    store<u32>(HOT + (<usize> n << 2), <u32> p);
    store<u32>(HOT_COUNT, n + 1);
  } else store<u32>(cell, heat - 1); // another time
}
