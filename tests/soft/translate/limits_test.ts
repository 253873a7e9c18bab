// Translation is bounded: few regions, or code that changes itself for ever, and every
// guest still does what it does interpreted.

import { assert, assertEquals } from "@std/assert";
import { Reg } from "../../../ffi/registers.ts";
import { openSoft, type TranslateMode } from "../../../src/soft/mod.ts";
import { CODE, DATA, Guest, hex } from "../../contract/guest.ts";
import { MEMORY_BYTES } from "../../contract/providers.ts";

/** Bytes and where they are. */
type Code = readonly (readonly [at: number, bytes: Uint8Array])[];

/** Runs code to its first HLT; what it ended with, and what was translated. */
async function run(
  code: Code,
  translate: TranslateMode,
  regions?: number,
) {
  const soft = await openSoft({
    memoryBytes: MEMORY_BYTES,
    translate,
    regions,
  });
  const guest = new Guest({
    platform: soft,
    memory: soft.guestMemory,
    wrote: (offset, bytes) => soft.hostWrote(offset, bytes),
  });
  for (const [at, bytes] of code) guest.write(at, bytes);
  const exit = await guest.run();
  const end = {
    exit: exit.reason,
    rax: guest.vp.get(Reg.Rax),
    flags: guest.vp.get(Reg.Rflags),
    instructions: soft.clock.instructions(),
    data: guest.view.getBigUint64(DATA, true),
  };
  const effort = new Map(soft.effort());
  guest.delete();
  soft.close();
  return { end, effort };
}

/** Each has a page of its own. */
const FUNCTIONS = 0x60000;

/** A call of each of `functions` in turn, `turns` times; each counts in its own loop. */
function calls(functions: number, turns: number): Code {
  const code: number[] = [...hex(`bf ${le32(turns)}`)];
  const top = code.length;
  const pieces: [number, Uint8Array][] = [];
  for (let n = 0; n < functions; n++) {
    const at = FUNCTIONS + n * 0x1000;
    code.push(0xe8, ...hex(le32(at - (CODE + code.length + 5))));
    // mov ecx, 50; 1: add rax, n; rol rax, 3; dec ecx; jnz 1b; ret
    const body = [...hex("b9 32 00 00 00 48 83 c0"), n];
    body.push(...hex("48 c1 c0 03 ff c9 75 f4 c3"));
    pieces.push([at, Uint8Array.from(body)]);
  }
  code.push(0xff, 0xcf, 0x0f, 0x85);
  code.push(...hex(le32(top - (code.length + 4))), 0xf4);
  return [[CODE, Uint8Array.from(code)], ...pieces];
}

function le32(n: number): string {
  return new Uint8Array(new Int32Array([n]).buffer).toHex();
}

Deno.test("four regions are enough for twenty loops, one after the other", async () => {
  const code = calls(20, 300);
  const never = await run(code, "never");
  for (
    const [mode, regions] of [["always", 4], ["always", undefined]] as const
  ) {
    const { end, effort } = await run(code, mode, regions);
    assertEquals(end, never.end);
    const [there, made] = effort.get("regions")!.split(" of ");
    assert(Number(there) <= (regions ?? 4096), there);
    // with four they take each other's places
    assert(parseInt(made) > (regions === 4 ? 40 : 20), made);
    assert(Number(effort.get("ran translated")!.split(" ")[0]) > 0);
  }
});

Deno.test("a region that is used stays when others go", async () => {
  // Functions on pages of their own: the first is called between all others.
  const PAGES = 0x6_0000, FUNCTIONS = 12, TURNS = 6;
  const call = (n: number, from: number) =>
    hex(`e8 ${le32(PAGES + n * 0x1000 - (CODE + from + 5))}`);
  const code = [...hex(`bf ${le32(TURNS)}`)];
  const top = code.length;
  for (let n = 1; n < FUNCTIONS; n++) {
    code.push(...call(0, code.length));
    code.push(...call(n, code.length));
  }
  code.push(0xff, 0xcf, 0x0f, 0x85);
  code.push(...hex(le32(top - (code.length + 4))), 0xf4);
  const functions = Array.from({ length: FUNCTIONS }, (_, n) =>
    [
      PAGES + n * 0x1000,
      // mov ecx, 0x8000; 1: add rax, n; dec ecx; jnz 1b; ret
      hex(`b9 00 80 00 00 48 83 c0 0${n.toString(16)} ff c9 75 f8 c3`),
    ] as const);
  const parts: Code = [[CODE, Uint8Array.from(code)], ...functions];
  const never = await run(parts, "never");
  const { end, effort } = await run(parts, "always", 8);
  assertEquals(end, never.end);
  const [, made] = effort.get("regions")!.split(" of ");
  // each of the others anew in each turn, the first one hardly ever
  const others = TURNS * (FUNCTIONS - 1);
  assert(parseInt(made) > others / 2, made);
  assert(parseInt(made) < others * 1.2, made);
});

Deno.test("a loop that often does what is only for the interpreter is translated, too", async () => {
  // mov edi, 10000; 2: mov ecx, 300; 1: add rax, rcx; rol rax, 3; dec ecx; jnz 1b
  // rdtsc; dec edi; jnz 2b; hlt
  const code: Code = [[
    CODE,
    hex(`bf 10 27 00 00 b9 2c 01 00 00 48 01 c8 48 c1 c0 03 ff c9 75 f5
      0f 31 ff cf 75 ea f4`),
  ]];
  const never = await run(code, "never");
  const { end, effort } = await run(code, "auto");
  assertEquals(end, never.end);
  const [, share] = /\((.*) %\)/.exec(effort.get("ran translated")!)!;
  assert(Number(share) > 80, share);
});

Deno.test("a loop that writes its own code for ever is not translated for ever", async () => {
  // mov ecx, 3000; 1: inc dword [rel imm]; mov eax, imm; add [DATA], rax; dec ecx; jnz 1b
  const bytes = hex(`
    b9 b8 0b 00 00
    ff 05 01 00 00 00       # the immediate behind it
    b8 00 00 00 00
    48 01 04 25 ${le32(DATA)}
    ff c9
    75 e9
    f4`);
  const code: Code = [[CODE, bytes]];
  const never = await run(code, "never");
  assertEquals(never.end.data, 3000n * 3001n / 2n);
  for (const mode of ["auto", "always"] as const) {
    const { end, effort } = await run(code, mode);
    assertEquals(end, never.end);
    const [there, made] = effort.get("regions")!.split(" of ");
    assert(Number(there) < 4, there);
    if (mode === "auto") assert(parseInt(made) < 64, made);
  }
});
