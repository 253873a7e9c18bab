/**
 * Runs one case again: `deno run -A tests/silicon/repro.ts '<line>'`, with the
 * line a failing silicon test printed. Shows the code and what differs.
 *
 * @module
 */
import { alternativeFor } from "./alternatives.ts";
import { compareCase } from "./compare.ts";
import { GPR_NAMES, Result } from "./layout.ts";
import { openCore, openSilicon } from "./open.ts";
import { parseLine } from "./repro_line.ts";

const line = Deno.args[0];
if (line === undefined) {
  console.error("usage: deno run -A tests/silicon/repro.ts '<case>'");
  Deno.exit(2);
}
const { name, code, batch } = parseLine(line);
const silicon = openSilicon();
const core = await openCore();
const expected = await silicon.runBatch(batch);
const actual = await core.runBatch(batch);
await silicon.close();
await core.close();

console.log(`${name}: ${code.replace(/../g, "$& ")}`);
const before = (reg: number) => batch.view.getBigUint64(8 + 8 * reg, true);
const after = (reg: number) =>
  expected.view.getBigUint64(Result.gpr + 8 * reg, true);
for (let reg = 0; reg < 16; reg++) {
  const text = (value: bigint) => value.toString(16).padStart(16, "0");
  const change = before(reg) === after(reg) ? "" : ` -> ${text(after(reg))}`;
  console.log(`  ${GPR_NAMES[reg].padEnd(3)} ${text(before(reg))}${change}`);
}
const differences = compareCase(batch, 0, expected, actual);
for (const d of differences) {
  console.log(`${d.what}: silicon ${d.expected}, core ${d.actual}`);
}
const alternative = differences.length === 0 ? null : alternativeFor(name, {
  batch,
  index: 0,
  silicon: expected,
  core: actual,
  differences,
});
if (differences.length === 0) console.log("no difference");
if (alternative !== null) console.log(`accepted: ${alternative.name}`);
Deno.exit(differences.length === 0 || alternative !== null ? 0 : 1);
