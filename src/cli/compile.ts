/**
 * Compiles icebp into one binary for each target: `deno task compile [TARGET...]`.
 * Without a target, for this machine. Deno fetches its runtime for other targets
 * (and, once, for this one), or takes the one that DENORT_BIN names.
 */
import { VERSION } from "./help.ts";

/** The targets that `deno compile` knows and icebp is released for. */
export const TARGETS: readonly string[] = [
  "x86_64-pc-windows-msvc",
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
];

/** What is run for a target. Only npm packages that are imported go along; the
 * core's compiler, which is also a dependency, would be 100 MB. */
export function compileArguments(target: string, output: string): string[] {
  return [
    "compile",
    "--allow-all",
    "--exclude-unused-npm",
    "--target",
    target,
    "--output",
    output,
    "mod.ts",
  ];
}

/** The binary's file name. */
export function binaryName(target: string): string {
  const ending = target.includes("windows") ? ".exe" : "";
  return `icebp-${VERSION}-${target}${ending}`;
}

async function main(targets: readonly string[]): Promise<number> {
  const unknown = targets.find((target) => !TARGETS.includes(target));
  if (unknown !== undefined) {
    console.error(`compile: no target ${unknown}; there are:`);
    for (const target of TARGETS) console.error(`  ${target}`);
    return 2;
  }
  for (const target of targets) {
    const output = `dist/${binaryName(target)}`;
    const { success } = await new Deno.Command(Deno.execPath(), {
      args: compileArguments(target, output),
      cwd: new URL("../../", import.meta.url),
    }).spawn().status;
    if (!success) {
      console.error(
        `compile: ${target} failed; without a network DENORT_BIN has to name ` +
          "the target's runtime",
      );
      return 1;
    }
    console.log(output);
  }
  return 0;
}

if (import.meta.main) {
  Deno.exit(
    await main(Deno.args.length > 0 ? Deno.args : [Deno.build.target]),
  );
}
