// icebp on a host whose timers fire at multiples of so many ms only, as Windows' do: the
// first argument; the others are icebp's.

import { main } from "../../src/cli/main.ts";

const [tick, ...args] = Deno.args;
const period = Number(tick);
const exact = globalThis.setTimeout;

/** From now until a coarse timer of `ms` fires. */
function late(ms: number): number {
  const now = performance.now();
  return Math.ceil((now + ms) / period) * period - now;
}

globalThis.setTimeout =
  ((fn: (...args: unknown[]) => void, ms = 0, ...rest: unknown[]) =>
    exact(fn, late(ms), ...rest)) as typeof setTimeout;

Deno.exit(await main(args));
