// A caller's buffers and the module's: sizes are checked here, so that a call with a
// buffer that is absent or too short is refused and never throws.

import { HResult } from "../../ffi/hresult.ts";
import { IOBUF, IOBUF_BYTES, SIZE, VALUES } from "./core/layout.ts";
import { type Instance } from "./module.ts";

/** A buffer parameter. */
export type Buffer = ArrayBufferView | null;

/** The first `count` bytes of a caller's buffer. */
export function bytesOf(view: ArrayBufferView, count: number): Uint8Array {
  return view instanceof Uint8Array && view.length === count
    ? view
    : new Uint8Array(view.buffer, view.byteOffset, count);
}

/** Whether a caller's buffer is there and has `bytes` bytes. */
export function has(buffer: Buffer, bytes: number): buffer is ArrayBufferView {
  return buffer !== null && buffer.byteLength >= bytes;
}

/** A view of a caller's buffer; its size was checked. */
export function viewOf(buffer: ArrayBufferView): DataView {
  return new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

/** Moves arguments and results between callers and the module's IOBUF. */
export class Buffers {
  readonly #memory: Uint8Array;
  readonly #words: Uint32Array;
  readonly #view: DataView;
  /** Views of the first bytes at VALUES, by how many: few are ever asked for. */
  readonly #values: Uint8Array[] = [];

  constructor({ memory, view }: Instance) {
    this.#memory = memory;
    this.#words = new Uint32Array(memory.buffer);
    this.#view = view;
  }

  /** Brings `bytes` bytes of a caller's to IOBUF; false if there are not as many, or too many. */
  take(buffer: Buffer, bytes: number): boolean {
    if (bytes > IOBUF_BYTES || !has(buffer, bytes)) return false;
    this.#memory.set(bytesOf(buffer, bytes), IOBUF);
    return true;
  }

  /** As take() for 32-bit words. */
  takeWords(buffer: Buffer, count: number): boolean {
    if (!(buffer instanceof Uint32Array)) return this.take(buffer, count * 4);
    if (count * 4 > IOBUF_BYTES || count > buffer.length) return false;
    for (let i = 0; i < count; i++) this.#words[IOBUF / 4 + i] = buffer[i];
    return true;
  }

  #valuesOf(bytes: number): Uint8Array {
    return this.#values[bytes] ??= this.#memory.subarray(
      VALUES,
      VALUES + bytes,
    );
  }

  /** Brings register values to where the module has them. */
  takeValues(buffer: ArrayBufferView, bytes: number): void {
    this.#valuesOf(bytes).set(bytesOf(buffer, bytes));
  }

  /** Copies register values to a caller's buffer, whose size was checked. */
  putValues(buffer: ArrayBufferView, bytes: number): void {
    bytesOf(buffer, bytes).set(this.#valuesOf(bytes));
  }

  /** Copies `bytes` bytes of IOBUF, from `offset`, to a caller's buffer, whose size was checked. */
  put(buffer: ArrayBufferView, bytes: number, offset = 0): void {
    bytesOf(buffer, bytes).set(
      this.#memory.subarray(IOBUF + offset, IOBUF + offset + bytes),
    );
  }

  /**
   * Makes a call that leaves a value at IOBUF and its size at SIZE, and copies both to the
   * caller. `written` may be absent.
   */
  out(
    call: () => number,
    buffer: Buffer,
    bytes: number,
    written: Buffer,
  ): number {
    if (bytes > 0 && !has(buffer, bytes)) return HResult.E_INVALIDARG;
    if (written !== null && !has(written, 4)) return HResult.E_INVALIDARG;
    const hresult = call();
    if (
      hresult !== HResult.S_OK && hresult !== HResult.WHV_E_INSUFFICIENT_BUFFER
    ) return hresult;
    const size = this.#view.getUint32(SIZE, true);
    if (written) viewOf(written).setUint32(0, size, true);
    if (hresult === HResult.S_OK && buffer && size > 0) this.put(buffer, size);
    return hresult;
  }

  /** Makes `size` what {@linkcode out} reports; the HRESULT for a buffer of `bytes`. */
  sized(size: number, bytes: number): number {
    this.#view.setUint32(SIZE, size, true);
    return bytes < size ? HResult.WHV_E_INSUFFICIENT_BUFFER : HResult.S_OK;
  }

  /** Address in the module's memory of a caller's buffer, or -1: only that memory can be mapped. */
  addressOf(buffer: Buffer, bytes: bigint): number {
    if (!buffer || buffer.buffer !== this.#memory.buffer) return -1;
    return bytes > BigInt(buffer.byteLength) ? -1 : buffer.byteOffset;
  }
}
