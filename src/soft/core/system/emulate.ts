// WinHvEmulation: carries out one instruction of a processor whose state the
// caller holds. The registers come from its callback, every data access goes to
// its callbacks, and nothing of the loaded VP is touched: STATE is lent and
// given back. What has results elsewhere fails. Where the VP's own state can be
// used, complete.ts does better.
import { decodeOne } from "../code/decode";
import { getFlags, setFlagsRaw } from "../cpu/flags";
import {
  bankOf,
  CODEBASE,
  CPL,
  CR0,
  CR3,
  CR4,
  EFER,
  EFL,
  EMULATED,
  FAULT,
  FETCH,
  JGEN,
  MODE,
  MODE_LONG,
  MXCSR,
  REGS,
  RIP,
  S_CS,
  S_LDTR,
  S_SS,
  SEG_ATTR,
  SEG_BASE,
  SEG_LIMIT,
  SEG_SEL,
  SEGS,
  STATE,
  STATE_SIZE,
  VALUES,
  VPINDEX,
  XMM,
} from "../layout";
import { updateMode } from "../cpu/mode";
import { REC } from "../code/record";
import { NO_SSE_MMIO, variant } from "../whv/variants";
import { nextIp } from "../code/ip";
import { EMU_AGAIN, emuFetch, emuStatus, setEmuStatus } from "./emulation";
import { setSynced } from "./time";
import { RFLAGS_TF } from "../x86/flags";
import { EmulatorStatus } from "../whv/names";
import { CALLS, setWay } from "./way";

function value(i: u32): usize {
  return VALUES + (<usize> i << 4);
}

/**
 * Registers at VALUES in this order: 16 general registers, RIP, RFLAGS, ES CS
 * SS DS FS GS, CR0, CR3, CR4, EFER, XMM0-15 (44 values). `bytes` instruction
 * bytes at FETCH, or 0 to have them read through the callbacks. Returns
 * WHV_EMULATOR_STATUS; on success VALUES has the new values.
 */
export function emulate(bytes: u32): u32 {
  return carryOut(bytes, false);
}

/**
 * As emulate(), but of a REP instruction one iteration, so that it can be begun
 * anew from there: EMU_AGAIN, and VALUES as after the iteration, until it is
 * complete.
 */
export function emulateOnce(bytes: u32): u32 {
  return carryOut(bytes, true);
}

/** Whether the instruction at FETCH is one of SSE (SDM vol. 2, table A-3). */
function isSse(bytes: u32): bool {
  let i: u32 = 0;
  while (i < bytes && isPrefix(load<u8>(FETCH + i))) i++;
  if (i + 1 >= bytes || load<u8>(FETCH + i) != 0x0f) return false;
  const op = load<u8>(FETCH + i, 1);
  return (op >= 0x10 && op <= 0x17) || (op >= 0x28 && op <= 0x2f) ||
    (op >= 0x50 && op <= 0x7f) || op == 0xc2 ||
    (op >= 0xc4 && op <= 0xc6) || op >= 0xd0;
}

/** Legacy prefixes and, in 64-bit mode, REX. */
function isPrefix(byte: u32): bool {
  if (byte == 0x66 || byte == 0xf0 || byte == 0xf2 || byte == 0xf3) return true;
  if ((byte & 0xe7) == 0x26 || byte == 0x64 || byte == 0x65) return true;
  return byte == 0x67 || (load<u8>(MODE) == MODE_LONG && byte >> 4 == 4);
}

/** Whether [from, to) of STATE is not what `bank` has. */
function differs(bank: usize, from: usize, to: usize): bool {
  return memory.compare(from, bank + (from - STATE), to - from) != 0;
}

/**
 * Whether the instruction has changed what VALUES cannot take back: such a one
 * is not emulated. `bank` has the state before it, except for what was at
 * VALUES.
 */
function lost(bank: usize): bool {
  for (let i: u32 = 0; i < 6; i++) {
    const s = SEGS + (<usize> i << 5);
    const v = value(18 + i);
    if (
      load<u64>(s, SEG_BASE) != load<u64>(v) ||
      load<u64>(s, SEG_LIMIT) != load<u64>(v, 8)
    ) return true;
  }
  return load<u64>(CR0) != load<u64>(value(24)) ||
    load<u64>(CR3) != load<u64>(value(25)) ||
    load<u64>(CR4) != load<u64>(value(26)) ||
    load<u64>(EFER) != load<u64>(value(27)) ||
    differs(bank, SEGS + (<usize> S_LDTR << 5), MXCSR) ||
    // an exception's flag alone is no result
    ((load<u32>(MXCSR) ^ load<u32>(bank + (MXCSR - STATE))) & ~0x3f) != 0;
}

function carryOut(bytes: u32, once: bool): u32 {
  const vp = load<u32>(VPINDEX);
  const bank = bankOf(vp);
  const generation = load<u32>(JGEN);
  memory.copy(bank, STATE, STATE_SIZE);
  const before = setWay(CALLS);
  setEmuStatus(0);
  for (let i: u32 = 0; i < 16; i++) {
    store<u64>(REGS + (<usize> i << 3), load<u64>(value(i)));
    memory.copy(XMM + (<usize> i << 4), value(28 + i), 16);
  }
  const ip = load<u64>(value(16));
  const flags = load<u32>(value(17));
  setFlagsRaw(flags);
  // string instructions do a single iteration while TF is set
  if (once) store<u32>(EFL, load<u32>(EFL) | RFLAGS_TF);
  for (let i: u32 = 0; i < 6; i++) {
    const s = SEGS + (<usize> i << 5);
    const v = value(18 + i);
    store<u64>(s, load<u64>(v), SEG_BASE);
    store<u32>(s, load<u32>(v, 8), SEG_LIMIT);
    store<u16>(s, load<u16>(v, 12), SEG_SEL);
    store<u16>(s, load<u16>(v, 14), SEG_ATTR);
  }
  store<u64>(CR0, load<u64>(value(24)));
  store<u64>(CR3, load<u64>(value(25)));
  store<u64>(CR4, load<u64>(value(26)));
  store<u64>(EFER, load<u64>(value(27)));
  store<u8>(
    CPL,
    <u8> ((load<u16>(SEGS + (<usize> S_SS << 5), SEG_ATTR) >> 5) & 3),
  );
  updateMode();
  store<u64>(RIP, ip);
  store<u64>(CODEBASE, ip);
  store<u32>(FAULT, 0);
  if (bytes == 0) {
    const cs = load<u64>(SEGS + (<usize> S_CS << 5), SEG_BASE);
    bytes = emuFetch(
      load<u8>(MODE) == MODE_LONG ? ip : (ip + cs) & 0xffffffff,
    );
  }
  if (bytes > 16) bytes = 16;
  if (
    load<u32>(FAULT) == 0 && bytes > 0 &&
    !(variant(NO_SSE_MMIO) && isSse(bytes)) &&
    decodeOne(FETCH, bytes, 0, EMULATED) > 0
  ) {
    setSynced(true);
    let p: usize;
    let more: bool;
    do {
      p = call_indirect<usize>(load<u16>(EMULATED), EMULATED);
      // a REP instruction comes back here with RIP at itself
      more = p == 0 && load<u32>(FAULT) == 0 && load<u64>(RIP) == ip;
    } while (more && !once);
    setSynced(false);
    if (load<u32>(FAULT) == 0 && !lost(bank)) {
      if (p == EMULATED + REC) store<u64>(RIP, nextIp(EMULATED));
      setEmuStatus(
        emuStatus | (more ? EMU_AGAIN : EmulatorStatus.EmulationSuccessful),
      );
      for (let i: u32 = 0; i < 16; i++) {
        store<u64>(value(i), load<u64>(REGS + (<usize> i << 3)));
        memory.copy(value(28 + i), XMM + (<usize> i << 4), 16);
      }
      store<u64>(value(16), load<u64>(RIP));
      store<u64>(
        value(17),
        <u64> ((getFlags() & ~RFLAGS_TF) | (flags & RFLAGS_TF)),
      );
    }
  }
  const status = emuStatus;
  store<u32>(FAULT, 0);
  setWay(before);
  memory.copy(STATE, bank, STATE_SIZE);
  // nothing was looked up meanwhile: what was valid for the VP still is
  store<u32>(JGEN, generation);
  return status == 0 ? EmulatorStatus.InternalEmulationFailure : status;
}
