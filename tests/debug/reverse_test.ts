// What run control makes of a history: back to hits and by steps, forward through what
// was, another future after a change.

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { registerNumber } from "../../src/debug/guest/registers.ts";
import {
  type BreakpointKind,
  type ReverseAction,
  type Stop,
  TargetError,
} from "../../src/debug/target.ts";
import { History } from "../../src/history/history.ts";
import { once } from "../util/once.ts";
import { testPlatform } from "../util/platform.ts";
import { requireTool } from "../util/tools.ts";
import { LongMode } from "./long_mode.ts";
import { ToyTime } from "./toy_time.ts";

const ignore = !requireTool("gcc", "ld", "nm", "objcopy") ||
  testPlatform() !== "soft" ||
  Deno.env.get("ICEBP_TEST_BREAKPOINTS") === "memory";

/** Counts in `word` up to 100, then in RCX for ever; `odd` is written when it is odd. */
const COUNTER = `
loop:   incq word
        mov word, %rax
        test $1, %al
        jz even
write:  mov %rax, odd
even:   cmp $100, %rax
        jb loop
last:   inc %rcx
        jmp last
        .balign 64
word:   .quad 0
        .skip 56
odd:    .quad 0
`;

/** In place of an interval: the history that users have. */
const REAL = 0;

class Timed {
  readonly guest: LongMode;
  readonly time: ToyTime | History;

  private constructor(guest: LongMode, interval: number) {
    this.guest = guest;
    this.time = interval === REAL
      ? new History(guest.machine, { bytes: 1 << 28 })
      : new ToyTime(guest, interval);
    guest.debugger.keepHistory(this.time);
  }

  /** A guest of one processor whose history can be begun at multiples of an interval. */
  static async start(source = COUNTER, interval = REAL): Promise<Timed> {
    return new Timed(await LongMode.start(source), interval);
  }

  get now(): bigint {
    return this.time.now().instructions;
  }

  reverse(action: ReverseAction): Promise<Stop> {
    return new Promise((resolve) => {
      once(this.guest.debugger.onStop, resolve);
      this.guest.debugger.reverse(action, 0);
    });
  }

  insert(kind: BreakpointKind, symbol: string, length = 8) {
    const address = BigInt(this.guest.symbol(symbol));
    const point = { kind, address, length, conditions: [] };
    this.guest.debugger.insertBreakpoint(point);
    return point;
  }

  monitor(line: string): Promise<string> {
    return Promise.resolve(this.guest.debugger.monitor(line, 0));
  }
}

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `reverse: ${name}`, ignore, fn });
}

test("to breakpoints, one after the other, to the beginning, and forward again", async () => {
  for (const interval of [1, 3, 37, 10_000, REAL]) {
    const timed = await Timed.start(COUNTER, interval);
    const { guest } = timed;
    guest.break("write");
    const forward: bigint[] = [];
    for (let i = 0; i < 20; i++) {
      assertEquals((await guest.run()).reason, { kind: "breakpoint" });
      forward.push(timed.now);
    }
    for (const position of forward.toReversed().slice(1)) {
      const stop = await timed.reverse("continue");
      assertEquals(stop, { processor: 0, reason: { kind: "breakpoint" } });
      assertEquals([timed.now, guest.rip()], [
        position,
        guest.symbol("write"),
      ]);
    }
    assertEquals(guest.quad("word"), 1n);
    assertEquals((await timed.reverse("continue")).reason, {
      kind: "history",
      end: "begin",
    });
    assertEquals([timed.now, guest.quad("word")], [0n, 0n]);
    for (const position of forward) {
      assertEquals((await guest.run()).reason, { kind: "breakpoint" });
      assertEquals(timed.now, position);
      // As gdb does, who steps off by itself.
      await guest.resume("step");
    }
    assertEquals(timed.time.inPast, false);
    assertEquals((await guest.run()).reason, { kind: "breakpoint" });
    assertEquals(guest.quad("word"), 41n);
    guest.close();
  }
});

test("over steps that were made live, as gdb makes them off breakpoints", async () => {
  const timed = await Timed.start();
  const { guest } = timed;
  const forward: bigint[] = [];
  for (let i = 0; i < 10; i++) {
    guest.break("write");
    assertEquals((await guest.run()).reason, { kind: "breakpoint" });
    forward.push(timed.now);
    guest.unbreak("write");
    assertEquals((await guest.resume("step")).reason, { kind: "step" });
  }
  const watch = timed.insert("write", "odd");
  for (const kind of ["watchpoint", "breakpoint"]) {
    if (kind === "breakpoint") {
      guest.debugger.removeBreakpoint(watch);
      guest.break("write");
      await timed.monitor("goto end");
    }
    for (const [i, position] of forward.entries().toArray().toReversed()) {
      assertEquals((await timed.reverse("continue")).reason.kind, kind);
      assertEquals([timed.now, guest.rip()], [
        position,
        guest.symbol("write"),
      ]);
      assertEquals(guest.quad("word"), BigInt(2 * i + 1));
    }
    assertEquals((await timed.reverse("continue")).reason.kind, "history");
    for (const position of forward) {
      assertEquals((await guest.run()).reason.kind, kind);
      assertEquals(timed.now, kind === "watchpoint" ? position + 1n : position);
      // gdb steps off by itself.
      if (kind === "breakpoint") await guest.resume("step");
    }
  }
  guest.unbreak("write");
  // Instruction by instruction it is as if nobody had stepped.
  for (let at = timed.now; at > 0n; at--) {
    assertEquals(timed.now, at);
    assertEquals((await timed.reverse("step")).reason.kind, "step");
  }
  guest.close();
});

test("a watchpoint is met before its write, in each piece of history", async () => {
  for (const interval of [1, 2, 5, 1000, REAL]) {
    const timed = await Timed.start(COUNTER, interval);
    const { guest } = timed;
    guest.break("last");
    await guest.run();
    guest.unbreak("last");
    const watch = timed.insert("write", "odd");
    for (let value = 99n; value > 80n; value -= 2n) {
      assertEquals(guest.quad("odd"), value);
      assertEquals((await timed.reverse("continue")).reason, {
        kind: "watchpoint",
        access: "write",
        address: watch.address,
      });
      assertEquals(guest.rip(), guest.symbol("write"));
      assertEquals(guest.reg(Reg.Rax), value);
      assertEquals(guest.quad("odd"), value - 2n);
    }
    // Forward it is behind the write.
    assertEquals((await guest.run()).reason.kind, "watchpoint");
    assertEquals([guest.rip(), guest.quad("odd")], [
      guest.symbol("even"),
      81n,
    ]);
    guest.close();
  }
});

test("steps, and a step over a watched write", async () => {
  const timed = await Timed.start();
  const { guest } = timed;
  const forward: string[] = [];
  const state = () =>
    [Reg.Rip, Reg.Rax, Reg.Rflags].map((r) => guest.reg(r)).join() +
    guest.quad("word") + guest.quad("odd");
  for (let i = 0; i < 100; i++) {
    forward.push(state());
    await guest.resume("step");
  }
  for (let i = 99; i >= 50; i--) {
    assertEquals((await timed.reverse("step")).reason, { kind: "step" });
    assertEquals(state(), forward[i]);
  }
  for (let i = 51; i < 70; i++) {
    assertEquals((await guest.resume("step")).reason, { kind: "step" });
    assertEquals(state(), forward[i]);
  }
  timed.insert("write", "odd");
  for (;;) {
    const stop = await timed.reverse("step");
    if (guest.rip() !== guest.symbol("write")) {
      assertEquals(stop.reason, { kind: "step" });
      continue;
    }
    assertEquals(stop.reason.kind, "watchpoint");
    break;
  }
  assertEquals((await guest.resume("step")).reason.kind, "watchpoint");
  const end = BigInt(guest.symbol("last"));
  const range = { kind: "range", start: end - 0x1000n, end: end + 1n } as const;
  guest.debugger.removeAllBreakpoints();
  assertEquals((await guest.resume(range)).reason, { kind: "step" });
  guest.close();
});

test("forward to the end of history, told once, then on", async () => {
  const timed = await Timed.start();
  const { guest } = timed;
  guest.break("last");
  await guest.run();
  guest.unbreak("last");
  const end = timed.now;
  await timed.monitor("goto 20");
  assertEquals(timed.now, 20n);
  assertEquals((await guest.run()).reason, { kind: "history", end: "end" });
  assertEquals([timed.now, guest.rip()], [end, guest.symbol("last")]);
  setTimeout(() => guest.debugger.interrupt(), 20);
  assertEquals((await guest.run()).reason, { kind: "interrupted" });
  assert(timed.now > end + 1000n);
  guest.close();
});

test("a change in the past begins another future, and is said once", async () => {
  const timed = await Timed.start();
  const { guest, time } = timed;
  guest.break("last");
  await guest.run();
  const said: string[] = [];
  guest.debugger.onNotice.subscribe((line) => said.push(line));
  // At the end it is no change of the past.
  const rcx = registerNumber("rcx");
  guest.debugger.writeRegisters(0, rcx, 1, new Uint8Array(8));
  assertEquals([said.length, time.inPast], [0, false]);
  const end = timed.now;
  await timed.monitor("goto 100");
  const word = BigInt(guest.symbol("word"));
  const bytes = new Uint8Array(8);
  bytes[0] = 98;
  assert(guest.debugger.writeMemory(0, word, bytes));
  assert(guest.debugger.writeMemory(0, word, bytes));
  assertEquals(said, [
    "The past was changed at instruction 100: another future begins there, " +
    `and the ${end - 100n} instructions that came after it are forgotten.`,
  ]);
  assertEquals(time.inPast, false);
  assertEquals((await guest.run()).reason, { kind: "breakpoint" });
  assert(timed.now < 130n);
  guest.close();
});

test("a device's DMA, the instruction that began it, and who wrote last", async () => {
  const timed = await Timed.start(
    `
loop:   inc %rbx
        mov %rbx, other
        cmp $50, %rbx
        jne over
        mov $1, %al
start:  out %al, $0xd8
over:   cmp $100, %rbx
        jne loop
last:   jmp last
        .balign 64
word:   .quad 0
other:  .quad 0
`,
    20,
  );
  const { guest } = timed;
  const { machine } = guest;
  const word = guest.symbol("word");
  const dma = machine.dma("disk9");
  machine.ports.claim(0xd8, 1, {
    readPort: () => 0,
    writePort: () => dma.write(word, Uint8Array.of(7, 7, 7, 7)),
  }, "starter");
  guest.break("last");
  await guest.run();
  const end = timed.now;
  const said = await timed.monitor(`last-write 0x${word.toString(16)} 8`);
  assert(said.startsWith("written by DMA of disk9, at an instruction of CPU0"));
  assertEquals([guest.rip(), guest.quad("word")], [guest.symbol("start"), 0n]);
  const other = `0x${guest.symbol("other").toString(16)}`;
  await timed.monitor("goto end");
  assertEquals(timed.now, end);
  const by = await timed.monitor(`last-write phys ${other}`);
  assert(by.startsWith("written by CPU0 at 0x100003: before it now"), by);
  assertEquals(guest.quad("other"), 99n);
  await timed.monitor("goto end");
  const watch = timed.insert("write", "word");
  assertEquals((await timed.reverse("continue")).reason, {
    kind: "watchpoint",
    access: "write",
    address: watch.address,
    device: "disk9",
  });
  assertEquals([guest.rip(), guest.quad("word")], [guest.symbol("start"), 0n]);
  // Forward it is where it is in the life of the guest.
  assertEquals((await guest.run()).reason.kind, "watchpoint");
  assertEquals([guest.rip(), guest.quad("word")], [
    guest.symbol("over"),
    0x07070707n,
  ]);
  assertEquals(
    await timed.monitor("last-write 0x108000"),
    "nobody wrote there since instruction 0, 0.000000000 s\n",
  );
  guest.close();
});

test("when, and the ways to say where to go", async () => {
  const timed = await Timed.start();
  const { guest } = timed;
  guest.break("last");
  await guest.run();
  const end = timed.now;
  assertEquals(
    await timed.monitor("when"),
    `instruction ${end}, 0.00000${end}0 s\n` +
      "history: from instruction 0, 0.000000000 s\n" +
      `           to instruction ${end}, 0.00000${end}0 s\n`,
  );
  for (
    const [place, position] of [
      ["start", 0n],
      ["1230ns", 123n],
      ["1.239us", 123n],
      ["0.002ms", 200n],
      ["0.000004s", 400n],
      ["17", 17n],
      ["end", end],
    ] as const
  ) {
    const said = await timed.monitor(`goto ${place}`);
    assert(said.startsWith(`instruction ${position}, 0.00000`), said);
    assertEquals(timed.now, position);
  }
  await assertRejects(
    () => timed.monitor("goto 99999999"),
    TargetError,
    "99999999 is not in the history: that is from instruction 0",
  );
  for (const wrong of ["", "x", "1 2", "-1", "5h"]) {
    assertEquals(
      await timed.monitor(`goto ${wrong}`),
      "usage: goto COUNT|TIME|start|end\n",
    );
  }
  for (const wrong of ["", "zz", "0x1000 0", "0x1000 x", "phys", "1 2 3"]) {
    assertEquals(
      await timed.monitor(`last-write ${wrong}`),
      "usage: last-write [phys] ADDRESS [LENGTH]\n",
    );
  }
  await assertRejects(
    () => timed.monitor("last-write 0x123456789a"),
    TargetError,
    "there is no memory at 0x123456789a now",
  );
  guest.close();
});

test("without a history it is said why, and what to use", async () => {
  const back = async (guest: LongMode) => {
    const said: string[] = [];
    guest.debugger.onNotice.subscribe((line) => said.push(line));
    for (const action of ["step", "continue"] as const) {
      const stop = new Promise((resolve) => {
        once(guest.debugger.onStop, resolve);
        guest.debugger.reverse(action, 0);
      });
      assertEquals(await stop, {
        processor: 0,
        reason: { kind: "history", end: "begin" },
      });
    }
    // It stands where it stood, and goes on.
    assertEquals(guest.rip(), guest.symbol("loop"));
    assertEquals((await guest.resume("step")).reason, { kind: "step" });
    assertEquals(said[0], said[1]);
    return said[0];
  };
  const guest = await LongMode.start("loop: jmp loop");
  assertMatch(await back(guest), /^there is no history to go back in/);
  for (const line of ["when", "goto 1", "last-write 0x100000"]) {
    await assertRejects(
      async () => await guest.debugger.monitor(line, 0),
      TargetError,
      "there is no history to go back in",
    );
  }
  guest.close();
  const inMemory = await LongMode.start("loop: jmp loop", 1, {
    breakpoints: "memory",
  });
  inMemory.debugger.keepHistory(new ToyTime(inMemory, 1));
  assertMatch(await back(inMemory), /use --breakpoints processor$/);
  await assertRejects(
    async () => await inMemory.debugger.monitor("when", 0),
    TargetError,
    "use --breakpoints processor",
  );
  inMemory.close();
});

test("an interrupt of a step through a loop", async () => {
  const timed = await Timed.start();
  const { guest } = timed;
  const look = setInterval(() => {
    if (timed.now > 100_000n) guest.debugger.interrupt();
  }, 1);
  await guest.run();
  clearInterval(look);
  // Far inside the loop at the end, which the range has whole.
  await timed.monitor("goto 1000");
  const start = BigInt(guest.symbol("last"));
  const stopped = guest.resume({ kind: "range", start, end: start + 16n });
  setTimeout(() => guest.debugger.interrupt(), 5);
  assertEquals((await stopped).reason, { kind: "interrupted" });
  assert(timed.time.inPast && timed.now > 1000n);
  guest.close();
});

test("an interrupt, a detach and a kill on the way", async () => {
  const timed = await Timed.start(COUNTER, 1);
  const { guest } = timed;
  guest.break("last");
  await guest.run();
  const end = timed.now;
  guest.unbreak("last");
  const stopped = timed.reverse("continue");
  guest.debugger.interrupt();
  assertEquals((await stopped).reason, { kind: "interrupted" });
  // Away from the end, and then let go: from the end on.
  await timed.monitor("goto 10");
  const gone = timed.reverse("continue");
  guest.debugger.detach(true);
  setTimeout(() => guest.debugger.interrupt(), 30);
  assertEquals((await gone).reason, { kind: "interrupted" });
  assert(timed.now > end);
  const killed = timed.reverse("continue");
  guest.debugger.kill();
  assertEquals((await killed).reason, { kind: "exited", code: 0 });
  guest.close();
});
