// Which encodings are translated, and by what: emitters are registered here
// (instructions.ts names the modules that do), and looked up by decoded instruction.

import "../number_types.ts";
import { OPTAB } from "../core/layout.ts";
import { RF_MEM, RF_REP, RF_REPNE } from "../core/shared.ts";
import type { Emitter, Lookup, Row, Size } from "./generator.ts";

export { BYTE, OF, OF38, OF3A, ONE, WIDE } from "../instructions/forms.ts";

/** What an encoding may say besides its opcode. */
interface Options {
  /** With REP or REPNE, too, which mean nothing then, or another instruction of the kind. */
  readonly anyPrefix: boolean;
  /** Whatever the operand size is; the emitter is told the first of `sizes`. */
  readonly anySize: boolean;
  /** Memory forms, register forms, or both. */
  readonly forms: "both" | "memory" | "register";
  /** Mandatory prefixes: 0 none, 1 66, 2 F3, 3 F2. */
  readonly prefixes: readonly number[];
}

const USUAL: Options = {
  anyPrefix: false,
  anySize: false,
  forms: "both",
  prefixes: [0],
};

/** An encoding: opcode map, opcode, ModRM.reg of a group or -1, operand sizes. */
interface Encoding extends Options {
  readonly map: number;
  readonly opcode: number;
  readonly digit: number;
  readonly sizes: readonly Size[];
  readonly emit: Emitter;
}

const encodings: Encoding[] = [];

/** Has an encoding be emitted by `emit`; of two registrations the first one holds. */
export function on(
  map: number,
  opcode: number,
  digit: number,
  sizes: readonly Size[],
  emit: Emitter,
  options: Partial<Options> = {},
): void {
  encodings.push({ ...USUAL, ...options, map, opcode, digit, sizes, emit });
}

const GROUP = 0x8000_0000;

/** The rows by the interpreter's handlers, as its instruction table has them (core/code/optable.ts). */
export function instructionRows(view: DataView): Lookup {
  interface Entry extends Row {
    readonly encoding: Encoding;
    readonly memory: boolean;
  }
  const rows = new Map<number, Entry[]>();
  const add = (encoding: Encoding, spec: number) => {
    const { opcode, digit, emit, forms } = encoding;
    for (const memory of [false, true]) {
      if (forms !== "both" && memory !== (forms === "memory")) continue;
      let s = spec;
      if ((view.getUint32(s, true) & GROUP) !== 0) {
        const members = view.getUint32(s + 24, true);
        if (digit < 0) continue;
        s = view.getUint32(members + (memory ? 0 : 32) + digit * 4, true);
        if (s === 0) continue;
      }
      for (const size of encoding.sizes) {
        const handler = view.getUint16(s + (memory ? 16 : 8) + size * 2, true);
        if (handler === 0) continue;
        const key = handler << 8 | opcode;
        const list = rows.get(key) ?? [];
        list.push({ emit, size, encoding, memory });
        rows.set(key, list);
      }
    }
  };
  for (const encoding of encodings) {
    const { map, opcode, prefixes } = encoding;
    const seen = new Set<number>();
    for (const prefix of prefixes) {
      const cell = OPTAB + (((map << 2 | prefix) << 8 | opcode) << 2);
      const spec = view.getUint32(cell, true);
      if (spec === 0 || seen.has(spec)) continue;
      seen.add(spec);
      add(encoding, spec);
    }
  }
  return (i) => {
    const memory = (i.flags & RF_MEM) !== 0;
    return rows.get(i.handler << 8 | i.opcode)?.find((
      { memory: forMemory, size, encoding: { anyPrefix, anySize, digit } },
    ) =>
      forMemory === memory &&
      (size === 0 || size === i.osz || anySize) &&
      (digit < 0 || digit === (i.modrm >> 3 & 7)) &&
      (anyPrefix || (i.flags & (RF_REP | RF_REPNE)) === 0)
    );
  };
}
