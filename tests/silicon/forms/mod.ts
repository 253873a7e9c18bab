/**
 * The whole table of forms.
 *
 * @module
 */
import type { Family } from "../form.ts";
import { alu } from "./alu.ts";
import { bits } from "./bits.ts";
import { compatibility } from "./compatibility.ts";
import { control } from "./control.ts";
import { move } from "./move.ts";
import { multiply } from "./multiply.ts";
import { packed } from "./packed.ts";
import { shift } from "./shift.ts";
import { sse } from "./sse.ts";
import { x87 } from "./x87.ts";
import { x87Aliases } from "./x87_aliases.ts";

export const families: Family[] = [
  ...alu,
  ...shift,
  ...multiply,
  ...bits,
  ...move,
  ...control,
  ...x87,
  ...x87Aliases,
  ...packed,
  ...sse,
  ...compatibility,
];
