/** Little-endian tables, written field after field. */

/** Bytes that grow; integers are little-endian. */
export class ByteWriter {
  #bytes: number[] = [];

  get length(): number {
    return this.#bytes.length;
  }

  u8(...values: number[]): this {
    for (const value of values) this.#bytes.push(value & 0xff);
    return this;
  }

  u16(value: number): this {
    return this.u8(value, value >> 8);
  }

  u32(value: number): this {
    return this.u8(value, value >> 8, value >> 16, value >> 24);
  }

  u64(value: number | bigint): this {
    const wide = BigInt(value);
    return this.u32(Number(wide & 0xffffffffn))
      .u32(Number((wide >> 32n) & 0xffffffffn));
  }

  bytes(values: Iterable<number>): this {
    for (const value of values) this.#bytes.push(value & 0xff);
    return this;
  }

  /** ASCII text, cut or padded with `fill` to `length` if that is given. */
  text(value: string, length = value.length, fill = 0): this {
    for (let i = 0; i < length; i++) {
      this.u8(i < value.length ? value.charCodeAt(i) : fill);
    }
    return this;
  }

  /** Zeros up to offset `offset`. */
  padTo(offset: number): this {
    while (this.length < offset) this.#bytes.push(0);
    return this;
  }

  done(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}

/** Text as C has it: UTF-8 with a zero byte after it. */
export function cString(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\0`);
}

/** Puts into `bytes[at]` what makes the first `length` bytes add up to 0. */
export function fixChecksum(
  bytes: Uint8Array,
  at: number,
  length = bytes.length,
): void {
  bytes[at] = 0;
  const sum = bytes.subarray(0, length).reduce((a, b) => a + b, 0);
  bytes[at] = -sum & 0xff;
}
