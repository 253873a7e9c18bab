// Hits and steps around translated code: points that come and go on a page that it calls
// into and returns from, watchpoints on what it writes, steps into it. Every round of the
// guest takes the instructions that it takes without a debugger, and does what it did.
// (A page that has a breakpoint is interpreted.)

import { assert, assertEquals } from "@std/assert";
import { decode, newDecoded } from "../../src/x86/decode.ts";
import { setDefaultTranslation } from "../../src/soft/mod.ts";
import { Prng } from "../silicon/prng.ts";
import { testPlatform } from "../util/platform.ts";
import { requireTool } from "../util/tools.ts";
import { LongMode, TEXT } from "./long_mode.ts";

const GUEST = `
start:  call work
        call far
        jmp start
        .balign 4096
work:   mov $40, %ecx
1:      incq count
after_count:
        lea 3(%rax,%rcx,2), %rax
        push %rax
        call leaf
        pop %rdx
        test $1, %cl
        jz 2f
        xor %rdx, %rax
        incq odd
after_odd:
2:      rol $3, %rax
        dec %ecx
        jnz 1b
        ret
        .balign 4096
leaf:   add %rdx, sum
        adcq $0, carries
        ret
far:    incq rounds
        ret
far_end:
        .balign 4096
count:  .quad 0
odd:    .quad 0
sum:    .quad 0
carries: .quad 0
rounds: .quad 0
`;

/** What the translated code writes. */
const WATCHED = ["count", "odd"];

/** Hits and steps. */
const STOPS = Number(Deno.env.get("ICEBP_TEST_STOPS") ?? 10_000);

Deno.test({
  name: `${STOPS} hits and steps around translated code`,
  ignore: testPlatform() !== "soft" || !requireTool("gcc", "ld", "nm"),
  async fn() {
    setDefaultTranslation("always");
    const way = { breakpoints: "processor" } as const;
    const guest = await LongMode.start(GUEST, 1, way);
    const plain = await LongMode.start(GUEST, 1, way);
    const { soft } = guest.opened;
    const random = new Prng(Number(Deno.env.get("ICEBP_TEST_SEED") ?? 1), "");
    const places: number[] = [];
    const decoded = newDecoded();
    const end = guest.symbol("far_end");
    for (let at = guest.symbol("leaf"); at < end; at += decoded.length) {
      places.push(at);
      assert(decode(guest.program.bytes, at - TEXT, 64, decoded));
    }
    const far = guest.symbol("far");
    const watch = (name: string, of = guest) => ({
      kind: "write",
      address: BigInt(of.symbol(name)),
      length: 8,
      conditions: [],
    } as const);
    const hit = async (at: number) => {
      const { reason } = await guest.run();
      assertEquals([reason.kind, guest.rip()], ["breakpoint", at]);
    };
    guest.break(far);
    plain.break(far);
    await hit(far);
    await plain.run();
    let before = guest.instructions!;
    await plain.run();
    const round = plain.instructions! - before;

    let stops = 0, rounds = 0, translatedRounds = 0;
    while (stops < STOPS) {
      rounds++;
      const ran = soft!.counters().translated;
      await hit(far);
      assertEquals(guest.instructions! - before, round);
      before += round;
      if (soft!.counters().translated > ran) translatedRounds++;
      const watched = random.chance(50) ? random.pick(WATCHED) : null;
      const place = random.pick(places);
      if (watched !== null) {
        guest.debugger.insertBreakpoint(watch(watched));
        for (let n = 1 + random.int(3); n > 0; n--, stops++) {
          const { reason } = await guest.run();
          assertEquals(reason.kind, "watchpoint");
          assertEquals(guest.rip(), guest.symbol(`after_${watched}`));
        }
      } else if (place !== far) {
        guest.break(place);
        for (let n = 1 + random.int(3); n > 0; n--, stops++) {
          const { reason } = await guest.run();
          assertEquals(reason.kind, "breakpoint");
          if (guest.rip() !== far) assertEquals(guest.rip(), place);
        }
      }
      for (let n = random.int(8); n > 0; n--, stops++) {
        const at = guest.instructions!;
        const { reason } = await guest.resume("step");
        assert(["step", "breakpoint", "watchpoint"].includes(reason.kind));
        assertEquals(guest.instructions, at + 1);
      }
      if (watched !== null) {
        assert(guest.debugger.removeBreakpoint(watch(watched)));
      } else if (place !== far) assert(guest.unbreak(place));
      if (guest.rip() !== far) await hit(far);
      const taken = guest.instructions! - before;
      assertEquals(taken % round, 0, `${taken}`);
      before += taken;
    }
    assert(translatedRounds > rounds * 0.9, `${translatedRounds} of ${rounds}`);

    // as many rounds of the other, which nobody stopped in between
    const done = Number(guest.quad("rounds"));
    plain.unbreak(far);
    plain.debugger.insertBreakpoint(watch("rounds", plain));
    while (Number(plain.quad("rounds")) < done) await plain.run();
    plain.debugger.removeBreakpoint(watch("rounds", plain));
    plain.break(far);
    await plain.run();
    for (const name of ["count", "odd", "sum", "carries"]) {
      assertEquals(guest.quad(name), plain.quad(name), name);
    }
    assertEquals(Number(guest.quad("count")), (done + 1) * 40);
    guest.close();
    plain.close();
  },
});

Deno.test({
  name: "a page whose last breakpoint is gone is translated again, others stay",
  ignore: testPlatform() !== "soft" || !requireTool("gcc", "ld", "nm"),
  async fn() {
    setDefaultTranslation("always");
    const guest = await LongMode.start(GUEST, 1, { breakpoints: "processor" });
    const { soft } = guest.opened;
    /** Of the next rounds, how many instructions run translated. */
    const share = async () => {
      const before = soft!.counters().translated;
      const from = guest.instructions!;
      for (let round = 0; round < 50; round++) await guest.run();
      return Number(soft!.counters().translated - before) /
        (guest.instructions! - from);
    };
    try {
      // Nearly all is on the page of "work"; "far" is on another.
      guest.break("far");
      await share();
      const free = await share();
      assert(free > 0.5, `${free}`);
      guest.break("work");
      guest.break("after_odd");
      for (const [n, place] of ["work", "after_odd"].entries()) {
        await guest.run();
        const some = await share();
        assert(some < free / 2, `${n}: ${some}`);
        assert(guest.unbreak(place));
      }
      if (guest.rip() !== guest.symbol("far")) await guest.run();
      const again = await share();
      assert(again > free * 0.9, `${again} of ${free}`);
    } finally {
      guest.close();
    }
  },
});
