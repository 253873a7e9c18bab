/**
 * A small assembler for ACPI Machine Language (ACPI 6.4, chapters 20 and 6.4):
 * each function returns the bytes of one construct, to be nested.
 */
import { ByteWriter } from "../writer.ts";

const Op = {
  zero: 0x00,
  one: 0x01,
  name: 0x08,
  byte: 0x0a,
  word: 0x0b,
  dword: 0x0c,
  string: 0x0d,
  scope: 0x10,
  buffer: 0x11,
  package: 0x12,
  extended: 0x5b,
  device: 0x82,
} as const;

/** Bytes of AML. */
export type Aml = readonly number[];

/** A length that counts its own bytes, in one to four of them. */
function withLength(content: Aml): Aml {
  const body = content.length;
  if (body + 1 < 0x40) return [body + 1, ...content];
  for (let extra = 1; extra <= 3; extra++) {
    const total = body + 1 + extra;
    if (total >= 1 << (4 + 8 * extra)) continue;
    const lead = (extra << 6) | (total & 15);
    const rest = Array.from(
      { length: extra },
      (_, i) => (total >> (4 + 8 * i)) & 0xff,
    );
    return [lead, ...rest, ...content];
  }
  throw new RangeError(`AML package of ${body} bytes`);
}

/** A name of up to four letters, with a root or scope prefix if it has one. */
function nameString(name: string): Aml {
  const root = name.startsWith("\\");
  const segment = (root ? name.slice(1) : name).padEnd(4, "_");
  return [...(root ? ["\\"] : []), ...segment].map((c) => c.charCodeAt(0));
}

/** An integer in its shortest encoding. */
export function integer(value: number): Aml {
  if (value === 0) return [Op.zero];
  if (value === 1) return [Op.one];
  const writer = new ByteWriter();
  if (value < 0x100) writer.u8(Op.byte, value);
  else if (value < 0x10000) writer.u8(Op.word).u16(value);
  else writer.u8(Op.dword).u32(value);
  return [...writer.done()];
}

export function string(value: string): Aml {
  return [Op.string, ...new ByteWriter().text(value).u8(0).done()];
}

/** `Name (name, value)`. */
export function named(name: string, value: Aml): Aml {
  return [Op.name, ...nameString(name), ...value];
}

export function packageOf(...elements: Aml[]): Aml {
  return [Op.package, ...withLength([elements.length, ...elements.flat()])];
}

export function scope(name: string, ...terms: Aml[]): Aml {
  return [Op.scope, ...withLength([...nameString(name), ...terms.flat()])];
}

export function device(name: string, ...terms: Aml[]): Aml {
  return [
    Op.extended,
    Op.device,
    ...withLength([...nameString(name), ...terms.flat()]),
  ];
}

function buffer(bytes: Aml): Aml {
  return [Op.buffer, ...withLength([...integer(bytes.length), ...bytes])];
}

/** A PNP identifier such as "PNP0501", compressed to 32 bits. */
export function eisaId(id: string): Aml {
  const letters = [0, 1, 2].map((i) => id.charCodeAt(i) - 0x40);
  const digits = parseInt(id.slice(3), 16);
  return [
    Op.dword,
    (letters[0] << 2) | (letters[1] >> 3),
    ((letters[1] & 7) << 5) | letters[2],
    digits >> 8,
    digits & 0xff,
  ];
}

/** Resource descriptors, closed by an end tag, as a buffer for _CRS. */
export function resources(...descriptors: Aml[]): Aml {
  return buffer([...descriptors.flat(), 0x79, 0]);
}

/** `count` I/O ports from `first` on, 16-bit decoding. */
export function io(first: number, count: number): Aml {
  return [
    ...new ByteWriter().u8(0x47, 1).u16(first).u16(first).u8(1, count).done(),
  ];
}

/** An ISA interrupt: edge, active high. */
export function irq(number: number): Aml {
  return [...new ByteWriter().u8(0x22).u16(1 << number).done()];
}

/** A fixed range of memory, read-write. */
export function memory32(base: number, length: number): Aml {
  return [
    ...new ByteWriter().u8(0x86).u16(9).u8(1).u32(base).u32(length).done(),
  ];
}

/** A global system interrupt: level, active high, not shared. */
export function levelInterrupt(gsi: number): Aml {
  return [...new ByteWriter().u8(0x89).u16(6).u8(1, 1).u32(gsi).done()];
}
