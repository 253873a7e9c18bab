// Processor states: power-up reset, INIT and SIPI. Source: SDM vol. 3, table
// "IA-32 and Intel 64 Processor States Following Power-up, Reset, or INIT".
import { setFlagsRaw } from "./flags";
import { lapicInit, lapicReset } from "../lapic/state";
import {
  A_RUN,
  ACTIVITY,
  CPL,
  CR0,
  CR2,
  CR3,
  CR4,
  CR8,
  DBGPEND,
  DR0,
  DR6,
  DR7,
  EFER,
  FCW,
  FPR,
  FSW,
  FTW,
  GDTR,
  IDTR,
  lapicOf,
  LATE,
  M_MISC,
  M_PAT,
  MXCSR,
  NMIMASK,
  PASS,
  PEND_EVENT,
  PEND_INT,
  RDX,
  REGS,
  RIP,
  S_CS,
  S_LDTR,
  S_TR,
  SHADOW,
  SHADOWNEW,
  STATE,
  STATE_SIZE,
  VPINDEX,
  XCR0,
} from "../layout";
import { flagsChanged, updateMode } from "./mode";
import { putSeg } from "./segment";
import { apicPageChanged } from "./vps";
import { apicMode } from "../system/processors";
import { flushJumps } from "../code/jumps";
import { tlbFlush } from "../memory/tlb";
import { CR0_AT_RESET, CR0_CD, CR0_ET, CR0_NW } from "../x86/control_registers";
import { MISC_ENABLE_AT_RESET, PAT_AT_RESET } from "../x86/msrs";
import { Attributes } from "../x86/segments";
import { DR6_CLEAR, DR7_FIXED } from "../x86/debug_registers";
import { MXCSR_AT_RESET, RFLAGS_CLEAR } from "../x86/flags";
import { ApicMode } from "../whv/names";

/** CPUID.1:EAX, also in RDX at reset. */
export const SIGNATURE: u32 = 0x000206c2;

/** What INIT and reset have in common. */
function common(): void {
  memory.fill(REGS, 0, 128);
  store<u64>(RDX, SIGNATURE);
  setFlagsRaw(RFLAGS_CLEAR);
  store<u64>(RIP, 0xfff0);
  for (let i: u32 = 0; i < 6; i++) {
    putSeg(i, 0, 0, 0xffff, Attributes.data16);
  }
  putSeg(S_CS, 0xf000, 0xffff0000, 0xffff, Attributes.code16);
  putSeg(S_LDTR, 0, 0, 0xffff, Attributes.ldt);
  putSeg(S_TR, 0, 0, 0xffff, Attributes.busyTss);
  store<u64>(GDTR, 0);
  store<u32>(GDTR, 0xffff, 8);
  store<u64>(IDTR, 0);
  store<u32>(IDTR, 0xffff, 8);
  store<u64>(CR2, 0);
  store<u64>(CR3, 0);
  store<u64>(CR4, 0);
  store<u64>(CR8, 0);
  store<u64>(EFER, 0);
  memory.fill(DR0, 0, 32);
  store<u64>(DR6, DR6_CLEAR);
  store<u64>(DR7, DR7_FIXED);
  store<u64>(DBGPEND, 0);
  store<u8>(CPL, 0);
  store<u8>(SHADOW, 0);
  store<u8>(SHADOWNEW, 0);
  store<u8>(NMIMASK, 0);
  store<u8>(PASS, 0);
  store<u8>(ACTIVITY, <u8> A_RUN);
  store<u64>(PEND_INT, 0);
  store<u64>(PEND_EVENT, 0);
  store<u32>(LATE, 0);
  tlbFlush();
}

function finish(): void {
  updateMode();
  flagsChanged();
}

/**
 * INIT: x87, SSE, XCR0, MSRs and the caches' enables stay; the APIC starts
 * over.
 */
export function initVp(): void {
  const cd = load<u64>(CR0) & (CR0_CD | CR0_NW);
  common();
  store<u64>(CR0, CR0_ET | cd);
  if (apicMode) lapicInit(lapicOf(load<u32>(VPINDEX)));
  finish();
}

/** A start-up IPI: real mode at vector * 4096. */
export function sipiVp(vector: u32): void {
  putSeg(
    S_CS,
    (vector << 8) & 0xffff,
    <u64> vector << 12,
    0xffff,
    Attributes.code16,
  );
  store<u64>(RIP, 0);
  store<u8>(ACTIVITY, <u8> A_RUN);
  flushJumps();
  finish();
}

/** Power-up state of the VP in STATE. */
export function resetVp(vp: u32): void {
  memory.fill(STATE, 0, STATE_SIZE);
  store<u32>(VPINDEX, vp);
  common();
  store<u64>(CR0, CR0_AT_RESET);
  store<u64>(XCR0, 1);
  store<u16>(FCW, 0x40);
  store<u16>(FSW, 0);
  store<u8>(FTW, 0xff); // all zero, not empty: FTW = 5555H at power-up
  memory.fill(FPR, 0, 128);
  store<u32>(MXCSR, MXCSR_AT_RESET);
  store<u64>(M_PAT, PAT_AT_RESET);
  store<u64>(M_MISC, MISC_ENABLE_AT_RESET);
  if (apicMode) {
    lapicReset(lapicOf(vp), vp, apicMode == ApicMode.X2Apic ? 1 : 0, vp == 0);
    apicPageChanged();
  }
  finish();
}
