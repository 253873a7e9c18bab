// The software platform's own promise: the same guest with the same options
// does the same, whatever else the host is doing.

import {
  assert,
  assertEquals,
  assertNotEquals,
  assertThrows,
} from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import {
  PlatformError,
  type VirtualProcessor,
} from "../../src/platform/mod.ts";
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

/** How the processors' callers behave. */
interface Callers {
  /** Whether they tell that they come back, and when they no more do. */
  readonly tell?: boolean;
  /** What they do between an exit and the next run. */
  readonly between?: (exits: number) => Promise<void>;
}

/** Runs the race; returns all that can be seen of how it went. */
async function race(
  code: string,
  { tell = false, between }: Callers = {},
): Promise<unknown> {
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
    if (tell) { for (const vp of guest.vps) vp.expectRun(true); }
    await Promise.all(guest.vps.map(async (vp) => {
      guest.start(vp);
      while (true) {
        const exit = expectExit(await vp.run(), "ioPort");
        exits++;
        if (exit.port === 0x80) break;
        order.push(vp.index, exit.eax);
        guest.skip(2, vp);
        await between?.(exits);
      }
      if (tell) vp.expectRun(false);
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

Deno.test("soft: who is expected is waited for, however long it takes", async () => {
  const first = await race(RACE, { tell: true });
  // Who says nothing, but only awaits one run after the other, is there in time.
  assertEquals(await race(RACE), first);
  for (const count of [1, 20, 30, 500]) {
    const between = async (exits: number) => {
      // Other callers than those before are late each time.
      for (let i = 0; i < exits % 5 * count; i++) await null;
    };
    assertEquals(await race(RACE, { tell: true, between }), first);
  }
  const between = async (exits: number) => {
    if (exits % 3 > 0) await new Promise((resolve) => setTimeout(resolve, 0));
  };
  assertEquals(await race(RACE, { tell: true, between }), first);
});

Deno.test("soft: who stays away, or is deleted, is not waited for", async () => {
  const platform = await openSoft({ memoryBytes: MEMORY_BYTES });
  const guest = new Guest({
    platform,
    memory: platform.guestMemory,
    wrote: (offset, bytes) => platform.hostWrote(offset, bytes),
  }, { cpus: 3, code: "ff c0 e6 80 eb fa" }); // l: inc eax; out 0x80, al; jmp l
  const [vp, other, away] = guest.vps;
  const run = async (vp: VirtualProcessor) => {
    expectExit(await vp.run(), "ioPort");
    guest.skip(2, vp);
  };
  /** A run that has to wait until something is done. */
  const waits = async (until: () => unknown) => {
    const before = platform.clock.instructions();
    const done = run(vp);
    await new Promise((resolve) => setTimeout(resolve, 0));
    assertEquals(platform.clock.instructions(), before);
    await Promise.all([done, until()]);
  };
  away.expectRun(false);
  other.expectRun(true);
  await waits(() => other.expectRun(false));
  await run(vp);
  other.expectRun(true);
  guest.start(other);
  await waits(async () => {
    await run(other);
    other.expectRun(false);
  });
  other.expectRun(true);
  await waits(() => other.delete());
  await run(vp);
  assertThrows(() => other.expectRun(true), PlatformError, "IcebpExpectRun");
  vp.delete();
  away.delete();
  guest.partition.delete();
  platform.close();
});
