/**
 * A fixed set of registers that are read or written together: one platform
 * call, no allocation. Values are 16 bytes each (WHV_REGISTER_VALUE).
 */
import { alignedBytes, viewOf } from "../platform/aligned.ts";

/** The part of a virtual processor that a batch needs. */
export interface RegisterAccess {
  getRegisters(names: Uint32Array, values: Uint8Array): void;
  setRegisters(names: Uint32Array, values: Uint8Array): void;
}

export class RegisterBatch {
  readonly names: Uint32Array;
  readonly values: Uint8Array;
  readonly view: DataView;

  constructor(...names: number[]) {
    this.names = new Uint32Array(names);
    this.values = alignedBytes(names.length * 16);
    this.view = viewOf(this.values);
  }

  read(from: RegisterAccess): void {
    from.getRegisters(this.names, this.values);
  }

  write(to: RegisterAccess): void {
    to.setRegisters(this.names, this.values);
  }

  /** Value `i`, its low 64 bits. */
  get(i: number): bigint {
    return this.view.getBigUint64(i * 16, true);
  }

  /** Sets value `i`; bits above 64 become zero. */
  set(i: number, value: bigint): void {
    this.view.setBigUint64(i * 16, value, true);
    this.view.setBigUint64(i * 16 + 8, 0n, true);
  }

  /** The low 32 bits of value `i`, without a bigint. */
  low(i: number): number {
    return this.view.getUint32(i * 16, true);
  }

  /** A segment's base, or a register's low 64 bits: the same place. */
  base(i: number): bigint {
    return this.view.getBigUint64(i * 16, true);
  }

  /** Attributes of value `i`, a segment. */
  attributes(i: number): number {
    return this.view.getUint16(i * 16 + 14, true);
  }

  selector(i: number): number {
    return this.view.getUint16(i * 16 + 12, true);
  }

  setSegment(
    i: number,
    selector: number,
    base: bigint,
    limit: number,
    attributes: number,
  ): void {
    this.view.setBigUint64(i * 16, base, true);
    this.view.setUint32(i * 16 + 8, limit, true);
    this.view.setUint16(i * 16 + 12, selector, true);
    this.view.setUint16(i * 16 + 14, attributes, true);
  }

  /** The base of value `i`, GDTR or IDTR. */
  tableBase(i: number): bigint {
    return this.view.getBigUint64(i * 16 + 8, true);
  }

  tableLimit(i: number): number {
    return this.view.getUint16(i * 16 + 6, true);
  }

  setTable(i: number, base: bigint, limit: number): void {
    this.view.setBigUint64(i * 16, 0n, true);
    this.view.setUint16(i * 16 + 6, limit, true);
    this.view.setBigUint64(i * 16 + 8, base, true);
  }
}
