// A timer interrupts at an instruction that only guest time decides: not where the host
// cuts a run into pieces, nor what is translated.

import { assert, assertEquals } from "@std/assert";
import { LocalApicEmulationMode } from "../../ffi/enums.ts";
import { Reg } from "../../ffi/registers.ts";
import { openSoft, type TranslateMode } from "../../src/soft/mod.ts";
import { Guest } from "../contract/guest.ts";
import { MEMORY_BYTES } from "../contract/providers.ts";

const NS_PER_INSTRUCTION = 10n;

/** Sets a TSC deadline `ns` ahead and counts until it interrupts. */
const code = (ns: number) => `
  ba 00 00 e0 fe                 # mov edx, 0xfee00000
  c7 82 f0 00 00 00 ff 01 00 00  # spurious vector: the APIC is on
  c7 82 20 03 00 00 41 00 04 00  # the timer: TSC deadline, vector 0x41
  0f 31                          # rdtsc
  05 ${new Uint8Array(Uint32Array.of(ns).buffer).toHex()}   # add eax, ns
  b9 e0 06 00 00 0f 30           # wrmsr
  fb                             # sti
  48 ff c3                       # 1: inc rbx
  48 ff c6 eb f8                 # inc rsi; jmp 1b`;

/** Runs to the interrupt in slices of so many instructions; where it came. */
async function interrupted(
  ns: number,
  slice: number,
  translate: TranslateMode,
) {
  const soft = await openSoft({ memoryBytes: MEMORY_BYTES, translate });
  const { clock, guestMemory: memory } = soft;
  const guest = new Guest({
    platform: soft,
    memory,
    wrote: (offset, bytes) => soft.hostWrote(offset, bytes),
  }, { code: code(ns), apic: LocalApicEmulationMode.XApic });
  const { vp, view } = guest;
  let reason: string;
  do {
    clock.setAlarm(
      clock.now() + BigInt(slice) * NS_PER_INSTRUCTION,
      () => vp.cancel(),
    );
    ({ reason } = await vp.run());
  } while (reason === "canceled");
  clock.setAlarm(null, () => {});
  const end = {
    reason,
    turns: vp.get(Reg.Rbx),
    rip: view.getBigUint64(Number(vp.get(Reg.Rsp)), true),
    instructions: clock.instructions(),
  };
  guest.delete();
  soft.close();
  return end;
}

Deno.test("a deadline comes at its instruction, however a run is cut", async () => {
  for (let ns = 4000; ns < 4011; ns++) {
    const whole = await interrupted(ns, 100_000, "never");
    assertEquals(whole.reason, "ioPort");
    assert(whole.turns > 100n, `${whole.turns}`);
    for (const slice of [1, 2, 3, 50]) {
      for (const translate of ["never", "always"] as const) {
        const cut = await interrupted(ns, slice, translate);
        assertEquals(cut, whole, `${ns} ns, slices of ${slice}, ${translate}`);
      }
    }
  }
});
