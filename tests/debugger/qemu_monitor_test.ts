// QEMU's monitor commands, against QEMU: the same kernel in both, at the same
// instruction of every mode, asked the same through their gdb stubs. What may differ
// is listed by name; every other character is the same.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { kill, requireTool } from "../util/tools.ts";
import { Client } from "./client.ts";
import { buildModes, freePort, Icebp, symbols } from "./icebp.ts";

const STOPS = [
  "stop32",
  "stop_pse",
  "stop_pae",
  "stop_long",
  "stop_compat",
  "stop_real",
];

/** Asked at every stop, in this order: a format stays until another is given. */
const COMMANDS = [
  ..."registers|registers -a|registers 0|registers 9|registers -z|mem|tlb|cpus"
    .split("|").map((subject) => `info ${subject}`),
  ..."kvm|lapic|lapic 0|lapic 7|pic|version|status|nothing".split("|")
    .map((subject) => `info ${subject}`),
  ..."0x100000|0x800000|0x801004|1048576+4096*2|0x40200010|".split("|")
    .map((address) => `gva2gpa ${address}`),
  "x /4xw 0x100000",
  "x/2xg 0x100000",
  "x /8db 0x100004",
  "x /3oh 0x100000",
  "x /4cb 0x100000",
  "x /4cw 0x100000",
  "x /9cb 0x100040",
  "x /3uw 0x100000",
  "x /3dw 0x100008",
  "x /3dg 0x100008",
  "x /2dh 0x100008",
  "x /2ub 0x100004",
  "x /2ow 0x100008",
  "x /2oh 0x100008",
  "x /2og 0x100008",
  "x /2xh $pc",
  "xp 0x100000+(8-4)*2",
  "xp /3xb 0x100000",
  "xp /xw 0x100000|0x18",
  "x /2xw 0x801000",
  "xp /2xw 0xfffffff0000",
  "xp /2xw 0x3fffffc",
  "x /0xw 0x100000",
  "x",
  "x /xw",
  "x /3qq 0",
  "x 12zz",
  "x $nothing",
  "xp /2i 0x100000",
  "x /3i 0x100004",
  "print 5",
  "print /d 0x10-0x20",
  "print ~0&0xff",
  "print /x $eip+$esp*2",
  "print /o $cs|$gs",
  "print /u ~0",
  "print /c 0x41",
  "print 39",
  "print 92",
  "print 10",
  "print 13",
  "print 0x7f",
  "print -1",
  "print $ebx",
  "x /b 0x100000",
  "stop",
];

/** Where icebp's words are others for a reason. */
const DIFFERENCES: readonly {
  readonly why: string;
  /** The commands. */
  readonly of: RegExp;
  /** What QEMU says. */
  readonly qemu: RegExp;
  /** What icebp says instead, perhaps by what it has said. */
  readonly icebp: string | ((ours: string) => string);
}[] = [
  {
    why: "LTR makes a task state busy; QEMU keeps what was read before that",
    of: /^info registers/,
    qemu: /^(TR =.*) 00008900(?:( DPL=0 TSS\d\d)-avl)?$/gm,
    icebp: (ours) =>
      `$1 00008b00${/^TR .*-busy$/m.test(ours) ? "$2-busy" : ""}`,
  },
  {
    why: "QEMU knows processors by its threads, gdb by number",
    of: /^info cpus$/,
    qemu: /thread_id=\d+/g,
    icebp: "thread_id=1",
  },
  {
    why: "each tells its own version",
    of: /^info version$/,
    qemu: /^\d+\.\d+\.\d+.*/g,
    icebp: "0.1.0 (icebp)",
  },
  {
    why: "QEMU computes no arbitration priority",
    of: /^info lapic/,
    qemu: /^APR 0x00/gm,
    icebp: (ours) => /^APR 0x[0-9a-f]{2}/m.exec(ours)?.[0] ?? "no APR",
  },
  {
    why: "an 82093AA is version 11h; QEMU's has an EOI register, too",
    of: /^info pic$/,
    qemu: /ver=0x20/g,
    icebp: "ver=0x11",
  },
  {
    why: "QEMU's timer goes on by the host's clock from where its BIOS set it",
    of: /^info pic$/,
    qemu: /^(pic0: irr=1)1/gm,
    icebp: "$10",
  },
];

/** QEMU's words as icebp says them. */
function expected(command: string, said: string, ours: string): string {
  if (/^xp? \/\d+i/.test(command)) {
    // Addresses and bytes are ours; what they mean is for gdb to say.
    const lines = said.trimEnd().split("\n").map((line) =>
      line.slice(0, 37).trimEnd()
    );
    const [, count] = /\/(\d+)i/.exec(command)!;
    return lines.join("\n") +
      `\nicebp has no disassembler: gdb's x/${count}i shows them\n`;
  }
  for (const { of, qemu, icebp } of DIFFERENCES) {
    if (!of.test(command)) continue;
    said = said.replaceAll(
      qemu,
      typeof icebp === "string" ? icebp : icebp(ours),
    );
  }
  return said;
}

/** What a stub's monitor says to a line. Lines end as for a terminal. */
async function monitor(client: Client, line: string): Promise<string> {
  const text = (hex: string) => {
    const said = new TextDecoder().decode(Uint8Array.fromHex(hex));
    assert(!/(?<!\r)\n/.test(said), `a bare line feed: ${line}`);
    return said.replaceAll("\r\n", "\n");
  };
  await client.send(`qRcmd,${new TextEncoder().encode(line).toHex()}`);
  let said = "";
  for (;;) {
    const reply = await client.receive();
    if (reply === "OK") return said;
    if (/^O([0-9a-f]{2})+$/.test(reply)) said += text(reply.slice(1));
    else return said + text(reply);
  }
}

/** QEMU with the kernel, waiting for its first instruction. */
class Qemu implements AsyncDisposable {
  readonly port = freePort();
  readonly #child = new Deno.Command("qemu-system-x86_64", {
    args: [
      ...["-accel", "tcg", "-m", "64", "-display", "none", "-nodefaults"],
      ...["-serial", "null", "-kernel", buildModes()],
      ...["-S", "-gdb", `tcp:127.0.0.1:${this.port}`],
    ],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();

  async [Symbol.asyncDispose](): Promise<void> {
    kill(this.#child);
    await this.#child.status;
  }
}

async function stopAt(client: Client, label: string): Promise<void> {
  const address = symbols(buildModes()).get(label)!.toString(16);
  await client.must(`Z1,${address},1`);
  await client.resume("vCont;c");
  await client.must(`z1,${address},1`);
}

Deno.test({
  name: "QEMU's monitor commands say what QEMU says, in every mode",
  ignore: !requireTool("gcc", "nm", "qemu-system-x86_64"),
  fn: async (t) => {
    await using qemu = new Qemu();
    await using icebp = new Icebp({ image: buildModes(), cpus: 1 });
    const theirs = await Client.connect(qemu);
    const ours = await Client.connect(icebp);
    try {
      for (const label of STOPS) {
        await t.step(label, async () => {
          await stopAt(theirs, label);
          await stopAt(ours, label);
          for (const command of COMMANDS) {
            const wanted = await monitor(theirs, command);
            const said = await monitor(ours, command);
            assertEquals(said, expected(command, wanted, said), command);
          }
          await compareTrees(theirs, ours);
        });
      }
    } finally {
      theirs.close();
      ours.close();
    }
  },
});

/** A line of `info mtree`, and of its flat view. */
const TREE_LINE =
  /^ +[0-9a-f]{16}-[0-9a-f]{16} \(prio -?\d+, (ram|rom|i\/o)\): \S.*$/;
const TITLE =
  /^(|address-space: .*|memory-region: .*|FlatView #\d+| AS ".*", root: .*| Root memory region: .*| {2}No rendered FlatView)$/;

/** The machines have different devices; the lines are of one kind, and what both
 * have is in the same place. */
async function compareTrees(theirs: Client, ours: Client): Promise<void> {
  for (const command of ["info mtree", "info mtree -f"]) {
    const both = [await monitor(theirs, command), await monitor(ours, command)];
    for (const text of both) {
      for (const line of text.trimEnd().split("\n")) {
        if (!TITLE.test(line)) assertMatch(line, TREE_LINE, command);
      }
    }
    const [wanted, said] = both.map((text) => text.split("\n"));
    const shared = said.filter((line) => wanted.includes(line));
    const places = command.endsWith("f")
      ? ["ioapic"]
      : ["system", "io", "ioapic"];
    for (const place of places) {
      assert(
        shared.some((line) => line.endsWith(`: ${place}`)),
        `${command}: ${place} is not where QEMU has it`,
      );
    }
  }
}

Deno.test({
  name: "monitor cont runs the guest until something is asked",
  ignore: !requireTool("gcc", "nm"),
  fn: async () => {
    await using icebp = new Icebp({ image: buildModes(), cpus: 2 });
    const client = await Client.connect(icebp);
    try {
      await stopAt(client, "stop32");
      assertEquals(await monitor(client, "cont"), "");
      assertEquals(await monitor(client, "stop"), "");
      assertEquals(await monitor(client, "info status"), "VM status: paused\n");
      // It has gone on to its end: HLT with interrupts off.
      const registers = await monitor(client, "info registers 0");
      assertMatch(registers, /^EIP=0000003d .* HLT=1$/m);
      // The other one still waits to be started.
      const other = await monitor(client, "info registers 1");
      assertMatch(other, /^EIP=0000fff0 .* HLT=1$/m);
      assertEquals(await monitor(client, "system_reset"), "");
      assertEquals(
        await monitor(client, "info status"),
        "VM status: paused (prelaunch)\n",
      );
      await stopAt(client, "stop32");
    } finally {
      client.close();
    }
  },
});
