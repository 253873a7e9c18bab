/** DR6 and DR7 (Intel SDM volume 3, 18.2.3 and 18.2.4). */
import { type Fields, mask } from "./fields.ts";

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

/** The bit that is always 1: all there is after RESET. */
export const DR7_FIXED = mask(10);
/** LE and GE: "exact" data breakpoints, which they always are by now. */
export const DR7_LE_GE = mask([8, 9]);
/** MOV to and from debug registers is #DB. */
export const DR7_GD = mask(13);
