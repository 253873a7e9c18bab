/** Control registers and EFER (Intel SDM volume 3, 2.2.1 and 2.5; AMD APM volume 2,
 * 3.1.7, for what only AMD has of EFER). */
import { type Fields, mask, maskOf } from "./fields.ts";

export const CR0_FIELDS = {
  PE: 0,
  MP: 1,
  EM: 2,
  TS: 3,
  ET: 4,
  NE: 5,
  WP: 16,
  AM: 18,
  NW: 29,
  CD: 30,
  PG: 31,
} as const satisfies Fields;

/** All that there are. */
export const CR0_BITS = maskOf(CR0_FIELDS);
/** Protected mode. */
export const CR0_PE = mask(CR0_FIELDS.PE);
export const CR0_MP = mask(CR0_FIELDS.MP);
/** Always 1. */
export const CR0_ET = mask(CR0_FIELDS.ET);
export const CR0_NE = mask(CR0_FIELDS.NE);
/** Paging. */
export const CR0_PG = mask(CR0_FIELDS.PG);
/** After power-up and RESET (table 10-1). */
export const CR0_AT_RESET = mask(CR0_FIELDS.CD) | mask(CR0_FIELDS.NW) | CR0_ET;

export const CR3_FIELDS = {
  PCID: [0, 11],
  PDBR: [12, 63],
} as const satisfies Fields;

/** Where the topmost table is, but in PAE paging, whatever the guest's width of
 * physical addresses. */
export const CR3_TABLE = mask([12, 51]);

export const CR4_FIELDS = {
  VME: 0,
  PVI: 1,
  TSD: 2,
  DE: 3,
  PSE: 4,
  PAE: 5,
  MCE: 6,
  PGE: 7,
  PCE: 8,
  OSFXSR: 9,
  OSXMMEXCPT: 10,
  UMIP: 11,
  LA57: 12,
  VMXE: 13,
  SMXE: 14,
  FSGSBASE: 16,
  PCIDE: 17,
  OSXSAVE: 18,
  SMEP: 20,
  SMAP: 21,
  PKE: 22,
} as const satisfies Fields;

/** MOV to and from DR4 and DR5 is #UD; DR7 knows I/O breakpoints. */
export const CR4_DE = mask(CR4_FIELDS.DE);
/** 4 MiB pages in 32-bit paging. */
export const CR4_PSE = mask(CR4_FIELDS.PSE);
export const CR4_PAE = mask(CR4_FIELDS.PAE);
export const CR4_OSFXSR = mask(CR4_FIELDS.OSFXSR);
export const CR4_OSXMMEXCPT = mask(CR4_FIELDS.OSXMMEXCPT);
/** 5-level paging. */
export const CR4_LA57 = mask(CR4_FIELDS.LA57);
export const CR4_SMAP = mask(CR4_FIELDS.SMAP);
export const CR4_PKE = mask(CR4_FIELDS.PKE);
export const CR4_CET = mask(23);
export const CR4_PKS = mask(24);

export const EFER_FIELDS = {
  SCE: 0,
  LME: 8,
  LMA: 10,
  NXE: 11,
  SVME: 12,
  LMSLE: 13,
  FFXSR: 14,
  TCE: 15,
} as const satisfies Fields;

/** Long mode once paging is on. */
export const EFER_LME = mask(EFER_FIELDS.LME);
/** Long mode is on. */
export const EFER_LMA = mask(EFER_FIELDS.LMA);
/** Page table entries have a bit against execution. */
export const EFER_NXE = mask(EFER_FIELDS.NXE);
