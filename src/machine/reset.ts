/**
 * The registers of a processor that the machine depends on, and what they are
 * after RESET (Intel SDM volume 3, table 9-1, "IA-32 and Intel 64 Processor
 * States Following Power-up, Reset, or INIT"). Reset state on real hosts is not
 * fully architectural, so all of them are written. Saving and loading go over
 * the same table: a register added here is reset, saved and loaded.
 */
import { getLogger } from "@logtape/logtape";
import { Reg } from "../../ffi/registers.ts";
import {
  WHV_INTERNAL_ACTIVITY_REGISTER as ACTIVITY,
  WHV_X64_FP_CONTROL_STATUS_REGISTER as FP_STATUS,
  WHV_X64_XMM_CONTROL_STATUS_REGISTER as XMM_STATUS,
} from "../../ffi/values.ts";
import { refused } from "../platform/errors.ts";
import { APIC_BASE_AT_RESET, APIC_BASE_BSP } from "../x86/apic_base.ts";
import { CR0_AT_RESET } from "../x86/control_registers.ts";
import { DR6_CLEAR, DR7_FIXED } from "../x86/debug_registers.ts";
import { MXCSR_AT_RESET, MXCSR_BITS, RFLAGS_CLEAR } from "../x86/flags.ts";
import { PAT_AT_RESET } from "../x86/msrs.ts";
import { Attributes } from "../x86/segments.ts";
import { type RegisterAccess, RegisterBatch } from "./batch.ts";
import { canBeLost, TolerantBatch } from "./refusable.ts";
import { BrokenStateError } from "./state.ts";

const log = getLogger(["icebp", "machine"]);

const upTo = (first: number, count: number) =>
  Array.from({ length: count }, (_, i) => first + i);

/** Registers that every platform has. Those not in `initial` reset to 0. */
const REGISTERS = [
  ...upTo(Reg.Rax, 16),
  Reg.Rip,
  Reg.Rflags,
  Reg.Es,
  Reg.Cs,
  Reg.Ss,
  Reg.Ds,
  Reg.Fs,
  Reg.Gs,
  Reg.Ldtr,
  Reg.Tr,
  Reg.Idtr,
  Reg.Gdtr,
  Reg.Cr0,
  Reg.Cr2,
  Reg.Cr3,
  Reg.Cr4,
  Reg.Efer,
  Reg.Dr0,
  Reg.Dr1,
  Reg.Dr2,
  Reg.Dr3,
  Reg.Dr6,
  Reg.Dr7,
  ...upTo(Reg.Xmm0, 16),
  ...upTo(Reg.FpMmx0, 8),
  Reg.FpControlStatus,
  Reg.XmmControlStatus,
  Reg.KernelGsBase,
  Reg.ApicBase,
  Reg.Pat,
  Reg.SysenterCs,
  Reg.SysenterEip,
  Reg.SysenterEsp,
  Reg.Star,
  Reg.Lstar,
  Reg.Cstar,
  Reg.Sfmask,
  Reg.Tsc,
  Reg.PendingInterruption,
  Reg.InterruptState,
  Reg.PendingEvent,
  Reg.DeliverabilityNotifications,
  Reg.InternalActivityState,
];

/** Registers that a platform may lack; each is written by itself. */
const OPTIONAL: readonly (readonly [number, bigint])[] = [
  [Reg.XCr0, 1n],
  [Reg.TscAux, 0n],
  [Reg.PendingDebugException, 0n],
  [Reg.MsrMtrrDefType, 0n],
];

/** Processor signature: family 6. */
const RDX_AT_RESET = 0x600n;

const LIMIT = 0xffff;

/** Every register of the table, in one call. */
function newBatch(): TolerantBatch {
  return new TolerantBatch(...REGISTERS);
}

/** The state after RESET: the bootstrap processor (0) at the reset vector, the
 * others waiting for a SIPI. */
function initial(processor: number): TolerantBatch {
  const batch = newBatch();
  const at = (name: number) => REGISTERS.indexOf(name);
  batch.set(at(Reg.Rdx), RDX_AT_RESET);
  batch.set(at(Reg.Rip), 0xfff0n);
  batch.set(at(Reg.Rflags), RFLAGS_CLEAR);
  for (const name of [Reg.Es, Reg.Ss, Reg.Ds, Reg.Fs, Reg.Gs]) {
    batch.setSegment(at(name), 0, 0n, LIMIT, Attributes.data16);
  }
  batch.setSegment(at(Reg.Cs), 0xf000, 0xffff0000n, LIMIT, Attributes.code16);
  batch.setSegment(at(Reg.Ldtr), 0, 0n, LIMIT, Attributes.ldt);
  batch.setSegment(at(Reg.Tr), 0, 0n, LIMIT, Attributes.busyTss);
  batch.setTable(at(Reg.Gdtr), 0n, LIMIT);
  batch.setTable(at(Reg.Idtr), 0n, LIMIT);
  batch.set(at(Reg.Cr0), CR0_AT_RESET);
  batch.set(at(Reg.Dr6), DR6_CLEAR);
  batch.set(at(Reg.Dr7), DR7_FIXED);
  batch.set(at(Reg.Pat), PAT_AT_RESET);
  batch.set(
    at(Reg.ApicBase),
    APIC_BASE_AT_RESET | (processor === 0 ? APIC_BASE_BSP : 0n),
  );
  const fp = at(Reg.FpControlStatus) * 16;
  FP_STATUS.FpControl.set(batch.view, 0x40, fp);
  FP_STATUS.FpTag.set(batch.view, 0xff, fp);
  const xmm = at(Reg.XmmControlStatus) * 16;
  XMM_STATUS.XmmStatusControl.set(batch.view, MXCSR_AT_RESET, xmm);
  XMM_STATUS.XmmStatusControlMask.set(batch.view, MXCSR_BITS, xmm);
  if (processor > 0) {
    ACTIVITY.StartupSuspend.set(
      batch.view,
      1,
      at(Reg.InternalActivityState) * 16,
    );
  }
  return batch;
}

/** Puts a processor that is not running into its state after RESET. */
export function resetRegisters(vp: RegisterAccess, processor: number): void {
  initial(processor).write(vp);
  for (const [name, value] of OPTIONAL) {
    const one = new RegisterBatch(name);
    one.set(0, value);
    ifKnown(name, () => one.write(vp));
  }
}

/** A processor's registers: by register name (a number), 16 bytes as hex. */
export type SavedRegisters = { readonly [name: string]: string };

/** Reads every register of the table. */
export function saveRegisters(vp: RegisterAccess): SavedRegisters {
  const saved: Record<string, string> = {};
  const batch = newBatch();
  batch.read(vp);
  REGISTERS.forEach((name, i) => {
    if (batch.lost.has(name)) return;
    saved[name] = batch.values.subarray(i * 16, i * 16 + 16).toHex();
  });
  for (const [name] of OPTIONAL) {
    const one = new RegisterBatch(name);
    if (ifKnown(name, () => one.read(vp))) saved[name] = one.values.toHex();
  }
  return saved;
}

/** Writes what saveRegisters() gave; throws a BrokenStateError for anything else. */
export function loadRegisters(vp: RegisterAccess, saved: SavedRegisters): void {
  const there = REGISTERS.filter((name) =>
    saved[name] !== undefined || !canBeLost(name)
  );
  const batch = new TolerantBatch(...there);
  there.forEach((name, i) => {
    batch.values.set(valueOf(saved, name), i * 16);
  });
  batch.write(vp);
  for (const [name] of OPTIONAL) {
    if (saved[name] === undefined) continue;
    const one = new RegisterBatch(name);
    one.values.set(valueOf(saved, name));
    ifKnown(name, () => one.write(vp));
  }
}

/** Throws a BrokenStateError for what loadRegisters() cannot take. */
export function checkRegisters(saved: SavedRegisters): void {
  for (const name of REGISTERS) {
    if (saved[name] !== undefined || !canBeLost(name)) valueOf(saved, name);
  }
  for (const [name] of OPTIONAL) {
    if (saved[name] !== undefined) valueOf(saved, name);
  }
}

function valueOf(saved: SavedRegisters, name: number): Uint8Array {
  const text = saved[name];
  if (typeof text !== "string" || !/^[0-9a-f]{32}$/.test(text)) {
    throw new BrokenStateError(
      `saved state: register ${name}: 16 bytes expected`,
    );
  }
  return Uint8Array.fromHex(text);
}

/** True if the platform has the register; other errors are thrown. */
function ifKnown(name: number, access: () => void): boolean {
  try {
    access();
    return true;
  } catch (error) {
    if (!refused(error)) throw error;
    log.debug("the platform has no register {name}", { name });
    return false;
  }
}
