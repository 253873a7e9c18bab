// Processors that are started anew while the debugger has breakpoints and
// watchpoints in them.

import { assert, assertEquals } from "@std/assert";
import { PartitionPropertyCode } from "../../ffi/enums.ts";
import { ExtendedVmExits } from "../../ffi/flags.ts";
import { HResult } from "../../ffi/hresult.ts";
import type { WinHvPlatform } from "../../ffi/mod.ts";
import { Reg } from "../../ffi/registers.ts";
import type { BreakpointKind } from "../../src/debug/target.ts";
import { requireTool } from "../util/tools.ts";
import { LongMode } from "./long_mode.ts";

const ignore = !requireTool("gcc", "ld", "nm", "objcopy");

/** Where a start-up IPI with vector 8 goes, and what is counted there. */
const TRAMPOLINE = 0x8000, ROUNDS = 0x7000, TURNS = 0x7008, SEEN = 0x7010;

/** CPU0 starts CPU1, which runs already, again and again; RBX counts. */
const guest = (init: string, sipi: string, delay: string) => `
        cmp $0, %edi
        jne other
        mov $0xfee00000, %ebp
        movl $0x1ff, 0xf0(%rbp)
        movl $0x01000000, 0x310(%rbp)
        xor %ebx, %ebx
round:  movl $${init}, 0x300(%rbp)
        ${delay}
        movl $${sipi}, 0x300(%rbp)
        inc %ebx
1:      pause
        cmp %ebx, ${ROUNDS}
        jne 1b
        jmp round
other:  pause
        jmp other
        .code16
tramp:  xor %ax, %ax
        mov %ax, %ds
        mov %dr7, %eax
        mov %eax, ${SEEN}
        incl ${ROUNDS}
turn:   incl ${TURNS}
        jmp turn
tramp_end:
`;

const DELAY = "mov $2000, %ecx; 2: loop 2b";
/** ICRs: to APIC ID 1, and to all others. */
const ORDINARY = guest("0x4500", "0x4608", DELAY);

async function start(
  source: string,
  options: Parameters<typeof LongMode.start>[2],
  wrap?: Parameters<typeof LongMode.start>[3],
): Promise<LongMode> {
  const started = await LongMode.start(source, 2, options, wrap);
  const [from, to] = [started.symbol("tramp"), started.symbol("tramp_end")];
  const { memory } = started.machine;
  memory.write(TRAMPOLINE, memory.view.slice(from, to));
  return started;
}

function point(kind: BreakpointKind, address: number, length: number) {
  return { kind, address: BigInt(address), length, conditions: [] };
}

const word = (started: LongMode, at: number) => {
  const { view } = started.machine.memory;
  return new DataView(view.buffer, view.byteOffset).getUint32(at, true);
};

/** That each of three rounds' first instruction stops, in CPU1. */
async function stopsAtFirst(started: LongMode, kind: string): Promise<void> {
  for (let round = 0; round < 3; round++) {
    const { processor, reason } = await started.run();
    assertEquals([processor, reason.kind], [1, kind]);
    assertEquals(started.debugger.guest.vcpus[1].linear, BigInt(TRAMPOLINE));
    assertEquals(word(started, ROUNDS), round);
  }
}

for (const breakpoints of ["memory", undefined] as const) {
  const way = breakpoints ?? "the platform's way";

  for (
    const [name, source] of [
      ["to one", ORDINARY],
      ["at once", guest("0x4500", "0x4608", "")],
      ["level-triggered", guest("0xc500", "0xc608", DELAY)],
      [
        "twice",
        guest("0x4500", "0x4608", DELAY + "; movl $0x4500, 0x300(%rbp)"),
      ],
      ["to all others", guest("0xc4500", "0xc4608", DELAY)],
    ] as const
  ) {
    Deno.test({
      name: `a started processor's first instruction, ${name}: ${way}`,
      ignore,
      async fn() {
        const started = await start(source, { breakpoints });
        started.debugger.insertBreakpoint(point("hardware", TRAMPOLINE, 1));
        await stopsAtFirst(started, "hardwareBreakpoint");
        started.close();
      },
    });
  }

  Deno.test({
    name: `a started processor's first instruction, break: ${way}`,
    ignore,
    async fn() {
      const started = await start(ORDINARY, { breakpoints });
      started.break(TRAMPOLINE);
      await stopsAtFirst(started, "breakpoint");
      started.close();
    },
  });

  Deno.test({
    name: `a started processor is watched, and sees its own registers: ${way}`,
    ignore,
    async fn() {
      const started = await start(ORDINARY, { breakpoints });
      const watch = point("write", ROUNDS, 4);
      started.debugger.insertBreakpoint(watch);
      for (let round = 1; round <= 3; round++) {
        const { processor, reason } = await started.run();
        assertEquals([processor, reason.kind], [1, "watchpoint"]);
        assertEquals(word(started, ROUNDS), round);
        assertEquals(word(started, SEEN), 0x400, "DR7 as INIT leaves it");
        assertEquals(started.reg(Reg.Dr7, 1), 0x400n);
        assertEquals(started.reg(Reg.Dr0, 1), 0n);
      }
      assert(started.debugger.removeBreakpoint(watch));
      const stopped = started.run();
      setTimeout(() => started.debugger.interrupt(), 30);
      assertEquals((await stopped).reason.kind, "interrupted");
      assert(word(started, ROUNDS) > 3, "it goes on being started");
      started.close();
    },
  });

  Deno.test({
    name: `a processor that stayed where it was when INIT came: ${way}`,
    ignore,
    async fn() {
      const started = await start(ORDINARY, { breakpoints });
      const { debugger: target } = started;
      target.insertBreakpoint(point("hardware", TRAMPOLINE, 1));
      const sent = point("hardware", started.symbol("round") + 10, 1);
      target.insertBreakpoint(sent);
      // Alone, up to behind the INIT, and the rest in steps.
      while ((await started.resume("step")).reason.kind === "step") {
        if (started.reg(Reg.Rbx) === 1n) break;
        if (started.rip() === started.symbol("round") + 10) break;
      }
      assert(target.removeBreakpoint(sent));
      await stopsAtFirst(started, "hardwareBreakpoint");
      started.close();
    },
  });
}

/** A host on which ExtendedVmExits stay as they were at setup. */
function refusing(platform: WinHvPlatform): WinHvPlatform {
  const functions = platform.platform;
  const refusal: typeof functions = {
    ...functions,
    WHvSetPartitionProperty(partition, code, value, bytes) {
      const bits = new DataView(value!.buffer, value!.byteOffset);
      const trap = code === PartitionPropertyCode.ExtendedVmExits &&
        (bits.getBigUint64(0, true) &
            ExtendedVmExits.X64ApicInitSipiExitTrap) !== 0n;
      return trap
        ? HResult.E_INVALIDARG
        : functions.WHvSetPartitionProperty(partition, code, value, bytes);
    },
  };
  return new Proxy(platform, {
    get(target, name) {
      if (name === "platform") return refusal;
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

Deno.test({
  name: "where INIT cannot exit, debug registers come back some time after",
  ignore,
  async fn() {
    const started = await start(
      ORDINARY.replace("jmp round", "jmp ."),
      { breakpoints: "memory" },
      refusing,
    );
    const { debugger: target } = started;
    target.insertBreakpoint(point("write", TURNS, 4));
    const { processor, reason } = await started.run();
    assertEquals([processor, reason.kind], [1, "watchpoint"]);
    assertEquals(word(started, ROUNDS), 1);
    assert(word(started, TURNS) >= 1);
    started.close();
  },
});
