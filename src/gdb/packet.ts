/** Reading a packet's payload, and building a reply's. */
import { digitValue, fromHex, putHex, toBytes, toText } from "./bytes.ts";

/** A cursor over a payload. Nothing read is removed unless it fits. */
export class Packet {
  #bytes: Uint8Array = new Uint8Array();
  #at = 0;

  /** Begins again with another payload, after the first `at` bytes. */
  open(bytes: Uint8Array, at: number): void {
    this.#bytes = bytes;
    this.#at = at;
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** Takes one character if it is next. */
  accept(character: string): boolean {
    if (this.#bytes[this.#at] !== character.charCodeAt(0)) return false;
    this.#at++;
    return true;
  }

  /** Takes any character; "" at the end. */
  character(): string {
    return this.atEnd ? "" : String.fromCharCode(this.#bytes[this.#at++]);
  }

  /** Takes a text if it is next. */
  acceptText(text: string): boolean {
    for (let i = 0; i < text.length; i++) {
      if (this.#bytes[this.#at + i] !== text.charCodeAt(i)) return false;
    }
    this.#at += text.length;
    return true;
  }

  /** Takes hexadecimal digits, up to 13 of them; null if there are none. */
  number(): number | null {
    let value = 0;
    let digits = 0;
    for (; digits < 14; digits++) {
      const digit = digitValue(this.#bytes[this.#at + digits] ?? 0);
      if (digit > 15) break;
      value = value * 16 + digit;
    }
    if (digits === 0 || digits > 13) return null;
    this.#at += digits;
    return value;
  }

  /** Takes hexadecimal digits, a 64-bit number; null if there is none. */
  address(): bigint | null {
    let high = 0;
    let low = 0;
    let digits = 0;
    for (;; digits++) {
      const digit = digitValue(this.#bytes[this.#at + digits] ?? 0);
      if (digit > 15) break;
      high = (high << 4 | low >>> 28) >>> 0;
      low = (low << 4 | digit) >>> 0;
    }
    if (digits === 0 || digits > 16) return null;
    this.#at += digits;
    return BigInt(high) << 32n | BigInt(low);
  }

  /** Takes the bytes before the next `character`, or all that are left. */
  until(character: string): Uint8Array {
    const found = this.#bytes.indexOf(character.charCodeAt(0), this.#at);
    const end = found < 0 ? this.#bytes.length : found;
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  /** Takes `count` bytes; null if there are fewer. */
  take(count: number): Uint8Array | null {
    if (this.#at + count > this.#bytes.length) return null;
    const taken = this.#bytes.subarray(this.#at, this.#at + count);
    this.#at += count;
    return taken;
  }

  /** Takes what is left. */
  rest(): Uint8Array {
    const taken = this.#bytes.subarray(this.#at);
    this.#at = this.#bytes.length;
    return taken;
  }

  /** Takes what is left, as text. */
  restText(): string {
    return toText(this.rest());
  }

  /** Takes the hexadecimal digits before the next `;` as bytes; null if they
   * are not pairs of digits. */
  hexBytes(): Uint8Array | null {
    return fromHex(this.until(";"));
  }
}

/** What has been negotiated of how packets look. */
export interface Syntax {
  /** lldb's: register packets may end in `;thread:ID`. */
  readonly threadSuffix: boolean;
}

/** The longest payload taken, in bytes, as told in qSupported. */
export const PACKET_SIZE = 0x40000;

/** Errors as QEMU's stub numbers them (errno, in decimal digits). */
export const EFAULT = 14;
export const EINVAL = 22;

/** A reply's payload. Nothing put in it means "I do not know this packet". */
export class Reply {
  #bytes: Uint8Array = new Uint8Array(4096);
  #length = 0;
  #silent = false;

  /** Empty again. */
  clear(): void {
    this.#length = 0;
    this.#silent = false;
  }

  /** True if nothing is to be sent, not even an empty packet. */
  get silent(): boolean {
    return this.#silent;
  }

  /** A view that lasts until the next change. */
  get payload(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** There is no reply now: one comes when the guest stops, or never. */
  none(): void {
    this.#silent = true;
  }

  ok(): void {
    this.text("OK");
  }

  error(code: number): void {
    this.clear();
    this.text(`E${code.toString().padStart(2, "0")}`);
  }

  /** An error with words for the user. */
  failure(message: string): void {
    this.clear();
    this.text(`E.${message.replaceAll(/\s+/g, " ")}`);
  }

  text(text: string): void {
    if (text.length >= 64) return this.binary(toBytes(text));
    this.#reserve(text.length);
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      // Nothing counts until all of it does.
      if (code > 0x7f) return this.binary(toBytes(text));
      this.#bytes[this.#length + i] = code;
    }
    this.#length += text.length;
  }

  hex(bytes: Uint8Array): void {
    this.#reserve(2 * bytes.length);
    this.#length = putHex(bytes, this.#bytes, this.#length);
  }

  hexText(text: string): void {
    this.hex(toBytes(text));
  }

  binary(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
