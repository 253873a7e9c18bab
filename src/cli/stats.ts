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

/** What the core's caches did, and translation. A guest whose data lie in the pages of its
 * code, as boot sectors and other 16-bit code have them, misses with each write. Hits are
 * not counted, which would cost the guest's speed: misses are told as they are, and for
 * every 1000 instructions, of which each can miss several times. */
function coreLines(soft: SoftPlatform): [string, string][] {
  const all = soft.clock.instructions();
  const counters = soft.counters();
  const misses = (count: bigint) =>
    all === 0n
      ? String(count)
      : `${String(count).padEnd(10)} ${
        (Number(count) / Number(all) * 1000).toFixed(3)
      } in 1000 instructions`;
  return [
    ["decoded", misses(counters.decoded)],
    ["  bytes changed", String(counters.invalidated)],
    ["  emptied", String(counters.cacheFlushes)],
    ["TLB misses", misses(counters.tlbMisses)],
    ["  writes beside code", String(counters.besideCode)],
    ["  emptied", String(counters.tlbFlushes)],
    ["events delivered", String(counters.events)],
    ...soft.effort().map(([name, count]): [string, string] => [
      name === "ran translated" ? name : `  ${name}`,
      count,
    ]),
  ];
}
