/** Values of options: sizes, addresses of memory and of debuggers. */
import type { FlatChoice } from "../boot/image.ts";

/** A command line that cannot be meant; the message is one line. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Where gdb's protocol is spoken. */
export type Address =
  | {
    readonly transport: "tcp";
    readonly hostname: string;
    readonly port: number;
  }
  | { readonly transport: "unix"; readonly path: string };

/** The text before and after the first `separator`; "" if there is none. */
export function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

const UNITS: Record<string, number> = {
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
};

/** Bytes of "512M", "1G" or, in units of `unit`, "512". */
export function parseSize(
  option: string,
  value: string,
  unit: number,
): number {
  const match = /^(\d+)(?:([kmg])(?:i?b)?)?$/i.exec(value);
  if (match === null) {
    throw new UsageError(
      `${option} ${value}: a size like 512M or 1G is needed`,
    );
  }
  const suffix = match[2]?.toLowerCase();
  return Number(match[1]) * (suffix === undefined ? unit : UNITS[suffix]);
}

/** "HOST:PORT", "PORT", ":PORT" or "unix:PATH". */
export function parseAddress(option: string, value: string): Address {
  if (value.startsWith("unix:")) {
    const path = value.slice(5);
    if (path === "") throw new UsageError(`${option} unix: needs a path`);
    return { transport: "unix", path };
  }
  const match = /^(?:(?:\[([^\]]+)\]|([^:]*)):)?(\d{1,5})$/.exec(value);
  const port = Number(match?.[3]);
  if (match === null || port > 65535) {
    throw new UsageError(
      `${option}=${value}: HOST:PORT or unix:PATH is needed`,
    );
  }
  const hostname = match[1] || match[2] || "127.0.0.1";
  return { transport: "tcp", hostname, port };
}

/** "ADDRESS", "ADDRESS,16|32|64" or "ADDRESS,MODE,ENTRY": where a flat image
 * goes, its mode, and where it is entered (its first byte). */
export function parseFlat(
  option: string,
  value: string,
): FlatChoice {
  const [where, how = "32", start = where, ...more] = value.split(",");
  const bits = Number(how || "32");
  const valid = more.length === 0 &&
    [where, start].every((text) => /^(0x[0-9a-f]{1,8}|\d{1,10})$/i.test(text));
  if (!valid || (bits !== 16 && bits !== 32 && bits !== 64)) {
    throw new UsageError(
      `${option} ${value}: an address like 0x100000 is needed, ` +
        `then ,16 or ,32 or ,64 for the mode (32), ` +
        `then ,ENTRY for an entry that is not the first byte`,
    );
  }
  return { address: Number(where), mode: bits, entry: Number(start) };
}

/** Unix time, seconds, of "2026-11-30", "2026-11-30T08:15" or "2026-11-30T08:15:30"
 * (UTC, a Z may follow), of "@SECONDS", or of "now". */
export function parseDate(option: string, value: string): bigint {
  if (value === "now") return BigInt(Math.floor(Date.now() / 1000));
  const seconds = /^@(\d{1,12})$/.exec(value)?.[1] ?? utcSeconds(value);
  // The clock has four digits for the year.
  if (seconds === null || BigInt(seconds) >= YEAR_10000) {
    throw new UsageError(
      `${option} ${value}: a date like 2026-11-30 or 2026-11-30T08:15:30 ` +
        "(UTC, from 1970 on), @SECONDS or now is needed",
    );
  }
  return BigInt(seconds);
}

const YEAR_10000 = 253402300800n;

/** Null if it is no date, or none that there is. */
function utcSeconds(text: string): number | null {
  const [, day, minute = "00:00", second = "00"] =
    /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d)(?::(\d\d))?Z?)?$/.exec(text) ?? [];
  if (day === undefined) return null;
  const iso = `${day}T${minute}:${second}.000Z`;
  const date = new Date(iso);
  // The 30th of February would be the 2nd of March.
  if (!(date.getTime() >= 0) || date.toISOString() !== iso) return null;
  return date.getTime() / 1000;
}
