/** lldb as a second opinion about the protocol. */
import { assert } from "@std/assert";
import { requireTool } from "../util/tools.ts";
import { debug, Icebp } from "./icebp.ts";

Deno.test({
  name: "lldb attaches, breaks, steps, reads registers and memory",
  ignore: !requireTool("gcc", "lldb"),
  fn: async () => {
    await using icebp = new Icebp({ cpus: 2 });
    const said = await debug(
      "lldb",
      icebp,
      "breakpoint set -n loop",
      "continue",
      "thread list",
      "bt",
      "register read rip rsp",
      "thread step-inst",
      "thread step-over",
      "thread step-out",
      "register write rbx 0x4242",
      "register read rbx",
      "memory read -s 8 -f x -c 1 &turns",
      "expression turns = 64",
      "memory read -s 8 -f x -c 1 &turns",
      "breakpoint delete -f",
      "continue",
    );
    for (
      const pattern of [
        /stop reason = breakpoint 1\.1/,
        /thread #1[^]*thread #2/,
        /frame #0: .*loop[^]*frame #1: .*shapes/,
        /rip = 0x/,
        /stop reason = instruction step into/,
        /stop reason = step over/,
        /stop reason = step out/,
        /rbx = 0x0000000000004242/,
        /: 0xffffffffffffffff/,
        /: 0x0000000000000040/,
        /exited with status = 1 /,
      ]
    ) assert(pattern.test(said), `${pattern} in:\n${said}`);
    assert(!said.includes("Assertion failed"), said);
  },
});
