/**
 * Packets on the wire: `$payload#checksum`, acknowledgements and the interrupt
 * byte. Source of facts: "Debugging with GDB", E.1 Overview.
 */
import { digitValue } from "./bytes.ts";

const HASH = 0x23; // #
const DOLLAR = 0x24; // $
const STAR = 0x2a; // *
const PLUS = 0x2b; // +
const MINUS = 0x2d; // -
const ESCAPE = 0x7d; // }
const ESCAPE_XOR = 0x20;
const INTERRUPT = 0x03;

/** A repeat count travels as a printable character: the count plus this. */
const RUN_BIAS = 29;
/** Fewer repeats are sent as they are: on a local socket bytes cost less than
 * taking a run apart. It spares 6 and 7, too, which would travel as # and $. */
const RUN_MIN = 8;
/** 95 + 29 is `|`, the last one before the escape character. */
const RUN_MAX = 95;

/** 1 for the bytes that have a meaning on the wire. */
const SPECIAL = new Uint8Array(256);
for (const byte of [HASH, DOLLAR, STAR, ESCAPE]) SPECIAL[byte] = 1;

/** What arrived. A payload is unescaped, and a view that lasts for the call. */
export interface FrameSink {
  packet(payload: Uint8Array, checksumRight: boolean): void;
  /** A packet longer than allowed went by. */
  oversized(): void;
  interrupt(): void;
  acknowledged(): void;
  refused(): void;
}

const enum State {
  Idle,
  Payload,
  Escaped,
  Check1,
  Check2,
}

/** Takes bytes in any portions and finds the packets in them. */
export class Deframer {
  readonly #sink: FrameSink;
  readonly #limit: number;
  #payload: Uint8Array = new Uint8Array(4096);
  #state: State = State.Idle;
  #length = 0;
  #sum = 0;
  #check = 0;

  /** Payloads over `limit` bytes are dropped. */
  constructor(sink: FrameSink, limit: number) {
    this.#sink = sink;
    this.#limit = limit;
  }

  push(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) this.#byte(bytes[i]);
  }

  #byte(byte: number): void {
    switch (this.#state) {
      case State.Idle:
        this.#outside(byte);
        break;
      case State.Payload:
        if (byte === HASH) {
          this.#state = State.Check1;
        } else if (byte === DOLLAR) {
          // Never inside a payload: the packet before was cut off.
          this.#begin();
        } else {
          this.#sum += byte;
          if (byte === ESCAPE) this.#state = State.Escaped;
          else this.#append(byte);
        }
        break;
      case State.Escaped:
        if (byte === DOLLAR) {
          this.#begin();
        } else {
          this.#sum += byte;
          this.#append(byte ^ ESCAPE_XOR);
          this.#state = State.Payload;
        }
        break;
      case State.Check1:
        if (byte === DOLLAR) {
          this.#begin();
        } else {
          this.#check = digitValue(byte) << 4;
          this.#state = State.Check2;
        }
        break;
      case State.Check2:
        if (byte === DOLLAR) {
          this.#begin();
        } else {
          // A bad digit is 255 and makes the sum one that cannot match.
          this.#check |= digitValue(byte) === 255 ? 0x1000 : digitValue(byte);
          this.#state = State.Idle;
          this.#end();
        }
        break;
    }
  }

  #outside(byte: number): void {
    if (byte === DOLLAR) this.#begin();
    else if (byte === INTERRUPT) this.#sink.interrupt();
    else if (byte === PLUS) this.#sink.acknowledged();
    else if (byte === MINUS) this.#sink.refused();
    // Anything else is noise between packets.
  }

  #begin(): void {
    this.#state = State.Payload;
    this.#length = 0;
    this.#sum = 0;
  }

  #append(byte: number): void {
    if (this.#length === this.#payload.length) {
      const larger = Math.min(2 * this.#length, this.#limit);
      if (larger > this.#length) {
        const grown = new Uint8Array(larger);
        grown.set(this.#payload);
        this.#payload = grown;
      }
    }
    // Past the limit only the length is kept, so that the end is found.
    if (this.#length < this.#limit) this.#payload[this.#length] = byte;
    this.#length++;
  }

  #end(): void {
    if (this.#length > this.#limit) {
      this.#sink.oversized();
      return;
    }
    this.#sink.packet(
      this.#payload.subarray(0, this.#length),
      (this.#sum & 0xff) === this.#check,
    );
  }
}

/** Bytes on their way out. */
export class Output {
  #bytes: Uint8Array = new Uint8Array(4096);
  #spare: Uint8Array = new Uint8Array(4096);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** What has gathered; a view that lasts until the next but one take(). */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#length);
    [this.#bytes, this.#spare] = [this.#spare, this.#bytes];
    this.#length = 0;
    return taken;
  }

  acknowledge(): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = PLUS;
  }

  refuse(): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = MINUS;
  }

  /** Bytes that are a frame already. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Adds a packet, escaped and run-length encoded; returns a view of its
   * frame, good until the next call. */
  packet(payload: Uint8Array): Uint8Array {
    this.#reserve(2 * payload.length + 4);
    const out = this.#bytes;
    const start = this.#length;
    let at = start;
    let sum = 0;
    out[at++] = DOLLAR;
    const length = payload.length;
    const first = payload.byteOffset;
    /** The payload's buffer by words, once a run asks for it. */
    let words: Uint32Array | null = null;
    for (let i = 0; i < length;) {
      const byte = payload[i++];
      if (SPECIAL[byte] === 1) {
        out[at++] = ESCAPE;
        out[at++] = byte ^ ESCAPE_XOR;
        sum += ESCAPE + (byte ^ ESCAPE_XOR);
        continue;
      }
      out[at++] = byte;
      sum += byte;
      // Nothing is read past the end: that would be slow as well as wrong.
      if (i >= length || payload[i] !== byte) continue;
      let end = i + 1;
      while (end < length && payload[end] === byte) {
        end++;
        // A run goes on by words as soon as it can.
        if (end - i >= RUN_MIN && ((first + end) & 3) === 0) {
          words ??= new Uint32Array(payload.buffer, 0, (first + length) >> 2);
          const word = byte * 0x01010101;
          const last = words.length;
          let next = (first + end) >> 2;
          while (next < last && words[next] === word) next++;
          end = (next << 2) - first;
        }
      }
      while (end - i >= RUN_MIN) {
        const repeats = Math.min(end - i, RUN_MAX);
        out[at++] = STAR;
        out[at++] = repeats + RUN_BIAS;
        sum += STAR + repeats + RUN_BIAS;
        i += repeats;
        if (i === end) break;
        out[at++] = byte;
        sum += byte;
        i++;
      }
      for (sum += (end - i) * byte; i < end; i++) out[at++] = byte;
    }
    out[at++] = HASH;
    out[at++] = hexDigit(sum >> 4 & 15);
    out[at++] = hexDigit(sum & 15);
    this.#length = at;
    return out.subarray(start, at);
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

function hexDigit(value: number): number {
  return value < 10 ? 0x30 + value : 0x57 + value;
}
