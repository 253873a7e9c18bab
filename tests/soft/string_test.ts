// REP MOVS where source and destination have the same place in the TLB: pages that
// are a multiple of 2 MiB apart. It has to move runs as fast as elsewhere, and to be
// as exact as one element at a time.

import { assert, assertEquals } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { openSoft } from "../../src/soft/mod.ts";
import { DATA, expectExit, Guest, hex, RWX } from "../contract/guest.ts";

const MIB = 1 << 20;
/** 2 MiB above DATA, and half a megabyte of memory there. */
const FAR = DATA + 2 * MIB;
const FAR_END = 2 * MIB + MIB / 2;

async function open(code: string) {
  const soft = await openSoft({ memoryBytes: 2 * MIB });
  const guest = new Guest({
    platform: soft,
    memory: soft.guestMemory,
    wrote: (offset, bytes) => soft.hostWrote(offset, bytes),
  }, { code: `${code} e6 80` });
  guest.partition.mapGpaRange(
    soft.guestMemory.subarray(MIB, MIB + MIB / 2),
    2 * MIB,
    RWX,
  );
  const near = soft.guestMemory.subarray(DATA, DATA + 0x10000);
  const far = soft.guestMemory.subarray(MIB + DATA, MIB + DATA + 0x10000);
  near.forEach((_, i) => near[i] = Math.imul(i, 0x9e3779b1) >>> 24);
  far.forEach((_, i) => far[i] = Math.imul(i, 0x85ebca6b) >>> 24);
  return { soft, guest, near, far };
}

/** Sets RSI, RDI and RCX. */
function set(guest: Guest, source: number, to: number, count: number): void {
  guest.vp.set(Reg.Rsi, BigInt(source));
  guest.vp.set(Reg.Rdi, BigInt(to));
  guest.vp.set(Reg.Rcx, BigInt(count));
}

for (
  const [name, code, size] of [
    ["MOVSB", "f3 a4", 1],
    ["MOVSW", "66 f3 a5", 2],
    ["MOVSD", "f3 a5", 4],
    ["MOVSQ", "f3 48 a5", 8],
  ] as const
) {
  for (const down of [false, true]) {
    for (const shift of [0, 3]) {
      const way = `${down ? "down" : "up"}, ${shift} bytes off`;
      Deno.test(`REP ${name} between conflicting pages, ${way}`, async () => {
        const { soft, guest, near, far } = await open(
          `${down ? "fd" : "fc"} ${code}`,
        );
        const count = 0x3000 / size;
        const first = 0x800;
        const start = first + (down ? (count - 1) * size : 0);
        const expected = far.slice();
        expected.set(
          near.subarray(first, first + 0x3000),
          first + shift,
        );
        set(guest, DATA + start, FAR + start + shift, count);
        const before = soft.counters().tlbMisses;
        expectExit(await guest.run(), "ioPort");
        const misses = soft.counters().tlbMisses - before;
        assertEquals(far.toHex() === expected.toHex(), true);
        const moved = BigInt(down ? -0x3000 : 0x3000);
        assertEquals(guest.vp.get(Reg.Rsi), BigInt(DATA + start) + moved);
        assertEquals(
          guest.vp.get(Reg.Rdi),
          BigInt(FAR + start + shift) + moved,
        );
        assertEquals(guest.vp.get(Reg.Rcx), 0n);
        // Some for every page, not for every element.
        assert(misses < 60n, `${misses} misses`);
      });
    }
  }
}

Deno.test("REP MOVSB between conflicting pages stops at the end of memory", async () => {
  const { soft, guest } = await open("fc f3 a4");
  const source = 0x80000 - 0x1234, to = FAR_END - 0x1234;
  const bytes = soft.guestMemory.slice(source, source + 0x1234);
  set(guest, source, to, 0x2000);
  const exit = expectExit(await guest.run(), "memory");
  assertEquals(exit.gpa, BigInt(FAR_END));
  assertEquals(guest.vp.get(Reg.Rsi), BigInt(source + 0x1234));
  assertEquals(guest.vp.get(Reg.Rcx), 0x2000n - 0x1234n);
  const at = MIB + MIB / 2 - 0x1234;
  assertEquals(soft.guestMemory.slice(at, at + 0x1234), bytes);
});

Deno.test("REP MOVSB onto its own code in a conflicting page", async () => {
  // At FAR: 8 bytes of HLT become what DATA holds; then they are jumped to.
  const { guest, near, far } = await open("fc f3 a4 ff e3");
  far.fill(0xf4, 0, 16);
  near.set(hex("b8 78 56 34 12 e6 80 f4"));
  guest.vp.set(Reg.Rbx, BigInt(FAR));
  for (const value of [0x12345678n, 0x12345679n]) {
    near[1] = Number(value & 0xffn);
    set(guest, DATA, FAR, 8);
    guest.vp.set(Reg.Rip, 0x30000n);
    expectExit(await guest.run(), "ioPort");
    assertEquals(guest.vp.get(Reg.Rax), value);
  }
});
