// Processor states: power-up reset, INIT and SIPI. Source: SDM vol. 3, table
// "IA-32 and Intel 64 Processor States Following Power-up, Reset, or INIT".
import { CR0_CD, CR0_NW } from "./bits";
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
  SEG_ATTR,
  SEG_BASE,
  SEG_LIMIT,
  SEG_SEL,
  SEGS,
  SHADOW,
  SHADOWNEW,
  STATE,
  STATE_SIZE,
  VPINDEX,
  XCR0,
} from "../layout";
import { flagsChanged, updateMode } from "./mode";
import { apicPageChanged } from "./vps";
import { apicMode } from "../system/processors";
import { flushJumps } from "../code/jumps";
import { tlbFlush } from "../memory/tlb";

/** CPUID.1:EAX, also in RDX at reset. */
export const SIGNATURE: u32 = 0x000206c2;

function setSegment(
  i: u32,
  sel: u16,
  base: u64,
  limit: u32,
  attr: u16,
): void {
  const s = SEGS + (<usize> i << 5);
  store<u64>(s, base, SEG_BASE);
  store<u32>(s, limit, SEG_LIMIT);
  store<u16>(s, sel, SEG_SEL);
  store<u16>(s, attr, SEG_ATTR);
}

/** What INIT and reset have in common. */
function common(): void {
  memory.fill(REGS, 0, 128);
  store<u64>(RDX, SIGNATURE);
  setFlagsRaw(2);
  store<u64>(RIP, 0xfff0);
  for (let i: u32 = 0; i < 6; i++) setSegment(i, 0, 0, 0xffff, 0x93);
  setSegment(S_CS, 0xf000, 0xffff0000, 0xffff, 0x9b);
  setSegment(S_LDTR, 0, 0, 0xffff, 0x82);
  setSegment(S_TR, 0, 0, 0xffff, 0x8b);
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
  store<u64>(DR6, 0xffff0ff0);
  store<u64>(DR7, 0x400);
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
  store<u64>(CR0, 0x10 | cd);
  if (apicMode) lapicInit(lapicOf(load<u32>(VPINDEX)));
  finish();
}

/** A start-up IPI: real mode at vector * 4096. */
export function sipiVp(vector: u32): void {
  setSegment(
    S_CS,
    <u16> (vector << 8),
    <u64> vector << 12,
    0xffff,
    0x9b,
  );
  store<u64>(RIP, 0);
  store<u8>(ACTIVITY, <u8> A_RUN);
  flushJumps();
  finish();
}

/** IA32_MISC_ENABLE at power-up: fast strings; BTS and PEBS unavailable. */
const MISC_AT_RESET: u64 = 0x1801;

/** Power-up state of the VP in STATE. */
export function resetVp(vp: u32): void {
  memory.fill(STATE, 0, STATE_SIZE);
  store<u32>(VPINDEX, vp);
  common();
  store<u64>(CR0, 0x60000010);
  store<u64>(XCR0, 1);
  store<u16>(FCW, 0x40);
  store<u16>(FSW, 0);
  store<u8>(FTW, 0xff); // all zero, not empty: FTW = 5555H at power-up
  memory.fill(FPR, 0, 128);
  store<u32>(MXCSR, 0x1f80);
  store<u64>(M_PAT, 0x0007040600070406);
  store<u64>(M_MISC, MISC_AT_RESET);
  if (apicMode) {
    lapicReset(lapicOf(vp), vp, apicMode == 2 ? 1 : 0, vp == 0);
    apicPageChanged();
  }
  finish();
}
