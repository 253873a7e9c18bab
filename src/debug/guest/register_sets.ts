/**
 * Which registers a debugger sees under which numbers: all of ours with QEMU's
 * 64-bit ones first, or with QEMU's i386 ones first. Every register of ours is
 * in both, so that a 32-bit debugger can look at a 64-bit guest.
 */
import {
  allRegisters,
  QEMU_REGISTERS,
  type Register,
  registers,
  registers32,
} from "./registers.ts";

/**
 * What gdb takes the guest for.
 *
 * @example
 * ```ts
 * import {
 *   type Architecture,
 *   attachDebugger,
 *   loadGuest,
 *   Machine,
 *   openSoft,
 *   startGuest,
 * } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const ramBytes = 2 << 20;
 * const platform = await openSoft({ memoryBytes: ramBytes });
 * const machine = new Machine({
 *   platform,
 *   guestMemory: platform.guestMemory,
 *   clock: platform.clock,
 *   entropy: { fill: (into) => into.fill(4) },
 *   cpus: 1,
 *   ramBytes,
 * });
 * startGuest(
 *   machine,
 *   loadGuest({
 *     image: Uint8Array.from([0xb0, 0x2a, 0xe6, 0xf4]), // mov al, 42; out 0xf4, al
 *     name: "ends",
 *     commandLine: "",
 *     modules: [],
 *     ramBytes,
 *     cpus: 1,
 *     virtioDevices: 0,
 *     flat: { address: 0x7000, mode: 16 },
 *   }),
 * );
 * const target = attachDebugger(machine);
 * const architecture: Architecture = target.architecture();
 * assertEquals(architecture, "i386"); // 16-bit code
 * ```
 */
export type Architecture = "i386" | "x86-64";

/** The registers of one kind of debugger. */
export class RegisterSet {
  readonly architecture: Architecture;
  /** By the debugger's number. */
  readonly registers: readonly Register[];
  /** How many of them, from the first, are QEMU's: what `g` carries. */
  readonly general: number;
  /** The number in `allRegisters`, by the debugger's. */
  readonly #internal: readonly number[];
  readonly #numbers: ReadonlyMap<string, number>;

  constructor(
    architecture: Architecture,
    general: number,
    internal: readonly number[],
  ) {
    this.architecture = architecture;
    this.general = general;
    this.#internal = internal;
    this.registers = internal.map((number) => allRegisters[number]);
    this.#numbers = new Map(this.registers.map((r, n) => [r.name, n]));
  }

  /** The number in `allRegisters` of a debugger's; what is none stays one. */
  internal(number: number): number {
    return this.#internal[number] ?? allRegisters.length;
  }

  /** The debugger's number of a register by its name; throws RangeError if there
   * is none. */
  number(name: string): number {
    const number = this.#numbers.get(name);
    if (number === undefined) throw new RangeError(`no register ${name}`);
    return number;
  }
}

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);

const names32 = new Set(registers32.map(({ name }) => name));

/** What there is to choose from. */
export const REGISTER_SETS: Readonly<Record<Architecture, RegisterSet>> = {
  "x86-64": new RegisterSet(
    "x86-64",
    QEMU_REGISTERS,
    upTo(registers.length),
  ),
  i386: new RegisterSet("i386", registers32.length, [
    ...upTo(registers32.length).map((n) => registers.length + n),
    ...upTo(registers.length).filter((n) => !names32.has(registers[n].name)),
  ]),
};
