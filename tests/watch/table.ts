/**
 * The core's instruction table, read out of the running module: which opcodes have a
 * form with a memory operand, and which have no ModRM byte at all
 * (src/soft/core/code/optable.ts).
 *
 * @module
 */

const source = (file: string) =>
  Deno.readTextFileSync(
    new URL(`../../src/soft/core/${file}`, import.meta.url),
  );

/** The numbers that a source file of the core names. */
function constants(file: string): Map<string, number> {
  const found = new Map<string, number>();
  const line = /^(?:export )?const (\w+): (?:u32|usize) = (0x[\da-f]+|\d+);/gm;
  for (const [, name, value] of source(file).matchAll(line)) {
    found.set(name, Number(value));
  }
  return found;
}

const layout = constants("layout.ts");
const optable = constants("code/optable.ts");

/** A number of the table's sources by its name. */
export function named(name: string): number {
  const value = optable.get(name) ?? layout.get(name);
  if (value === undefined) throw new Error(`the core has no constant ${name}`);
  return value;
}

/** An opcode of the table with one mandatory prefix. */
export interface Cell {
  /** 0 one byte, 1 0F, 2 0F 38, 3 0F 3A, 4 to 6 the last three with VEX. */
  readonly map: number;
  /** 0 none, 1 66, 2 F3, 3 F2. */
  readonly prefix: number;
  readonly opcode: number;
  /** ModRM.reg where that is part of the opcode, else -1. */
  readonly reg: number;
  readonly flags: number;
  /** "modrm": a memory operand; "moffs": an address; "none": neither. */
  readonly operand: "modrm" | "moffs" | "none";
  /** The definition it shares with others. */
  readonly spec: number;
}

/** All of the table but what has ModRM and registers alone. */
export function cellsOf(module: ArrayBufferLike): Cell[] {
  const view = new DataView(module);
  const u32 = (at: number) => view.getUint32(at, true);
  const hasMemory = (spec: number) =>
    [0, 2, 4, 6].some((i) => view.getUint16(spec + 16 + i, true) !== 0);
  const MODRM = named("MODRM"), GROUP = named("GROUP");
  const none = named("NOMOD") | named("REGONLY");
  const cells: Cell[] = [];
  for (let index = 0; index < 7 * 4 * 256; index++) {
    const spec = u32(named("OPTAB") + 4 * index);
    if (spec === 0) continue;
    const add = (spec: number, reg: number, operand: Cell["operand"]) =>
      cells.push({
        map: index >> 10,
        prefix: index >> 8 & 3,
        opcode: index & 255,
        reg,
        operand,
        spec,
        flags: u32(spec),
      });
    const flags = u32(spec);
    if ((flags & GROUP) !== 0) {
      for (let reg = 0; reg < 8; reg++) {
        const own = u32(u32(spec + 24) + 4 * reg);
        if (own !== 0 && hasMemory(own)) add(own, reg, "modrm");
      }
    } else if ((flags & MODRM) !== 0) {
      if (!(flags & none) && hasMemory(spec)) add(spec, -1, "modrm");
    } else {
      const moffs = (flags & named("IMM_MASK")) === named("IMM_MOFFS");
      add(spec, -1, moffs ? "moffs" : "none");
    }
  }
  return cells;
}

/** As manuals write it. */
export function nameOf({ map, prefix, opcode, reg }: Cell): string {
  const bytes = [
    ["", "66 ", "F3 ", "F2 "][prefix],
    map > 3 ? "VEX " : "",
    ["", "0F ", "0F 38 ", "0F 3A "][map > 3 ? map - 3 : map],
    opcode.toString(16).toUpperCase().padStart(2, "0"),
    reg < 0 ? "" : ` /${reg}`,
  ];
  return bytes.join("");
}
