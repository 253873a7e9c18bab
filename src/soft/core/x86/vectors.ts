// Written from src/x86/vectors.ts by `deno task build`.
// deno-lint-ignore-file no-namespace
export const EXCEPTIONS: u64 = 0xf7dfb;

/** Vector of src/x86. */
export namespace Vector {
  export const DE: u32 = 0x0;
  export const DB: u32 = 0x1;
  export const NMI: u32 = 0x2;
  export const BP: u32 = 0x3;
  export const OF: u32 = 0x4;
  export const BR: u32 = 0x5;
  export const UD: u32 = 0x6;
  export const NM: u32 = 0x7;
  export const DF: u32 = 0x8;
  export const TS: u32 = 0xa;
  export const NP: u32 = 0xb;
  export const SS: u32 = 0xc;
  export const GP: u32 = 0xd;
  export const PF: u32 = 0xe;
  export const MF: u32 = 0x10;
  export const AC: u32 = 0x11;
  export const MC: u32 = 0x12;
  export const XM: u32 = 0x13;
}
