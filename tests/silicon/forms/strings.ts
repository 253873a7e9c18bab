/**
 * MOVS, CMPS, STOS, LODS and SCAS with every repeat prefix (SDM vol.2).
 *
 * @module
 */
import type { Builder } from "../builder.ts";
import type { Form } from "../form.ts";
import {
  DATA,
  DATA_BYTES,
  DS,
  ES,
  RAX,
  RCX,
  RDI,
  READ_ONLY,
  RSI,
  UNMAPPED,
} from "../layout.ts";

const STRINGS: [string, number, boolean, boolean][] = [
  // name, opcode of the byte form, uses RSI, uses RDI
  ["MOVS", 0xa4, true, true],
  ["CMPS", 0xa6, true, true],
  ["STOS", 0xaa, false, true],
  ["LODS", 0xac, true, false],
  ["SCAS", 0xae, false, true],
];

/** A pointer for a string operation of `count` elements of `bytes` bytes. */
function stringPointer(g: Builder, bytes: number): number {
  const { rng } = g;
  const kind = rng.int(24);
  if (kind === 0) return DATA + rng.int(4 * bytes);
  if (kind === 1) return DATA + DATA_BYTES - rng.int(10 * bytes);
  if (kind === 2) return READ_ONLY + 0x200 + rng.int(0x800);
  if (kind < 6) return DATA + 0x1000 - rng.int(8 * bytes);
  const at = DATA + 0x400 + rng.int(0x1800);
  return rng.chance(50) ? at - at % bytes : at;
}

/** Aligned and far from any end, whatever the direction. */
function safePointer(g: Builder): number {
  return DATA + 0x800 + 8 * g.rng.int(0x180);
}

/** The address size with or without 67h. */
function addressWidth(g: Builder, other: boolean): number {
  if (!other) return g.mode;
  return g.mode === 32 ? 16 : 32;
}

/** 16-bit addresses reach the scratch region only from a segment near it. */
function canBeOther(g: Builder): boolean {
  return g.mode !== 32 ||
    (g.segmentBase(DS) !== 0 && g.segmentBase(ES) !== 0);
}

/** What is above an address of `width` bits has no meaning. */
function garbageAbove(g: Builder, reg: number, width: number): void {
  if (width === 64) return;
  if (width === 16) {
    g.words[2 * reg] = (g.words[2 * reg] & 0xffff) | (g.rng.u32() << 16);
  }
  if (g.mode === 64) g.words[2 * reg + 1] = g.rng.u32();
}

export function stringForms(): Form[] {
  const forms: Form[] = [];
  const prefixes: [string, number[]][] = [
    ["", []],
    ["REP ", [0xf3]],
    ["REPNE ", [0xf2]],
  ];
  for (const [op, opcode, source, destination] of STRINGS) {
    for (const size of [8, 16, 32, 64]) {
      for (const [repeat, prefix] of prefixes) {
        const suffix = { 8: "B", 16: "W", 32: "D", 64: "Q" }[size];
        forms.push({
          name: `${repeat}${op}${suffix}`,
          build(g) {
            g.begin(size);
            const bytes = size / 8;
            const other = g.rng.chance(15) && canBeOther(g);
            const width = addressWidth(g, other);
            if (source) {
              g.setPointer(RSI, DS, stringPointer(g, bytes));
              garbageAbove(g, RSI, width);
            }
            if (destination) {
              g.setPointer(RDI, ES, stringPointer(g, bytes));
              if (op === "CMPS" && g.rng.chance(50)) {
                // Which operand faults first differs (alternatives.ts), so
                // half of the cases have one that never does.
                if (g.rng.chance(50)) g.setPointer(RSI, DS, safePointer(g));
                else g.setPointer(RDI, ES, safePointer(g));
              } else if (op === "CMPS" && g.rng.chance(20)) {
                g.setPointer(RSI, DS, UNMAPPED + g.rng.int(0x1000));
                g.setPointer(RDI, ES, UNMAPPED + g.rng.int(0x1000));
              }
              if (op === "MOVS" && g.rng.chance(30)) { // overlapping
                g.setPointer(
                  RDI,
                  ES,
                  g.words[2 * RSI] + g.segmentBase(DS) + g.rng.int(33) - 16,
                );
              }
              garbageAbove(g, RDI, width);
            }
            const limit = g.rng.chance(20) ? 120 : 12;
            g.setGpr(RCX, BigInt(g.rng.int(limit)));
            garbageAbove(g, RCX, width);
            if (op === "CMPS" || op === "SCAS") alike(g, op, bytes);
            if (other) g.code.push(0x67);
            g.code.push(...prefix);
            g.plain(size, 0, opcode + (size === 8 ? 0 : 1));
          },
        });
      }
    }
  }
  return forms;
}

/** Compared strings begin alike, so that repeats do not end at once. */
function alike(g: Builder, op: string, bytes: number): void {
  if (g.rng.chance(25)) return;
  const run = new Uint8Array(24 * bytes);
  const same = g.rng.int(24);
  for (let i = 0; i < run.length; i++) {
    const value = g.gpr[RAX] >> BigInt(8 * (i % bytes)) & 0xffn;
    run[i] = i < same * bytes ? Number(value) : g.rng.int(256);
  }
  const backward = (g.flags & 0x400) !== 0;
  for (const reg of op === "CMPS" ? [RSI, RDI] : [RDI]) {
    const segment = reg === RSI ? DS : ES;
    const offset = g.mode === 16 ? g.words[2 * reg] & 0xffff : g.words[2 * reg];
    let at = offset + g.segmentBase(segment);
    if (backward) at -= run.length - bytes;
    if (at < DATA || at + run.length > DATA + DATA_BYTES) continue;
    if (reg === RDI && g.rng.chance(50)) run[g.rng.int(run.length)] ^= 1;
    g.patch(at, run);
  }
}
