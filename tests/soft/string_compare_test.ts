// REP CMPS and SCAS, which look at runs of elements at once, end where one element at a
// time would: by a difference, by the count, at the end of memory.

import { assertEquals } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { openSoft } from "../../src/soft/mod.ts";
import { CODE, DATA, Guest } from "../contract/guest.ts";
import { Prng } from "../silicon/prng.ts";

const MEMORY = 1 << 20;
/** The last elements are at the end of memory. */
const END = MEMORY;
const CF = 1n, ZF = 0x40n;
const OPCODES = [
  ["B", 1, []],
  ["W", 2, [0x66]],
  ["D", 4, []],
  ["Q", 8, [0x48]],
] as const;

/** What an instruction ends with, by the manual: an iteration after the other. */
function reference(
  memory: Uint8Array,
  size: number,
  { source, to, count, equal }: {
    source: number | bigint;
    to: number;
    count: number;
    equal: boolean;
  },
) {
  const at = (address: number) => {
    let v = 0n;
    for (let n = size - 1; n >= 0; n--) {
      v = v << 8n | BigInt(memory[address + n]);
    }
    return v;
  };
  let flags = 0n, done = 0, goesOn = true;
  while (done < count && goesOn && to + (done + 1) * size <= END) {
    const a = typeof source === "bigint" ? source : at(source + done * size);
    const b = at(to + done * size);
    flags = (a < b ? CF : 0n) | (a === b ? ZF : 0n);
    done++;
    goesOn = (a === b) === equal;
  }
  return { done, flags, reason: done < count && goesOn ? "memory" : "halt" };
}

for (const scan of [false, true]) {
  for (const [letter, size, prefix] of OPCODES) {
    const name = `REP ${scan ? "SCAS" : "CMPS"}${letter}`;
    Deno.test(`${name} ends where an element at a time would`, async () => {
      const soft = await openSoft({ memoryBytes: MEMORY });
      const guest = new Guest({
        platform: soft,
        memory: soft.guestMemory,
        wrote: (offset, bytes) => soft.hostWrote(offset, bytes),
      });
      const { vp, memory } = guest;
      const random = new Prng(1, name);
      const opcode = (scan ? 0xae : 0xa6) | (size > 1 ? 1 : 0);
      for (let turn = 0; turn < 60; turn++) {
        const equal = random.chance(50);
        const rep = equal ? 0xf3 : 0xf2;
        // [66] REP [REX.W] opcode; hlt
        const bytes = prefix[0] === 0x48
          ? [rep, 0x48, opcode]
          : [...prefix, rep, opcode];
        const beyond = random.chance(20);
        const count = 1 + random.int(0x3000 / size);
        const source = DATA + random.int(0x1000);
        const to = beyond
          ? END - random.int(count * size)
          : 0x80000 + random.int(0x1000);
        // all alike but for one element
        memory.fill(0x5a, DATA, DATA + 0x8000);
        memory.fill(equal ? 0x5a : 0x77, 0x80000, END);
        const odd = to + random.int(count + 2) * size;
        if (odd < END) memory[odd] = equal ? random.int(256) : 0x5a;
        if (!equal && odd + size <= END) memory.fill(0x5a, odd, odd + size);
        soft.hostWrote(0, MEMORY);
        guest.start(vp);
        guest.write(CODE, Uint8Array.of(...bytes, 0xf4));
        vp.set(Reg.Rax, 0x5a5a5a5a5a5a5a5an);
        vp.set(Reg.Rsi, BigInt(source));
        vp.set(Reg.Rdi, BigInt(to));
        vp.set(Reg.Rcx, BigInt(count));
        const expected = reference(memory, size, {
          source: scan ? BigInt(`0x${"5a".repeat(size)}`) : source,
          to,
          count,
          equal,
        });
        const exit = await guest.run();
        const what = `turn ${turn}: ${count} to ${to.toString(16)}`;
        assertEquals({
          done: count - Number(vp.get(Reg.Rcx)),
          rdi: Number(vp.get(Reg.Rdi)),
          rsi: Number(vp.get(Reg.Rsi)),
          flags: vp.get(Reg.Rflags) & (CF | ZF),
          reason: exit.reason,
        }, {
          done: expected.done,
          rdi: to + expected.done * size,
          rsi: scan ? source : source + expected.done * size,
          flags: expected.flags,
          reason: expected.reason,
        }, what);
      }
      guest.delete();
      soft.close();
    });
  }
}
