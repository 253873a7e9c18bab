/** What --stats says at the end. */
import type { Machine } from "../machine/machine.ts";
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
  }
  const counts = Object.entries(machine.exitCounts).sort(([, a], [, b]) =>
    b - a
  );
  lines.push(["exits", String(counts.reduce((sum, [, n]) => sum + n, 0))]);
  for (const [kind, count] of counts) lines.push([`  ${kind}`, String(count)]);
  return lines.map(([name, value]) => `${name.padEnd(20)} ${value}`).join("\n");
}
