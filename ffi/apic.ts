// The interrupt controller state of WHvGet/SetVirtualProcessorInterrupt-
// ControllerState(2): the local APIC's register page as it appears in memory.
// The header leaves it opaque; register offsets are those of the Intel SDM,
// volume 3, table "Local APIC Register Address Map".

import { struct, U32 } from "./layout.ts";

/** Bytes of the state. */
export const APIC_STATE_SIZE = 4096;

/** The local APIC's register page. */
export const APIC_STATE = struct(APIC_STATE_SIZE, {
  Id: new U32(0x020),
  Version: new U32(0x030),
  Tpr: new U32(0x080),
  Apr: new U32(0x090),
  Ppr: new U32(0x0a0),
  Eoi: new U32(0x0b0),
  Rrd: new U32(0x0c0),
  Ldr: new U32(0x0d0),
  Dfr: new U32(0x0e0),
  Svr: new U32(0x0f0),
  Isr0: new U32(0x100),
  Isr1: new U32(0x110),
  Isr2: new U32(0x120),
  Isr3: new U32(0x130),
  Isr4: new U32(0x140),
  Isr5: new U32(0x150),
  Isr6: new U32(0x160),
  Isr7: new U32(0x170),
  Tmr0: new U32(0x180),
  Tmr1: new U32(0x190),
  Tmr2: new U32(0x1a0),
  Tmr3: new U32(0x1b0),
  Tmr4: new U32(0x1c0),
  Tmr5: new U32(0x1d0),
  Tmr6: new U32(0x1e0),
  Tmr7: new U32(0x1f0),
  Irr0: new U32(0x200),
  Irr1: new U32(0x210),
  Irr2: new U32(0x220),
  Irr3: new U32(0x230),
  Irr4: new U32(0x240),
  Irr5: new U32(0x250),
  Irr6: new U32(0x260),
  Irr7: new U32(0x270),
  Esr: new U32(0x280),
  LvtCmci: new U32(0x2f0),
  IcrLow: new U32(0x300),
  IcrHigh: new U32(0x310),
  LvtTimer: new U32(0x320),
  LvtThermal: new U32(0x330),
  LvtPerfmon: new U32(0x340),
  LvtLint0: new U32(0x350),
  LvtLint1: new U32(0x360),
  LvtError: new U32(0x370),
  InitialCount: new U32(0x380),
  CurrentCount: new U32(0x390),
  DivideConfiguration: new U32(0x3e0),
});
