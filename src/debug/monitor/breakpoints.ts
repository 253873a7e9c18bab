/** `monitor breakpoints`: how each breakpoint and watchpoint is held, where, since when. */
import type { Owner, SoftwareBreakpoint } from "../breakpoints/table.ts";
import type { Commands, MonitorContext } from "./command.ts";

export const breakpointCommands: Commands = {
  breakpoints: {
    usage: "breakpoints",
    help: "how each breakpoint is held, where, and since when",
    run: showBreakpoints,
  },
};

/** A line for each. */
function showBreakpoints({ breakpoints }: MonitorContext): string {
  const lines: string[] = [];
  const { table, points, hardware, inMemory } = breakpoints;
  const now = [...table.all()].filter(({ owners }) => owners.length > 0);
  const removed = [...table.removed].filter(({ address }) =>
    !now.some((breakpoint) => breakpoint.address === address)
  );
  for (const breakpoint of [...now, ...removed]) {
    const { address, owners, held, since } = breakpoint;
    const out = now.includes(breakpoint as SoftwareBreakpoint)
      ? ""
      : " (taken out while the guest stands)";
    lines.push(
      `${hex(address)}  ${owners.map(nameOf).join(", ")}${out}: ` +
        (held === ""
          ? "not held yet: the guest has not run since"
          : `${held}, since ${seconds(since)} s of guest time`),
    );
  }
  for (const { kind, address, length } of points?.watched ?? []) {
    lines.push(
      `${hex(address)}  ${kind} watchpoint, ${length} bytes: a debug point`,
    );
  }
  for (const { number, kind, address, length, since } of hardware.held) {
    const name = kind === "hardware"
      ? "hbreak"
      : `${kind} watchpoint, ${length} bytes`;
    lines.push(
      `${hex(address)}  ${name}: ` +
        (since === null
          ? "not held yet: the guest has not run since"
          : `debug register ${number}, since ${
            seconds(since)
          } s of guest time`),
    );
  }
  if (inMemory !== null && lines.length > 0) {
    lines.push(
      `${inMemory.trap.name} in memory shows to a guest that reads or copies its code; ` +
        "hbreak does not.",
    );
  }
  return lines.length === 0
    ? "no breakpoints\n"
    : lines.map((line) => `${line}\n`).join("");
}

function nameOf({ kind, conditions }: Owner): string {
  const name = kind === "software" ? "break" : "hbreak";
  return conditions.length === 0 ? name : `${name} if`;
}

function hex(address: bigint): string {
  return `0x${address.toString(16).padStart(16, "0")}`;
}

function seconds(ns: bigint): string {
  return (Number(ns) / 1e9).toFixed(6);
}
