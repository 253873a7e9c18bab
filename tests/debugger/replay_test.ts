// A recording, sent by somebody, in gdb: forward, backwards, and on from its end; and
// snapshots as gdb's user makes them.
import { assert, assertEquals } from "@std/assert";
import { command, icebp } from "../cli/icebp.ts";
import { testPlatform } from "../util/platform.ts";
import { kill, requireTool } from "../util/tools.ts";
import { assertSequence } from "./scenario.ts";

const ignore = !requireTool("gdb") || testPlatform() !== "soft";

/** Runs icebp with a port that is free, and gdb with the demo's symbols on it; returns
 * what gdb said. */
async function debugged(args: string[], ...lines: string[]): Promise<string> {
  const child = command([...args, "--gdb=127.0.0.1:0"]).spawn();
  const output = new Response(child.stdout).text();
  try {
    const [first, rest] = child.stderr.tee();
    const errors = new Response(rest).text();
    let said = "", paste: RegExpExecArray | null = null;
    for await (const text of first.pipeThrough(new TextDecoderStream())) {
      said += text;
      paste = /gdb (.*?) ?-ex '(target remote \S+)'\n/.exec(said);
      if (paste !== null) break;
    }
    assert(paste !== null, said);
    const [, symbols, target] = paste;
    const { stdout } = await new Deno.Command("sh", {
      args: [
        "-c",
        'exec timeout -s KILL 60 gdb -nx -batch "$@" 2>&1',
        "sh",
        ...["set width 0", target, ...lines].flatMap((line) => ["-ex", line]),
        ...symbols.split(" ").filter((word) => word !== ""),
      ],
      stdin: "null",
    }).output();
    kill(child);
    await errors;
    return new TextDecoder().decode(stdout);
  } finally {
    kill(child);
    await output;
    await child.status;
  }
}

Deno.test({
  name: "gdb: a recording goes forward, backwards, and on live from its end",
  ignore,
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      const file = `${folder}/demo.rec`;
      const { code } = await icebp([
        ...["--platform", "soft", "--append", "ticks=30", "--record", file],
      ]);
      assertEquals(code, 0);
      const said = await debugged(
        ["replay", file],
        "monitor when",
        "tbreak record if steps > 100",
        "continue",
        'printf "A %d\\n", steps > 100',
        "reverse-stepi",
        "monitor when",
        "stepi",
        'printf "B %d\\n", steps > 100',
        "monitor goto end",
        "maintenance flush register-cache",
        "monitor when",
        "watch -l longest.steps",
        "reverse-continue",
        'printf "C %d\\n", longest.steps',
        "continue",
        "stepi",
        "kill",
      );
      assertSequence(said, [
        /instruction 0, 0\.000000000 s, in the past\nhistory: from instruction 0,/,
        /to instruction \d{5,},/,
        /Temporary breakpoint 1, record/,
        /A 1\n/,
        /instruction \d+, \d\.\d{9} s, in the past\n/,
        /B 1\n/,
        /instruction \d{5,}/,
        /Hardware watchpoint \d+: -location longest\.steps/,
        /C \d+\n/,
      ]);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "gdb: monitor snapshot, snapshots, restore and save; --restore goes on",
  ignore,
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      const file = `${folder}/saved`;
      const said = await debugged(
        ["--platform", "soft"],
        "monitor snapshots",
        "monitor restore early",
        "break tick",
        "continue",
        "monitor snapshot early",
        'printf "A %d\\n", ticks[0] + ticks[1]',
        "ignore 1 20",
        "continue",
        'printf "B %d\\n", ticks[0] + ticks[1]',
        "monitor snapshot late",
        "monitor snapshots",
        "monitor restore early",
        "maintenance flush register-cache",
        'printf "C %d\\n", ticks[0] + ticks[1]',
        "ignore 1 20",
        "continue",
        'printf "D %d\\n", ticks[0] + ticks[1]',
        `monitor save ${file}`,
        `monitor save ${folder}/nowhere/x`,
        "kill",
      );
      const late = /B (\d+)\n/.exec(said)?.[1];
      assertSequence(said, [
        /no snapshots/,
        /no snapshot early: "monitor snapshots" lists them/,
        /early +instruction \d+, \d\.\d+ s, \d+\.\d MiB\n/,
        /A 0\n/,
        /B \d+\n/,
        /late +instruction [^]*early +instruction [^]*late +instruction /,
        /history begins anew here/,
        /C 0\n/,
        new RegExp(`D ${late}\n`),
        /saved: \d+\.\d MiB; icebp --restore \S+ goes on from here/,
        /nowhere\/x/,
      ]);
      const again = await debugged(
        ["--restore", file],
        'printf "E %d\\n", ticks[0] + ticks[1]',
        "tbreak tick",
        "continue",
        "reverse-stepi",
        'printf "F %d\\n", ticks[0] + ticks[1]',
        "reverse-continue",
        "monitor when",
        "kill",
      );
      assertSequence(again, [
        new RegExp(`E ${late}\n`),
        /Temporary breakpoint 1, .*tick/,
        new RegExp(`F ${late}\n`),
        /No more reverse-execution history/,
      ]);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
