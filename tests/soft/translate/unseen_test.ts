// What sets flags that nothing sees is not in translated code.

import { assert, assertEquals } from "@std/assert";
import { Reg } from "../../../ffi/registers.ts";
import { openSoft, type TranslateMode } from "../../../src/soft/mod.ts";
import {
  Code,
  I32,
  moduleBytes,
  Op,
} from "../../../src/soft/translate/wasm.ts";
import { CODE, Guest, hex } from "../../contract/guest.ts";
import { MEMORY_BYTES } from "../../contract/providers.ts";

Deno.test("code that is optional is there if it is wanted, and what is unlikely stays so", () => {
  for (const isWanted of [false, true]) {
    const code = new Code(1);
    const x = code.local(I32);
    /** Adds to x if the parameter is not 0. */
    const add = (n: number) => {
      code.get(0);
      code.ifUnlikely();
      code.get(x);
      code.i32(n);
      code.op(Op.i32_add);
      code.set(x);
      code.end();
    };
    add(1);
    code.optional(() => add(10), () => isWanted);
    code.defer(() => add(100));
    add(1000);
    code.get(x);
    code.complete();
    const body = code.finish();
    // Offsets are from behind the body's size, which is one byte.
    const unlikely = code.unlikely();
    assertEquals(unlikely.length, isWanted ? 4 : 3);
    for (const at of unlikely) assertEquals(body[1 + at], 0x04);
    const types = [{ params: [I32], results: [I32] }] as const;
    const bytes = moduleBytes(types, [], [{ type: 0, code, name: "run" }], 1);
    const env = {
      memory: new WebAssembly.Memory({ initial: 1, maximum: 65536 }),
      table: new WebAssembly.Table({ initial: 0, element: "anyfunc" }),
    };
    const module = new WebAssembly.Module(bytes as BufferSource);
    const { exports } = new WebAssembly.Instance(module, { env });
    const run = exports.run as (n: number) => number;
    assertEquals(run(1), isWanted ? 1111 : 1101);
    assertEquals(run(0), 0);
  }
});

/** Instructions whose flags cost something, of which each changes RAX. */
const SETTERS: Record<string, string> = {
  "ROL": "c1 c0 03",
  "SHL": "48 c1 e0 03",
  "BTC": "0f ba f8 05",
  "IMUL": "48 0f af c3",
};
/** What sees them. */
const SETC = "0f 92 c2";
/** What sets all of them. */
const TEST = "85 db";
const COPIES = 100, TURNS = 400;

/** Runs many copies of a piece of code in a loop; the end, and KiB of translated code. */
async function run(piece: string, translate: TranslateMode) {
  const soft = await openSoft({ memoryBytes: MEMORY_BYTES, translate });
  const guest = new Guest({
    platform: soft,
    memory: soft.guestMemory,
    wrote: (offset, bytes) => soft.hostWrote(offset, bytes),
  });
  const body = hex(piece.repeat(COPIES));
  const back = new Uint8Array(
    new Int32Array([-(body.length + 2 + 6)]).buffer,
  ).toHex();
  // dec ecx; jnz; hlt
  guest.write(CODE, hex(`${body.toHex()} ffc9 0f85 ${back} f4`));
  guest.vp.set(Reg.Rax, 0x0123_4567_89ab_cdefn);
  guest.vp.set(Reg.Rbx, 0x1_0000_0003n);
  guest.vp.set(Reg.Rcx, BigInt(TURNS));
  await guest.run();
  const end = [Reg.Rax, Reg.Rcx, Reg.Rdx, Reg.Rflags, Reg.Rip]
    .map((r) => guest.vp.get(r));
  const effort = new Map(soft.effort());
  guest.delete();
  soft.close();
  return { end, kib: Number(effort.get("in them")?.match(/(\d+) KiB/)?.[1]) };
}

for (const [name, code] of Object.entries(SETTERS)) {
  Deno.test(`flags of ${name} are not set where nothing sees them`, async () => {
    const of = async (piece: string) => {
      const never = await run(piece, "never");
      const always = await run(piece, "always");
      assertEquals(always.end, never.end);
      return always.kib;
    };
    // the same instructions in two orders
    const unseen = await of(code + TEST + SETC);
    const seen = await of(code + SETC + TEST);
    assert(unseen < seen, `${unseen} and ${seen} KiB`);
  });
}
