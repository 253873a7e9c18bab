/** 32-bit and real-mode guests, with the real gdb and lldb. */
import { assert } from "@std/assert";
import { requireTool } from "../util/tools.ts";
import { assemble } from "../debug/long_mode.ts";
import { buildGuest32, debugFile, Icebp } from "./icebp.ts";

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
