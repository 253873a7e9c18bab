// XCHG of a register with memory that holds the same: nothing changes, so who does it
// in vain ends its turn, but the instruction is carried out as any other.

import { assertEquals } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { openSoft } from "../../src/soft/mod.ts";
import { DATA, expectExit, Guest } from "../contract/guest.ts";

const RAX = 0x8566_92bb_ffff_ffffn;

for (
  const [name, code, after] of [
    ["XCHG m8, AL", "86 06", RAX],
    ["XCHG m16, AX", "66 87 06", RAX],
    ["XCHG m32, EAX", "87 06", 0xffff_ffffn], // a 32-bit result: the upper half is 0
    ["XCHG m64, RAX", "48 87 06", RAX],
  ] as const
) {
  Deno.test(`${name} of the same value`, async () => {
    const soft = await openSoft({ memoryBytes: 1 << 20 });
    const guest = new Guest({
      platform: soft,
      memory: soft.guestMemory,
      wrote: (offset, bytes) => soft.hostWrote(offset, bytes),
    }, { code: `${code} e6 80` });
    new DataView(soft.guestMemory.buffer, soft.guestMemory.byteOffset)
      .setBigUint64(DATA, RAX, true);
    guest.vp.set(Reg.Rsi, BigInt(DATA));
    guest.vp.set(Reg.Rax, RAX);
    expectExit(await guest.run(), "ioPort");
    assertEquals(guest.vp.get(Reg.Rax), after);
  });
}
