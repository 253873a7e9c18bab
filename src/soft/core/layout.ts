// Where everything lives in the module's linear memory. Addresses are fixed, so
// that handlers use constant addresses and a translator can share them.
//
// The current virtual processor's state is at STATE; each VP has a bank of the
// same shape, copied in and out at a switch (cpu/vps.ts). TLBs and local APICs
// are addressed per VP and never copied.

export const STATE: usize = 0x1000;
export const STATE_SIZE: usize = 0x800;

// --- general registers: 16 x 8 bytes, then cells that addressing can name
export const REGS: usize = STATE; // rax rcx rdx rbx rsp rbp rsi rdi r8..r15
export const R_ZERO: u32 = 128; // always 0: "no base", "no index"
export const R_CODEBASE: u32 = 136; // RIP - page offset, for RIP-relative
export const CODEBASE: usize = STATE + 136;
export const RIP: usize = STATE + 144; // valid outside the inner loop only

export const RAX: usize = REGS;
export const RCX: usize = REGS + 8;
export const RDX: usize = REGS + 16;
export const RBX: usize = REGS + 24;
export const RSP: usize = REGS + 32;
export const RBP: usize = REGS + 40;
export const RSI: usize = REGS + 48;
export const RDI: usize = REGS + 56;
export const R11: usize = REGS + 88;

// --- lazy arithmetic flags (cpu/flags.ts) and the rest of RFLAGS
export const FZ: usize = STATE + 152; // ZF = (FZ == 0)
/** SF = (i64 FS < 0), PF = parity(FS & 0xff) */
export const FS: usize = STATE + 160;
export const FX: usize = STATE + 168; // AF = bit 4; OF = (i64 FX < 0) ^ FC
export const FC: usize = STATE + 176; // CF, 0 or 1 (u64)
/** u32: RFLAGS without the six arithmetic flags */
export const EFL: usize = STATE + 184;

// --- mode, derived by updateMode()
export const MODE: usize = STATE + 188; // u8: MODE_*
export const CPL: usize = STATE + 189; // u8
/** u8: KEY_* (shared.ts) */
export const CODEKEY: usize = STATE + 190;
/** u8: log2 of the stack pointer's width: 1, 2, 3 */
export const STACKW: usize = STATE + 191;
export const TLBB: usize = STATE + 192; // u32: TLB set in use

export const MODE_REAL: u32 = 0;
export const MODE_V86: u32 = 1;
export const MODE_PROT: u32 = 2;
export const MODE_COMPAT: u32 = 3;
export const MODE_LONG: u32 = 4;

// --- how an instruction ended when its handler returned 0
/** u32: 0 = go on at RIP; else F_* below */
export const FAULT: usize = STATE + 200;
export const FERR: usize = STATE + 204; // u32 error code
export const FADDR: usize = STATE + 208; // u64 fault address (CR2 / DR info)

/** u32: P_* bits to look at between instructions */
export const PENDING: usize = STATE + 216;
/** u8: 1 = MOV SS / POP SS / STI shadow */
export const SHADOW: usize = STATE + 220;
export const NMIMASK: usize = STATE + 221; // u8: NMIs blocked until IRET
export const ACTIVITY: usize = STATE + 222; // u8: A_*
/** u8: shadow begins after this instruction */
export const SHADOWNEW: usize = STATE + 223;

export const A_RUN: u32 = 0;
export const A_HALT: u32 = 1;
export const A_SHUTDOWN: u32 = 3;

// --- control, debug
export const CR0: usize = STATE + 224;
export const CR2: usize = STATE + 232;
export const CR3: usize = STATE + 240;
export const CR4: usize = STATE + 248;
/** mirrors the APIC's TPR when one is emulated */
export const CR8: usize = STATE + 256;
export const EFER: usize = STATE + 264;
export const XCR0: usize = STATE + 272;
export const DR0: usize = STATE + 280; // DR0..DR3
export const DR6: usize = STATE + 312;
export const DR7: usize = STATE + 320;
/** u64: DR6 bits of a debug trap to raise at the boundary */
export const DBGPEND: usize = STATE + 328;
export const XSS: usize = STATE + 336;

// --- segments: ES CS SS DS FS GS LDTR TR, 32 bytes each (base u64, limit u32,
// selector u16, attributes u16)
export const SEGS: usize = STATE + 0x180;
export const SEG_BASE: usize = 0;
export const SEG_LIMIT: usize = 8;
export const SEG_SEL: usize = 12;
/** WHV/VMX: type 0-3, S 4, DPL 5-6, P 7, AVL 12, L 13, D/B 14, G 15 */
export const SEG_ATTR: usize = 14;
export const S_ES: u32 = 0;
export const S_CS: u32 = 1;
export const S_SS: u32 = 2;
export const S_DS: u32 = 3;
export const S_FS: u32 = 4;
export const S_GS: u32 = 5;
export const S_LDTR: u32 = 6;
export const S_TR: u32 = 7;
export const GDTR: usize = STATE + 0x280; // base u64, limit u32
export const IDTR: usize = STATE + 0x290;

// --- model-specific registers
export const M_STAR: usize = STATE + 0x2a0;
export const M_LSTAR: usize = STATE + 0x2a8;
export const M_CSTAR: usize = STATE + 0x2b0;
export const M_SFMASK: usize = STATE + 0x2b8;
export const M_KGSBASE: usize = STATE + 0x2c0;
export const M_SYSCS: usize = STATE + 0x2c8;
export const M_SYSESP: usize = STATE + 0x2d0;
export const M_SYSEIP: usize = STATE + 0x2d8;
export const M_PAT: usize = STATE + 0x2e0;
export const M_TSCOFF: usize = STATE + 0x2e8; // TSC = guest time + this
export const M_TSCAUX: usize = STATE + 0x2f0;
export const M_MISC: usize = STATE + 0x2f8; // IA32_MISC_ENABLE
export const M_TSCADJ: usize = STATE + 0x300;
export const M_MTRRDEF: usize = STATE + 0x308;
export const M_SPEC: usize = STATE + 0x310;
/** 8 pairs of base/mask, then 11 fixed: 27 x 8 bytes -> 0x3f8 */
export const M_MTRR: usize = STATE + 0x320;

// --- x87 and SSE
/** R0..R7 physical: significand u64, sign/exponent u16, 16 bytes each */
export const FPR: usize = STATE + 0x400;
export const FCW: usize = STATE + 0x480; // u16
export const FSW: usize = STATE + 0x482; // u16 (TOP included)
/** u8: 1 bit a register, 1 = not empty (FXSAVE form) */
export const FTW: usize = STATE + 0x484;
export const FOP: usize = STATE + 0x486; // u16
export const FIP: usize = STATE + 0x488; // u64
export const FDP: usize = STATE + 0x490; // u64
export const FCS: usize = STATE + 0x498; // u16
export const FDS: usize = STATE + 0x49a; // u16
export const MXCSR: usize = STATE + 0x49c; // u32
export const XMM: usize = STATE + 0x500; // 16 x 16 bytes

// --- WHP's pending registers and per-VP run state
/** u64 WHvRegisterPendingInterruption */
export const PEND_INT: usize = STATE + 0x600;
/** 16 bytes WHvRegisterPendingEvent */
export const PEND_EVENT: usize = STATE + 0x608;
/** u64 WHvX64RegisterDeliverabilityNotifications */
export const DELIVER: usize = STATE + 0x618;
export const VPINDEX: usize = STATE + 0x620; // u32
/** u64 instructions this VP has completed */
export const ICOUNT: usize = STATE + 0x628;
export const LPBASE: usize = STATE + 0x630; // u64 base and
/** u64 mask of the region covered by large pages in the TLB */
export const LPMASK: usize = STATE + 0x638;
// a fault that the VP's next run begins with (system/complete.ts)
export const LATE: usize = STATE + 0x658; // u32: as FAULT, or 0
export const LATEERR: usize = STATE + 0x65c; // u32: as FERR
export const LATEADDR: usize = STATE + 0x660; // u64: as FADDR
export const LATELEN: usize = STATE + 0x668; // u32: the instruction's length
/** u8: registers were written from outside, look at them before running */
export const SUSPECT: usize = STATE + 0x650;
/** u8: what is not stopped at (points/pass.ts) */
export const PASS: usize = STATE + 0x651;
/** u32: debug points hit and not told yet */
export const HIT_COUNT: usize = STATE + 0x680;
/** 4 x 40 bytes, as in ICEBP_DEBUG_POINT_CONTEXT */
export const HITS: usize = STATE + 0x688;

// PENDING bits: something to look at between two instructions
export const P_TF: u32 = 1; // EFL.TF is set
export const P_SHADOW: u32 = 2; // SHADOW is set
/** the APIC, NMI, INIT, a pending register or a notification wants attention */
export const P_INT: u32 = 4;
export const P_DEBUG: u32 = 8; // DBGPEND != 0
export const P_EXECBP: u32 = 16; // DR7 has an enabled instruction breakpoint
export const P_RF: u32 = 64; // EFL.RF is set
export const P_PASS: u32 = 256; // PASS is set
export const P_POINT: u32 = 512; // HIT_COUNT != 0
export const P_VIRTUAL: u32 = 1024; // EFL.VIF and EFL.VIP are set

// FAULT values
export const F_EXC: u32 = 0x100; // | vector: an exception
/** non-canonical address: #GP(0) or #SS(0) by segment */
export const F_NONCANON: u32 = 0x200;
/** run again with time in step (see needSync in system/time.ts) */
export const F_SYNC: u32 = 0x300;
/** an exit was described at EXITBUF; RIP stays at the instruction */
export const F_EXIT: u32 = 0x400;
/** a debug point before the instruction, which is noted */
export const F_POINT: u32 = 0x600;

// --- scratch
export const EXITBUF: usize = 0x2000; // WHV_RUN_VP_EXIT_CONTEXT, 224 bytes
/** 64 bytes for accesses that are not plain memory */
export const BOUNCE: usize = 0x2200;
/** u32: generation of JCACHE's entries, of the TLB set in use */
export const JGEN: usize = 0x2258;
/** u32: goes up when addresses of code may lead elsewhere */
export const MAPPINGS: usize = 0x225c;
/** u32: 0 = the last rw host address is plain memory */
export const BKIND: usize = 0x2240;
export const BLIN: usize = 0x2248; // u64 linear address of the bounced access
export const BSIZE: usize = 0x2250; // u32
export const FETCH: usize = 0x2260; // 16 instruction bytes
/** ICEBP_ACCESS, 24 bytes (system/access.ts) */
export const ACCESS: usize = 0x2280;
/** arguments and results of the module's functions */
export const IOBUF: usize = 0x2300;
export const IOBUF_BYTES: usize = 0x1800;
/** where register values lie when their names are at IOBUF */
export const VALUES: usize = IOBUF + 0x400;
/** where a function leaves the size of what it wrote */
export const SIZE: usize = IOBUF + IOBUF_BYTES;

// --- what single families of instructions keep for as long as one takes
/** 16 bytes: an operand from memory (insn/simd/operands.ts) */
export const OPERAND: usize = 0x3c00;
/** 16 bytes: a result before it is known to be one */
export const TEMP: usize = 0x3c10;
/** the new task: 10 registers u32, then 7 selectors u32 (cpu/task.ts) */
export const NEW_TASK: usize = 0x3c20;
/** 9 x u32: what IRET to virtual-8086 mode pops (insn/system/ret.ts) */
export const V86_FRAME: usize = 0x3c80;
/** 2 records: the instruction that is emulated (system/emulate.ts) */
export const EMULATED: usize = 0x3d00;
/** 3 records: an instruction that crosses a page, decoded anew each time */
export const CROSSING: usize = 0x3e00;

// --- tables
/** 7 maps x 4 prefixes x 256 opcodes x u32 -> spec */
export const OPTAB: usize = 0x4000;
export const SPECS: usize = 0x10000;
export const SPECS_END: usize = 0x40000;
/** AssemblyScript's static data (--memoryBase in build.ts) */
export const STATICS: usize = SPECS_END;
/** the state of each VP that is not at STATE */
export const BANKS: usize = 0x100000;
export const BANK_SIZE: usize = 0x1000;
export const LAPICS: usize = 0x140000; // 64 x 4 KiB
export const LAPIC_STRIDE: usize = 0x1000;
/** what of it is used (lapic/state.ts) */
export const LAPIC_BYTES: usize = 0x480;
/** 64 VPs x 4 sets x 512 entries x 32 bytes = 4 MiB */
export const TLBS: usize = 0x200000;
export const TLB_ENTRIES: u32 = 512;
export const TLB_ENTRY: usize = 32;
export const TLB_SET: usize = 512 * 32;
/** sets: 0 user, 1 supervisor, 2 supervisor with AC, 3 always empty */
export const TLB_VP: usize = TLB_SET * 4;
export const MAPS: usize = 0x6a0000; // GPA ranges (memory/phys.ts)
export const WHV: usize = 0x6c0000; // partition state (whv/)
/** each VP's counters (system/counters.ts) */
export const COUNTERS: usize = WHV + 0x8000;
export const COUNTERS_STRIDE: usize = 0x100;
/** per host page u64: 64-byte lines that hold decoded code */
export const CODELINES: usize = 0x700000;
export const PAGEBLK: usize = 0xf00000; // per host page u32: its first block
export const DIRTY: usize = 0x1300000; // per host page 1 bit
/** per host page 1 bit: written since last looked at (system/snapshot.ts) */
export const CHANGED: usize = 0x1340000;
/** per record of the pool u32: its heat, or its region (code/regions.ts) */
export const REGIONS: usize = 0x1400000;
export const REGIONS_END: usize = 0x1c00000;
/** 32768 x 16: linear address u64, generation u32, record u32 */
export const JCACHE: usize = 0x1c00000;
export const JC_ENTRIES: u32 = 32768;
/** 262144 x u32: a slot's newest block (code/cache.ts) */
export const BHASH: usize = 0x1d00000;
export const BH_ENTRIES: u32 = 262144;
/** a page of code while it is decoded (code/cache.ts) */
export const PAGECOPY: usize = 0x3400000;
/** 65536 debug points x 40 bytes (points/point.ts) */
export const POINTS: usize = 0x3410000;
export const POINT_ADDRESSES: usize = 0x3690000; // 131072 x 16
export const POINT_PAGES: usize = 0x3890000; // 131072 x 16
export const POINT_DATA: usize = 0x3a90000; // 65536 x u32
// --- translated code (code/regions.ts)
export const HOT: usize = 0x3f00000; // 256 x u32: records to be translated
export const HOT_ENTRIES: u32 = 256;
export const HOT_COUNT: usize = 0x3f00400; // u32
/** u32: what is left of the chunk behind a region */
export const REGION_LEFT: usize = 0x3f00404;
export const REGION_LAST: usize = 0x3f00408; // u32: the record that ended it
/** u32: goes up when decoded code is dropped */
export const CODE_DROPS: usize = 0x3f0040c;
/** per region u8: it was entered since last looked at */
export const REGION_USED: usize = 0x3f01000;
export const REGION_ENTRIES: u32 = 4096;
/** per entry of JCACHE 1 bit: its page may not be global */
export const JLOCAL: usize = 0x3f02000;
/** 1 bit of each JP_ENTRIES'th page: JCACHE may have global or other entries */
export const JGLOBAL_PAGES: usize = 0x3f06000;
export const JLOCAL_PAGES: usize = 0x3f07000;
export const JP_ENTRIES: usize = 32768;
/**
 * 18 registers x 5 sizes x (read, write): the page that a region last accessed
 * so, as the TLB's tags have it, u64; where accesses of the size may begin in
 * it, u64 (0: it is not known); what leads to the host's address, u32
 */
export const LAST_PAGES: usize = 0x3f03000;
export const LAST_PAGE_BYTES: usize = 24;
export const LP_ROOM: usize = 8;
export const LP_ADDEND: usize = 16;
export const POOL: usize = 0x4000000; // decoded records
export const POOL_END: usize = 0x8000000;
export const GUEST: usize = 0x8000000; // guest memory from here on

export const MAX_VPS: u32 = 64;

export function lapicOf(vp: u32): usize {
  return LAPICS + ((<usize> vp) << 12);
}

export function bankOf(vp: u32): usize {
  return BANKS + ((<usize> vp) << 12);
}
