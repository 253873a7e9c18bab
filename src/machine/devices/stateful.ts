/**
 * Volatile state of a device, kept so that no field can be forgotten: all of it
 * is one record made by one function. Reset makes it anew, save writes every
 * field, load refuses a record whose fields are not exactly those.
 */
import type { Device, DeviceState, StateValue } from "../device.ts";

/** What a volatile field may hold. */
export type Volatile =
  | null
  | boolean
  | number
  | bigint
  | Uint8Array
  | Volatile[]
  | { [name: string]: Volatile };

/** A record of volatile fields. */
export type VolatileRecord = { [name: string]: Volatile };

/** A device whose whole volatile state is `this.state`. */
export abstract class StatefulDevice<S extends { [K in keyof S]: Volatile }>
  implements Device {
  abstract readonly name: string;
  readonly #initial: () => S;
  protected state: S;

  /** `initial` returns the power-on state, a new record on every call. */
  constructor(initial: () => S) {
    this.#initial = initial;
    this.state = initial();
  }

  /** The state, to be looked at. */
  get shown(): Readonly<S> {
    return this.state;
  }

  reset(): void {
    this.state = this.#initial();
    this.rewire();
  }

  save(): DeviceState {
    return encode(this.state) as DeviceState;
  }

  load(saved: DeviceState): void {
    this.state = decode(this.#initial(), saved, this.name) as S;
    this.rewire();
  }

  restore(saved: DeviceState): void {
    this.state = decode(this.#initial(), saved, this.name) as S;
    this.rebuild();
  }

  /** Makes anew what is held beside a state that was just replaced, and follows from
   * it; no wire or timer is touched. */
  protected rebuild(): void {}

  /** Brings wires and timers in line with a state that was just replaced. */
  protected abstract rewire(): void;
}

function encode(value: Volatile): StateValue {
  if (typeof value === "bigint") return `${value}n`;
  if (value instanceof Uint8Array) return value.toHex();
  if (Array.isArray(value)) return value.map(encode);
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(
      Object.entries(value).map(([name, field]) => [name, encode(field)]),
    );
  }
  return value;
}

/**
 * The value `saved` describes, which must have the form of `shape`: the same
 * fields and kinds. Arrays may differ in length where `shape`'s is empty.
 */
function decode(shape: Volatile, saved: StateValue, path: string): Volatile {
  const refuse = (wanted: string): never => {
    throw new TypeError(`saved state ${path}: ${wanted} expected`);
  };
  if (typeof shape === "bigint") {
    if (typeof saved !== "string" || !/^-?\d+n$/.test(saved)) {
      return refuse("an integer ending in n");
    }
    return BigInt(saved.slice(0, -1));
  }
  if (shape instanceof Uint8Array) {
    if (
      typeof saved !== "string" || !/^([0-9a-f]{2})*$/.test(saved) ||
      saved.length !== shape.length * 2
    ) return refuse(`${shape.length} hexadecimal bytes`);
    return Uint8Array.fromHex(saved);
  }
  if (Array.isArray(shape)) {
    if (!Array.isArray(saved)) return refuse("a list");
    if (shape.length === 0) {
      return saved.map((entry, i) => {
        if (typeof entry !== "number") return refuse(`a number at ${i}`);
        return entry;
      });
    }
    if (saved.length !== shape.length) return refuse(`${shape.length} entries`);
    return shape.map((entry, i) => decode(entry, saved[i], `${path}[${i}]`));
  }
  if (shape !== null && typeof shape === "object") {
    if (saved === null || typeof saved !== "object" || Array.isArray(saved)) {
      return refuse("a record");
    }
    const fields = saved as DeviceState;
    for (const name of Object.keys(fields)) {
      if (!(name in shape)) return refuse(`no field ${name}`);
    }
    return Object.fromEntries(
      Object.entries(shape).map(([name, field]) => {
        if (!(name in fields)) return refuse(`a field ${name}`);
        return [name, decode(field, fields[name], `${path}.${name}`)];
      }),
    );
  }
  if (shape === null ? saved !== null : typeof saved !== typeof shape) {
    return refuse(shape === null ? "null" : typeof shape);
  }
  return saved as Volatile;
}
