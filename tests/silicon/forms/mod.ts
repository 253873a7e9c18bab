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
import { prefixFamilies } from "./prefixes.ts";
import { segments } from "./segments.ts";
import { shift } from "./shift.ts";
import { simd, simd32 } from "./simd.ts";
import { sse } from "./sse.ts";
import { traps } from "./traps.ts";
import { wrap } from "./wrap.ts";
import { x87 } from "./x87.ts";
import { x87Aliases } from "./x87_aliases.ts";

/** Families that are one test together. */
export interface Group {
  name: string;
  families: Family[];
}

export const groups: Group[] = [
  { name: "arithmetic", families: [...alu, ...shift, ...multiply, ...bits] },
  { name: "moves and control", families: [...move, ...control] },
  { name: "segments and far transfers", families: segments },
  {
    name: "traps and prefixes",
    families: [...traps(64), ...prefixFamilies(64)],
  },
  { name: "x87", families: [...x87, ...x87Aliases] },
  { name: "packed integers", families: packed },
  { name: "SSE floating point", families: sse },
  { name: "SSE encodings", families: simd },
  { name: "MMX and SSE in 32-bit code", families: simd32 },
  { name: "ends of segments", families: wrap },
  { name: "32-bit code", families: compatibility(32) },
  { name: "16-bit code", families: compatibility(16) },
];

export const families: Family[] = groups.flatMap((group) => group.families);
