/**
 * Contents of the memory that is the same in every batch.
 *
 * @module
 */
import { READ_ONLY_BYTES } from "./layout.ts";

/** The read-only page: a fixed pattern in which no two qwords are equal. */
export function readOnlyPage(): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(READ_ONLY_BYTES / 4);
  for (let i = 0; i < words.length; i++) {
    words[i] = Math.imul(i + 1, 0x9e37_79b9);
  }
  return new Uint8Array(words.buffer);
}
