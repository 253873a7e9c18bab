// QEMU's monitor commands, with what QEMU 7.2 says to them.

import { assertEquals } from "@std/assert";
import { requireTool } from "../util/tools.ts";
import { LongMode } from "./long_mode.ts";

/** Asked of QEMU, but for the registers' names. */
const EXPRESSIONS = [
  ["1+2*3", "0x7\n"],
  ["(1+2)*3", "0x9\n"],
  ["16-4-4", "0x8\n"],
  ["0xf0|0x0f&3", "0x3\n"],
  ["1|2+4", "0x7\n"],
  ["-1", "0xffffffffffffffff\n"],
  ["~0x0f&0xff", "0xf0\n"],
  ["100%7/2", "0x1\n"],
  ["010", "0x8\n"],
  ["$rip-$pc", "0x0\n"],
  ["0x10 - 1", "0xf\n"],
  ["1/0", 'division by zero\nTry "help print" for more information\n'],
  ["(1", "')' expected\nTry \"help print\" for more information\n"],
  [
    "1)",
    "print: extraneous characters at the end of line\n" +
    'Try "help print" for more information\n',
  ],
] as const;

Deno.test({
  name: "memory and addresses as QEMU's monitor shows them",
  ignore: !requireTool("gcc"),
  fn: async () => {
    const guest = await LongMode.start("nop", 2);
    try {
      guest.machine.memory.write(
        0xf0000,
        Uint8Array.fromHex("432483c4205b5e5f5dc35557565383ec"),
      );
      const ask = (line: string) => {
        const said = guest.debugger.monitor(line, 0) as string;
        assertEquals(said.replaceAll("\r\n", "").includes("\n"), false);
        return said.replaceAll("\r\n", "\n");
      };
      const at = "00000000000f0000:";
      assertEquals(
        ask("xp /4xw 0xf0000"),
        `${at} 0xc4832443 0x5f5e5b20 0x5755c35d 0xec835356\n`,
      );
      assertEquals(ask("x /3hx 0xf0000"), `${at} 0x2443 0xc483 0x5b20\n`);
      assertEquals(
        ask("xp /2gx 0xf0000"),
        `${at} 0x5f5e5b20c4832443 0xec8353565755c35d\n`,
      );
      // A format stays.
      assertEquals(ask("xp 983040"), `${at} 0x5f5e5b20c4832443\n`);
      assertEquals(
        ask("x /9xb 0xf0000").split("\n")[1].slice(0, 22),
        "00000000000f0008: 0x5d",
      );
      assertEquals(
        ask("x 0x123456789000"),
        "0000123456789000: Cannot access memory\n",
      );
      assertEquals(ask("gva2gpa 0x7c00"), "gpa: 0x7c00\n");
      assertEquals(ask("gva2gpa 0x123456789000"), "Unmapped\n");
      assertEquals(ask("info status"), "VM status: paused (prelaunch)\n");
      assertEquals(
        ask("info cpus"),
        "* CPU #0: thread_id=1\n  CPU #1: thread_id=2\n",
      );
      assertEquals(
        ask("xp /4q 0"),
        "invalid char in format: 'q'\nTry \"help xp\" for more information\n",
      );
      for (const [text, value] of EXPRESSIONS) {
        assertEquals(ask(`print /x ${text}`), value, text);
      }
    } finally {
      guest.close();
    }
  },
});
