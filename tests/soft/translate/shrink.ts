// A failing random program as a few lines: which of its statements are needed, what
// differs, and how to run it again.

import { CODE } from "../../contract/guest.ts";
import { haveTool, runTool } from "../../util/tools.ts";
import { someNumbers } from "./floating.ts";
import {
  type Difference,
  type Manner,
  Pair,
  type Program,
} from "./lock_step.ts";
import { randomProgram } from "./programs.ts";

const NOP = 0x90;

const RANDOM: Manner = {
  most: 6000,
  slices: [1, 10, 100, 1000, 1000],
  fill: someNumbers,
  scattered: true,
  disturbed: true,
};

/** The program of a seed; without the statements that `without` names, which become NOPs. */
export function programOf(
  seed: number,
  bits: 32 | 64,
): Program & { readonly statements: readonly (readonly [number, number])[] } {
  const program = randomProgram(seed, bits, { code: CODE });
  return { seed, bits, ...program, manner: RANDOM };
}

/** Runs programs one after the other on a new pair; where the last one parted. */
async function alone(...programs: Program[]): Promise<Difference | null> {
  const pair = await Pair.open();
  try {
    let last: Difference | null = null;
    for (const program of programs) last = await pair.run(program);
    return last;
  } finally {
    pair.close();
  }
}

/** What to print of a program that failed: `first` is what was run first on its pair. */
export async function reproduction(
  seed: number,
  bits: 32 | 64,
  first: number,
  found: Difference,
): Promise<string> {
  let program: Program = programOf(seed, bits);
  let from = seed;
  let difference = await alone(program);
  // it may take what programs before it left
  for (let n = 1; difference === null && from > first; n *= 4) {
    from = Math.max(first, seed - n);
    const seeds = Array.from({ length: seed - from + 1 }, (_, i) => from + i);
    difference = await alone(...seeds.map((seed) => programOf(seed, bits)));
  }
  const alone_ = from === seed && difference !== null;
  if (alone_) [program, difference] = await shrunk(seed, bits, difference!);
  const { after, what } = difference ?? found;
  return [
    `a program of ${bits} bits, seed ${seed}, differs after ${after} instructions:`,
    ...what.slice(0, 4).map(([name, never, always]) =>
      `  ${name} is ${never} interpreted, ${always} translated`
    ),
    difference === null
      ? "not when it is run again: when things are translated matters"
      : `again: ICEBP_FUZZ_SEED=${from} ICEBP_FUZZ_PROGRAMS=${
        seed - from + 1
      } deno task test tests/soft/translate --filter '${bits} bits'`,
    alone_ ? "what it takes of the program:" : "the program:",
    ...listing(program),
  ].join("\n");
}

/** The program with all statements but those that its failing takes made NOPs. */
async function shrunk(
  seed: number,
  bits: 32 | 64,
  difference: Difference,
): Promise<[Program, Difference]> {
  const { statements, ...whole } = programOf(seed, bits);
  let best: Program = whole;
  // the biggest first: what is in them goes with them
  const left = statements.toSorted(([a, b], [c, d]) => (d - c) - (b - a));
  for (let before = left.length + 1; left.length < before;) {
    before = left.length;
    for (let n = 0; n < left.length;) {
      const code = best.code.slice();
      code.fill(NOP, ...left[n]);
      const without = { ...best, code };
      const still = code.every((byte, n) => byte === best.code[n])
        ? difference
        : await alone(without);
      if (still === null) n++;
      else {
        best = without;
        difference = still;
        left.splice(n, 1);
      }
    }
  }
  return [best, difference];
}

/** A program's instructions but for NOPs: bytes only where nothing disassembles them. */
function listing({ code, bits }: Program): string[] {
  if (!haveTool("objdump")) {
    const bytes = code.toHex().replace(
      /(?:90){3,}/g,
      (nops) => ` ${nops.length / 2} NOPs `,
    );
    return [`  at 0x${CODE.toString(16)}: ${bytes}`];
  }
  const file = Deno.makeTempFileSync();
  try {
    Deno.writeFileSync(file, code);
    return runTool("objdump", [
      "-D",
      "-z",
      "-bbinary",
      `-mi386${bits === 64 ? ":x86-64" : ""}`,
      "-Mintel",
      `--adjust-vma=${CODE}`,
      file,
    ]).split("\n").filter((line) => /^ *[0-9a-f]+:\t/.test(line))
      .filter((line) => !/\tnop$/.test(line.trimEnd()))
      .map((line) => `  ${line.trim().replaceAll("\t", "  ")}`);
  } finally {
    Deno.removeSync(file);
  }
}
