/**
 * Where Bochs 2.7 does other than the manual, each with its place there. What
 * none of them explains is a failure.
 *
 * @module
 */
import type { Mismatch } from "./compare.ts";

export interface Known {
  readonly name: string;
  /** What the manual says, and where. */
  readonly manual: string;
  explains(m: Mismatch): boolean;
}

const GP = 0xe000000d;
const VM = 0x2_0000;
/** Words of a log: vector, error code, EIP, CS, EFLAGS. */
const EFLAGS = 4;

export const KNOWN: readonly Known[] = [{
  name: "IRETD to virtual-8086 mode cuts an EIP beyond 64 KiB",
  manual: "SDM vol.2, IRET, RETURN-TO-VIRTUAL-8086-MODE: #GP(0)",
  explains: ({ case: { kind, level }, core, bochs }) =>
    kind === "IRETD" && level === "ring 0" &&
    core[0] === GP && core[1] === 0 && (core[EFLAGS] & VM) === 0 &&
    (bochs[EFLAGS] & VM) !== 0,
}];

/** The known difference that a mismatch is, or null. */
export function knownFor(m: Mismatch): Known | null {
  return KNOWN.find((known) => known.explains(m)) ?? null;
}
