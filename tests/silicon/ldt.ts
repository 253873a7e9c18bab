/**
 * The local descriptor table of both CPUs: segments with bases, limits and
 * types that a 64-bit process does not have otherwise. Natively Linux's
 * modify_ldt(2) installs them. Formats: SDM vol.3, 3.4.5; asm/ldt.h.
 *
 * @module
 */
import { CODE, DATA, DATA_BYTES } from "./layout.ts";

/** An entry as modify_ldt takes it. */
interface Entry {
  base: number;
  /** Last offset (expand-down: the last that is not valid). */
  limit: number;
  big: boolean;
  /** 0 data, 1 expand-down data, 2 code. */
  contents: 0 | 1 | 2;
  /** Data: not writable. Code: not readable. */
  restricted?: boolean;
  absent?: boolean;
}

const ENTRIES: Entry[] = [
  { base: DATA, limit: DATA_BYTES - 1, big: true, contents: 0 },
  { base: DATA + 0x800, limit: 0x7ff, big: true, contents: 0 },
  { base: DATA, limit: 0xfff, big: true, contents: 0, restricted: true },
  { base: DATA, limit: 0x7ff, big: true, contents: 1 },
  { base: CODE, limit: 0xffff, big: false, contents: 2 },
  { base: DATA, limit: DATA_BYTES - 1, big: false, contents: 0 },
  { base: CODE, limit: 0xffff, big: true, contents: 2, restricted: true },
  { base: DATA, limit: 0xfff, big: true, contents: 0, absent: true },
  { base: DATA, limit: 0x7ff, big: false, contents: 1 },
  { base: DATA - 0xf000, limit: 0xffff, big: false, contents: 0 },
];

const selector = (index: number) => index << 3 | 7;

/** Selectors of the entries, RPL 3. */
export const Local = {
  data: selector(0),
  /** 2 KiB in the middle of the scratch region. */
  small: selector(1),
  readOnly: selector(2),
  expandDown: selector(3),
  code16: selector(4),
  data16: selector(5),
  executeOnly: selector(6),
  absent: selector(7),
  expandDown16: selector(8),
  /** Its last 4 KiB are the first of the scratch region, others not there. */
  last: selector(9),
} as const;

export const LDT_LIMIT = ENTRIES.length * 8 - 1;

/**
 * The entries as modify_ldt's struct user_desc, 16 bytes each. None is "useable",
 * which makes AVL 1 with some kernels.
 */
export function userDescriptors(): Uint32Array<ArrayBuffer>[] {
  return ENTRIES.map((e, index) => {
    const flags = (e.big ? 1 : 0) | e.contents << 1 |
      (e.restricted ? 8 : 0) | (e.absent ? 0x20 : 0);
    return new Uint32Array([index, e.base, e.limit, flags]);
  });
}

/** The same entries as descriptors, accessed as Linux makes them. */
export function descriptors(): bigint[] {
  return ENTRIES.map((e) => {
    const type = (e.contents << 2) | (e.restricted ? 0 : 2) | 1;
    const access = type | 0x70 | (e.absent ? 0 : 0x80);
    const high = (e.base & 0xff00_0000) | ((e.base >>> 16) & 0xff) |
      access << 8 | (e.limit & 0xf_0000) | (e.big ? 0x40_0000 : 0);
    const low = (e.base & 0xffff) * 0x1_0000 + (e.limit & 0xffff);
    return BigInt(high >>> 0) << 32n | BigInt(low);
  });
}

/** The hidden part of a segment register loaded from this LDT or the GDT. */
export function hiddenPart(
  value: number,
): { base: number; limit: number; attributes: number } | null {
  if ((value & 4) === 0) return null;
  const e = ENTRIES[value >> 3];
  const descriptor = descriptors()[value >> 3];
  return {
    base: e.base,
    limit: e.limit,
    attributes: Number(descriptor >> 40n & 0xf0ffn),
  };
}
