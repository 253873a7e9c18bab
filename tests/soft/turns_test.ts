// Turns of processors: no loop of a guest is always cut at the same place.

import { assert, assertEquals } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { LongMode, TEXT } from "../debug/long_mode.ts";
import { testPlatform } from "../util/platform.ts";
import { requireTool } from "../util/tools.ts";

const ignore = !requireTool("gcc", "ld", "nm", "objcopy") ||
  testPlatform() !== "soft";

Deno.test({
  name: "a lock that is free for a moment is got, wherever turns begin",
  ignore,
  async fn() {
    // Processor 0 holds the lock for 198 of the 200 instructions of its loop.
    for (let before = 0; before < 200; before += 25) {
      const guest = await LongMode.start(
        `
        cmp $0, %edi
        jne 3f
        mov $${before}, %ecx
0:      dec %ecx
        jns 0b
1:      lock btsl $0, lock
        jc 1b
        movl $1, held
        mov $97, %ecx
2:      dec %ecx
        jnz 2b
        movl $0, lock
        jmp 1b
3:      pause
        cmpl $0, held
        je 3b
4:      lock btsl $0, lock
        jc 4b
        mov $16, %al
        out %al, $0xf4
        .align 64
lock:   .long 0
held:   .long 0
`,
        2,
      );
      const limit = setTimeout(() => guest.debugger.interrupt(), 20_000);
      const { reason } = await guest.run();
      clearTimeout(limit);
      assertEquals(reason, { kind: "exited", code: 33 });
      guest.close();
    }
  },
});

/** Ways to wait for a semaphore of one's own, which is 0 when it is free. */
const WAITS = {
  PAUSE: `
1:      pause
        cmpl $0, semaphores(,%rdi,4)
        jne 1b
        movl $1, semaphores(,%rdi,4)`,
  "LOCK CMPXCHG": `
        mov $1, %ecx
1:      xor %eax, %eax
        lock cmpxchg %ecx, semaphores(,%rdi,4)
        jne 1b`,
  "LOCK BTS": `
1:      lock btsl $0, semaphores(,%rdi,4)
        jc 1b`,
  XCHG: `
1:      mov $1, %eax
        xchg %eax, semaphores(,%rdi,4)
        test %eax, %eax
        jnz 1b`,
};
const TURNS = 1000;

/** Two processors that hand over to each other, so many times each. */
const handOver = (wait: string) => `
        mov $${TURNS}, %ebx
0:      ${wait}
        mov %edi, %eax
        xor $1, %eax
        movl $0, semaphores(,%rax,4)
        dec %ebx
        jnz 0b
after:  test %edi, %edi
        jz wait
        mov $16, %al
        out %al, $0xf4
wait:   hlt
        jmp wait
        .align 64
semaphores: .long 0, 1
`;
/** More than 64 spins take. Without an end by them a turn has 16384 at least. */
const FEW = 600;

for (const [name, wait] of Object.entries(WAITS)) {
  Deno.test({
    name: `who waits with ${name} does not use up its turn`,
    ignore,
    async fn() {
      const guest = await LongMode.start(handOver(wait), 2);
      const limit = setTimeout(() => guest.debugger.interrupt(), 20_000);
      const { reason } = await guest.run();
      clearTimeout(limit);
      assertEquals(reason, { kind: "exited", code: 33 });
      const { instructions } = guest;
      assert(instructions! < 2 * TURNS * FEW, `${instructions} instructions`);
      guest.close();
    },
  });
}

Deno.test({
  name: "who waits in a range step lets the others run",
  ignore,
  async fn() {
    const guest = await LongMode.start(handOver(WAITS.PAUSE), 2);
    const { reason } = await guest.resume(
      {
        kind: "range",
        start: BigInt(TEXT),
        end: BigInt(guest.symbol("after")),
      },
      "continue",
    );
    assertEquals(reason, { kind: "step" });
    assertEquals(guest.rip(), guest.symbol("after"));
    const { instructions } = guest;
    assert(instructions! < 2 * TURNS * FEW, `${instructions} instructions`);
    guest.close();
  },
});

Deno.test({
  name: "who waits while another one is stepped does so briefly",
  ignore,
  async fn() {
    const guest = await LongMode.start(handOver(WAITS["LOCK BTS"]), 2);
    const STEPS = 300;
    for (let step = 0; step < STEPS; step++) {
      const { processor, reason } = await guest.resume("step", "continue");
      assertEquals([processor, reason.kind], [0, "step"]);
    }
    // It has been handed the semaphore more than once.
    assert(guest.reg(Reg.Rbx) < TURNS - 10, `${guest.reg(Reg.Rbx)} to go`);
    const { instructions } = guest;
    assert(instructions! < STEPS * FEW, `${instructions} instructions`);
    guest.close();
  },
});

Deno.test({
  name: "spins are no end of a turn where nobody else can run, nor of a step",
  ignore,
  async fn() {
    const guest = await LongMode.start(
      `
        test %edi, %edi
        jnz wait
        mov $100000, %ecx
1:      pause
        dec %ecx
        jnz 1b
        mov $16, %al
        out %al, $0xf4
wait:   hlt
        jmp wait
`,
      2,
    );
    // To the PAUSE, and over it: one instruction each.
    for (const at of [2, 4, 9, 11, 13, 9, 11]) {
      const { reason } = await guest.resume("step", "continue");
      assertEquals([reason.kind, guest.rip() - TEXT], ["step", at]);
    }
    const { reason } = await guest.run();
    assertEquals(reason, { kind: "exited", code: 33 });
    assertEquals(guest.reg(Reg.Rcx), 0n);
    // Processor 1 has executed three instructions.
    assertEquals(guest.instructions, 3 + 300_000 + 2 + 3);
    guest.close();
  },
});
