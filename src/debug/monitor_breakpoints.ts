/** `monitor breakpoints`: how each breakpoint and watchpoint is held, where, since when. */
import type { Owner } from "./breakpoints.ts";
import type { Driver } from "./driver.ts";

/** A line for each. */
export function showBreakpoints(target: Driver): string {
  const lines: string[] = [];
  for (const { address, owners, held, since } of target.breakpoints.all()) {
    if (owners.length === 0) continue;
    lines.push(
      `${hex(address)}  ${owners.map(nameOf).join(", ")}: ` +
        (held === ""
          ? "not held yet: the guest has not run since"
          : `${held}, since ${seconds(since)} s of guest time`),
    );
  }
  const { points, hardware } = target;
  for (const { kind, address, length } of (points ?? hardware).watched) {
    lines.push(
      `${hex(address)}  ${kind} watchpoint, ${length} bytes: ` +
        (points === null ? "a debug register" : "a debug point"),
    );
  }
  if (points === null && lines.length > 0) {
    lines.push(
      "INT1 in memory shows to a guest that reads or copies its code; " +
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
