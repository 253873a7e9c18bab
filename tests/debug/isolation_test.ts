// A guest with page-table isolation, as Linux has it: its programs run on page
// tables without the kernel, the kernel on the other half of the pair.

import { assert, assertEquals } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { requireTool } from "../util/tools.ts";
import { LongMode } from "./long_mode.ts";

const ignore = !requireTool("gcc", "ld", "nm", "objcopy");

const KERNEL = 0x10000, USER = 0x11000, HIGH_PDPT = 0x12000;
/** What LongMode maps to itself from. */
const PDPT = 0x2000, PD = 0x3000;
const HIGH = 0xffffffff80000000n;

const GUEST = `
        lea high(%rip), %rcx
        movabs $${HIGH}, %rdx
        add %rdx, %rcx
loop:   mov $${KERNEL}, %eax
        mov %rax, %cr3
        call *%rcx
        mov $${USER}, %eax
        mov %rax, %cr3
user:   jmp loop
high:   inc %r8
        ret
never:  nop; nop; nop; nop
`;

/** The guest, stopped in its program. */
async function inProgram(): Promise<LongMode> {
  const guest = await LongMode.start(GUEST);
  const entry = (at: number, value: number) => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
    guest.machine.memory.write(at, bytes);
  };
  for (const top of [KERNEL, USER]) entry(top, PDPT | 7);
  entry(KERNEL + 511 * 8, HIGH_PDPT | 7);
  entry(HIGH_PDPT + 510 * 8, PD | 7);
  guest.break("user");
  await guest.run();
  assertEquals(guest.rip(), guest.symbol("user"));
  assertEquals(guest.reg(Reg.Cr3), BigInt(USER));
  assert(guest.unbreak("user"));
  return guest;
}

const highOf = (guest: LongMode, name: string) =>
  HIGH + BigInt(guest.symbol(name));

Deno.test({
  name: "the kernel's memory can be seen while a program runs, and written",
  ignore,
  async fn() {
    const guest = await inProgram();
    const { debugger: target } = guest;
    const at = highOf(guest, "high");
    const bytes = new Uint8Array(6);
    assertEquals(target.readMemory(0, at, bytes), 6);
    assertEquals([...bytes], [0x49, 0xff, 0xc0, 0xc3, 0x90, 0x90]);
    assert(target.writeMemory(0, at, Uint8Array.of(0x49, 0xff, 0xc8)));
    const before = guest.reg(Reg.R8);
    guest.break("user");
    await guest.run();
    assertEquals(BigInt.asIntN(64, guest.reg(Reg.R8) - before), -1n);
    // What no table of either has is no memory.
    assertEquals(target.readMemory(0, HIGH - 1n, new Uint8Array(1)), 0);
    guest.close();
  },
});

Deno.test({
  name: "any number of the kernel's breakpoints, set while a program runs",
  ignore,
  async fn() {
    const guest = await inProgram();
    // As many as could be lent a debug register, and none is ever reached.
    for (let i = 0n; i < 4n; i++) guest.break(highOf(guest, "never") + i);
    guest.break(highOf(guest, "high"));
    guest.break("user");
    for (let turn = 0; turn < 3; turn++) {
      assertEquals((await guest.run()).reason, { kind: "breakpoint" });
      assertEquals(guest.reg(Reg.Rip), highOf(guest, "high"));
      await guest.run();
      assertEquals(guest.rip(), guest.symbol("user"));
    }
    guest.close();
  },
});
