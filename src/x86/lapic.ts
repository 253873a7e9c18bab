/** The local APIC (Intel SDM volume 3, chapter 10). */

/** Where its registers are in their page (table 10-1). ISR, TMR and IRR are eight
 * registers each, 16 bytes apart as all are. */
export const LapicRegister = {
  Id: 0x020,
  Version: 0x030,
  Tpr: 0x080,
  Apr: 0x090,
  Ppr: 0x0a0,
  Eoi: 0x0b0,
  Rrd: 0x0c0,
  Ldr: 0x0d0,
  Dfr: 0x0e0,
  Svr: 0x0f0,
  Isr: 0x100,
  Tmr: 0x180,
  Irr: 0x200,
  Esr: 0x280,
  LvtCmci: 0x2f0,
  IcrLow: 0x300,
  IcrHigh: 0x310,
  LvtTimer: 0x320,
  LvtThermal: 0x330,
  LvtPerfmon: 0x340,
  LvtLint0: 0x350,
  LvtLint1: 0x360,
  LvtError: 0x370,
  InitialCount: 0x380,
  CurrentCount: 0x390,
  DivideConfiguration: 0x3e0,
  /** In x2APIC mode. */
  SelfIpi: 0x3f0,
} as const;

/** Bits of the interrupt command register's low half (10.6.1). */
export const Icr = {
  Logical: 1 << 11,
  Pending: 1 << 12,
  Assert: 1 << 14,
  Level: 1 << 15,
} as const;

/** Its destination shorthand, bits 18 and 19. */
export const IcrShorthand = {
  None: 0,
  Self: 1,
  All: 2,
  Others: 3,
} as const;

/** Bits of a local vector table's entry (10.5.1). */
export const Lvt = {
  Pending: 1 << 12,
  ActiveLow: 1 << 13,
  RemoteIrr: 1 << 14,
  Level: 1 << 15,
  Masked: 1 << 16,
  Periodic: 1 << 17,
  TscDeadline: 1 << 18,
} as const;

/** How a message is delivered: bits 8 to 10 of the ICR, of the LVT's entries and of an
 * I/O APIC's. */
export const DeliveryMode = {
  Fixed: 0,
  LowestPriority: 1,
  Smi: 2,
  Nmi: 4,
  Init: 5,
  Sipi: 6,
  ExtInt: 7,
} as const;

/** Bits of the spurious-interrupt vector register (10.9). */
export const Svr = {
  Enabled: 1 << 8,
  FocusOff: 1 << 9,
  /** EOI broadcasts are suppressed. */
  DirectedEoi: 1 << 12,
} as const;

/** The MSRs that its registers are in x2APIC mode, one for 16 bytes (10.12.1.2). */
export const X2APIC_FIRST = 0x800;
export const X2APIC_LAST = 0x8ff;
