// Written from src/x86/lapic.ts by `deno task build`.
// deno-lint-ignore-file no-namespace
export const X2APIC_FIRST: u32 = 0x800;
export const X2APIC_LAST: u32 = 0x8ff;

/** DeliveryMode of src/x86. */
export namespace DeliveryMode {
  export const Fixed: u32 = 0x0;
  export const LowestPriority: u32 = 0x1;
  export const Smi: u32 = 0x2;
  export const Nmi: u32 = 0x4;
  export const Init: u32 = 0x5;
  export const Sipi: u32 = 0x6;
  export const ExtInt: u32 = 0x7;
}

/** Icr of src/x86. */
export namespace Icr {
  export const Logical: u32 = 0x800;
  export const Pending: u32 = 0x1000;
  export const Assert: u32 = 0x4000;
  export const Level: u32 = 0x8000;
}

/** IcrShorthand of src/x86. */
export namespace IcrShorthand {
  export const None: u32 = 0x0;
  export const Self: u32 = 0x1;
  export const All: u32 = 0x2;
  export const Others: u32 = 0x3;
}

/** LapicRegister of src/x86. */
export namespace LapicRegister {
  export const Id: u32 = 0x20;
  export const Version: u32 = 0x30;
  export const Tpr: u32 = 0x80;
  export const Apr: u32 = 0x90;
  export const Ppr: u32 = 0xa0;
  export const Eoi: u32 = 0xb0;
  export const Rrd: u32 = 0xc0;
  export const Ldr: u32 = 0xd0;
  export const Dfr: u32 = 0xe0;
  export const Svr: u32 = 0xf0;
  export const Isr: u32 = 0x100;
  export const Tmr: u32 = 0x180;
  export const Irr: u32 = 0x200;
  export const Esr: u32 = 0x280;
  export const LvtCmci: u32 = 0x2f0;
  export const IcrLow: u32 = 0x300;
  export const IcrHigh: u32 = 0x310;
  export const LvtTimer: u32 = 0x320;
  export const LvtThermal: u32 = 0x330;
  export const LvtPerfmon: u32 = 0x340;
  export const LvtLint0: u32 = 0x350;
  export const LvtLint1: u32 = 0x360;
  export const LvtError: u32 = 0x370;
  export const InitialCount: u32 = 0x380;
  export const CurrentCount: u32 = 0x390;
  export const DivideConfiguration: u32 = 0x3e0;
  export const SelfIpi: u32 = 0x3f0;
}

/** Lvt of src/x86. */
export namespace Lvt {
  export const Pending: u32 = 0x1000;
  export const ActiveLow: u32 = 0x2000;
  export const RemoteIrr: u32 = 0x4000;
  export const Level: u32 = 0x8000;
  export const Masked: u32 = 0x10000;
  export const Periodic: u32 = 0x20000;
  export const TscDeadline: u32 = 0x40000;
}

/** Svr of src/x86. */
export namespace Svr {
  export const Enabled: u32 = 0x100;
  export const FocusOff: u32 = 0x200;
  export const DirectedEoi: u32 = 0x1000;
}
