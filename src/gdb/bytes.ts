/** Hexadecimal and text, to and from bytes, without garbage on the way. */

/** Two ASCII digits for every byte value. */
const DIGITS = new Uint8Array(512);
/** The value of an ASCII digit, or 255. */
const VALUES = new Uint8Array(256).fill(255);

for (let value = 0; value < 256; value++) {
  const text = value.toString(16).padStart(2, "0");
  DIGITS[2 * value] = text.charCodeAt(0);
  DIGITS[2 * value + 1] = text.charCodeAt(1);
}
for (const [value, digit] of [..."0123456789abcdef"].entries()) {
  VALUES[digit.charCodeAt(0)] = value;
  VALUES[digit.toUpperCase().charCodeAt(0)] = value;
}

/** The value of an ASCII hexadecimal digit, or 255 if it is none. */
export function digitValue(code: number): number {
  return VALUES[code];
}

/** Writes `bytes` as hexadecimal digits to `into` at `at`; returns the end. */
export function putHex(
  bytes: Uint8Array,
  into: Uint8Array,
  at: number,
): number {
  const length = bytes.length;
  for (let i = 0; i < length; i++) {
    const digit = bytes[i] << 1;
    into[at++] = DIGITS[digit];
    into[at++] = DIGITS[digit + 1];
  }
  return at;
}

/** The bytes that pairs of digits stand for, or null if they are not pairs of
 * digits. */
export function fromHex(digits: Uint8Array): Uint8Array | null {
  if (digits.length % 2 !== 0) return null;
  const bytes = new Uint8Array(digits.length / 2);
  for (let i = 0; i < bytes.length; i++) {
    const high = VALUES[digits[2 * i]], low = VALUES[digits[2 * i + 1]];
    if ((high | low) > 15) return null;
    bytes[i] = high << 4 | low;
  }
  return bytes;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The UTF-8 bytes of a text. */
export function toBytes(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The text of UTF-8 bytes. */
export function toText(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}
