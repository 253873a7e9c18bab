// Written from src/x86/paging.ts by `deno task build`.
// deno-lint-ignore-file no-namespace
export const ENTRY_ADDRESS: u64 = 0xffffffffff000;
export const ENTRY_NO_EXECUTE: u64 = 0x8000000000000000;
export const HUGE_PAGE_BYTES: u32 = 0x40000000;
export const LARGE_PAGE_BYTES: u32 = 0x200000;
export const PAGE_BYTES: u32 = 0x1000;
export const PAGE_OFFSET: u64 = 0xfff;
export const PAGE_SHIFT: u32 = 0xc;
export const PDPTE_RESERVED: u64 = 0x1e6;
export const PSE_PAGE_BYTES: u32 = 0x400000;
export const TABLE_ENTRIES: u32 = 0x200;
export const UPPER_HALF: u64 = 0x8000000000000000;

/** ENTRY of src/x86. */
export namespace ENTRY {
  export const Present: u32 = 0x1;
  export const Write: u32 = 0x2;
  export const User: u32 = 0x4;
  export const WriteThrough: u32 = 0x8;
  export const NoCache: u32 = 0x10;
  export const Accessed: u32 = 0x20;
  export const Dirty: u32 = 0x40;
  export const Large: u32 = 0x80;
  export const Global: u32 = 0x100;
}

/** PageFault of src/x86. */
export namespace PageFault {
  export const Protection: u32 = 0x1;
  export const Write: u32 = 0x2;
  export const User: u32 = 0x4;
  export const Reserved: u32 = 0x8;
  export const Fetch: u32 = 0x10;
}
