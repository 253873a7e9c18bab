// Two processors share a LOCK counter and test their own INT3, TF and debug
// registers all the while; a debugger hits breakpoints and steps at random. In
// the end every count must be exact.

import { assert, assertEquals } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { decode, newDecoded } from "../../src/debug/decode.ts";
import type { Action } from "../../src/debug/target.ts";
import { requireTool } from "../util/tools.ts";
import { LongMode, TEXT } from "./long_mode.ts";

const GUEST = `
start:  mov %rdi, %r15
        xor %r12d, %r12d
loop:   lock incq shared
        inc %r12
        mov %r12, own(,%r15,8)
        test $3, %r12b
        jnz next
        incq tests(,%r15,8)
        int3
        pushfq
        orq $0x100, (%rsp)
        popfq
        nop
        mov %r12, %rax
        call leaf
        pushfq
        andq $~0x100, (%rsp)
        popfq
        lea watched(,%r15,8), %rax
        mov %rax, %dr0
        mov $0x90401, %eax
        mov %rax, %dr7
        mov %r12, watched(,%r15,8)
        mov $0x400, %eax
        mov %rax, %dr7
        mov %dr0, %rax
        lea watched(,%r15,8), %rcx
        cmp %rax, %rcx
        je next
        incq bad
next:   cmpb $0, stop
        je loop
        hlt
        jmp next
leaf:   push %rbp
        mov %rsp, %rbp
        pop %rbp
        ret

vector3: incq int3s(,%r15,8)
        iretq
vector1: push %rax
        mov %dr6, %rax
        test $1, %al
        jz 1f
        incq watches(,%r15,8)
1:      test $0x4000, %eax
        jz 2f
        incq traps(,%r15,8)
2:      mov $0xffff0ff0, %eax
        mov %rax, %dr6
        pop %rax
        iretq
        .globl code_end
code_end:
        .align 8
shared: .quad 0
own:    .quad 0, 0
tests:  .quad 0, 0
int3s:  .quad 0, 0
traps:  .quad 0, 0
watches: .quad 0, 0
watched: .quad 0, 0
bad:    .quad 0
stop:   .byte 0
`;

/** Instructions that trap between the two POPFQs. */
const TRAPS_A_TEST = 10;

async function hitAndStep(operations: number, seed: number, hardware: boolean) {
  const guest = await LongMode.start(GUEST, 2);
  const addresses: number[] = [];
  const decoded = newDecoded();
  const end = guest.symbol("code_end");
  for (let at = TEXT; at < end; at += decoded.length) {
    addresses.push(at);
    assert(decode(guest.program.bytes, at - TEXT, 64, decoded));
  }
  const random = (below: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % below;
  };
  const armed: number[] = [];
  const kinds = new Map<string, number>();
  const watch = {
    kind: "write",
    address: BigInt(guest.symbol("shared")),
    length: 8,
    conditions: [],
  } as const;
  let watching = false;
  const action = (): Action => {
    const what = random(4);
    if (what === 0) return { kind: "step" };
    if (what === 1 && random(3) === 0) {
      const start = BigInt(addresses[random(addresses.length)]);
      return { kind: "range", start, end: start + BigInt(4 + random(40)) };
    }
    return { kind: what === 2 && random(8) === 0 ? "stay" : "continue" };
  };
  for (let i = 0; i < operations; i++) {
    if (random(3) === 0 || armed.length === 0) {
      const at = addresses[random(addresses.length)];
      armed.push(at);
      guest.break(at);
    } else if (armed.length > 6 || random(4) === 0) {
      const [gone] = armed.splice(random(armed.length), 1);
      assert(guest.unbreak(gone));
    }
    if (hardware && random(20) === 0) {
      if (watching) guest.debugger.removeBreakpoint(watch);
      else guest.debugger.insertBreakpoint(watch);
      watching = !watching;
    }
    const plan = [action(), action()];
    if (!plan.some((a) => a.kind !== "stay")) plan[0] = { kind: "continue" };
    const stopped = guest.resume(...plan);
    const timer = setTimeout(() => guest.debugger.interrupt(), 20);
    const { reason } = await stopped;
    clearTimeout(timer);
    assert(reason.kind !== "failed", `${Object.values(reason)}`);
    kinds.set(reason.kind, (kinds.get(reason.kind) ?? 0) + 1);
    assertEquals(
      guest.machine.memory.view[addresses[0]],
      guest.program.bytes[0],
    );
  }
  for (const at of armed) guest.unbreak(at);
  if (watching) guest.debugger.removeBreakpoint(watch);
  assertEquals(
    guest.machine.memory.view.subarray(TEXT, end),
    guest.program.bytes.subarray(0, end - TEXT),
  );
  guest.machine.memory.writeByte(guest.symbol("stop"), 1);
  const stopped = guest.run();
  setTimeout(() => guest.debugger.interrupt(), 100);
  await stopped;
  const pair = (name: string) => {
    const { view } = guest.machine.memory;
    const data = new DataView(view.buffer, view.byteOffset);
    const at = guest.symbol(name);
    return [0, 8].map((o) => Number(data.getBigUint64(at + o, true)));
  };
  const own = pair("own");
  const tests = pair("tests");
  assertEquals(Number(guest.quad("shared")), own[0] + own[1]);
  assertEquals(
    [0, 1].map((i) => Number(guest.reg(Reg.R12, i))),
    own,
  );
  assertEquals(tests, own.map((n) => Math.floor(n / 4)));
  assertEquals(pair("int3s"), tests);
  assertEquals(pair("watches"), tests);
  assertEquals(pair("traps"), tests.map((n) => n * TRAPS_A_TEST));
  assertEquals(guest.quad("bad"), 0n);
  guest.close();
  return { kinds: Object.fromEntries(kinds), own };
}

Deno.test({
  name: "nothing is lost over 10,000 hits and steps of two processors",
  ignore: !requireTool("gcc", "ld", "nm", "objcopy"),
  async fn() {
    const { kinds, own } = await hitAndStep(10_000, 1, false);
    assert(own[0] > 300 && own[1] > 300, `${own}`);
    assert(kinds.breakpoint > 1000 && kinds.step > 1000, JSON.stringify(kinds));
  },
});

Deno.test({
  name: "nor with a watchpoint that comes and goes",
  ignore: !requireTool("gcc", "ld", "nm", "objcopy"),
  async fn() {
    const { kinds } = await hitAndStep(3_000, 2, true);
    assert(kinds.watchpoint > 50, JSON.stringify(kinds));
  },
});
