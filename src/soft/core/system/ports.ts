// I/O ports: the exit of an access, its breakpoints, and the access itself
// while an instruction is emulated or completed.
import { ExitReason } from "../whv/names";
import {
  CR4,
  DBGPEND,
  DR0,
  DR7,
  EXITBUF,
  F_EXIT,
  FAULT,
  P_DEBUG,
  PENDING,
  RAX,
  RCX,
  RDI,
  RSI,
  S_DS,
  S_ES,
} from "../layout";
import { beginExit, putSegment } from "./exit";
import { needSync, synced } from "./time";
import { CR4_DE } from "../x86/control_registers";
import { IoPortAccessExit } from "../whv/structures";
import { DR7_ENABLES } from "../x86/debug_registers";
import { reachRead, reachWrite } from "./reach";
import { LISTS, way } from "./way";

/** An I/O port instruction's exit. */
export function exitIo(port: u32, bytes: u32, flags: u32): usize {
  if (!synced) return needSync();
  beginExit(ExitReason.X64IoPortAccess);
  store<u32>(EXITBUF, flags | (bytes << 1), IoPortAccessExit.AccessInfo);
  store<u16>(EXITBUF, <u16> port, IoPortAccessExit.PortNumber);
  store<u64>(EXITBUF, load<u64>(RAX), IoPortAccessExit.Rax);
  store<u64>(EXITBUF, load<u64>(RCX), IoPortAccessExit.Rcx);
  store<u64>(EXITBUF, load<u64>(RSI), IoPortAccessExit.Rsi);
  store<u64>(EXITBUF, load<u64>(RDI), IoPortAccessExit.Rdi);
  putSegment(EXITBUF + IoPortAccessExit.Ds, S_DS);
  putSegment(EXITBUF + IoPortAccessExit.Es, S_ES);
  ioBreakpoints(port, bytes);
  store<u32>(FAULT, F_EXIT);
  return 0;
}

/**
 * With CR4.DE, debug registers of type 2 name ports. The access is the caller's
 * to complete; the trap is pending and comes when it runs the VP again.
 */
function ioBreakpoints(port: u32, bytes: u32): void {
  const dr7 = <u32> load<u64>(DR7);
  if (!(dr7 & <u32> DR7_ENABLES) || !(load<u64>(CR4) & CR4_DE)) return;
  for (let i: u32 = 0; i < 4; i++) {
    if (((dr7 >> (16 + i * 4)) & 3) != 2 || !(dr7 & (3 << (i * 2)))) continue;
    const l = (dr7 >> (18 + i * 4)) & 3;
    const size: u32 = l == 2 ? 8 : l + 1;
    const first = load<u32>(DR0 + i * 8) & ~(size - 1);
    if (port < first + size && first < port + bytes) {
      store<u64>(DBGPEND, load<u64>(DBGPEND) | <u64> 1 << i);
      store<u32>(PENDING, load<u32>(PENDING) | P_DEBUG);
    }
  }
}

/** Reads a port where no exit is made; 0 with FAULT set on failure. */
export function portRead(port: u32, bytes: u32): u32 {
  const v = <u32> reachRead(port, bytes, true);
  if (way == LISTS && !load<u32>(FAULT)) ioBreakpoints(port, bytes);
  return v;
}

/** Writes a port where no exit is made; false with FAULT set on failure. */
export function portWrite(port: u32, bytes: u32, v: u32): bool {
  reachWrite(port, bytes, v, true);
  if (load<u32>(FAULT)) return false;
  if (way == LISTS) ioBreakpoints(port, bytes);
  return true;
}
