/** Targets that have some of what is optional. */
import type { DebugTarget } from "../debug/target.ts";

/** A target that has some of what is optional. */
export type Able<A extends keyof DebugTarget> =
  & DebugTarget
  & Required<Pick<DebugTarget, A>>;
