/**
 * What has a state says once what its fields are: of each its kind and what a reset
 * makes it. A state is a plain object of them; resetting, saving, loading, and the
 * version of what is saved follow from the table.
 *
 * Times are guest time in nanoseconds since power-on, and absolute: a state is loaded
 * together with the guest time at which it was saved (Machine.load()).
 */
import { crc32 } from "node:zlib";
import type { StateValue } from "./device.ts";

/** A kind of value in a state. */
export interface Kind<T> {
  /** What tells its saved form from others. */
  readonly form: string;
  /** What a reset makes it, a new one on every call. */
  initial(): T;
  /** The value as it is kept. */
  save(value: T): StateValue;
  /** What save() had; throws a BrokenStateError for anything else, which is at `path`. */
  load(saved: StateValue, path: string): T;
}

/** What is no saved state, or one of another machine; the message is one line for the
 * user. */
export class BrokenStateError extends TypeError {
  override readonly name = "BrokenStateError";
}

/** What values of a kind are. */
export type ValueOf<K> = K extends Kind<infer T> ? T : never;

function refuse(path: string, wanted: string): never {
  throw new BrokenStateError(`saved state ${path}: ${wanted} expected`);
}

/** A kind that JSON has as it is. */
function plain<T extends StateValue>(
  form: string,
  wanted: string,
  initial: T,
  is: (saved: StateValue) => boolean,
): Kind<T> {
  return {
    form,
    initial: () => initial,
    save: (value) => value,
    load: (saved, path) => is(saved) ? saved as T : refuse(path, wanted),
  };
}

/** True or false. */
export const flag = (initial: boolean): Kind<boolean> =>
  plain(
    "flag",
    "true or false",
    initial,
    (saved) => typeof saved === "boolean",
  );

/** A whole number, as registers are. */
export const integer = (initial: number): Kind<number> =>
  plain("integer", "a whole number", initial, Number.isInteger);

/** What JSON has, whatever it is. */
export const anything: Kind<StateValue> = plain(
  "anything",
  "anything",
  null,
  () => true,
);

/** Characters. */
export const text = (initial: string): Kind<string> =>
  plain("text", "a text", initial, (saved) => typeof saved === "string");

function large(form: string, initial: () => bigint): Kind<bigint> {
  return {
    form,
    initial,
    save: (value) => `${value}n`,
    load: (saved, path) =>
      typeof saved === "string" && /^-?\d+n$/.test(saved)
        ? BigInt(saved.slice(0, -1))
        : refuse(path, "an integer ending in n"),
  };
}

/** A whole number that may have more than 53 bits. */
export const big = (initial: bigint): Kind<bigint> =>
  large("big", () => initial);

/** A moment, guest ns; a function where it depends on when the reset is. */
export const time = (initial: bigint | (() => bigint)): Kind<bigint> =>
  large("time", typeof initial === "bigint" ? () => initial : initial);

/** So many bytes, zeros unless `initial` makes others. */
export function bytes(
  length: number,
  initial: () => Uint8Array = () => new Uint8Array(length),
): Kind<Uint8Array> {
  return {
    form: `bytes${length}`,
    initial,
    save: (value) => value.toHex(),
    load: (saved, path) =>
      typeof saved === "string" && saved.length === length * 2 &&
        /^([0-9a-f]{2})*$/.test(saved)
        ? Uint8Array.fromHex(saved)
        : refuse(path, `${length} hexadecimal bytes`),
  };
}

/** A value or null, null after a reset unless `initial` makes one. */
export function optional<T>(
  kind: Kind<T>,
  initial: () => T | null = () => null,
): Kind<T | null> {
  return {
    form: `${kind.form}?`,
    initial,
    save: (value) => value === null ? null : kind.save(value),
    load: (saved, path) => saved === null ? null : kind.load(saved, path),
  };
}

/** As many values as there are kinds, which are of one form. */
export function list<T>(kinds: readonly Kind<T>[]): Kind<T[]> {
  return {
    form: `[${kinds.map(({ form }) => form)}]`,
    initial: () => kinds.map((kind) => kind.initial()),
    save: (values) => values.map((value, i) => kinds[i].save(value)),
    load: (saved, path) =>
      Array.isArray(saved) && saved.length === kinds.length
        ? kinds.map((kind, i) => kind.load(saved[i], `${path}[${i}]`))
        : refuse(path, `${kinds.length} entries`),
  };
}

/** So many values of a kind. */
export const several = <T>(count: number, kind: Kind<T>): Kind<T[]> =>
  list(new Array<Kind<T>>(count).fill(kind));

/** Any number of values in their order, none after a reset. */
export function queue<T>(kind: Kind<T>): Kind<T[]> {
  return {
    form: `[${kind.form}*]`,
    initial: () => [],
    save: (values) => values.map((value) => kind.save(value)),
    load: (saved, path) =>
      Array.isArray(saved)
        ? saved.map((value, i) => kind.load(value, `${path}[${i}]`))
        : refuse(path, "a list"),
  };
}

/** What a record of such kinds is. */
type RecordOf<F> = { -readonly [N in keyof F]: ValueOf<F[N]> };

/** A table of fields by name. A field whose meaning changes gets another name: the
 * version tells apart what has other names or kinds. */
export function record<F extends { readonly [name: string]: Kind<unknown> }>(
  fields: F,
): Kind<RecordOf<F>> {
  const entries = Object.entries(fields);
  /** Every record has its fields in the order of the table. */
  const each = (valueOf: (kind: Kind<unknown>, name: string) => unknown) => {
    const made: Record<string, unknown> = {};
    for (const [name, kind] of entries) made[name] = valueOf(kind, name);
    return made;
  };
  return {
    form: `{${entries.map(([name, { form }]) => `${name}:${form}`)}}`,
    initial: () => each((kind) => kind.initial()) as RecordOf<F>,
    save: (values: { readonly [name: string]: unknown }) =>
      each((kind, name) => kind.save(values[name])) as StateValue,
    load(saved, path) {
      if (
        saved === null || typeof saved !== "object" || Array.isArray(saved)
      ) return refuse(path, "a record");
      const given = saved as { readonly [name: string]: StateValue };
      for (const name of Object.keys(given)) {
        if (!Object.hasOwn(fields, name)) refuse(path, `no field ${name}`);
      }
      return each((kind, name) =>
        Object.hasOwn(given, name)
          ? kind.load(given[name], `${path}.${name}`)
          : refuse(path, `a field ${name}`)
      ) as RecordOf<F>;
    },
  };
}

/** What states of a kind are marked with when they are saved: another one has other
 * fields. */
export function versionOf({ form }: Kind<unknown>): string {
  return crc32(form).toString(16).padStart(8, "0");
}
