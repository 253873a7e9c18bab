// Accesses while WinHvEmulation carries out an instruction: every one goes
// through the caller's callbacks.
import { F_EXIT, FAULT, FETCH, IOBUF } from "../layout";
import { hostIoPort, hostMemory, hostTranslate } from "./host";
import { EmulatorStatus } from "../whv/names";

/** WHV_EMULATOR_STATUS bits of the last emulation's failure. */
export let emuStatus: u32 = 0;

export function setEmuStatus(s: u32): void {
  emuStatus = s;
}

/** Not of WHV_EMULATOR_STATUS: an iteration is done, the instruction is not. */
export const EMU_AGAIN: u32 = 0x10000;

function emuFailed(status: u32): void {
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
  emuFailed(
    r < 0
      ? EmulatorStatus.TranslateGvaPageCallbackFailed
      : EmulatorStatus.TranslateGvaPageCallbackGpaIsNotAligned,
  );
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
        if (n == 0) emuFailed(EmulatorStatus.TranslateGvaPageCallbackFailed);
        return n;
      }
      translated = true;
      emuGpa = load<u64>(IOBUF) & ~0xfff;
    }
    if (hostMemory(emuGpa | (at & 0xfff), 1, 0) != 0) {
      if (n == 0) emuFailed(EmulatorStatus.MemoryCallbackFailed);
      return n;
    }
    store<u8>(FETCH + n, load<u8>(IOBUF));
    n++;
  }
  return n;
}

/** Reads a port, or memory at the address translated last. */
export function callRead(address: u64, bytes: u32, port: bool): u64 {
  store<u64>(IOBUF, 0);
  const failure = port
    ? hostIoPort(<u32> address, bytes, 0)
    : hostMemory(emuGpa, bytes, 0);
  if (failure == 0) return load<u64>(IOBUF);
  callFailed(port);
  return 0;
}

/** Writes to a port, or to memory at the address translated last. */
export function callWrite(
  address: u64,
  bytes: u32,
  v: u64,
  port: bool,
): void {
  store<u64>(IOBUF, v);
  const failure = port
    ? hostIoPort(<u32> address, bytes, 1)
    : hostMemory(emuGpa, bytes, 1);
  if (failure != 0) callFailed(port);
}

function callFailed(port: bool): void {
  emuFailed(
    port
      ? EmulatorStatus.IoPortCallbackFailed
      : EmulatorStatus.MemoryCallbackFailed,
  );
}
