/** DR6 and DR7 (Intel SDM volume 3, 18.2.3 and 18.2.4). */
import { type Fields, mask, maskOf } from "./fields.ts";

export const DR6_FIELDS = {
  B0: 0,
  B1: 1,
  B2: 2,
  B3: 3,
  BD: 13,
  BS: 14,
  BT: 15,
} as const satisfies Fields;

/** B0 to B3: the conditions of DR0 to DR3 are met. */
export const DR6_HITS = mask([DR6_FIELDS.B0, DR6_FIELDS.B3]);
/** The next instruction accesses a debug register, and DR7.GD is set. */
export const DR6_BD = mask(DR6_FIELDS.BD);
/** A step by RFLAGS.TF. */
export const DR6_BS = mask(DR6_FIELDS.BS);
/** A switch to a task whose TSS has T set. */
export const DR6_BT = mask(DR6_FIELDS.BT);
/** Everything that a debug exception tells. */
export const DR6_STATUS = DR6_HITS | DR6_BD | DR6_BS | DR6_BT;
/** With nothing to tell, and after RESET: the bits that are always 1. */
export const DR6_CLEAR = 0xffff0ff0n;

export const DR7_FIELDS = {
  L0: 0,
  G0: 1,
  L1: 2,
  G1: 3,
  L2: 4,
  G2: 5,
  L3: 6,
  G3: 7,
  LE: 8,
  GE: 9,
  GD: 13,
  "R/W0 to LEN3": [16, 31],
} as const satisfies Fields;

/** L0 to G3: breakpoints that are enabled. */
export const DR7_ENABLES = mask([DR7_FIELDS.L0, DR7_FIELDS.G3]);
/** What a task switch clears. */
export const DR7_LOCAL = mask(DR7_FIELDS.L0) | mask(DR7_FIELDS.L1) |
  mask(DR7_FIELDS.L2) | mask(DR7_FIELDS.L3) | mask(DR7_FIELDS.LE);
/** What can be written. */
export const DR7_WRITABLE = maskOf(DR7_FIELDS);
/** The bit that is always 1: all there is after RESET. */
export const DR7_FIXED = mask(10);
/** LE and GE: "exact" data breakpoints, which they always are by now. */
export const DR7_LE_GE = mask([DR7_FIELDS.LE, DR7_FIELDS.GE]);
/** MOV to and from debug registers is #DB. */
export const DR7_GD = mask(DR7_FIELDS.GD);
