// How fast the software platform executes: kinds of instructions in a loop of a
// million, ended by a port write. Divide: iterations/s = million instructions/s.
// guests.ts compares whole programs with QEMU's TCG; this file shows where the time
// goes.

import { Reg } from "../ffi/registers.ts";
import { expectExit, Guest } from "../tests/contract/guest.ts";
import { testProvider } from "../tests/contract/providers.ts";

/** Instructions of each kind before the loop's own two (dec, jnz). */
const kinds: Record<string, { code: string; instructions: number }> = {
  // what compilers make of a small function called in a loop
  "call, push, load, store, lea, pop, ret": {
    code: "4889df e802000000 eb11 55 4889e5 488d447f01 488903 48333b 5d c3",
    instructions: 10,
  },
  "register moves and additions": {
    code: "4889d8 4801d8 4889c2 4829c2 4889d8 4801d8 4889c2 4829c2",
    instructions: 8,
  },
  "loads and stores": {
    code: "488b03 48894308 8b5310 895314 0fb65318 885319 488b4320 48894328",
    instructions: 8,
  },
  "branches, none taken": {
    code: "4885e4 7410 780e 7b0c 4885e4 7407 7805 7b03",
    instructions: 8,
  },
  "SSE2 double arithmetic": {
    code: "f20f58c1 f20f59c2 f20f5cc1 f20f58c1 f20f59c2 f20f5cc1",
    instructions: 6,
  },
  "REP MOVSB of 256 bytes": {
    code: "4889de 488dbb00010000 51 b900010000 f3a4 59",
    instructions: 6,
  },
};

const INSTRUCTIONS = 1_000_000;

const provider = testProvider();

for (const [name, { code, instructions }] of Object.entries(kinds)) {
  const turns = Math.round(INSTRUCTIONS / (instructions + 2));
  const count = turns.toString(16).padStart(8, "0").match(/../g)!.reverse();
  const body = code.replaceAll(" ", "");
  const back = (-(body.length / 2 + 2 + 6)) >>> 0;
  const jump = back.toString(16).padStart(8, "0").match(/../g)!.reverse();
  const again = (-(body.length / 2 + 2 + 6 + 2 + 5 + 2)) & 0xff;
  // mov ecx, turns; loop: body; dec ecx; jnz loop; out 0x80, al; jmp start
  const guest = new Guest(await provider.open(), {
    code: `b9 ${count.join("")} ${body} ffc9 0f85 ${jump.join("")} e680 eb ${
      again.toString(16)
    }`,
  });
  guest.vp.set(Reg.Rbx, 0x50000n);
  Deno.bench({
    name,
    group: provider.name,
    fn: async () => {
      const exit = expectExit(await guest.run(), "ioPort");
      guest.vp.set(Reg.Rip, exit.rip + 2n);
    },
  });
}
