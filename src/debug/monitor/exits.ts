/** The monitor's command for what the guest has cost. */
import type { Commands, MonitorContext } from "./command.ts";

export const exitCommands: Commands = {
  exits: {
    usage: "exits",
    help: "how often the guest has exited, for what, and to which devices",
    run: showExits,
  },
};

function showExits({ guest: { machine }, meaning }: MonitorContext): string {
  const { functions } = machine.partition;
  const passed = meaning.passed + (functions.passedPoints?.() ?? 0);
  const text = counted("exits", Object.entries(machine.exitCounts)) +
    counted("port accesses", machine.ports.accesses) +
    counted("MMIO accesses", machine.mmio.accesses) +
    counted(
      "without an exit",
      passed > 0 ? [["breakpoint conditions that did not hold", passed]] : [],
    );
  const effort = (functions.effort?.() ?? [])
    .map(([name, count]) => `${name}: ${count}\n`).join("");
  return (text === "" ? "no exits yet\n" : text) + effort;
}

/** Counts under a title, the most first. */
function counted(title: string, entries: Iterable<[string, number]>): string {
  const sorted = [...entries].sort(([, a], [, b]) => b - a);
  if (sorted.length === 0) return "";
  const lines = sorted.map(([name, count]) =>
    `${String(count).padStart(12)} ${name}\n`
  );
  return `${title}\n${lines.join("")}`;
}
