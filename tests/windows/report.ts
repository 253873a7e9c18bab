/**
 * For a person with Windows: one command that runs the contract tests and the
 * debugger's on the real platform and writes what came of it.
 *
 *     deno run -A tests/windows/report.ts [--platform whp] [--output FILE] [--questions]
 *
 * The report (icebp-windows-report.md) also has the host's answers to what WHP.md
 * leaves open; with --questions it has nothing else. It ends with a table of them that
 * can be pasted into an issue, and a profile that tests read back (profile.ts). What
 * tells who made it is taken out. Exit code 0 if every test passed, else 1.
 */
import { parseArgs } from "@std/cli/parse-args";
import { providerOf } from "../contract/providers.ts";
import { checkDebugger, checkGdb, type Outcome } from "./debugger.ts";
import { anonymous, secrets } from "./anonymous.ts";
import { type Profile, profileLines } from "./profile.ts";
import { QUESTIONS } from "./questions.ts";
import type { Answer } from "./question.ts";

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

/** A question's heading and what came of it. */
type Answered = readonly [about: string, answer: Answer];

async function askAll(platform: string): Promise<Answered[]> {
  const answered: Answered[] = [];
  for (const { about, ask } of QUESTIONS) {
    let answer: Answer;
    try {
      const opened = await providerOf(platform).open();
      try {
        answer = await ask(opened);
      } finally {
        opened.platform.close();
      }
    } catch (error) {
      // An answer, too: what the host refuses.
      const text = `could not be asked: ${(error as Error).message}`;
      answer = { text, facts: {} };
    }
    answered.push([about, answer]);
  }
  return answered;
}

function answers(answered: readonly Answered[]): Part {
  return {
    title: "What the host answers",
    lines: answered.flatMap((
      [about, { text }],
    ) => [`- ${about}:  `, `  ${text}`]),
    failures: 0,
  };
}

/** A cell of a table in one line. */
function cell(text: string): string {
  return text.replaceAll("|", "\\|").replace(/\s+/g, " ");
}

/** The table for an issue, and the profile. */
function summary(
  platform: string,
  answered: readonly Answered[],
  parts: readonly Part[],
): Part {
  const { deno, v8 } = Deno.version;
  const rows: (readonly [string, string])[] = [
    ["platform", platform],
    ["system", `${Deno.build.target}, ${Deno.osRelease()}`],
    ["deno", `${deno}, V8 ${v8}`],
    ["logical processors", String(navigator.hardwareConcurrency)],
    ...parts.map(({ title, failures }) =>
      [title, failures === 0 ? "ok" : `${failures} failed`] as const
    ),
    ...answered.map(([about, { text }]) => [about, text] as const),
  ];
  return {
    title: "For an issue: the table and the profile",
    lines: [
      "| what | answer |",
      "| ---- | ------ |",
      ...rows.map(([what, answer]) => `| ${cell(what)} | ${cell(answer)} |`),
    ],
    failures: 0,
  };
}

/** Of facts alone: there is nothing in it to take out. */
function profile(answered: readonly Answered[]): Profile {
  return Object.assign({}, ...answered.map(([, { facts }]) => facts));
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
  const options = parseArgs([...args], {
    string: ["platform", "output"],
    boolean: ["questions"],
  });
  const platform = String(options.platform ?? "whp");
  const output = String(options.output ?? OUTPUT);
  const parts: Part[] = [];
  let answered: Answered[] = [];
  const ask = async (name: string) => {
    answered = await askAll(name);
    return answers(answered);
  };
  const steps = options.questions ? [ask] : [
    doctor,
    ask,
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
  parts.push(summary(platform, answered, parts));
  const text = [
    `# icebp on platform "${platform}"`,
    "",
    `${new Date().toISOString()}, ${failures} failures.`,
    ...parts.flatMap(({ title, lines }) => ["", `## ${title}`, "", ...lines]),
    "",
  ].join("\n");
  await Deno.writeTextFile(
    output,
    [anonymous(text, secrets(ROOT)), ...profileLines(profile(answered)), ""]
      .join("\n"),
  );
  console.log(`${output}: ${failures} failures`);
  return failures === 0 ? 0 : 1;
}

Deno.exit(await main(Deno.args));
