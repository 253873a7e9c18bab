// Range steps on the software platform: however code leaves its range, the
// processor stops outside, at once, and nothing of the fence remains.

import { assert, assertEquals } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { requireTool } from "../util/tools.ts";
import { LongMode, TEXT } from "./long_mode.ts";

const ignore = !requireTool("gcc", "ld", "nm", "objcopy");

const GUEST = `
start:  xor %eax, %eax
        mov $100000, %ecx
loop:   inc %rax
        dec %ecx
        jnz loop
after:  nop
        mov $50, %ecx
calls:  dec %ecx
        jnz calls
        call leaf
back:   nop
        mov $60, %ecx
        lea table(%rip), %rdx
indirect: dec %ecx
        mov %rcx, %rbx
        and $1, %ebx
        jmp *(%rdx,%rbx,8)
even:   test %ecx, %ecx
        jnz indirect
        jmp outside
odd:    jmp indirect
        nop
outside: nop
faults: mov $40, %ecx
more:   dec %ecx
        jnz more
        ud2
        nop
fault_end: jmp .
leaf:   ret
vector6: add $2, 0(%rsp)
        iretq
table:  .quad even, odd
        .globl text_end
text_end:
`;

async function start(): Promise<LongMode> {
  const guest = await LongMode.start(GUEST);
  guest.machine.processors[0].vp.set(Reg.Rip, BigInt(guest.symbol("start")));
  return guest;
}

async function range(guest: LongMode, from: string, to: string) {
  const { reason } = await guest.resume({
    kind: "range",
    start: BigInt(guest.symbol(from)),
    end: BigInt(guest.symbol(to)),
  });
  const end = guest.symbol("text_end");
  assertEquals(
    guest.machine.memory.view.subarray(TEXT, end),
    guest.program.bytes.subarray(0, end - TEXT),
    "no fence is left",
  );
  return reason.kind;
}

Deno.test({
  name: "out of a loop by falling through, running and not stepping",
  ignore,
  async fn() {
    const guest = await start();
    // Of steps, by the one way of breakpoints and by the other.
    const exits = () => {
      const { exception = 0, debugPoint = 0 } = guest.machine.exitCounts;
      return exception + debugPoint;
    };
    const before = exits();
    assertEquals(await range(guest, "start", "after"), "step");
    assertEquals(guest.rip(), guest.symbol("after"));
    assertEquals(guest.reg(Reg.Rax), 100000n);
    const made = exits() - before;
    assert(made > 0 && made < 40, `${made}`);
    guest.close();
  },
});

Deno.test({
  name: "out by a call, an indirect jump, and into a fault's handler",
  ignore,
  async fn() {
    const guest = await start();
    await range(guest, "start", "after");
    assertEquals(await range(guest, "after", "back"), "step");
    assertEquals(guest.rip(), guest.symbol("leaf"));
    await guest.resume("step");
    assertEquals(guest.rip(), guest.symbol("back"));
    // Two ways of the indirect jump stay inside.
    assertEquals(await range(guest, "back", "outside"), "step");
    assertEquals(guest.rip(), guest.symbol("outside"));
    assertEquals(guest.reg(Reg.Rcx), 0n);
    await guest.resume("step");
    assertEquals(await range(guest, "faults", "fault_end"), "step");
    assertEquals(guest.rip(), guest.symbol("vector6"));
    assertEquals(guest.reg(Reg.Rcx), 0n);
    guest.close();
  },
});

Deno.test({
  name: "a breakpoint in the range stops, and so does an interrupt",
  ignore,
  async fn() {
    const guest = await start();
    guest.break(guest.symbol("loop") + 3);
    for (let turn = 1; turn < 30; turn++) {
      assertEquals(await range(guest, "start", "after"), "breakpoint");
      assertEquals(guest.reg(Reg.Rax), BigInt(turn));
    }
    guest.unbreak(guest.symbol("loop") + 3);
    guest.machine.processors[0].vp.set(Reg.Rcx, 0xffffffffn);
    const stopped = range(guest, "start", "after");
    setTimeout(() => guest.debugger.interrupt(), 20);
    assertEquals(await stopped, "interrupted");
    assert(guest.reg(Reg.Rax) > 1000n);
    guest.close();
  },
});

Deno.test({
  name: "stepping through a wait for another processor ends",
  ignore,
  async fn() {
    const guest = await LongMode.start(
      `
        test %rdi, %rdi
        jnz other
wait:   cmpb $0, flag
        je wait
done:   jmp .
other:  mov $100, %ecx
1:      dec %ecx
        jnz 1b
        movb $1, flag
        jmp .
flag:   .byte 0
`,
      2,
    );
    let steps = 0;
    while (guest.rip() !== guest.symbol("done")) {
      await guest.resume("step", "continue");
      assert(++steps < 1000);
    }
    guest.close();
  },
});

for (const breakpoints of ["memory", undefined] as const) {
  Deno.test({
    name: `a hardware breakpoint inside of a range stops: ${
      breakpoints ?? "the platform's way"
    }`,
    ignore,
    async fn() {
      // In the first steps, and later, when it runs.
      const places = [["start", 2], ["loop", 0], ["after", 0]];
      for (const [name, offset] of places as [string, number][]) {
        const guest = await LongMode.start(GUEST, 1, { breakpoints });
        const address = guest.symbol(name) + offset;
        guest.debugger.insertBreakpoint({
          kind: "hardware",
          address: BigInt(address),
          length: 1,
          conditions: [],
        });
        assertEquals(
          [await range(guest, "start", "outside"), guest.rip()],
          ["hardwareBreakpoint", address],
        );
        // On from there it is gone past.
        assertEquals(
          await range(guest, "start", "outside"),
          name === "loop" ? "hardwareBreakpoint" : "step",
        );
        guest.close();
      }
    },
  });
}
