// What is cached of a page's entry counts until it is invalidated: whether accesses are
// looked at more closely meanwhile, for snapshots or for data points, makes no difference.

import { assertEquals } from "@std/assert";
import { DebugAccess, DebugSpace } from "../../ffi/debug_points.ts";
import { Reg } from "../../ffi/registers.ts";
import { openSoft, type SoftPlatform } from "../../src/soft/mod.ts";
import { CODE, DATA, expectExit, Guest, hex, PD } from "../contract/guest.ts";
import { MEMORY_BYTES } from "../contract/providers.ts";

// mov [rbx], rax; mov [rbx+1000h], rax; and byte [PD], not 2; out 80h, al
// movups [rbx+20h], xmm0; mov [rbx+0ffch], rax; movups xmm1, [rbx+30h]; hlt
const CODE_BYTES = hex(`
  48 89 03  48 89 83 00 10 00 00  80 24 25 ${le32(PD)} fd  e6 80
  0f 11 43 20  48 89 83 fc 0f 00 00  0f 10 4b 30  f4`);
/** Behind the HLT, where no fault leads. */
const END = BigInt(CODE + CODE_BYTES.length);

function le32(n: number): string {
  return new Uint8Array(new Uint32Array([n]).buffer).toHex();
}

/** Where it ends, and its data; `meanwhile` is called when the entry has changed. */
async function end(meanwhile: (soft: SoftPlatform, guest: Guest) => void) {
  const soft = await openSoft({ memoryBytes: MEMORY_BYTES });
  const guest = new Guest({
    platform: soft,
    memory: soft.guestMemory,
    wrote: (offset, bytes) => soft.hostWrote(offset, bytes),
  });
  guest.write(CODE, CODE_BYTES);
  const { vp } = guest;
  vp.set(Reg.Rbx, BigInt(DATA));
  vp.set(Reg.Rax, 0x1122_3344_5566_7788n);
  vp.set(Reg.Rip, BigInt(CODE));
  expectExit(await vp.run(), "ioPort");
  guest.skip(2);
  meanwhile(soft, guest);
  expectExit(await vp.run(), "halt");
  const seen = {
    rip: vp.get(Reg.Rip),
    cr2: vp.get(Reg.Cr2),
    data: guest.memory.slice(DATA + 0xff8, DATA + 0x1008).toHex(),
  };
  guest.delete();
  soft.close();
  return seen;
}

Deno.test("stale entries allow what they did, also behind a snapshot and beside data points", async () => {
  const plain = await end(() => {});
  assertEquals(plain, { rip: END, cr2: 0n, data: plain.data });
  assertEquals(await end((soft) => soft.timeTravel.takeChanged()), plain);
  const watched = await end((_soft, { partition }) =>
    partition.setDebugPoint({
      identifier: 1,
      access: DebugAccess.Read | DebugAccess.Write,
      space: DebugSpace.All,
      address: BigInt(DATA + 0x800),
      length: 8n,
      cr3: 0n,
    })
  );
  assertEquals(watched, plain);
});
