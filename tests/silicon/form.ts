/**
 * What a form of the table is.
 *
 * @module
 */
import type { Builder } from "./builder.ts";
import type { Mode } from "./encode.ts";
import type { Feature } from "./features.ts";

/** One instruction form. */
export interface Form {
  /** As in the manual, for example `ADD r/m16, imm8`. */
  name: string;
  /** CPUID features it needs; without them it is skipped visibly. */
  feature?: Feature | readonly Feature[];
  /** The code segment's size; default 64. */
  mode?: Mode;
  /** Uses x87, MMX or SSE state. */
  fx?: boolean;
  /** Builds one case, from `begin` up to but without `end`. */
  build(g: Builder): void;
}

/** A named group of forms, one test. */
export interface Family {
  name: string;
  forms: Form[];
}
