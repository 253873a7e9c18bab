/** What --stats says at the end. */
import type { Machine } from "../machine/machine.ts";
import type { SoftPlatform } from "../soft/mod.ts";
import type { OpenedPlatform } from "./platform.ts";

/** One line a fact. */
export function statistics(machine: Machine, opened: OpenedPlatform): string {
  const lines: [string, string][] = [
    ["platform", opened.platform.name],
    ["guest time", `${Number(opened.clock.now()) / 1e9} s`],
  ];
  if (opened.soft !== undefined) {
    const { soft } = opened;
    lines.push(["instructions", String(soft.clock.instructions())]);
    machine.processors.forEach(({ index }) => {
      lines.push([`  CPU${index}`, String(soft.instructionsOf(index))]);
    });
    lines.push(...coreLines(soft));
  }
  const seconds = Number(opened.clock.now()) / 1e9;
  const counted = (entries: [string, number][]) =>
    entries.sort(([, a], [, b]) => b - a).map((
      [name, count],
    ): [string, string] => [`  ${name}`, perSecond(count, seconds)]);
  const exits = Object.entries(machine.exitCounts);
  const sum = exits.reduce((all, [, count]) => all + count, 0);
  lines.push(["exits", perSecond(sum, seconds)], ...counted(exits));
  lines.push(["port accesses", ""], ...counted([...machine.ports.accesses]));
  lines.push(["MMIO accesses", ""], ...counted([...machine.mmio.accesses]));
  return lines.map(([name, value]) => `${name.padEnd(20)} ${value}`.trimEnd())
    .join("\n");
}

/** A count, and how many of it there are in a second of guest time. */
function perSecond(count: number, seconds: number): string {
  return seconds > 0
    ? `${String(count).padEnd(10)} ${Math.round(count / seconds)}/s`
    : String(count);
}

/** How well the core's caches did. A rate is of instructions: those that needed
 * no decoding, those whose accesses all hit the TLB (nearly: one may miss twice). */
function coreLines(soft: SoftPlatform): [string, string][] {
  const all = soft.clock.instructions();
  const counters = soft.counters();
  const rate = (misses: bigint) =>
    all === 0n
      ? "-"
      : `${((1 - Number(misses) / Number(all)) * 100).toFixed(3)} %`;
  return [
    ["decode cache hits", rate(counters.decoded)],
    ["  decoded", String(counters.decoded)],
    ["  bytes changed", String(counters.invalidated)],
    ["  emptied", String(counters.cacheFlushes)],
    ["TLB hits", rate(counters.tlbMisses)],
    ["  misses", String(counters.tlbMisses)],
    ["  emptied", String(counters.tlbFlushes)],
    ["events delivered", String(counters.events)],
  ];
}
