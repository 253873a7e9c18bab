// Guests of a few instructions for what needs ring 0: 32-bit code, assembled with GNU
// as, in a machine of its own. They end with a value.

import { loadGuest, startGuest } from "../../src/boot/mod.ts";
import { openPlatform } from "../../src/cli/platform.ts";
import { Debugger } from "../../src/debug/debugger.ts";
import { Machine } from "../../src/machine/machine.ts";
import { once } from "../util/once.ts";
import { requireTool, runTool } from "../util/tools.ts";

/** Whether they can be assembled. */
export const canAssemble = requireTool("as", "ld");

const TEXT = 0x100000;
const RAM = 16 << 20;

/**
 * GDT: 08 code and 10 data of ring 0, 18 code and 20 data of ring 3, 28 the TSS, 30 and
 * 38 64-bit code of rings 0 and 3, 40 free. `gate` makes an interrupt gate that ring 3
 * may use, `exit` ends with a value. The stack of ring 0 is at 0x80000, the TSS at
 * 0x2000; its redirection bitmap and I/O map are 0: ports are everybody's, and with VME
 * interrupts of virtual-8086 mode go to the 8086 program.
 */
const PRELUDE = `
        .code32
        .globl _start
        .macro gate vector, handler
        movl $\\handler, %eax
        movw %ax, 0x1000 + \\vector * 8
        movl $0xee000008, %ecx
        movw %cx, 0x1002 + \\vector * 8
        movw $0xee00, 0x1004 + \\vector * 8
        shrl $16, %eax
        movw %ax, 0x1006 + \\vector * 8
        .endm
        .macro exit value
        movb $\\value, %al
        outb %al, $0xf4
        .endm
_start: lgdt gdtr
        ljmp $8, $1f
1:      movw $0x10, %ax
        movw %ax, %ds
        movw %ax, %es
        movw %ax, %ss
        movl $0x90000, %esp
        lidt idtr
        movb $0xff, %al
        outb %al, $0x21
        outb %al, $0xa1
        movl $0x80000, 0x2004
        movl $0x10, 0x2008
        movw $0x88, 0x2066
        movw $0x28, %ax
        ltr %ax
        jmp test
        .align 8
gdt:    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
        .quad 0x00cffb000000ffff, 0x00cff3000000ffff, 0x0000890020002fff
        .quad 0x00af9b000000ffff, 0x00affb000000ffff, 0
gdtr:   .word . - gdt - 1
        .long gdt
idtr:   .word 0x7ff
        .long 0x1000
test:
`;

function assemble(code: string): Uint8Array {
  const folder = Deno.makeTempDirSync();
  try {
    const path = (name: string) => `${folder}/${name}`;
    Deno.writeTextFileSync(path("guest.s"), PRELUDE + code);
    runTool("as", ["--32", "-o", path("guest.o"), path("guest.s")]);
    runTool("ld", [
      ...[
        "-m",
        "elf_i386",
        "-Ttext",
        `0x${TEXT.toString(16)}`,
        "--oformat",
        "binary",
      ],
      ...["-o", path("guest.bin"), path("guest.o")],
    ]);
    return Deno.readFileSync(path("guest.bin"));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** Runs `code` behind the prelude; returns the value it ends with. */
export async function endOf(code: string): Promise<number> {
  const opened = await openPlatform("soft", RAM, "virtual");
  const machine = new Machine({
    platform: opened.platform,
    guestMemory: opened.guestMemory,
    clock: opened.clock,
    entropy: { fill: (into) => into.fill(0) },
    cpus: 1,
    ramBytes: RAM,
    onHostWrite: opened.onHostWrite,
  });
  try {
    startGuest(
      machine,
      loadGuest({
        image: assemble(code),
        name: "guest.bin",
        commandLine: "",
        modules: [],
        ramBytes: RAM,
        cpus: 1,
        virtioDevices: 0,
        flat: { address: TEXT, mode: 32 },
      }),
    );
    const guest = new Debugger(machine, "memory");
    const { promise, resolve } = Promise.withResolvers<void>();
    once(guest.onStop, () => resolve());
    guest.resume([{ kind: "continue" }]);
    const limit = setTimeout(() => guest.interrupt(), 20_000);
    await promise;
    clearTimeout(limit);
    const reason = guest.stop!.reason;
    if (reason.kind !== "exited") throw new Error(`it ended by ${reason.kind}`);
    return (reason.code - 1) / 2;
  } finally {
    await machine.close();
    opened.platform.close();
  }
}
