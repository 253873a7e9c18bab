/** Debugging a machine from outside the guest: breakpoints, steps, registers, memory. */
import type { Machine } from "../machine/machine.ts";
import { Debugger } from "./debugger.ts";
import type { DebugTarget } from "./target.ts";

export type * from "./target.ts";

/**
 * A debugger for a machine: what a protocol such as gdb's needs of it.
 *
 * @example
 * ```ts
 * import {
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
 * target.insertBreakpoint({
 *   kind: "software",
 *   address: 0x7002n,
 *   length: 1,
 *   conditions: [],
 * });
 * const stopped = Promise.withResolvers<unknown>();
 * target.onStop.subscribe((stop) => stopped.resolve(stop.reason));
 * target.resume([{ kind: "continue" }]);
 * assertEquals(await stopped.promise, { kind: "breakpoint" });
 * assertEquals(target.codeAddress(0), 0x7002n);
 * ```
 */
export function attachDebugger(machine: Machine): DebugTarget {
  return new Debugger(machine);
}
