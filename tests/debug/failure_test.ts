// Every platform call made to fail in turn: the user sees which, breakpoints
// leave memory, and the debugger stays usable.

import { assert, assertEquals } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import type { Stop } from "../../src/debug/target.ts";
import { CODE, Toy } from "./toy.ts";
import { TF } from "./toy_platform.ts";

/** What a session does; every call it makes fails once, in one run of it. */
async function session(toy: Toy, others: number): Promise<Stop[]> {
  const stops: Stop[] = [];
  // Never reached; four of them take the debug registers.
  for (let i = 0; i < others; i++) toy.break(CODE + 0x100 + i);
  toy.break(CODE);
  toy.break(CODE + 2);
  stops.push(await toy.resume("continue", "continue"));
  stops.push(await toy.resume("continue", "continue"));
  stops.push(await toy.resume("step", "continue"));
  const stop = toy.resume("continue", "continue");
  toy.debugger.interrupt();
  stops.push(await stop);
  return stops;
}

const CODE_BYTES = "40 90 e4 60 9c 9d eb f8";

Deno.test("any platform call may fail once", async () => {
  const names = new Set<string>();
  for (const others of [0, 4]) await failEach(others, names);
  assertEquals(
    [...names].sort(),
    [
      "WHvCancelRunVirtualProcessor",
      "WHvGetVirtualProcessorRegisters",
      "WHvResumePartitionTime",
      "WHvRunVirtualProcessor",
      "WHvSetPartitionProperty",
      "WHvSetVirtualProcessorRegisters",
      "WHvSuspendPartitionTime",
    ],
  );
});

async function failEach(others: number, names: Set<string>): Promise<void> {
  const clean = new Toy(CODE_BYTES, 2);
  await session(clean, others);
  const calls = clean.platform.calls.length;
  assert(calls > 30);
  for (let n = 0; n < calls + 8; n++) {
    const toy = new Toy(CODE_BYTES, 2);
    toy.platform.failIn = n;
    const stops = await session(toy, others);
    const { failed } = toy.platform;
    if (failed === null) continue;
    names.add(failed);
    const told = [...stops, toy.debugger.stop!].some(({ reason }) =>
      reason.kind === "failed" && reason.message.includes(failed) &&
      !reason.message.includes("\n")
    );
    // Time that goes on, or stands until a processor runs, does no harm: the log says so.
    const harmless = /^WHv(Suspend|Resume)PartitionTime$/.test(failed);
    if (!told && !harmless) {
      // Kept for the next resume.
      toy.platform.failIn = null;
      const next = await toy.resume("step", "step");
      assert(
        next.reason.kind === "failed" && next.reason.message.includes(failed),
        `call ${n}, ${failed}, was not told: ${JSON.stringify(stops)}`,
      );
    }
    // Still usable, and nothing left in memory.
    const original = Uint8Array.fromHex(CODE_BYTES.replaceAll(" ", ""));
    assertEquals(
      [...toy.platform.memory.subarray(CODE, CODE + original.length)],
      [...original],
      `call ${n}, ${failed}`,
    );
    for (const i of [0, 1]) {
      assertEquals(toy.reg(Reg.Rflags, i) & TF, 0, `call ${n}, ${failed}`);
    }
    toy.unbreak(CODE);
    toy.unbreak(CODE + 2);
    const stop = toy.resume("continue", "continue");
    setTimeout(() => toy.debugger.interrupt(), 1);
    const { reason } = await stop;
    assert(
      reason.kind === "interrupted" || reason.kind === "failed",
      `call ${n}, ${failed}: ${JSON.stringify(reason)}`,
    );
  }
}
