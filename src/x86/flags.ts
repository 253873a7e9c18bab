/** RFLAGS (Intel SDM volume 1, 3.4.3) and MXCSR (volume 1, 10.2.3). */
import { type Fields, mask, maskOf } from "./fields.ts";

/** Without a name: the bit that is always 1. */
export const RFLAGS_FIELDS = {
  CF: 0,
  "": 1,
  PF: 2,
  AF: 4,
  ZF: 6,
  SF: 7,
  TF: 8,
  IF: 9,
  DF: 10,
  OF: 11,
  IOPL: [12, 13],
  NT: 14,
  RF: 16,
  VM: 17,
  AC: 18,
  VIF: 19,
  VIP: 20,
  ID: 21,
} as const satisfies Fields;

/** With nothing but the bit that is always 1. */
export const RFLAGS_CLEAR = mask(RFLAGS_FIELDS[""]);
/** A trap behind every instruction. */
export const RFLAGS_TF = mask(RFLAGS_FIELDS.TF);
/** Interrupts are taken. */
export const RFLAGS_IF = mask(RFLAGS_FIELDS.IF);
export const RFLAGS_OF = mask(RFLAGS_FIELDS.OF);
/** No instruction breakpoint at the next instruction. */
export const RFLAGS_RF = mask(RFLAGS_FIELDS.RF);
/** Virtual-8086 mode. */
export const RFLAGS_VM = mask(RFLAGS_FIELDS.VM);

/** What arithmetic sets. */
export const RFLAGS_ARITHMETIC = mask(RFLAGS_FIELDS.CF) |
  mask(RFLAGS_FIELDS.PF) | mask(RFLAGS_FIELDS.AF) | mask(RFLAGS_FIELDS.ZF) |
  mask(RFLAGS_FIELDS.SF) | RFLAGS_OF;
/** All that there are. */
export const RFLAGS_BITS = maskOf(RFLAGS_FIELDS);

export const MXCSR_FIELDS = {
  IE: 0,
  DE: 1,
  ZE: 2,
  OE: 3,
  UE: 4,
  PE: 5,
  DAZ: 6,
  IM: 7,
  DM: 8,
  ZM: 9,
  OM: 10,
  UM: 11,
  PM: 12,
  RC: [13, 14],
  FZ: 15,
} as const satisfies Fields;

/** After RESET: every exception masked. */
export const MXCSR_AT_RESET = 0x1f80;
/** The bits that there are. */
export const MXCSR_BITS = Number(maskOf(MXCSR_FIELDS));
