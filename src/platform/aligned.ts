// Memory at addresses that the platform can take. Register values and exit contexts
// have to be 16-byte aligned, XSAVE state has to begin a page, and an array of V8's own
// promises neither. A WebAssembly memory begins a page on every host, and needs no
// permission to ask where it is.

/** Bytes of register values' and exit contexts' alignment. */
const ALIGNMENT = 16;
export const WASM_PAGE_BYTES = 65536;

/** What is left of the chunk that small buffers are cut from. A chunk lives as long as
 * what was cut from it. */
let rest: Uint8Array = new Uint8Array(0);
const chunks = new WeakSet<ArrayBufferLike>();
/** See alignedPages(). */
let pages: Uint8Array = new Uint8Array(0);

function newPages(bytes: number): Uint8Array {
  const initial = Math.ceil(bytes / WASM_PAGE_BYTES);
  // Never grown, so that it stays where it is.
  const { buffer } = new WebAssembly.Memory({ initial, maximum: initial });
  return new Uint8Array(buffer);
}

/** A new buffer of zeros, 16-byte aligned. */
export function alignedBytes(length: number): Uint8Array {
  const bytes = Math.ceil(length / ALIGNMENT) * ALIGNMENT;
  if (rest.length < bytes) {
    rest = newPages(Math.max(bytes, 1));
    chunks.add(rest.buffer);
  }
  const cut = rest.subarray(0, length);
  rest = rest.subarray(bytes);
  return cut;
}

/** Whether a buffer is one of alignedBytes(), or a part that is aligned, too. */
export function isAligned(bytes: Uint8Array): boolean {
  return bytes.byteOffset % ALIGNMENT === 0 && chunks.has(bytes.buffer);
}

/** At least `length` bytes that begin a page: the same for all, which is enough for
 * calls that return before the next one. What is in it is anything. */
export function alignedPages(length: number): Uint8Array {
  if (pages.length < length) pages = newPages(length);
  return pages;
}

/** All of a buffer, by its fields. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
