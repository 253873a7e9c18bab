/**
 * Addresses and record layouts shared by the two CPUs under comparison.
 *
 * The linear addresses are the same natively (mmap at fixed places) and in the
 * guest (page tables), so that registers holding pointers compare equal.
 *
 * @module
 */

/** First linear address of the read-write scratch region. */
export const DATA = 0x1000_0000;
/** Bytes of the read-write scratch region; the page after it is unmapped. */
export const DATA_BYTES = 0x2000;
/** A read-only page; the pages before and after it are unmapped. */
export const READ_ONLY = 0x1000_4000;
export const READ_ONLY_BYTES = 0x1000;
/** An address with nothing mapped for many pages around it. */
export const UNMAPPED = 0x1080_0000;

/** First linear address of the executable region. */
export const CODE = 0x1100_0000;
/** Slots begin here: one slot of each page's 64 straddles the page's end. */
export const FIRST_SLOT = CODE + 0x20;
/** Every case has a slot of its own; all that is not its code is HLT (F4). */
export const SLOT_BYTES = 64;
/** Offset of a case's first instruction in its slot. */
export const SLOT_ENTRY = 28;
/** Most cases in one batch. */
export const MAX_CASES = 1000;
export const CODE_BYTES = 0x11000;
/** HLT: at CPL 3 a #GP(0) with RIP at it, which ends every case. */
export const HLT = 0xf4;

/** Offsets in a case record, whose size is a multiple of 16. */
export const Case = {
  rip: 0,
  /** RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8..R15. */
  gpr: 8,
  rflags: 136,
  fsBase: 144,
  gsBase: 152,
  patchCount: 160,
  recordBytes: 164,
  /** Selectors: ES, CS, SS, DS, FS, GS. */
  segments: 168,
  /** FXSAVE image, only in batches with `fx`; then the patches. */
  fx: 192,
} as const;

/** Offsets in a result record, whose size is a multiple of 8. */
export const Result = {
  vector: 0,
  errorCode: 4,
  /** Valid for vector 14. */
  cr2: 8,
  rip: 16,
  gpr: 24,
  rflags: 152,
  fsBase: 160,
  gsBase: 168,
  diffCount: 176,
  recordBytes: 180,
  /** Selectors: ES, CS, SS, DS, FS, GS. */
  segments: 184,
  /** FXSAVE image, only in batches with `fx`; then the differences. */
  fx: 208,
} as const;

export const FX_BYTES = 512;
/** A difference: u32 offset into the scratch region, u32 value. */
export const DIFF_BYTES = 8;

/** Offsets in the 64-bit FXSAVE image (SDM vol.1, 10.5.1). */
export const Fx = {
  fcw: 0,
  fsw: 2,
  ftw: 4,
  fop: 6,
  fip: 8,
  fdp: 16,
  mxcsr: 24,
  mxcsrMask: 28,
  st: 32,
  xmm: 160,
} as const;

export const Flag = {
  CF: 1 << 0,
  PF: 1 << 2,
  AF: 1 << 4,
  ZF: 1 << 6,
  SF: 1 << 7,
  TF: 1 << 8,
  IF: 1 << 9,
  DF: 1 << 10,
  OF: 1 << 11,
  NT: 1 << 14,
  AC: 1 << 18,
  ID: 1 << 21,
} as const;
/** CF, PF, AF, ZF, SF and OF. */
export const STATUS_FLAGS = 0x8d5;
/** Everything a user-mode program can see; RF depends on the fault only. */
export const COMPARED_FLAGS = 0x24_7fd7;

export const RAX = 0;
export const RCX = 1;
export const RDX = 2;
export const RBX = 3;
export const RSP = 4;
export const RBP = 5;
export const RSI = 6;
export const RDI = 7;
export const GPR_NAMES = [
  "rax",
  "rcx",
  "rdx",
  "rbx",
  "rsp",
  "rbp",
  "rsi",
  "rdi",
  "r8",
  "r9",
  "r10",
  "r11",
  "r12",
  "r13",
  "r14",
  "r15",
] as const;

export const SEGMENT_NAMES = ["es", "cs", "ss", "ds", "fs", "gs"] as const;
export const ES = 0;
export const CS = 1;
export const SS = 2;
export const DS = 3;
export const FS = 4;
export const GS = 5;

/** Linux's selectors for user mode (asm/segment.h). */
export const Selector = { userCs: 0x33, userSs: 0x2b, userCs32: 0x23 } as const;
