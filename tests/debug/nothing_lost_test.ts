// Processors share a LOCK counter and test their own INT3, TF and debug registers all
// the while, and sum up their code; a debugger hits breakpoints and steps at random.
// In the end every count must be exact.

import { assert, assertEquals } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { decode, newDecoded } from "../../src/x86/decode.ts";
import type { Action } from "../../src/debug/target.ts";
import { testPlatform } from "../util/platform.ts";
import { requireTool } from "../util/tools.ts";
import { LongMode, TEXT } from "./long_mode.ts";

const GUEST = `
start:  mov %rdi, %r15
        xor %r12d, %r12d
loop:   lock incq shared
        inc %r12
        mov %r12, own(,%r15,8)
        test $63, %r12b
        jnz 2f
        call sum
2:      test $3, %r12b
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
        jne 3f
        mov %dr7, %rax
        cmp $0x400, %eax
        je next
3:      incq bad
next:   cmpb $0, stop
        je loop
        hlt
        jmp next
leaf:   push %rbp
        mov %rsp, %rbp
        pop %rbp
        ret
sum:    xor %eax, %eax
        mov $start, %esi
1:      rol $5, %rax
        xor (%rsi), %al
        inc %rsi
        cmp $code_end, %rsi
        jne 1b
        cmp code_sum, %rax
        je 1f
        lock incq sums_wrong
1:      lock incq sums
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
own:    .quad 0, 0, 0, 0
tests:  .quad 0, 0, 0, 0
int3s:  .quad 0, 0, 0, 0
traps:  .quad 0, 0, 0, 0
watches: .quad 0, 0, 0, 0
watched: .quad 0, 0, 0, 0
code_sum: .quad 0
sums:   .quad 0
sums_wrong: .quad 0
bad:    .quad 0
stop:   .byte 0
`;

/** Instructions that trap between the two POPFQs. */
const TRAPS_A_TEST = 10;

/** Stops that are somebody's doing. */
const COUNTED = new Set(["breakpoint", "watchpoint", "step"]);

const inProcessor = testPlatform() === "soft" &&
  Deno.env.get("ICEBP_TEST_BREAKPOINTS") !== "memory";

/** The guest's sum of its own code. */
function sumOf(code: Uint8Array): bigint {
  let sum = 0n;
  for (const byte of code) {
    sum = BigInt.asUintN(64, (sum << 5n) | (sum >> 59n)) ^ BigInt(byte);
  }
  return sum;
}

interface Task {
  /** Hits and steps. */
  readonly stops: number;
  readonly seed: number;
  /** Whether a watchpoint comes and goes. */
  readonly watches: boolean;
  readonly processors: number;
}

async function hitAndStep({ stops, seed: first, watches, processors }: Task) {
  let seed = first;
  const guest = await LongMode.start(GUEST, processors);
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
  const sumAt = guest.symbol("code_sum");
  guest.machine.memory.write(
    sumAt,
    new Uint8Array(
      BigUint64Array.of(sumOf(guest.program.bytes.subarray(0, end - TEXT)))
        .buffer,
    ),
  );
  const action = (): Action => {
    const what = random(4);
    if (what === 0) return { kind: "step" };
    if (what === 1 && random(3) === 0) {
      const start = BigInt(addresses[random(addresses.length)]);
      return { kind: "range", start, end: start + BigInt(4 + random(40)) };
    }
    return { kind: what === 2 && random(8) === 0 ? "stay" : "continue" };
  };
  for (let counted = 0; counted < stops;) {
    if (random(3) === 0 || armed.length === 0) {
      const at = addresses[random(addresses.length)];
      armed.push(at);
      guest.break(at);
    } else if (armed.length > 6 || random(4) === 0) {
      const [gone] = armed.splice(random(armed.length), 1);
      assert(guest.unbreak(gone));
    }
    if (watches && random(20) === 0) {
      if (watching) guest.debugger.removeBreakpoint(watch);
      else guest.debugger.insertBreakpoint(watch);
      watching = !watching;
    }
    const plan = guest.machine.processors.map(action);
    if (!plan.some((a) => a.kind !== "stay")) plan[0] = { kind: "continue" };
    const stopped = guest.resume(...plan);
    const timer = setTimeout(() => guest.debugger.interrupt(), 20);
    const { reason } = await stopped;
    clearTimeout(timer);
    assert(reason.kind !== "failed", `${Object.values(reason)}`);
    kinds.set(reason.kind, (kinds.get(reason.kind) ?? 0) + 1);
    if (COUNTED.has(reason.kind)) counted++;
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
  const each = (name: string) => {
    const { view } = guest.machine.memory;
    const data = new DataView(view.buffer, view.byteOffset);
    const at = guest.symbol(name);
    return guest.machine.processors.map((_, i) =>
      Number(data.getBigUint64(at + 8 * i, true))
    );
  };
  const own = each("own");
  const tests = each("tests");
  assertEquals(Number(guest.quad("shared")), own.reduce((a, b) => a + b));
  assertEquals(own.map((_, i) => Number(guest.reg(Reg.R12, i))), own);
  assertEquals(tests, own.map((n) => Math.floor(n / 4)));
  assertEquals(each("int3s"), tests);
  assertEquals(each("watches"), tests);
  assertEquals(each("traps"), tests.map((n) => n * TRAPS_A_TEST));
  assertEquals(guest.quad("bad"), 0n);
  assert(guest.quad("sums") > 0n);
  // In memory the guest sees 0xF1 (the README's table).
  if (inProcessor) assertEquals(guest.quad("sums_wrong"), 0n);
  guest.close();
  return { kinds: Object.fromEntries(kinds), own };
}

const ignore = !requireTool("gcc", "ld", "nm", "objcopy");

Deno.test({
  name: "nothing is lost over 10,000 hits and steps of two processors",
  ignore,
  async fn() {
    const { kinds, own } = await hitAndStep({
      stops: 10_000,
      seed: 1,
      watches: false,
      processors: 2,
    });
    assert(own[0] > 300 && own[1] > 300, `${own}`);
    assert(kinds.breakpoint > 1000 && kinds.step > 1000, JSON.stringify(kinds));
  },
});

Deno.test({
  name: "nor with a watchpoint that comes and goes",
  ignore,
  async fn() {
    const { kinds } = await hitAndStep({
      stops: 3_000,
      seed: 2,
      watches: true,
      processors: 2,
    });
    assert(kinds.watchpoint > 50, JSON.stringify(kinds));
  },
});

/** Of hits and steps on four processors. ICEBP_TEST_STOPS=1000000 takes minutes. */
const STOPS = Number(
  Deno.env.get("ICEBP_TEST_STOPS") ?? (inProcessor ? 200_000 : 20_000),
);

Deno.test({
  name: `nor over ${STOPS} hits, watch hits and steps of four processors`,
  ignore,
  async fn() {
    const seed = Number(Deno.env.get("ICEBP_TEST_SEED") ?? 3);
    const { kinds } = await hitAndStep({
      stops: STOPS,
      seed,
      watches: true,
      processors: 4,
    });
    for (const kind of COUNTED) assert(kinds[kind] > STOPS / 100, kind);
  },
});
