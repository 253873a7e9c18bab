/** A device whose volatile state is one record with a declaration. */
import type { Device, DeviceState } from "../device.ts";
import { type Kind, versionOf } from "../state.ts";
import type { Declaration, Declared } from "./declaration.ts";

/** What all devices here have in common. What is said to the user (that something
 * happened for the first time) is no part of their state. */
export abstract class StatefulDevice<S extends object>
  implements Device, Declared {
  readonly declaration: Declaration;
  readonly version: string;
  readonly #kind: Kind<S>;
  protected state: S;

  constructor(declaration: Declaration, kind: Kind<S>) {
    this.declaration = declaration;
    this.version = versionOf(kind);
    this.#kind = kind;
    this.state = kind.initial();
  }

  get name(): string {
    return this.declaration.name;
  }

  /** The state, to be looked at. */
  get shown(): Readonly<S> {
    return this.state;
  }

  reset(): void {
    this.state = this.#kind.initial();
    this.rebuild();
    this.rewire();
  }

  save(): DeviceState {
    return this.#kind.save(this.state) as DeviceState;
  }

  load(saved: DeviceState): void {
    this.state = this.#kind.load(saved, this.name);
    this.rebuild();
  }

  /** Makes anew what is held beside a state that was just replaced, and follows from
   * it; no wire or timer is touched. */
  protected rebuild(): void {}

  /** Brings wires and timers in line with a state that was just reset. */
  protected rewire(): void {}
}
