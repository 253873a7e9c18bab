/**
 * The whole table of forms.
 *
 * @module
 */
import type { Family } from "../form.ts";
import { alu } from "./alu.ts";
import { bits } from "./bits.ts";
import { control } from "./control.ts";
import { move } from "./move.ts";
import { multiply } from "./multiply.ts";
import { shift } from "./shift.ts";

export const families: Family[] = [
  ...alu,
  ...shift,
  ...multiply,
  ...bits,
  ...move,
  ...control,
];
