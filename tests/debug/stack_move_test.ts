// What instructions do to the stack pointer: what the processor does, or not told.

import { assert, assertEquals } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { decode, newDecoded } from "../../src/x86/decode.ts";
import { stackMove } from "../../src/debug/stepping/stack_move.ts";
import { requireTool } from "../util/tools.ts";
import { LineGuest, type Mode, MODES, WORDS } from "./line_guest.ts";

const ignore = !requireTool("gcc", "ld", "nm", "objcopy");

/** Those whose effect has to be told: what code is full of. */
const TOLD = [
  "push {A}",
  "pop {A}",
  "pushw %ax",
  "popw %cx",
  "push $1000",
  "push $1",
  "pushf",
  "popf",
  "push %fs",
  "push {SP}",
  "add $8, {SP}",
  "sub $8, {SP}",
  "add $1000, {SP}",
  "sub $1000, {SP}",
  "cmp {A}, {SP}",
  "test {SP}, {SP}",
  "mov {SP}, {A}",
  "cmp $8, {SP}",
  "add {SP}, {A}",
  "add %ah, %al",
  "not %ah",
  "mov $5, %ah",
  "inc {A}",
  "xchg {C}, {A}",
  "bswap %ecx",
  "xorps %xmm4, %xmm0",
  "movd %eax, %xmm4",
  "cvtsi2ss %eax, %xmm4",
];
const TOLD_BUT_IN_64 = [
  "pushal",
  "popal",
  "pushaw",
  "push %es",
  "push %cs",
  "mov %ax, 0x7800",
];
const TOLD_IN_64 = [
  "push %r12",
  "pop %r12",
  "push 0x7800",
  "pop 0x7800",
  "mov $4, %r12",
  "mov %rax, %r12",
  "xchg %rax, %r12",
  "lea 8(%rsp), %r12",
  "movzbl %al, %r12d",
  "setc %r12b",
];

/** Those that may set it to anything. */
const UNTOLD = [
  "mov {A}, {SP}",
  "pop {SP}",
  "add {A}, {SP}",
  "add 0x7800, {SP}",
  "and $-16, {SP}",
  "xchg {A}, {SP}",
  "xchg {SP}, {C}",
  "inc {SP}",
  "dec {SP}",
  "neg {SP}",
  "not {SP}",
  "mov $0x9000, {SP}",
  "mov 0x7800, {SP}",
  "imul {A}, {SP}",
  "shl $1, {SP}",
  "cmove {A}, {SP}",
  "xadd {A}, {SP}",
  "xadd {SP}, {A}",
  "bsf {A}, {SP}",
  "bts $3, {SP}",
  "movzbl %al, %esp",
  "bswap %esp",
  "movd %xmm0, %esp",
  "movmskps %xmm0, %esp",
  "cvttss2si %xmm0, %esp",
  "crc32 %al, %esp",
  "pextrd $1, %xmm0, %esp",
  "smsw %sp",
  "lsl %ax, %sp",
  "shld $4, {A}, {SP}",
  "leave",
  "enter $16, $0",
];
const UNTOLD_IN_64 = [
  "mov $4, %spl",
  "add %al, %spl",
  "setc %spl",
  "movslq %eax, %rsp",
  "lea 8(%rsp), %rsp",
  "add $8, %esp",
  "mov %cr3, %rsp",
];

async function moves(mode: Mode, instructions: readonly string[]) {
  const guest = await LineGuest.start(mode, instructions);
  const { memory, processors: [{ vp }] } = guest.guest.machine;
  // SSE is on.
  vp.set(Reg.Cr4, vp.get(Reg.Cr4) | 0x600n);
  const { bits, base } = WORDS[mode];
  const decoded = newDecoded();
  const result: (number | null)[] = [];
  for (const [i, instruction] of instructions.entries()) {
    const at = guest.offset(`line${i}`);
    const bytes = memory.view.slice(base + at, base + at + 15);
    assert(decode(bytes, 0, bits, decoded), instruction);
    const { length } = decoded;
    assertEquals(at + length, guest.offset(`end${i}`), instruction);
    const told = stackMove(decoded, bytes, 0, bits);
    result.push(told);
    if (told === null) continue;
    vp.set(Reg.Rip, BigInt(at));
    vp.set(Reg.Rsp, 0xa000n);
    // What POPF takes.
    memory.write(0xa000, new Uint8Array(32));
    const { reason } = await guest.guest.resume("step");
    assertEquals(reason.kind, "step", instruction);
    assertEquals(guest.guest.rip(), at + length, instruction);
    assertEquals(
      Number(guest.guest.reg(Reg.Rsp)) - 0xa000,
      told,
      instruction,
    );
  }
  guest.close();
  return result;
}

for (const mode of MODES) {
  const long = mode === "64-bit code";
  Deno.test({
    name: `how far instructions of ${mode} move the stack pointer`,
    ignore,
    async fn() {
      const told = [...TOLD, ...(long ? TOLD_IN_64 : TOLD_BUT_IN_64)];
      const moved = await moves(mode, told);
      assertEquals(told.filter((_, i) => moved[i] === null), []);
      const untold = [...UNTOLD, ...(long ? UNTOLD_IN_64 : [])];
      const others = await moves(mode, untold);
      assertEquals(untold.filter((_, i) => others[i] !== null), []);
    },
  });
}
