/**
 * A look at an initramfs before the guest sees it: a kernel given a torn one
 * panics far from the cause. Archives may follow one another (early microcode,
 * then the compressed rest); what is not recognised is left to the kernel.
 */
import { gunzipSync } from "node:zlib";
import { BootError, type BootModule } from "./image.ts";

const NEWC = ["070701", "070702"];
const NEWC_HEADER = 110;
const TRAILER = "TRAILER!!!";

/** Throws a BootError when an archive that can be judged is incomplete. */
export function checkInitrd({ bytes, text }: BootModule): void {
  if (bytes.length === 0) throw new BootError(`initrd ${text}: empty file`);
  let at = 0;
  while (at < bytes.length) {
    if (bytes[at] === 0) at++; // padding between archives
    else if (NEWC.includes(ascii(bytes, at, 6))) {
      at = endOfCpio(bytes, at, text);
    } else {
      if (bytes[at] === 0x1f && bytes[at + 1] === 0x8b) {
        checkGzip(bytes.subarray(at), text);
      }
      return;
    }
  }
}

function ascii(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}

function endOfCpio(bytes: Uint8Array, start: number, text: string): number {
  const torn = () => new BootError(`initrd ${text}: torn cpio archive`);
  const align = (at: number) => (at + 3) & ~3;
  let at = start;
  for (;;) {
    if (at + NEWC_HEADER > bytes.length) throw torn();
    if (!NEWC.includes(ascii(bytes, at, 6))) throw torn();
    const field = (index: number) =>
      parseInt(ascii(bytes, at + 6 + 8 * index, 8), 16);
    const fileSize = field(6), nameSize = field(11);
    if (!Number.isInteger(fileSize) || !Number.isInteger(nameSize)) {
      throw torn();
    }
    const name = ascii(
      bytes,
      at + NEWC_HEADER,
      Math.min(nameSize - 1, TRAILER.length + 1),
    );
    const content = start + align(at - start + NEWC_HEADER + nameSize);
    if (content + fileSize > bytes.length) throw torn();
    at = start + align(content - start + fileSize);
    if (name === TRAILER) return at;
  }
}

function checkGzip(bytes: Uint8Array, text: string): void {
  try {
    gunzipSync(bytes);
  } catch (error) {
    throw new BootError(
      `initrd ${text}: torn gzip archive (${(error as Error).message})`,
      { cause: error },
    );
  }
}
