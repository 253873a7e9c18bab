// Translated code does what the interpreter does: programs of 16-bit code, loops of SSE
// and of x87 instructions, and walks to a segment's end run both ways in slices, and every
// slice ends with the same registers, flags, memory and count.
// ICEBP_FUZZ_PROGRAMS says how many, ICEBP_FUZZ_SEED from which on.

import { Prng } from "../../silicon/prng.ts";
import { floatingLoop, loopData, someNumbers } from "./floating.ts";
import { type Manner, OFFSET, Pair } from "./lock_step.ts";
import { type Bits, randomProgram, walk } from "./programs.ts";

const PROGRAMS = Number(Deno.env.get("ICEBP_FUZZ_PROGRAMS") ?? 1500);
const SEED = Number(Deno.env.get("ICEBP_FUZZ_SEED") ?? 1);

/** What programs are made of, and how they are run. */
interface Kind extends Manner {
  readonly name: string;
  readonly bits: readonly Bits[];
  readonly programs: number;
  readonly program: (seed: number, bits: Bits) => Uint8Array;
}

const KINDS: readonly Kind[] = [
  {
    name: "random programs",
    bits: [16],
    programs: PROGRAMS,
    most: 6000,
    slices: [1, 10, 100, 1000, 1000],
    program: (seed, bits) => randomProgram(seed, bits, { code: OFFSET }).code,
    fill: someNumbers,
    scattered: false,
    disturbed: false,
  },
  {
    name: "walks to the end of a segment",
    bits: [16],
    programs: Math.ceil(PROGRAMS / 10),
    most: 20_000,
    slices: [1000, 5000],
    program: walk,
    fill: () => {},
    scattered: false,
    disturbed: false,
  },
  ...(["SSE", "x87"] as const).map((family): Kind => ({
    name: `loops of ${family} instructions`,
    bits: [64, 32],
    programs: Math.ceil(PROGRAMS / 4),
    most: Infinity,
    slices: [100, 1000, 1000, 5000],
    program: (seed, bits) =>
      floatingLoop(new Prng(seed, family), bits === 64, family === "x87"),
    fill: loopData,
    scattered: false,
    disturbed: false,
  })),
];

async function sameBothWays(kind: Kind, bits: Bits): Promise<void> {
  const pair = await Pair.open();
  for (let seed = SEED; seed < SEED + kind.programs; seed++) {
    const code = kind.program(seed, bits);
    const parted = await pair.run({ seed, bits, code, manner: kind });
    if (parted === null) continue;
    const differs = parted.what.map(([name, never, always]) =>
      `  ${name} is ${never} interpreted, ${always} translated`
    );
    throw new Error(
      `seed ${seed}, ${bits} bits, after ${parted.after} instructions: ` +
        `ICEBP_FUZZ_SEED=${seed} ICEBP_FUZZ_PROGRAMS=1; code ` +
        `${code.toHex()}\n${differs.join("\n")}`,
    );
  }
  pair.close();
  const { all, translated } = pair.ran;
  console.log(
    `${kind.name}, ${bits} bits: ${(translated / all * 100).toFixed(1)} % of ` +
      `${all} instructions ran translated`,
  );
}

for (const kind of KINDS) {
  for (const bits of kind.bits) {
    Deno.test(
      `${kind.name} of ${bits} bits run as they do interpreted`,
      () => sameBothWays(kind, bits),
    );
  }
}
