/** The other side of a session, for tests: frames requests, reads replies. */
import { commands } from "../../src/gdb/commands/mod.ts";
import { Session, type SessionOptions } from "../../src/gdb/session.ts";
import type { DebugTarget } from "../../src/debug/target.ts";

/** `$payload#checksum`, escaped. */
export function frame(payload: string | Uint8Array): Uint8Array {
  const bytes = typeof payload === "string"
    ? Uint8Array.from(payload, (c) => c.charCodeAt(0))
    : payload;
  const body: number[] = [];
  for (const byte of bytes) {
    if ("#$}*".includes(String.fromCharCode(byte))) body.push(0x7d, byte ^ 32);
    else body.push(byte);
  }
  const sum = body.reduce((a, b) => a + b, 0) & 0xff;
  const check = sum.toString(16).padStart(2, "0");
  return Uint8Array.from([
    0x24,
    ...body,
    0x23,
    ...[...check].map((c) => c.charCodeAt(0)),
  ]);
}

/** Payload of one frame, run lengths expanded and escapes removed. */
export function unframe(body: string): string {
  let raw = "";
  for (let i = 0; i < body.length; i++) {
    if (body[i] === "*") {
      raw += raw[raw.length - 1].repeat(body.charCodeAt(++i) - 29);
    } else raw += body[i];
  }
  return raw.replaceAll(
    /}([^])/g,
    (_, c: string) => String.fromCharCode(c.charCodeAt(0) ^ 32),
  );
}

/** Everything in a stream of output: "+", "-", and payloads. Throws if it is
 * not well-formed, checksums included. */
export function parseOutput(bytes: Uint8Array): string[] {
  const text = Array.from(bytes, (b) => String.fromCharCode(b)).join("");
  const items: string[] = [];
  for (let at = 0; at < text.length;) {
    if (text[at] === "+" || text[at] === "-") {
      items.push(text[at++]);
      continue;
    }
    const end = text.indexOf("#", at);
    if (text[at] !== "$" || end < 0) {
      throw new Error(`noise: ${text.slice(at)}`);
    }
    const body = text.slice(at + 1, end);
    if (body.includes("$")) throw new Error(`unescaped $ in ${body}`);
    let sum = 0;
    for (let i = 0; i < body.length; i++) sum += body.charCodeAt(i);
    const check = (sum & 0xff).toString(16).padStart(2, "0");
    if (text.slice(end + 1, end + 3) !== check) {
      throw new Error(`checksum of ${body}`);
    }
    items.push("$" + unframe(body));
    at = end + 3;
  }
  return items;
}

/** A session and somebody who talks to it. */
export class Client {
  readonly session: Session;
  /** How often the session said that there is output by itself. */
  announced = 0;

  constructor(
    target: DebugTarget,
    options: Partial<SessionOptions> = {},
  ) {
    this.session = new Session({
      target,
      commands,
      afterDisconnect: "run",
      onOutput: () => this.announced++,
      ...options,
    });
  }

  /** Sends bytes; returns what came back. */
  raw(bytes: Uint8Array | string): string[] {
    this.session.receive(
      typeof bytes === "string"
        ? Uint8Array.from(bytes, (c) => c.charCodeAt(0))
        : bytes,
    );
    return this.output();
  }

  /** What the session says by itself. */
  output(): string[] {
    return parseOutput(this.session.take());
  }

  /** As gdb begins, and without acknowledgements from here on. */
  handshake(features = "multiprocess+;swbreak+;hwbreak+"): string {
    const [, supported] = this.raw(frame(`qSupported:${features}`));
    this.raw(frame("QStartNoAckMode"));
    return supported.slice(1);
  }

  /** One request, one reply (without its $). */
  ask(payload: string | Uint8Array): string {
    const replies = this.raw(frame(payload));
    if (replies.length !== 1) throw new Error(`replies: ${replies.join(" ")}`);
    return replies[0].slice(1);
  }
}

/** A text as hexadecimal digits. */
export function hex(text: string): string {
  return [...text].map((c) => c.charCodeAt(0).toString(16).padStart(2, "0"))
    .join("");
}
