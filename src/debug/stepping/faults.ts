/**
 * Exceptions as the debugger handles them: which it intercepts while somebody
 * steps, and what comes of two at once (Intel SDM volume 3, chapter 6).
 */
import type { ExceptionExit } from "../../platform/exits.ts";
import { CONTRIBUTORY, Vector, vectorBits } from "../../x86/vectors.ts";

/** An exception that a step ran into. */
export interface Fault {
  readonly vector: number;
  readonly code: number | null;
  readonly parameter: bigint;
}

/** What does not take a step from its way. */
const OWN_WAY: readonly number[] = [
  Vector.NMI,
  Vector.BP,
  Vector.OF,
  Vector.MC,
];

/** Vectors to intercept while anybody steps: faults, which would take a step
 * to a handler. NMI (2), #BP (3), #OF (4) and machine checks go their way. */
export const STEP_VECTORS = vectorBits(
  ...Object.values(Vector).filter((vector) => !OWN_WAY.includes(vector)),
);

/** Only #PF has one, its address. */
export const NO_PARAMETER = 0n;

/** What a processor exited with. */
export function faultOf(exit: ExceptionExit): Fault {
  return {
    vector: exit.vector,
    code: exit.errorCodeValid ? exit.errorCode : null,
    parameter: exit.parameter,
  };
}

/** What two exceptions make, the second while the first was delivered (Intel
 * SDM volume 3, table 6-5). */
export function nested(first: number, second: Fault): Fault {
  const double = { vector: Vector.DF, code: 0, parameter: NO_PARAMETER };
  if (CONTRIBUTORY.has(first) && CONTRIBUTORY.has(second.vector)) return double;
  if (
    first === Vector.PF &&
    (second.vector === Vector.PF || CONTRIBUTORY.has(second.vector))
  ) return double;
  return second;
}
