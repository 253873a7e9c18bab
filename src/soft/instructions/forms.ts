// How instructions are encoded, and where their operands are.

/** Log2 of an operand's bytes. */
export type Size = 0 | 1 | 2 | 3;

export const BYTE: readonly Size[] = [0];
export const WIDE: readonly Size[] = [1, 2, 3];

/** Where an operand is. */
export interface Operand {
  readonly at:
    | "ModRM.rm"
    | "ModRM.reg"
    | "opcode"
    | "rAX"
    | "rCX"
    | "offset"
    | "immediate"
    | "wide immediate"
    | "one";
  /** Its size if that is not the operand size; "half" of that. */
  readonly size?: Size | "half";
}

// The letters are those of SDM vol. 2, appendix A.2, as far as it has any.

/** ModRM.rm: a register or memory. */
export const E: Operand = { at: "ModRM.rm" };
export const Eb: Operand = { at: "ModRM.rm", size: 0 };
export const Ew: Operand = { at: "ModRM.rm", size: 1 };
export const Ed: Operand = { at: "ModRM.rm", size: 2 };
/** The register of ModRM.reg. */
export const G: Operand = { at: "ModRM.reg" };
/** The register in the opcode's low bits. */
export const Z: Operand = { at: "opcode" };
/** AL, AX, EAX or RAX. */
export const A: Operand = { at: "rAX" };
export const HALF_A: Operand = { at: "rAX", size: "half" };
export const CL: Operand = { at: "rCX", size: 0 };
/** Memory at the offset behind the opcode. */
export const O: Operand = { at: "offset" };
/** The immediate, sign-extended. */
export const I: Operand = { at: "immediate" };
/** The immediate of the operand's size. */
export const J: Operand = { at: "wide immediate" };
export const UNIT: Operand = { at: "one" };

/** Opcode maps: of one byte, and behind 0F, 0F 38, 0F 3A. */
export const ONE = 0, OF = 1, OF38 = 2, OF3A = 3;

/** A way to encode an instruction. */
export interface Form {
  readonly map: number;
  readonly opcode: number;
  /** ModRM.reg of a group, or -1. */
  readonly digit: number;
  readonly sizes: readonly Size[];
  readonly operands: readonly Operand[];
}

export function form(
  map: number,
  opcode: number,
  digit: number,
  sizes: readonly Size[],
  ...operands: readonly Operand[]
): Form {
  return { map, opcode, digit, sizes, operands };
}

/** The byte form of an even opcode and the wide form of the next. */
export function byteAndWide(
  map: number,
  opcode: number,
  digit: number,
  ...operands: readonly Operand[]
): Form[] {
  return [
    form(map, opcode, digit, BYTE, ...operands),
    form(map, opcode + 1, digit, WIDE, ...operands),
  ];
}

/** The forms of 8 opcodes, with a register in their low bits. */
export function registers(
  map: number,
  opcode: number,
  sizes: readonly Size[],
  ...operands: readonly Operand[]
): Form[] {
  return Array.from(
    { length: 8 },
    (_, n) => form(map, opcode + n, -1, sizes, ...operands),
  );
}

/** The forms of the eight operations of two operands, by their numbers. */
export function arithmeticForms(n: number): Form[] {
  return [
    ...byteAndWide(ONE, n << 3, -1, E, G),
    ...byteAndWide(ONE, (n << 3) + 2, -1, G, E),
    ...byteAndWide(ONE, (n << 3) + 4, -1, A, I),
    ...byteAndWide(ONE, 0x80, n, E, I),
    form(ONE, 0x83, n, WIDE, E, I),
  ];
}

/** The forms of shifts and rotations, by their numbers. */
export function shiftForms(n: number): Form[] {
  return [
    ...byteAndWide(ONE, 0xc0, n, E, I),
    ...byteAndWide(ONE, 0xd0, n, E, UNIT),
    ...byteAndWide(ONE, 0xd2, n, E, CL),
  ];
}
