// Written from src/x86/segments.ts by `deno task build`.
// deno-lint-ignore-file no-namespace
export const ACCESSED: u32 = 0x1;
export const BIG: u32 = 0x4000;
export const CODE: u32 = 0x8;
export const CODE_OR_DATA: u32 = 0x10;
export const CONFORMING_OR_DOWN: u32 = 0x4;
export const GRANULARITY: u32 = 0x8000;
export const LONG: u32 = 0x2000;
export const PRESENT: u32 = 0x80;
export const PRIVILEGE: u32 = 0x60;
export const READ_OR_WRITE: u32 = 0x2;
export const REQUESTED_PRIVILEGE: u32 = 0x3;
export const SYSTEM_32_BIT: u32 = 0x8;
export const TABLE_INDICATOR: u32 = 0x4;
export const TRAP_GATE: u32 = 0x1;
export const TSS_BUSY: u32 = 0x2;

/** Attributes of src/x86. */
export namespace Attributes {
  export const unusable: u32 = 0x0;
  export const data16: u32 = 0x93;
  export const code16: u32 = 0x9b;
  export const data32: u32 = 0xc093;
  export const code32: u32 = 0xc09b;
  export const code64: u32 = 0xa09b;
  export const v86: u32 = 0xf3;
  export const ldt: u32 = 0x82;
  export const busyTss: u32 = 0x8b;
}

/** SystemType of src/x86. */
export namespace SystemType {
  export const Tss16: u32 = 0x1;
  export const Ldt: u32 = 0x2;
  export const CallGate16: u32 = 0x4;
  export const TaskGate: u32 = 0x5;
  export const InterruptGate16: u32 = 0x6;
  export const Tss32: u32 = 0x9;
  export const CallGate32: u32 = 0xc;
  export const InterruptGate32: u32 = 0xe;
}
