// A processor that starts: from waiting for a SIPI, halted, spinning in 64-bit and in
// real mode, again and again, at several places, through a trampoline into 64-bit mode,
// and after the machine's reset. Breakpoints of both kinds at its first instruction
// and later, and a watchpoint on what it writes.

import { assertEquals } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import type { BreakpointKind } from "../../src/debug/target.ts";
import { requireTool } from "../util/tools.ts";
import { LongMode } from "./long_mode.ts";

const ignore = !requireTool("gcc", "ld", "nm", "objcopy");

/** What the processor waits in for its first INIT. */
const WAITS = {
  "waiting for a SIPI": "hlt",
  "halted": "1: hlt\njmp 1b",
  "halted with interrupts off": "cli\n1: hlt\njmp 1b",
  "spinning": "1: jmp 1b",
} as const;
type Wait = keyof typeof WAITS;

/** SIPI vectors, and whether their code goes on into 64-bit mode. */
const STARTS = [[0x08, true], [0x20, true], [0x9e, false], [
  0x08,
  true,
]] as const;
const COUNTER = 0x600, STARTED = 0x604, GDT_POINTER = 0x5f0;
/** WHV_INTERNAL_ACTIVITY_REGISTER.StartupSuspend. */
const STARTUP_SUSPEND = 1n;

/** With `again`, all of it for ever. */
function sourceOf(wait: string, again: boolean): string {
  const starts = STARTS.map(([vector], i) => `
        movl $0x01000000, 0x10(%rsi)
        movl $0x4500, (%rsi)
        movl $0x01000000, 0x10(%rsi)
        movl $${0x4600 | vector}, (%rsi)
1:      pause
        cmpl $${i + 1}, ${STARTED}
        jne 1b
`);
  return `
start:  cmp $0, %edi
        jne ap
        mov $0xfee00300, %esi
        ${starts.join("")}
done:   ${
    again
      ? "movl $0, " + STARTED + "\nmov $6, %al\nmov $0xcf9, %edx\nout %al, %dx"
      : ""
  }
1:      jmp 1b
ap:     ${wait}
ap64:   lock incl ${STARTED}
1:      jmp 1b
        .code16
long:   nop
        xor %bx, %bx
        mov %bx, %ds
        incw ${COUNTER}
        lgdtl ${GDT_POINTER}
        mov $0x620, %eax
        mov %eax, %cr4
        mov $0x1000, %eax
        mov %eax, %cr3
        mov $0xc0000080, %ecx
        rdmsr
        or $0x100, %eax
        wrmsr
        mov $0x80000033, %eax
        mov %eax, %cr0
        ljmpl $8, $ap64
real:   nop
        xor %bx, %bx
        mov %bx, %ds
        incw ${COUNTER}
        lock incl ${STARTED}
1:      jmp 1b
real_end:
`;
}

async function start(wait: Wait, again = false): Promise<LongMode> {
  const guest = await LongMode.start(sourceOf(WAITS[wait], again), 2);
  const { memory, processors } = guest.machine;
  const bytes = (from: string, to: string) => {
    const at = (name: string) => guest.symbol(name) - guest.symbol("start");
    return guest.program.bytes.slice(at(from), at(to));
  };
  for (const [vector, goesOn] of STARTS) {
    const code = goesOn ? bytes("long", "real") : bytes("real", "real_end");
    memory.write(vector << 12, code);
  }
  memory.write(GDT_POINTER, Uint8Array.of(23, 0, 0, 0x40, 0, 0));
  memory.write(COUNTER, new Uint8Array(8));
  if (wait === "waiting for a SIPI") {
    processors[1].vp.set(Reg.InternalActivityState, STARTUP_SUSPEND);
  }
  return guest;
}

/** Where each start is stopped at: its first instructions, and in 64-bit mode. */
function stopsOf(guest: LongMode, kind: BreakpointKind): bigint[] {
  return STARTS.flatMap(([vector, goesOn]) => {
    const first = BigInt(vector << 12);
    // Behind the INC that writes.
    if (kind === "write") return [first + 9n];
    // Debug registers are four.
    const code = kind === "hardware" ? [first] : [first, first + 1n];
    return goesOn ? [...code, BigInt(guest.symbol("ap64"))] : code;
  });
}

for (const wait of Object.keys(WAITS) as Wait[]) {
  for (const kind of ["software", "hardware", "write"] as const) {
    Deno.test({
      name: `a processor that starts from ${wait}: ${kind}`,
      ignore,
      async fn() {
        const guest = await start(wait);
        const { debugger: target } = guest;
        const stops = stopsOf(guest, kind);
        const insert = (address: bigint, kind: BreakpointKind, length = 1) =>
          target.insertBreakpoint({ kind, address, length, conditions: [] });
        if (kind === "write") insert(BigInt(COUNTER), kind, 2);
        else for (const at of new Set(stops)) insert(at, kind);
        guest.break("done");
        const seen: bigint[] = [];
        for (;;) {
          const { processor, reason } = await guest.run();
          if (processor === 0) break;
          assertEquals(
            reason.kind,
            {
              software: "breakpoint",
              hardware: "hardwareBreakpoint",
              write: "watchpoint",
            }[kind],
          );
          seen.push(target.guest.vcpus[1].linear);
        }
        assertEquals(guest.rip(0), guest.symbol("done"));
        assertEquals(seen, stops);
        assertEquals(guest.machine.memory.view[STARTED], STARTS.length);
        guest.close();
      },
    });
  }
}

Deno.test({
  name: "a processor that starts again after the machine's reset",
  ignore,
  async fn() {
    const guest = await start("halted", true);
    const at = BigInt(STARTS[0][0] << 12);
    guest.debugger.insertBreakpoint({
      kind: "software",
      address: at,
      length: 1,
      conditions: [],
    });
    for (let turn = 0; turn < 3; turn++) {
      // The first place is the last, too.
      for (const started of [0, 3]) {
        const { processor, reason } = await guest.run();
        assertEquals([processor, reason.kind], [1, "breakpoint"]);
        assertEquals(guest.debugger.guest.vcpus[1].linear, at);
        assertEquals(guest.machine.memory.view[STARTED], started);
      }
    }
    guest.close();
  },
});
