// Accesses while WinHvEmulation carries out an instruction: every one goes
// through the caller's callbacks.
import { F_EXIT, FAULT, FETCH, IOBUF } from "../layout";
import { hostMemory, hostTranslate } from "./host";

export let emulating: bool = false;

export function setEmulating(e: bool): void {
  emulating = e;
}

/** WHV_EMULATOR_STATUS bits of the last emulation's failure. */
export let emuStatus: u32 = 0;

export function setEmuStatus(s: u32): void {
  emuStatus = s;
}

export const EMU_SUCCESS: u32 = 1;
export const EMU_INTERNAL: u32 = 2;
export const EMU_IO_FAILED: u32 = 4;
const EMU_MEM_FAILED: u32 = 8;
const EMU_TRANSLATE_FAILED: u32 = 16;
const EMU_TRANSLATE_NOTGRANTED: u32 = 32;

/** Not of WHV_EMULATOR_STATUS: an iteration is done, the instruction is not. */
export const EMU_AGAIN: u32 = 0x10000;

export function emuFailed(status: u32): void {
  emuStatus |= status;
  store<u32>(FAULT, F_EXIT);
}

let emuGpa: u64 = 0;

/** Translates through the callback; false with FAULT set. */
export function emuTranslate(linear: u64, acc: u32): bool {
  const r = hostTranslate(linear, acc);
  if (r == 0) {
    emuGpa = (load<u64>(IOBUF) & ~0xfff) | (linear & 0xfff);
    return true;
  }
  emuFailed(r < 0 ? EMU_TRANSLATE_FAILED : EMU_TRANSLATE_NOTGRANTED);
  return false;
}

/**
 * Fetches up to 15 instruction bytes through the callbacks to FETCH; how many.
 */
export function emuFetch(linear: u64): u32 {
  let n: u32 = 0;
  let translated = false;
  while (n < 15) {
    const at = linear + n;
    if (!translated || !(at & 0xfff)) {
      if (hostTranslate(at, 4) != 0) {
        if (n == 0) emuFailed(EMU_TRANSLATE_FAILED);
        return n;
      }
      translated = true;
      emuGpa = load<u64>(IOBUF) & ~0xfff;
    }
    if (hostMemory(emuGpa | (at & 0xfff), 1, 0) != 0) {
      if (n == 0) emuFailed(EMU_MEM_FAILED);
      return n;
    }
    store<u8>(FETCH + n, load<u8>(IOBUF));
    n++;
  }
  return n;
}

export function mmioRead(_gpa: u64, bytes: u32): u64 {
  store<u64>(IOBUF, 0);
  if (hostMemory(emuGpa, bytes, 0) != 0) {
    emuFailed(EMU_MEM_FAILED);
    return 0;
  }
  return load<u64>(IOBUF);
}

export function mmioWrite(_gpa: u64, bytes: u32, v: u64): void {
  store<u64>(IOBUF, v);
  if (hostMemory(emuGpa, bytes, 1) != 0) emuFailed(EMU_MEM_FAILED);
}
