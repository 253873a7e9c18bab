// Exits: WHV_RUN_VP_EXIT_CONTEXT at EXITBUF (its layout is tested against the C
// headers).
import { ExitReason, MemoryAccessType } from "../whv/names";
import { getFlags } from "../cpu/flags";
import {
  CPL,
  CR0,
  CR8,
  DELIVER,
  EFER,
  EXITBUF,
  F_EXIT,
  FAULT,
  RIP,
  S_CS,
  SEG_ATTR,
  SEG_BASE,
  SEG_LIMIT,
  SEG_SEL,
  SEGS,
  SHADOW,
} from "../layout";
import { variant, WINDOW_LOST } from "../whv/variants";
import { CR0_AM, CR0_PE, EFER_LMA } from "../x86/control_registers";
import {
  ExecutionState,
  EXIT_BYTES,
  MemoryAccessExit,
  MemoryAccessInfo,
  VpContextExit,
} from "../whv/structures";

export function putSegment(to: usize, seg: u32): void {
  const s = SEGS + (<usize> seg << 5);
  store<u64>(to, load<u64>(s, SEG_BASE));
  store<u32>(to, load<u32>(s, SEG_LIMIT), 8);
  store<u16>(to, load<u16>(s, SEG_SEL), 12);
  store<u16>(to, load<u16>(s, SEG_ATTR), 14);
}

/**
 * Begins an exit description; the loop adds RIP and the VP context
 * (finishExit).
 */
export function beginExit(reason: u32): void {
  memory.fill(EXITBUF, 0, EXIT_BYTES);
  store<u32>(EXITBUF, reason);
}

/** Fills WHV_VP_EXIT_CONTEXT: RIP must be in its cell. */
export function finishExit(length: u32, interruptionPending: bool): void {
  let state: u32 = load<u8>(CPL);
  if (load<u64>(CR0) & CR0_PE) state |= ExecutionState.Cr0Pe;
  if (load<u64>(CR0) & CR0_AM) state |= ExecutionState.Cr0Am;
  if (load<u64>(EFER) & EFER_LMA) state |= ExecutionState.EferLma;
  if (interruptionPending) state |= ExecutionState.InterruptionPending;
  if (load<u8>(SHADOW)) state |= ExecutionState.InterruptShadow;
  store<u16>(EXITBUF, <u16> state, VpContextExit.ExecutionState);
  // InstructionLength, Cr8
  store<u8>(
    EXITBUF,
    <u8> ((length & 15) | (load<u32>(CR8) << 4)),
    VpContextExit.ExecutionState + 2,
  );
  putSegment(EXITBUF + VpContextExit.Cs, S_CS);
  store<u64>(EXITBUF, load<u64>(RIP), VpContextExit.Rip);
  store<u64>(EXITBUF, <u64> getFlags(), VpContextExit.Rflags);
  if (variant(WINDOW_LOST)) store<u64>(DELIVER, 0);
}

/** Describes a memory access exit; sets FAULT. */
export function exitMemory(
  gpa: u64,
  linear: u64,
  acc: u32,
  unmapped: bool,
  _bytes: u32,
): void {
  beginExit(ExitReason.MemoryAccess);
  const type: u32 = acc & 4
    ? MemoryAccessType.Execute
    : acc & 2
    ? MemoryAccessType.Write
    : MemoryAccessType.Read;
  store<u32>(
    EXITBUF,
    type | (unmapped ? MemoryAccessInfo.GpaUnmapped : 0) |
      MemoryAccessInfo.GvaValid,
    MemoryAccessExit.AccessInfo,
  );
  store<u64>(EXITBUF, gpa, MemoryAccessExit.Gpa);
  store<u64>(EXITBUF, linear, MemoryAccessExit.Gva);
  store<u32>(FAULT, F_EXIT);
}
