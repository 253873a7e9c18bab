// What becomes of instructions on devices beside their results: descriptors in ROM,
// a debugger's watchpoints and steps, and what cannot be done, in one line.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { noExtensions, type WinHvPlatform } from "../../../ffi/mod.ts";
import { Reg } from "../../../ffi/registers.ts";
import type { BreakpointKind } from "../../../src/debug/target.ts";
import type { MachineOptions } from "../../../src/machine/machine.ts";
import { LongMode } from "../../debug/long_mode.ts";
import { requireTool } from "../../util/tools.ts";
import { WINDOW } from "./probe.ts";

const ignore = !requireTool("gcc", "ld", "nm", "objcopy");
const ROM = 0xfffff000;

/** A guest whose window reads as `value` in every byte. */
async function start(
  code: string,
  value = 0xff,
  options: Partial<MachineOptions> = {},
  wrap?: (platform: WinHvPlatform) => WinHvPlatform,
): Promise<LongMode> {
  const source = `mov $${WINDOW}, %ebx\n${code}`;
  const guest = await LongMode.start(source, 1, options, wrap);
  guest.machine.mmio.claim(WINDOW, 4096, {
    readMmio: (_offset, size) => {
      let all = 0n;
      for (let i = 0; i < size; i++) all = (all << 8n) | BigInt(value);
      return all;
    },
    writeMmio: () => {},
  }, "window");
  return guest;
}

async function toTheEnd(guest: LongMode): Promise<void> {
  const { reason } = await guest.run();
  assertEquals(reason.kind, "exited", JSON.stringify(reason));
}

/** The same platform without what only our own has. */
function withoutExtensions(whole: WinHvPlatform): WinHvPlatform {
  return {
    name: whole.name,
    platform: whole.platform,
    emulation: whole.emulation,
    extensions: noExtensions,
    events: whole.events,
    callback: (kind, fn) => whole.callback(kind, fn),
    close: () => whole.close(),
  };
}

/** Quads as bytes. */
function bytes(...quads: bigint[]): Uint8Array {
  return new Uint8Array(new BigUint64Array(quads).buffer);
}

Deno.test({
  name: "LTR, LLDT, segment loads and far returns with descriptors in ROM",
  ignore,
  async fn() {
    const guest = await start(
      `
        lgdt gdtr
        mov $0x18, %eax
        ltr %ax
        mov $0x10, %eax
        mov %eax, %ds
        push $8
        push $1f
        lretq
1:      str %r8
        mov %ds, %r9d
        mov %cs, %r10d
        mov $${ROM}, %r11d
        mov 0x18(%r11), %r11
        out %al, $0xf4
gdtr:   .word 0x27
        .quad ${ROM}
`,
      0xff,
      {
        ramBytes: 3 << 20,
        attach: (machine) => {
          // None is marked accessed, and the TSS not busy: it stays so.
          machine.memory.addRom(
            ROM,
            bytes(
              0n,
              0x00af9a000000ffffn,
              0x00cf92000000ffffn,
              0x0000890010000067n,
              0n,
            ),
          );
          return [];
        },
      },
    );
    await toTheEnd(guest);
    assertEquals(guest.reg(Reg.R8), 0x18n);
    assertEquals(guest.reg(Reg.R9), 0x10n);
    assertEquals(guest.reg(Reg.R10), 8n);
    assertEquals(guest.reg(Reg.R11), 0x0000890010000067n);
    const { vp } = guest.machine.processors[0];
    assertEquals(vp.getSegment(Reg.Tr).base, 0x1000n);
    assertEquals(vp.getSegment(Reg.Tr).attributes & 15, 11, "busy");
    assertEquals(vp.getSegment(Reg.Ds).attributes & 15, 3, "accessed");
    guest.close();
  },
});

Deno.test({
  name: "watchpoints on a device stop behind every access of their kind",
  ignore,
  async fn() {
    const guest = await start(
      `
start:  mov 8(%rbx), %eax
read:   mov %eax, 8(%rbx)
write:  incl 8(%rbx)
both:   movups (%rbx), %xmm0
vector: mov %rbx, %rsi
        mov $buffer, %edi
        mov $5, %ecx
        rep movsw
moved:  pushq 8(%rbx)
pushed: lea 8(%rbx), %rdi
        stosb
end:    jmp end
buffer: .quad 0, 0
`,
      0x55,
    );
    const { debugger: target } = guest;
    const watch = (kind: BreakpointKind) => ({
      kind,
      address: BigInt(WINDOW + 8),
      length: 4,
      conditions: [],
    } as const);
    const stops: Record<"write" | "access", readonly string[]> = {
      access: ["read", "write", "both", "vector", "moved", "pushed", "end"],
      write: ["write", "both", "end"],
    };
    for (const kind of ["access", "write"] as const) {
      const { vp } = guest.machine.processors[0];
      vp.set(Reg.Rbx, BigInt(WINDOW));
      vp.set(Reg.Rip, BigInt(guest.symbol("start")));
      target.insertBreakpoint(watch(kind));
      for (const name of stops[kind]) {
        const stopped = guest.run();
        const timer = setTimeout(() => guest.debugger.interrupt(), 5000);
        const { reason } = await stopped;
        clearTimeout(timer);
        assertEquals(reason, {
          kind: "watchpoint",
          access: kind,
          address: BigInt(WINDOW + 8),
        });
        assertEquals(guest.rip(), guest.symbol(name), `${kind}: ${name}`);
      }
      assert(target.removeBreakpoint(watch(kind)));
    }
    guest.close();
  },
});

Deno.test({
  name: "steps over accesses: results, iterations, faults and shadows",
  ignore,
  async fn() {
    const guest = await start(
      `
s0:     fninit
        fildll (%rbx)
s1:     fistpll buffer
        mov %rbx, %rsi
        mov $buffer + 8, %edi
        mov $2, %ecx
s2:     rep movsb
s3:     mov $16, %eax
        mov %eax, 0x800
        mov 0x800, %ss
        mov $8, %edx
s4:     divl (%rbx)
        nop
vector0: nop
buffer: .quad 0, 0
`,
      5,
    );
    const step = async (count = 1) => {
      for (let i = 0; i < count; i++) {
        const { reason } = await guest.resume("step");
        assertEquals(reason.kind, "step", JSON.stringify(reason));
      }
    };
    const at = (name: string) =>
      assertEquals(guest.rip(), guest.symbol(name), name);
    await step(3);
    at("s1");
    await step();
    assertEquals(guest.quad("buffer"), 0x0505050505050505n);
    await step(3);
    at("s2");
    await step();
    at("s2");
    assertEquals(guest.reg(Reg.Rcx), 1n);
    await step();
    at("s3");
    await step(4);
    at("s4");
    guest.machine.processors[0].vp.set(Reg.Rdx, 0xffff_ffffn);
    await step();
    at("vector0");
    guest.close();
  },
});

/** Runs a guest that fails; the message. */
async function message(guest: LongMode): Promise<string> {
  const { reason } = await guest.run();
  guest.close();
  assert(reason.kind === "failed", JSON.stringify(reason));
  return reason.message;
}

const FAILURES: readonly (readonly [string, string, RegExp])[] = [
  [
    "code in a device",
    "jmp *%rbx",
    /^CPU0: RIP 0xfd000000 is at 0xfd000000, which is not memory$/,
  ],
  [
    "a page table in a device",
    `movq $0x10003, 0x2010; movabs $0xfd000003, %rax
     mov %rax, 0x2010; mov $0x80000000, %ecx
a:   mov (%rcx), %eax`,
    /^CPU0: a page table is at 0xfd000000, which is not memory \(RIP 0x\w+\)$/,
  ],
  [
    "an exception's stack in a device",
    "lea 0x800(%rbx), %rsp\na: ud2\nvector6: nop",
    /^CPU0: delivering an event touched 0xfd0007f8, which is not memory \(RIP 0x\w+\)$/,
  ],
  [
    "the gates in a device",
    "movw $0xfff, 0x800; mov %rbx, 0x802; lidt 0x800\na: ud2",
    /^CPU0: delivering an event touched 0xfd000060, which is not memory \(RIP 0x\w+\)$/,
  ],
  [
    "a software interrupt's stack in a device",
    "lea 0x800(%rbx), %rsp\na: int $6\nvector6: nop",
    /^CPU0: delivering an event touched 0xfd0007f8, which is not memory \(RIP 0x\w+\)$/,
  ],
];

for (const [name, code, expected] of FAILURES) {
  Deno.test({
    name: `${name}: one line with the address`,
    ignore,
    async fn() {
      const guest = await start(code);
      const a = guest.program.symbols.get("a");
      const text = await message(guest);
      assertMatch(text, expected);
      if (a !== undefined) {
        assertMatch(text, new RegExp(`RIP 0x${a.toString(16)}\\b`));
      }
    },
  });
}

Deno.test({
  name: "without the extension the emulator carries out what it can",
  ignore,
  async fn() {
    const guest = await start(
      `
        mov (%rbx), %rax
        mov %rax, 8(%rbx)
        mov %rbx, %rsi
        mov $buffer, %edi
        mov $2, %ecx
        rep movsl
        mov $0x80, %edx
        mov $buffer + 8, %edi
        insb
        out %al, $0xf4
buffer: .quad 0, 0
`,
      0x42,
      {},
      withoutExtensions,
    );
    await toTheEnd(guest);
    assertEquals(guest.reg(Reg.Rax), 0x4242424242424242n);
    assertEquals(guest.quad("buffer"), 0x4242424242424242n);
    guest.close();
  },
});

for (
  const [name, code, what] of [
    ["a fault", "mov $-1, %rdx\na: divq (%rbx)", "0xfd000000"],
    ["a result that it does not know", "a: lgdt (%rbx)", "0xfd000000"],
    ["x87", "a: fildl (%rbx)", "0xfd000000"],
    ["a segment", "a: mov (%rbx), %gs", "0xfd000000"],
    [
      "string input where no page is",
      "mov $0x140000000, %rdi; mov $0x80, %edx\na: insb",
      "port 0x80",
    ],
  ] as const
) {
  Deno.test({
    name: `without it ${name} is refused with the addresses`,
    ignore,
    async fn() {
      const value = name === "a segment" ? 0 : 0xff;
      const guest = await start(code, value, {}, withoutExtensions);
      const a = guest.symbol("a").toString(16);
      assertMatch(
        await message(guest),
        new RegExp(
          `^CPU0: the platform cannot emulate the instruction at RIP 0x${a}, ` +
            `which accesses ${what}: WHvEmulatorTry\\w+Emulation .*not emulated`,
        ),
      );
    },
  });
}
