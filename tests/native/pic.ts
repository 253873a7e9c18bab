// guests/pic.S: made, and what it says judged.

import { assert, assertEquals } from "@std/assert";
import { runTool } from "../util/tools.ts";

const SOURCE = new URL("guests/pic.S", import.meta.url).pathname;

/** guests/pic.S as a boot sector in `folder`. */
export function assemblePic(folder: string): string {
  const object = `${folder}/pic.o`, sector = `${folder}/pic.bin`;
  runTool("as", ["--32", SOURCE, "-o", object]);
  runTool("ld", [
    ...["-m", "elf_i386", "-Ttext=0x7c00", "--oformat=binary", "-e", "0x7c00"],
    ...[object, "-o", sector],
  ]);
  return sector;
}

/** Of the ACPI timer, Hz. */
const PM_HZ = 3_579_545;
/** What pic.S waits for: three times 90 ticks of 1193 clocks, which are 1 ms. */
const TICKS = 3 * 90 * 1193 * PM_HZ / 1_193_182;
/** Judges what the guest said on a host whose timers tick at `tick` ms. */
export function assertTicks(said: Uint8Array, tick: number): void {
  assertEquals(said.length, 12);
  const view = new DataView(said.buffer, said.byteOffset);
  const took = [0, 4, 8].map((at) => view.getUint32(at, true));
  const sum = took.reduce((a, b) => a + b);
  // Not faster than they are due, as two for one would be: a machine has other work, and
  // what it began late ends on time. Nor, in the best third, as slow as one tick for each
  // of the host's timers.
  const slow = Math.max(8, tick / 3);
  assert(
    sum > 0.7 * TICKS && 3 * Math.min(...took) < slow * TICKS,
    took.join(" "),
  );
}
