/** 32-bit and real-mode guests, with the real gdb and lldb. */
import { assert } from "@std/assert";
import { requireTool, runTool } from "../util/tools.ts";
import { assemble } from "../debug/long_mode.ts";
import { buildGuest32, debugFile, Icebp, symbols } from "./icebp.ts";

const ignore = !requireTool("gcc", "gdb");

/** What came in this order, with anything in between. */
function assertSequence(said: string, ...patterns: RegExp[]): void {
  let rest = said;
  for (const pattern of patterns) {
    const found = pattern.exec(rest);
    assert(found, `${pattern} is missing after the others in:\n${said}`);
    rest = rest.slice(found.index + found[0].length);
  }
}

Deno.test({
  name: "gdb debugs a 32-bit kernel, and its 64-bit code when it gets there",
  ignore,
  fn: async () => {
    const image = buildGuest32();
    await using icebp = new Icebp({ cpus: 1, image });
    const said = await debugFile(
      "gdb",
      icebp,
      image,
      "hbreak schedule if slice == 10",
      "continue",
      "backtrace",
      "finish",
      "next",
      "print shell",
      "break depth if p->parent == 0",
      "continue",
      "backtrace",
      "disassemble",
      "info registers eip cs cr3",
      "print schedule(&init, 4)",
      "print wide(2)",
      "finish",
      "set var mode = 1",
      "tbreak *to_long",
      "continue",
      "tbreak *(long_mode - 0x80000000)",
      "continue",
      "exec-file",
      "unset tdesc filename",
      "x/i $pc",
      "stepi",
      "print/x $r9",
      "print/x $rip",
    );
    assert(!/warning|error|too long/i.test(said), said);
    assertSequence(
      said,
      /Breakpoint 1, schedule \(next=0x80\w+ <shell>, slice=10\)/,
      /#0 +schedule [^]*#1 +0x80\w+ in kernel \(\) at main\.c/,
      /Value returned is \$1 = 21/,
      /\{pid = 2, name = 0x80\w+ "sh", parent = 0x80\w+ <init>\}/,
      /Breakpoint 2, depth \(p=0x80\w+ <init>\)/,
      /#0 +depth [^]*#1 [^]*depth \(p=0x80\w+ <shell>\)[^]*#2 .*kernel/,
      /push +%ebp[^]*call +0x80\w+ <depth>[^]*leave/,
      /eip +0x80\w+[^]*cs +0x8 +8[^]*cr3 +0x10\w000/,
      /= 5\n/,
      /= 8589934599\n/,
      /Value returned is \$\d+ = 1/,
      /to_long \(\) at start\.S/,
      /The guest runs 64-bit code now/,
      /movabs \$0x1122334455667788,%r9/,
      /= 0x1122334455667788/,
      /= 0x10\w+/,
    );
  },
});

Deno.test({
  name: "lldb debugs a 32-bit kernel",
  ignore: ignore || !requireTool("lldb"),
  fn: async () => {
    const image = buildGuest32();
    await using icebp = new Icebp({ cpus: 1, image });
    const said = await debugFile(
      "lldb",
      icebp,
      image,
      "breakpoint set -H -n depth",
      "continue",
      "continue",
      "bt",
      "register read eip ebp",
      "disassemble -n wide",
      "expression shell.pid",
      "breakpoint delete -f",
      "thread step-out",
    );
    assert(!said.includes("Assertion failed"), said);
    assertSequence(
      said,
      /stop reason = breakpoint 1\.1/,
      /frame #0: .*depth\(p=0x[^]*frame #1: .*depth[^]*frame #2: .*kernel/,
      /eip = 0x80\w{6} /,
      /pushl +%ebp|push +ebp/,
      /\(int\) .*= 2\n/,
      /Return value: \(int\).*= 1/,
    );
  },
});

Deno.test({
  name: "gdb in real mode: i8086, and a code segment that begins elsewhere",
  ignore,
  fn: async () => {
    const { bytes, symbols } = assemble(`
      .code16
      nop
      ljmpw $0x7c0, $(far - _start0)
      .org 0x20
      far: movw $0x5678, %dx
      incw %dx
      1: jmp 1b
      .set _start0, far - 0x20
      .org 510
      .byte 0x55, 0xaa`);
    const image = await Deno.makeTempFile();
    try {
      await Deno.writeFile(image, bytes);
      const far = 0x7c20;
      assert(symbols.has("far"));
      for (const kind of ["break", "hbreak"]) {
        await using icebp = new Icebp({ cpus: 1, image });
        const said = await debugFile(
          "gdb",
          icebp,
          null,
          "show architecture",
          "set architecture i8086",
          `${kind} *${far}`,
          "continue",
          "info registers cs eip",
          "x/2i $cs * 16 + $pc",
          "stepi",
          "stepi",
          "info registers dx",
          "monitor registers cs_base",
        );
        assert(!/not compatible|not recognized/.test(said), said);
        assertSequence(
          said,
          /currently "i8086"/,
          /received signal SIGTRAP/,
          /cs +0x7c0 /,
          /eip +0x20 /,
          /0x7c20:\tmov +\$0x5678,%dx/,
          /0x7c23:\tincw? +%dx/,
          /dx +0x5679 /,
          /cs_base +0x0+7c00/,
        );
      }
    } finally {
      await Deno.remove(image);
    }
  },
});

/** From real mode through 32-bit to 64-bit code, with a mark in each. */
const BOOT = `
        .code16
        .globl _start
_start: xorw %ax, %ax
        movw %ax, %ds
        movw %ax, %ss
        movw $0x7c00, %sp
real:   movw $0x1234, %bx
        lgdtl gdt_pointer
        movl %cr0, %eax
        orb $1, %al
        movl %eax, %cr0
        ljmpl $8, $protected
        .code32
protected: movl $0x10, %eax
        movl %eax, %ds
        movl %eax, %es
        movl %eax, %ss
mark:   movl $0x11223344, %ebx
        movl $0x1000, %edi
        movl %edi, %cr3
        xorl %eax, %eax
        movl $3072, %ecx
        rep stosl
        movl $0x2003, 0x1000
        movl $0x3003, 0x2000
        movl $0x83, 0x3000
        movl $0x20, %eax
        movl %eax, %cr4
        movl $0xc0000080, %ecx
        rdmsr
        orl $0x100, %eax
        wrmsr
        movl %cr0, %eax
        orl $0x80000000, %eax
        movl %eax, %cr0
        ljmpl $24, $long
        .code64
long:   movabs $0x1122334455667788, %rbx
        mov %rbx, %r9
done:   jmp done
        .balign 8
gdt:    .quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff, 0x00af9a000000ffff
gdt_pointer: .word 31
        .long gdt
        .org 510
        .word 0xaa55
`;

Deno.test({
  name: "gdb follows a boot sector from real mode to 64-bit code",
  ignore: ignore || !requireTool("ld", "nm", "objcopy"),
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      const at = (name: string) => `${folder}/${name}`;
      await Deno.writeTextFile(at("boot.S"), BOOT);
      runTool("gcc", ["-c", "-m64", "-o", at("boot.o"), at("boot.S")]);
      runTool("ld", ["-Ttext=0x7c00", "-o", at("boot.elf"), at("boot.o")]);
      const copy = ["-O", "binary", "-j", ".text"];
      runTool("objcopy", [...copy, at("boot.elf"), at("boot.bin")]);
      const table = symbols(at("boot.elf"));
      const stop = (name: string) => [
        `break *${table.get(name)}`,
        "continue",
        "stepi",
      ];
      await using icebp = new Icebp({
        cpus: 1,
        image: at("boot.bin"),
        args: ["--gdb-arch=x86-64"],
      });
      const said = await debugFile(
        "gdb",
        icebp,
        null,
        ...stop("real"),
        'printf "R %#x\\n", $rbx & 0xffff',
        ...stop("mark"),
        'printf "P %#lx %#x %d\\n", $rbx, $cs, $cr0 & 1',
        ...stop("long"),
        "stepi",
        'printf "L %#lx %#x %#lx\\n", $r9, $cs, $pc',
        "info registers",
      );
      assert(!/too long|rror/.test(said), said);
      assertSequence(
        said,
        /R 0x1234\n/,
        /P 0x11223344 0x8 1\n/,
        new RegExp(
          `L 0x1122334455667788 0x18 0x${table.get("done")!.toString(16)}\\n`,
        ),
      );
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
