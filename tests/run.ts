// `deno task test`: every check and every test, and one line with the sum at
// the end. Arguments are given to `deno test` and leave the checks out, so that
// `deno task test tests/ffi` runs just those tests.

import { TextLineStream } from "@std/streams";

interface Outcome {
  readonly passed: number;
  readonly failed: number;
}

/** Checks that are one command each. */
const CHECKS: readonly (readonly [string, readonly string[]])[] = [
  ["formatted", ["fmt", "--check"]],
  ["linted", ["lint"]],
  ["types", ["task", "check"]],
  ["documented", ["doc", "--lint", "mod.ts"]],
  ["core is what its sources build", [
    "run",
    "-A",
    "src/soft/build.ts",
    "--check",
  ]],
];

async function check(
  name: string,
  run: () => Promise<boolean>,
): Promise<Outcome> {
  const start = performance.now();
  const passed = await run();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`check: ${name} ... ${passed ? "ok" : "FAILED"} (${seconds}s)`);
  return { passed: passed ? 1 : 0, failed: passed ? 0 : 1 };
}

/** Runs deno quietly; what it said is shown if it fails. */
async function deno(args: readonly string[]): Promise<boolean> {
  const { success, stdout, stderr } = await new Deno.Command(
    Deno.execPath(),
    { args: [...args], stdin: "null", stdout: "piped", stderr: "piped" },
  ).output();
  if (!success) {
    await Deno.stdout.write(stdout);
    await Deno.stderr.write(stderr);
  }
  return success;
}

/** Longer than this, something hangs: CI has 20 minutes. */
const LIMIT_MINUTES = 16;

/** Runs `deno test`, passing its output on, and reads its summary line. */
async function tests(args: readonly string[]): Promise<Outcome> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--no-check", ...args],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const limit = setTimeout(() => {
    console.log(`not done after ${LIMIT_MINUTES} minutes: killed`);
    child.kill("SIGKILL");
  }, LIMIT_MINUTES * 60_000);
  const lines = child.stdout.pipeThrough(new TextDecoderStream())
    .pipeThrough(new TextLineStream());
  let outcome: Outcome | undefined;
  let passed = 0;
  let failed = 0;
  for await (const line of lines) {
    console.log(line);
    const sum = /^(?:ok|FAILED) \| (\d+) passed.*?\| (\d+) failed/.exec(line);
    if (sum) outcome = { passed: Number(sum[1]), failed: Number(sum[2]) };
    else if (/ \.\.\. ok \([^)]*\)$/.test(line)) passed++;
    else if (/ \.\.\. FAILED \([^)]*\)$/.test(line)) failed++;
  }
  clearTimeout(limit);
  const { success } = await child.status;
  if (outcome && (success || outcome.failed > 0)) return outcome;
  // It did not get as far as a summary, or failed outside of any test.
  return outcome
    ? { passed: outcome.passed, failed: 1 }
    : { passed, failed: failed + 1 };
}

async function main(args: readonly string[]): Promise<number> {
  const outcomes: Outcome[] = [];
  if (args.length === 0) {
    for (const [name, command] of CHECKS) {
      outcomes.push(await check(name, () => deno(command)));
    }
  }
  outcomes.push(await tests(args));
  const passed = outcomes.reduce((sum, outcome) => sum + outcome.passed, 0);
  const failed = outcomes.reduce((sum, outcome) => sum + outcome.failed, 0);
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

Deno.exit(await main(Deno.args));
