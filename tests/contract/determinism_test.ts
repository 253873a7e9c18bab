// The software platform's own promise: the same guest with the same options
// does the same, whatever else the host is doing.

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { openSoft } from "../../src/soft/mod.ts";
import { CODE, expectExit, Guest, hex, RAM_BYTES } from "./guest.ts";
import { MEMORY_BYTES } from "./providers.ts";

/** Four processors race for a counter and log the time stamps they see. */
const RACE = `
  bf 00 00 05 00         # mov edi, 0x50000
  b9 01 00 00 00         # l: mov ecx, 1
  f0 0f c1 0f            # lock xadd [rdi], ecx
  0f 31                  # rdtsc
  89 ca                  # mov edx, ecx
  81 e2 ff 0f 00 00      # and edx, 0xfff
  89 84 97 00 10 00 00   # mov [rdi+rdx*4+0x1000], eax
  f7 c1 ff 03 00 00      # test ecx, 0x3ff
  75 02                  # jnz
  e6 81                  # out 0x81, al
  81 f9 20 a1 07 00      # cmp ecx, 500000
  72 d4                  # jb l
  e6 80                  # out 0x80, al
`;

const CPUS = 4;

/** Runs the race; returns all that can be seen of how it went. */
async function race(code: string): Promise<unknown> {
  const platform = await openSoft({ memoryBytes: MEMORY_BYTES });
  try {
    const guest = new Guest({
      platform,
      memory: platform.guestMemory,
      wrote: (offset, bytes) => platform.hostWrote(offset, bytes),
    }, { cpus: CPUS });
    guest.write(CODE, hex(code));
    let exits = 0;
    const order: number[] = [];
    await Promise.all(guest.vps.map(async (vp) => {
      guest.start(vp);
      while (true) {
        const exit = expectExit(await vp.run(), "ioPort");
        exits++;
        if (exit.port === 0x80) break;
        order.push(vp.index, exit.eax);
        guest.skip(2, vp);
      }
    }));
    const registers = guest.vps.map((vp) =>
      [Reg.Rax, Reg.Rcx, Reg.Rdx, Reg.Rip, Reg.Rflags, Reg.Tsc].map((name) =>
        vp.get(name)
      )
    );
    const instructions = guest.vps.map((vp) =>
      platform.instructionsOf(vp.index)
    );
    const hash = new Uint8Array(
      await crypto.subtle.digest(
        "SHA-256",
        guest.memory.slice(0, RAM_BYTES),
      ),
    );
    const time = platform.clock.now();
    guest.delete();
    return { exits, order, registers, instructions, hash, time };
  } finally {
    platform.close();
  }
}

Deno.test("soft: four racing processors do the same every time", async () => {
  const first = await race(RACE);
  // Now with the host's event loop busy.
  let ticks = 0;
  const noise = setInterval(() => {
    ticks++;
    const until = performance.now() + 3;
    while (performance.now() < until);
  }, 1);
  try {
    assertEquals(await race(RACE), first);
  } finally {
    clearInterval(noise);
  }
  assert(ticks > 0);
  // And the test can tell a difference: one bit of one operand.
  assertNotEquals(await race(RACE.replace("20 a1", "21 a1")), first);
});
