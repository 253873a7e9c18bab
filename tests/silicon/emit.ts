/**
 * A very small x86-64 emitter, enough for the native executor's thunks:
 * bytes, labels with 32-bit displacements, and loads and stores of fields at
 * fixed low addresses. Encodings: Intel SDM vol.2.
 *
 * @module
 */

/** A register operand by its number (RAX 0 ... R15 15). */
export type Register = number;

export class Emitter {
  readonly #bytes: number[] = [];
  readonly #labels = new Map<string, number>();
  readonly #fixups: { at: number; label: string }[] = [];
  readonly #base: number;

  /** `base`: the linear address the bytes will be at (below 2 GiB). */
  constructor(base: number) {
    this.#base = base;
  }

  bytes(...values: number[]): this {
    this.#bytes.push(...values);
    return this;
  }

  imm32(value: number): this {
    return this.bytes(
      value & 0xff,
      (value >>> 8) & 0xff,
      (value >>> 16) & 0xff,
      (value >>> 24) & 0xff,
    );
  }

  label(name: string): this {
    if (this.#labels.has(name)) throw new Error(`label twice: ${name}`);
    this.#labels.set(name, this.#bytes.length);
    return this;
  }

  /** Linear address of a label already placed. */
  address(name: string): number {
    const at = this.#labels.get(name);
    if (at === undefined) throw new Error(`no such label: ${name}`);
    return this.#base + at;
  }

  #relative(label: string): this {
    this.#fixups.push({ at: this.#bytes.length, label });
    return this.imm32(0);
  }

  /** LEA r64, [rip + label]. */
  addressOf(reg: Register, label: string): this {
    const rex = reg > 7 ? 0x4c : 0x48;
    return this.bytes(rex, 0x8d, ((reg & 7) << 3) | 5).#relative(label);
  }

  jmp(label: string): this {
    return this.bytes(0xe9).#relative(label);
  }

  /** Jcc rel32; `condition` is the low nibble of the opcode. */
  jcc(condition: number, label: string): this {
    return this.bytes(0x0f, 0x80 | condition).#relative(label);
  }

  /** An instruction with a register and an absolute 32-bit address. */
  absolute(opcode: number[], reg: Register, address: number, wide = true) {
    const rex = 0x40 | (wide ? 8 : 0) | (reg > 7 ? 4 : 0);
    if (rex !== 0x40) this.bytes(rex);
    return this.bytes(...opcode, ((reg & 7) << 3) | 4, 0x25).imm32(address);
  }

  /** An instruction with a register and [base + displacement]. */
  based(
    opcode: number[],
    reg: Register,
    base: Register,
    displacement: number,
    wide = true,
  ): this {
    const rex = 0x40 | (wide ? 8 : 0) | (reg > 7 ? 4 : 0) | (base > 7 ? 1 : 0);
    if (opcode[0] === 0x66) this.bytes(0x66);
    if (rex !== 0x40) this.bytes(rex);
    const rest = opcode[0] === 0x66 ? opcode.slice(1) : opcode;
    this.bytes(...rest, 0x80 | ((reg & 7) << 3) | (base & 7));
    if ((base & 7) === 4) this.bytes(0x24);
    return this.imm32(displacement);
  }

  /** MOV r64, [address]. */
  load(reg: Register, address: number): this {
    return this.absolute([0x8b], reg, address);
  }

  /** MOV [address], r64. */
  store(address: number, reg: Register): this {
    return this.absolute([0x89], reg, address);
  }

  /** MOV r64, [base + displacement]. */
  loadFrom(reg: Register, base: Register, displacement: number): this {
    return this.based([0x8b], reg, base, displacement);
  }

  /** MOV [base + displacement], r64. */
  storeTo(base: Register, displacement: number, reg: Register): this {
    return this.based([0x89], reg, base, displacement);
  }

  /** MOV r32, imm32 (zero-extended). */
  constant(reg: Register, value: number): this {
    if (reg > 7) this.bytes(0x41);
    return this.bytes(0xb8 | (reg & 7)).imm32(value);
  }

  finish(): Uint8Array<ArrayBuffer> {
    for (const { at, label } of this.#fixups) {
      const target = this.#labels.get(label);
      if (target === undefined) throw new Error(`no such label: ${label}`);
      const delta = target - (at + 4);
      for (let i = 0; i < 4; i++) {
        this.#bytes[at + i] = (delta >> (8 * i)) & 255;
      }
    }
    return Uint8Array.from(this.#bytes);
  }
}
