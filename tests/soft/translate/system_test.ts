// Translated code does what the interpreter does, in ring 0 as well: programs that change
// page tables, code, segments, modes and debug registers between other instructions, with
// interrupts, exceptions, devices, user code, and other processors (system/), run both
// ways in slices. Every slice ends with the same processors, devices, memory and counts;
// gone back to a moment in the middle, they do the same again.
// ICEBP_FUZZ_PROGRAMS says how many (a fiftieth of it), ICEBP_FUZZ_SEED from which on.

import { Buffer } from "node:buffer";
import { assertEquals } from "@std/assert";
import { Prng } from "../../silicon/prng.ts";
import { requireTool } from "../../util/tools.ts";
import type { Linked } from "../../util/linked.ts";
import { assemble, SystemMachine } from "./system/machine.ts";

const PROGRAMS = Number(Deno.env.get("ICEBP_FUZZ_PROGRAMS") ?? 5000) / 50;
const SEED = Number(Deno.env.get("ICEBP_FUZZ_SEED") ?? 1);
/** Of all programs: how many have so many processors. */
const SHARES = [[1, 0.5], [2, 0.3], [4, 0.2]] as const;
/** Programs in one image. */
const BATCH = 50;
const SLICES = 24;

/** The interpreter, all translated, and with hardly any room for what is translated. */
function openAll(cpus: number): Promise<SystemMachine[]> {
  return Promise.all([
    SystemMachine.open(cpus, "never"),
    SystemMachine.open(cpus, "always"),
    SystemMachine.open(cpus, "always", 4),
  ]);
}

/** What differs between two that are to be the same; null if nothing does. */
function difference(a: SystemMachine, b: SystemMachine): string | null {
  const lines = otherLines(a.see(), b.see());
  if (Buffer.compare(a.memory, b.memory) !== 0) {
    const at = a.memory.findIndex((byte, n) => byte !== b.memory[n]);
    lines.push(`  memory at 0x${at.toString(16)}`);
  }
  return lines.length === 0 ? null : lines.slice(0, 8).join("\n");
}

/** Lines that differ. */
function otherLines(a: string, b: string): string[] {
  const x = a.split("\n"), y = b.split("\n");
  return x.flatMap((line, n) =>
    line === y[n] ? [] : [`  ${line.trim()} / ${y[n]?.trim()}`]
  );
}

/** Runs all machines to a count; whether the guest lives, on all of them or none. */
async function allTo(
  machines: readonly SystemMachine[],
  count: number,
  what: string,
): Promise<boolean> {
  const alive: boolean[] = [];
  for (const machine of machines) alive.push(await machine.to(count));
  assertEquals(new Set(alive).size, 1, `${what}: some ended, ${alive}`);
  if (!alive[0]) return false;
  for (const other of machines.slice(1)) {
    const differs = difference(machines[0], other);
    if (differs !== null) throw new Error(`${what}, at ${count}:\n${differs}`);
  }
  return true;
}

async function sameBothWays(
  machines: readonly SystemMachine[],
  image: Linked,
  seed: number,
): Promise<void> {
  const { cpus } = machines[0].machine.options;
  const what = `seed ${seed}, ${cpus} processors (ICEBP_FUZZ_SEED=${seed})`;
  for (const machine of machines) machine.begin(image, seed);
  const slices = new Prng(seed, "slices");
  const longest = slices.pick([3, 50, 1000, 10_000, 20_000]);
  const ends: number[] = [];
  let end = machines[0].soft.timeTravel.instructions();
  for (let n = 0; n < SLICES; n++) ends.push(end += 1 + slices.int(longest));
  const middle = slices.int(ends.length);
  let kept: ReturnType<SystemMachine["keep"]>[] = [];
  for (const [n, end] of ends.entries()) {
    if (!await allTo(machines, end, what)) return;
    if (n === middle) kept = machines.map((machine) => machine.keep());
  }
  const last = machines[0].see();
  machines.forEach((machine, n) => machine.back(kept[n]));
  if (middle < ends.length - 1) {
    await allTo(machines, ends.at(-1)!, `${what}, again from ${ends[middle]}`);
  }
  assertEquals(otherLines(last, machines[0].see()), [], what);
}

for (const [cpus, share] of SHARES) {
  const programs = Math.ceil(PROGRAMS * share);
  Deno.test({
    name: `programs of ring 0 run as they do interpreted, ${cpus} processors`,
    ignore: !requireTool("as", "ld", "nm", "objcopy"),
    async fn() {
      const machines = await openAll(cpus);
      for (let from = SEED; from < SEED + programs; from += BATCH) {
        const seeds = Array.from(
          { length: Math.min(BATCH, SEED + programs - from) },
          (_, n) => from + n,
        );
        const image = assemble(seeds, cpus);
        for (const seed of seeds) {
          await sameBothWays(machines, image, seed);
          for (const machine of machines) await machine.stop();
        }
      }
      const [, always] = machines;
      console.log(new Map(always.soft.effort()).get("ran translated"));
      for (const machine of machines) await machine.close();
    },
  });
}
