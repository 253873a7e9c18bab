// The words in which the structures beside this file are declared: where a
// member is, how wide, and how it is read and written (little endian). A
// structure's members can be moved as one, which is how one nests in another.

/** A member of a structure. Offsets are bytes from the structure's start. */
export abstract class Field {
  /**
   * `shift` and `width` are in bits, counted from the least significant bit of
   * the byte at `offset`.
   */
  constructor(
    readonly offset: number,
    readonly width: number,
    readonly shift: number = 0,
  ) {}
  /** The same member of a structure that starts `by` bytes later. */
  abstract moved(by: number): Field;
}

/** UINT8. */
export class U8 extends Field {
  constructor(offset: number) {
    super(offset, 8);
  }
  get(view: DataView, at = 0): number {
    return view.getUint8(at + this.offset);
  }
  set(view: DataView, value: number, at = 0): void {
    view.setUint8(at + this.offset, value);
  }
  override moved(by: number): U8 {
    return new U8(this.offset + by);
  }
}

/** UINT16. */
export class U16 extends Field {
  constructor(offset: number) {
    super(offset, 16);
  }
  get(view: DataView, at = 0): number {
    return view.getUint16(at + this.offset, true);
  }
  set(view: DataView, value: number, at = 0): void {
    view.setUint16(at + this.offset, value, true);
  }
  override moved(by: number): U16 {
    return new U16(this.offset + by);
  }
}

/** UINT32, WINBOOL, or an enumeration. */
export class U32 extends Field {
  constructor(offset: number) {
    super(offset, 32);
  }
  get(view: DataView, at = 0): number {
    return view.getUint32(at + this.offset, true);
  }
  set(view: DataView, value: number, at = 0): void {
    view.setUint32(at + this.offset, value, true);
  }
  override moved(by: number): U32 {
    return new U32(this.offset + by);
  }
}

/** An enumeration with negative values. */
export class I32 extends Field {
  constructor(offset: number) {
    super(offset, 32);
  }
  get(view: DataView, at = 0): number {
    return view.getInt32(at + this.offset, true);
  }
  set(view: DataView, value: number, at = 0): void {
    view.setInt32(at + this.offset, value, true);
  }
  override moved(by: number): I32 {
    return new I32(this.offset + by);
  }
}

/** UINT64, a handle or a pointer. */
export class U64 extends Field {
  constructor(offset: number) {
    super(offset, 64);
  }
  get(view: DataView, at = 0): bigint {
    return view.getBigUint64(at + this.offset, true);
  }
  set(view: DataView, value: bigint, at = 0): void {
    view.setBigUint64(at + this.offset, value, true);
  }
  override moved(by: number): U64 {
    return new U64(this.offset + by);
  }
}

/** A bit field of at most 16 bits that lies within two bytes. */
export class Bits extends Field {
  readonly #mask: number;
  readonly #wide: boolean;
  constructor(offset: number, shift: number, width: number) {
    super(offset, width, shift);
    this.#mask = (1 << width) - 1;
    this.#wide = shift + width > 8;
  }
  get(view: DataView, at = 0): number {
    return (this.#read(view, at) >> this.shift) & this.#mask;
  }
  set(view: DataView, value: number, at = 0): void {
    const rest = this.#read(view, at) & ~(this.#mask << this.shift);
    const whole = rest | ((value & this.#mask) << this.shift);
    if (this.#wide) view.setUint16(at + this.offset, whole, true);
    else view.setUint8(at + this.offset, whole);
  }
  #read(view: DataView, at: number): number {
    return this.#wide
      ? view.getUint16(at + this.offset, true)
      : view.getUint8(at + this.offset);
  }
  override moved(by: number): Bits {
    return new Bits(this.offset + by, this.shift, this.width);
  }
}

/** An array, as bytes. */
export class Bytes extends Field {
  constructor(offset: number, readonly length: number) {
    super(offset, length * 8);
  }
  /** A view of the bytes, not a copy. */
  get(view: DataView, at = 0): Uint8Array {
    return new Uint8Array(
      view.buffer,
      view.byteOffset + at + this.offset,
      this.length,
    );
  }
  set(view: DataView, value: Uint8Array, at = 0): void {
    this.get(view, at).set(value.subarray(0, this.length));
  }
  override moved(by: number): Bytes {
    return new Bytes(this.offset + by, this.length);
  }
}

/** The members of a structure, by their C names. */
export interface Members {
  readonly [name: string]: Field | Members | number;
}

/** A structure: its members, its size, and where it is in an outer one. */
export type Layout<M extends Members> =
  & M
  & { readonly size: number; readonly offset: number };

/** Declares a structure of `size` bytes. */
export function struct<M extends Members>(size: number, members: M): Layout<M> {
  return { ...members, size, offset: 0 };
}

/** A structure as a member of another, at `offset`. */
export function nested<M extends Members>(offset: number, layout: M): M {
  const moved: Record<string, Field | Members | number> = {};
  for (const [name, member] of Object.entries(layout)) {
    if (member instanceof Field) moved[name] = member.moved(offset);
    else if (typeof member === "object") moved[name] = nested(offset, member);
    else moved[name] = name === "offset" ? member + offset : member;
  }
  return moved as M;
}
