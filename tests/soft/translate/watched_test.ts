// Data points beside what translated code accesses: none of its accesses to them is lost,
// and the others stay in it.

import { assert, assertEquals } from "@std/assert";
import { DebugAccess, DebugSpace } from "../../../ffi/debug_points.ts";
import { Reg } from "../../../ffi/registers.ts";
import { openSoft, type TranslateMode } from "../../../src/soft/mod.ts";
import { CODE, DATA, Guest, hex } from "../../contract/guest.ts";
import { MEMORY_BYTES } from "../../contract/providers.ts";

/** Where the watched bytes are; the loop accesses those on both sides. */
const WATCHED = DATA + 24;

// 1: mov [rbx+16], rax; add rax, [rbx+28]; mov [rbx+31], cl; mov [rbx+100], rax
//    add [rbx+16], ecx; test cl, 7fh; jnz 2f; mov byte [rbx+26], al
// 2: dec ecx; jnz 1b; hlt
const LOOP = "488943104803431c884b1f48894364014b10f6c17f750388431affc975e2f4";

async function run(translate: TranslateMode, space: number) {
  const soft = await openSoft({ memoryBytes: MEMORY_BYTES, translate });
  const guest = new Guest({
    platform: soft,
    memory: soft.guestMemory,
    wrote: (offset, bytes) => soft.hostWrote(offset, bytes),
  });
  guest.write(CODE, hex(LOOP));
  guest.partition.setDebugPoint({
    identifier: 1,
    access: DebugAccess.Read | DebugAccess.Write,
    space,
    address: BigInt(WATCHED),
    length: 4n,
    cr3: 0n,
  });
  guest.vp.set(Reg.Rbx, BigInt(DATA));
  guest.vp.set(Reg.Rcx, 100_000n);
  const hits: bigint[] = [];
  for (;;) {
    const exit = await guest.run();
    if (exit.reason !== "debugPoint") {
      assertEquals(exit.reason, "halt");
      break;
    }
    hits.push(guest.vp.get(Reg.Rcx));
  }
  const end = {
    hits,
    rax: guest.vp.get(Reg.Rax),
    instructions: soft.clock.instructions(),
    data: guest.view.getBigUint64(DATA + 16, true),
  };
  const effort = new Map(soft.effort());
  guest.delete();
  soft.close();
  return { end, effort };
}

for (const space of [DebugSpace.All, DebugSpace.Physical]) {
  const name = space === DebugSpace.All ? "a linear" : "a physical";
  Deno.test(`${name} data point in a hot line is met, and only its accesses leave`, async () => {
    const never = await run("never", space);
    assertEquals(never.end.hits.length, Math.floor(100_000 / 128));
    const { end, effort } = await run("always", space);
    assertEquals(end, never.end);
    const share = /\(([\d.]+) %\)/.exec(effort.get("ran translated")!)!;
    assert(Number(share[1]) > 70, effort.get("ran translated"));
  });
}
