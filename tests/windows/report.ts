/**
 * For a person with Windows: one command that runs the contract tests and the
 * debugger's on the real platform and writes what came of it.
 *
 *     deno run -A tests/windows/report.ts [--platform whp] [--output FILE]
 *
 * The report (icebp-windows-report.md) also has the host's answers to what WHP.md
 * leaves open. Exit code 0 if every test passed, else 1.
 */
import { parseArgs } from "@std/cli/parse-args";
import { providerOf } from "../contract/providers.ts";
import { checkDebugger, checkGdb, type Outcome } from "./debugger.ts";
import { QUESTIONS } from "./questions.ts";

const ROOT = new URL("../../", import.meta.url);
const OUTPUT = "icebp-windows-report.md";

/** A part of the report. */
interface Part {
  readonly title: string;
  readonly lines: readonly string[];
  readonly failures: number;
}

async function deno(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: number; out: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: ROOT,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout) + text(stderr) };
}

async function doctor(platform: string): Promise<Part> {
  const { code, out } = await deno([
    "run",
    "-A",
    "mod.ts",
    "doctor",
    `--platform=${platform}`,
  ]);
  return {
    title: "icebp doctor",
    lines: ["```", ...out.trim().split(/\r?\n/), "```"],
    failures: code === 0 ? 0 : 1,
  };
}

async function answers(platform: string): Promise<Part> {
  const lines: string[] = [];
  for (const { about, ask } of QUESTIONS) {
    let answer: string;
    try {
      const opened = await providerOf(platform).open();
      try {
        answer = await ask(opened);
      } finally {
        opened.platform.close();
      }
    } catch (error) {
      // An answer, too: what the host refuses.
      answer = `could not be asked: ${(error as Error).message}`;
    }
    lines.push(`- ${about}:  `, `  ${answer}`);
  }
  return { title: "What the host answers", lines, failures: 0 };
}

async function contract(platform: string): Promise<Part> {
  const { code, out } = await deno(
    ["test", "-A", "--no-check", "tests/contract"],
    { ICEBP_TEST_PLATFORM: platform },
  );
  const sum = /^(?:ok|FAILED) \| .*$/m.exec(out)?.[0] ?? "no summary";
  // Names of failing tests, then Deno's own account of them.
  const failed = [...out.matchAll(/^(.*) \.\.\. FAILED/gm)].map((m) => m[1]);
  const account = out.indexOf(" ERRORS ");
  return {
    title: "Contract tests",
    lines: [
      sum,
      ...failed.map((name) => `- failed: ${name}`),
      ...(code === 0
        ? []
        : ["```", ...out.slice(account).trim().split(/\r?\n/), "```"]),
    ],
    failures: code === 0 ? 0 : Math.max(1, failed.length),
  };
}

function outcomes(title: string, all: readonly Outcome[]): Part {
  return {
    title,
    lines: all.map(({ name, error }) =>
      error === null ? `- passed: ${name}` : `- FAILED: ${name}: ${error}`
    ),
    failures: all.filter(({ error }) => error !== null).length,
  };
}

async function gdb(platform: string): Promise<Part> {
  const outcome = await checkGdb(platform);
  return outcome === null
    ? { title: "gdb", lines: ["not found: skipped"], failures: 0 }
    : outcomes("gdb", [outcome]);
}

async function main(args: readonly string[]): Promise<number> {
  const options = parseArgs([...args], { string: ["platform", "output"] });
  const platform = String(options.platform ?? "whp");
  const output = String(options.output ?? OUTPUT);
  const parts: Part[] = [];
  const steps = [
    doctor,
    answers,
    contract,
    async (name: string) =>
      outcomes("Debugger on the demo", await checkDebugger(name)),
    gdb,
  ];
  for (const step of steps) {
    const part = await step(platform);
    parts.push(part);
    console.log(
      `${part.title}: ${
        part.failures === 0 ? "ok" : `${part.failures} failed`
      }`,
    );
    // Without a platform nothing else can be asked.
    if (step === doctor && part.failures > 0) break;
  }
  const failures = parts.reduce((sum, part) => sum + part.failures, 0);
  const text = [
    `# icebp on platform "${platform}"`,
    "",
    `${new Date().toISOString()}, ${failures} failures.`,
    ...parts.flatMap(({ title, lines }) => ["", `## ${title}`, "", ...lines]),
    "",
  ].join("\n");
  await Deno.writeTextFile(output, text);
  console.log(`${output}: ${failures} failures`);
  return failures === 0 ? 0 : 1;
}

Deno.exit(await main(Deno.args));
