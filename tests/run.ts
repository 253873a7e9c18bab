// `deno task test`: every check and every test, and one line with the sum at
// the end. Arguments are given to `deno test` and leave everything else out, so
// that `deno task test tests/ffi` runs just those tests. --native and --wine run
// one of the suites on other platforms than the software one.

import { TextLineStream } from "@std/streams";
import { buildNative, whyNoNative } from "./native/build.ts";
import { whyNoWine, Wine, WineError } from "./wine/wine.ts";

interface Outcome {
  readonly passed: number;
  readonly failed: number;
  /** What is said of failures once more at the end, where a log's reader looks first. */
  readonly report?: readonly string[];
}

/** Checks that are one command each. */
const CHECKS: readonly (readonly [string, readonly string[]])[] = [
  ["formatted", ["fmt", "--check"]],
  ["core formatted", ["run", "-A", "src/soft/build/format.ts", "--check"]],
  ["linted", ["lint"]],
  ["core linted", ["run", "-A", "src/soft/build/lint.ts"]],
  ["types", ["task", "check"]],
  ["documented", ["doc", "--lint", "mod.ts"]],
  ["examples", ["test", "-A", "--doc", "mod.ts", "ffi", "src"]],
  ["core is what its sources build", [
    "run",
    "-A",
    "src/soft/build/build.ts",
    "--check",
  ]],
];

function sum(outcomes: readonly Outcome[]): Outcome {
  return {
    passed: outcomes.reduce((all, { passed }) => all + passed, 0),
    failed: outcomes.reduce((all, { failed }) => all + failed, 0),
    report: outcomes.flatMap(({ report }) => report ?? []),
  };
}

async function check(
  name: string,
  args: readonly string[],
): Promise<Outcome> {
  const start = performance.now();
  const passed = await deno(args);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const line = `check: ${name} ... ${passed ? "ok" : "FAILED"} (${seconds}s)`;
  console.log(line);
  return passed
    ? { passed: 1, failed: 0 }
    : { passed: 0, failed: 1, report: [line] };
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

/** Longer than this from the beginning, something hangs: CI has 30 minutes. */
const LIMIT_MINUTES = 27;

/** Runs `deno test`, passing its output on or, if it runs beside another one, showing
 * it at the end, and reads its summary line. */
async function tests(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  beside = false,
): Promise<Outcome> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--no-check", ...args],
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: beside ? "piped" : "inherit",
  }).spawn();
  const errors = beside ? new Response(child.stderr).text() : "";
  const kept: string[] = [];
  const report = [`deno test ${args.join(" ")}`];
  let errorsBegun = false;
  const limit = setTimeout(() => {
    console.log(`not done after ${LIMIT_MINUTES} minutes: killed`);
    child.kill("SIGKILL");
  }, LIMIT_MINUTES * 60_000 - performance.now());
  const lines = child.stdout.pipeThrough(new TextDecoderStream())
    .pipeThrough(new TextLineStream());
  let outcome: Outcome | undefined;
  let passed = 0;
  let failed = 0;
  for await (const line of lines) {
    if (beside) kept.push(line);
    else console.log(line);
    errorsBegun ||= line === " ERRORS ";
    if (errorsBegun || / \.\.\. FAILED \([^)]*\)$/.test(line)) {
      report.push(line);
    }
    const summary = /^(?:ok|FAILED) \| (\d+) passed.*?\| (\d+) failed/.exec(
      line,
    );
    if (summary) {
      outcome = { passed: Number(summary[1]), failed: Number(summary[2]) };
    } else if (/ \.\.\. ok \([^)]*\)$/.test(line)) passed++;
    else if (/ \.\.\. FAILED \([^)]*\)$/.test(line)) failed++;
  }
  clearTimeout(limit);
  for (const line of [...kept, await errors]) {
    if (line !== "") console.log(line);
  }
  const { success } = await child.status;
  if (outcome && success) return outcome;
  if (outcome && outcome.failed > 0) return { ...outcome, report };
  // It did not get as far as a summary, or failed outside of any test.
  return outcome
    ? { passed: outcome.passed, failed: 1, report }
    : { passed, failed: failed + 1, report };
}

/** Tests on another platform. */
interface Suite {
  readonly name: string;
  /** What it needs made, with deno's arguments; it is made while others run. */
  readonly needs: readonly (readonly [string, readonly string[]])[];
  /** Why it cannot run here, or null; asked when its needs have been made. */
  whyNot(): Promise<string | null>;
  run(): Promise<Outcome>;
}

const LIBRARY = ["run", "-A", "tests/native/build.ts"];
const NO_NATIVE = whyNoNative();

const NATIVE: Suite = {
  name: "native",
  needs: NO_NATIVE !== null ? [] : [
    ["native libraries", LIBRARY],
    ["native libraries for AddressSanitizer", [...LIBRARY, "--asan"]],
  ],
  whyNot: () => Promise.resolve(NO_NATIVE),
  async run() {
    // Whatever runs on any platform; what tests the software one stays out.
    const anywhere = ["contract", "debug", "debugger", "linux", "native"];
    const env = { ICEBP_TEST_PLATFORM: await buildNative() };
    const first = await tests(
      [...anywhere, "machine/exits_test.ts"].map((path) => `tests/${path}`),
      env,
    );
    console.log("native: debuggers where INT1 does not exit:");
    const second = await tests(
      ["tests/debug", "tests/debugger"],
      { ...env, ICEBP_NATIVE: "noint1" },
    );
    return sum([first, second]);
  },
};

const WINE: Suite = {
  name: "wine",
  needs: NO_NATIVE !== null ? [] : [["native libraries", LIBRARY]],
  async whyNot() {
    const reason = whyNoNative("windows") ?? whyNoWine();
    if (reason !== null) return reason;
    try {
      await Wine.setUp(console.log);
      return null;
    } catch (error) {
      if (error instanceof WineError) return error.message;
      throw error;
    }
  },
  run: () => tests(["tests/wine"], {}, true),
};

/** Long, and on one processor: they run beside the others. */
const LONG = ["tests/linux", "tests/silicon"];

/** Makes what suites need, each thing once. */
async function makeNeeds(suites: readonly Suite[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const [name, args] of new Map(suites.flatMap(({ needs }) => needs))) {
    outcomes.push(await check(name, args));
  }
  return outcomes;
}

/** Runs a suite whose needs have been made. */
async function runSuite({ name, whyNot, run }: Suite): Promise<Outcome> {
  const reason = await whyNot();
  if (reason !== null) {
    console.log(`${name}: SKIPPED: ${reason}`);
    return { passed: 0, failed: 0 };
  }
  const outcome = await run();
  console.log(`${name}: ${outcome.passed} passed, ${outcome.failed} failed`);
  return outcome;
}

/** Checks and all suites, two at a time: most tests keep one processor busy. */
async function everything(): Promise<Outcome[]> {
  const made = makeNeeds([NATIVE, WINE]);
  const first = async () => {
    const outcomes: Outcome[] = [];
    for (const [name, args] of CHECKS) {
      outcomes.push(await check(name, args));
    }
    const others = [...LONG, "tests/native", "tests/wine"];
    outcomes.push(await tests(["tests", `--ignore=${others}`]));
    await made;
    return [...outcomes, await runSuite(NATIVE)];
  };
  const second = async () => {
    // Fetching Wine keeps no processor busy, so it goes beside the rest.
    const [outcomes] = await Promise.all([made, WINE.whyNot()]);
    outcomes.push(await tests(LONG, {}, true), await runSuite(WINE));
    // The way of hosts, which the software platform can have, too.
    const memory = { ICEBP_TEST_BREAKPOINTS: "memory" };
    outcomes.push(await tests(["tests/debug"], memory, true));
    console.log("above: tests/debug with breakpoints in memory");
    // Every guest's code translated at once.
    const always = { ICEBP_TEST_TRANSLATE: "always" };
    const translated = [
      "contract",
      "debug",
      "soft",
      "watch",
      "machine",
      "silicon",
      "boot",
      "debugger",
    ];
    outcomes.push(
      await tests(translated.map((path) => `tests/${path}`), {
        ...always,
        // each one is a module
        ICEBP_SILICON_CASES: "30",
        // they run both ways anyway
        ICEBP_FUZZ_PROGRAMS: "20",
      }, true),
      await tests(
        [
          "tests/linux/debian_test.ts",
          "--filter=Linux on 4: boots",
        ],
        always,
        true,
      ),
    );
    console.log("above: with every guest's code translated at once");
    return outcomes;
  };
  return (await Promise.all([first(), second()])).flat();
}

/** One suite alone. */
async function alone(suite: Suite): Promise<Outcome[]> {
  return [...await makeNeeds([suite]), await runSuite(suite)];
}

async function main(args: readonly string[]): Promise<number> {
  const outcomes = args.length === 0
    ? await everything()
    : args[0] === "--native"
    ? await alone(NATIVE)
    : args[0] === "--wine"
    ? await alone(WINE)
    : [await tests(args)];
  const { passed, failed, report } = sum(outcomes);
  if (args.length === 0) {
    for (const line of report ?? []) console.log(line);
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

Deno.exit(await main(Deno.args));
