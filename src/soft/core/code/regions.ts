// Translated code: what the interpreter knows of it. A region is a function in
// the module's table that executes the instructions of some blocks of one page
// as the interpreter would (src/soft/translate). The first records of its
// blocks lead to it: their case in the inner loop is REGION, and their cell in
// REGIONS says which function, and where in it.
//
// A cell that is no region's counts heat: how often a chunk of the loop ended,
// and the next taken branch led to the record; and how often translated code
// was left for it. So heat is counted in instructions, and costs the code
// between two chunks nothing.
import {
  HOT,
  HOT_COUNT,
  HOT_ENTRIES,
  POOL,
  POOL_END,
  REGIONS,
} from "../layout";
import { REGION } from "../shared";

/** Instructions between two samples; 0: none are taken. */
export let sampling: i32 = 0;
/** Heat that makes a record hot. */
let threshold: u32 = 1;

/**
 * Begins or ends (`every` = 0) to look for hot code, each `every` instructions;
 * `heat` makes it hot.
 */
export function setTranslation(every: i32, heat: u32): void {
  sampling = every;
  threshold = heat;
}

@inline
export function regionCell(p: usize): usize {
  return REGIONS + ((p - POOL) >> 3);
}

/** For --stats: instructions that translated code executed. */
export let ranTranslated: u64 = 0;
/**
 * How often it was left for other translated code that it could not go on in
 * itself, for code that is interpreted, by an instruction's handler, and not
 * entered for want of instructions in the chunk.
 */
export let leftForRegion: u64 = 0;
export let leftForOther: u64 = 0;
export let leftByHandler: u64 = 0;
export let tooShort: u64 = 0;

/** Translated code was left for `next` after `n` instructions. */
@inline
export function regionLeft(next: usize, n: i32): void {
  ranTranslated += n;
  if (next == 0) leftByHandler++;
  else if (load<u8>(next, 3) == REGION) leftForRegion++;
  else {
    leftForOther++;
    if (next >= POOL && next < POOL_END) warm(next, 1);
  }
}

/**
 * Translated code was not entered: more of it has to run at once than the chunk
 * allows.
 */
@inline
export function regionTooLong(): void {
  tooShort++;
}

/** What a sample counts for, beside the one of an exit from translated code. */
const SAMPLE: u32 = 256;

/** A sample: a taken branch leads to record p. */
export function sample(p: usize): void {
  if (p >= POOL && p < POOL_END) warm(p, SAMPLE);
}

function warm(p: usize, by: u32): void {
  const cell = regionCell(p);
  const before = load<u32>(cell);
  // a region's, or hot already
  if (before >= threshold) return;
  const heat = before + by;
  store<u32>(cell, heat);
  if (heat < threshold) return;
  const n = load<u32>(HOT_COUNT);
  if (n < HOT_ENTRIES) {
    store<u32>(HOT + (<usize> n << 2), <u32> p);
    store<u32>(HOT_COUNT, n + 1);
  } else store<u32>(cell, before); // another time
}
