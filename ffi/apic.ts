// The interrupt controller state of WHvGet/SetVirtualProcessorInterrupt-
// ControllerState(2): the local APIC's register page as it appears in memory.
// The header leaves it opaque.

import { LapicRegister } from "../src/x86/lapic.ts";
import { PAGE_BYTES } from "../src/x86/paging.ts";
import { struct, U32 } from "./layout.ts";

/** Bytes of the state. */
export const APIC_STATE_SIZE = PAGE_BYTES;

/** The local APIC's register page. */
export const APIC_STATE = struct(APIC_STATE_SIZE, {
  Id: new U32(LapicRegister.Id),
  Version: new U32(LapicRegister.Version),
  Tpr: new U32(LapicRegister.Tpr),
  Apr: new U32(LapicRegister.Apr),
  Ppr: new U32(LapicRegister.Ppr),
  Eoi: new U32(LapicRegister.Eoi),
  Rrd: new U32(LapicRegister.Rrd),
  Ldr: new U32(LapicRegister.Ldr),
  Dfr: new U32(LapicRegister.Dfr),
  Svr: new U32(LapicRegister.Svr),
  Isr0: new U32(LapicRegister.Isr),
  Isr1: new U32(LapicRegister.Isr + 0x10),
  Isr2: new U32(LapicRegister.Isr + 0x20),
  Isr3: new U32(LapicRegister.Isr + 0x30),
  Isr4: new U32(LapicRegister.Isr + 0x40),
  Isr5: new U32(LapicRegister.Isr + 0x50),
  Isr6: new U32(LapicRegister.Isr + 0x60),
  Isr7: new U32(LapicRegister.Isr + 0x70),
  Tmr0: new U32(LapicRegister.Tmr),
  Tmr1: new U32(LapicRegister.Tmr + 0x10),
  Tmr2: new U32(LapicRegister.Tmr + 0x20),
  Tmr3: new U32(LapicRegister.Tmr + 0x30),
  Tmr4: new U32(LapicRegister.Tmr + 0x40),
  Tmr5: new U32(LapicRegister.Tmr + 0x50),
  Tmr6: new U32(LapicRegister.Tmr + 0x60),
  Tmr7: new U32(LapicRegister.Tmr + 0x70),
  Irr0: new U32(LapicRegister.Irr),
  Irr1: new U32(LapicRegister.Irr + 0x10),
  Irr2: new U32(LapicRegister.Irr + 0x20),
  Irr3: new U32(LapicRegister.Irr + 0x30),
  Irr4: new U32(LapicRegister.Irr + 0x40),
  Irr5: new U32(LapicRegister.Irr + 0x50),
  Irr6: new U32(LapicRegister.Irr + 0x60),
  Irr7: new U32(LapicRegister.Irr + 0x70),
  Esr: new U32(LapicRegister.Esr),
  LvtCmci: new U32(LapicRegister.LvtCmci),
  IcrLow: new U32(LapicRegister.IcrLow),
  IcrHigh: new U32(LapicRegister.IcrHigh),
  LvtTimer: new U32(LapicRegister.LvtTimer),
  LvtThermal: new U32(LapicRegister.LvtThermal),
  LvtPerfmon: new U32(LapicRegister.LvtPerfmon),
  LvtLint0: new U32(LapicRegister.LvtLint0),
  LvtLint1: new U32(LapicRegister.LvtLint1),
  LvtError: new U32(LapicRegister.LvtError),
  InitialCount: new U32(LapicRegister.InitialCount),
  CurrentCount: new U32(LapicRegister.CurrentCount),
  DivideConfiguration: new U32(LapicRegister.DivideConfiguration),
});

/** Bytes of the packed state. */
export const APIC_PACKED_STATE_SIZE = 176;

/** The hypervisor's own form of the state, HV_X64_INTERRUPT_CONTROLLER_STATE (Linux'
 * hv_local_interrupt_controller_state): hosts pass it on by the call that later hosts
 * replaced. It has no task priority. */
export const APIC_PACKED_STATE = struct(APIC_PACKED_STATE_SIZE, {
  Id: new U32(0),
  Version: new U32(4),
  Ldr: new U32(8),
  Dfr: new U32(12),
  Svr: new U32(16),
  Isr0: new U32(20),
  Isr1: new U32(24),
  Isr2: new U32(28),
  Isr3: new U32(32),
  Isr4: new U32(36),
  Isr5: new U32(40),
  Isr6: new U32(44),
  Isr7: new U32(48),
  Tmr0: new U32(52),
  Tmr1: new U32(56),
  Tmr2: new U32(60),
  Tmr3: new U32(64),
  Tmr4: new U32(68),
  Tmr5: new U32(72),
  Tmr6: new U32(76),
  Tmr7: new U32(80),
  Irr0: new U32(84),
  Irr1: new U32(88),
  Irr2: new U32(92),
  Irr3: new U32(96),
  Irr4: new U32(100),
  Irr5: new U32(104),
  Irr6: new U32(108),
  Irr7: new U32(112),
  Esr: new U32(116),
  IcrHigh: new U32(120),
  IcrLow: new U32(124),
  LvtTimer: new U32(128),
  LvtThermal: new U32(132),
  LvtPerfmon: new U32(136),
  LvtLint0: new U32(140),
  LvtLint1: new U32(144),
  LvtError: new U32(148),
  LvtCmci: new U32(152),
  ErrorStatus: new U32(156),
  InitialCount: new U32(160),
  CurrentCount: new U32(164),
  DivideConfiguration: new U32(168),
  Rrd: new U32(172),
});
