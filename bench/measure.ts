// Whole processes, measured in turn: processor time and wall time of icebp and of QEMU's
// TCG, in rounds, so that what else the machine does meets both.

/** Seconds. */
export interface Cost {
  readonly cpu: number;
  readonly wall: number;
}

const decoder = new TextDecoder();

/** Runs a command to its end; throws unless it exits with `code`. */
export async function whole(
  command: readonly string[],
  code: number | ((code: number) => boolean) = 0,
  said?: RegExp,
): Promise<Cost> {
  const began = performance.now();
  // the shell knows what its children took
  const script = '"$@" </dev/null; r=$?; times >&2; exit $r';
  const output = await new Deno.Command("sh", {
    args: ["-c", script, "sh", ...command],
    stdout: "piped",
    stderr: "piped",
  }).output();
  const wall = (performance.now() - began) / 1000;
  const errors = decoder.decode(output.stderr);
  const out = decoder.decode(output.stdout);
  const fits = typeof code === "number"
    ? output.code === code
    : code(output.code);
  if (!fits || said?.test(out) === false) {
    throw new Error(
      `${command.join(" ")} ended with ${output.code}: ` +
        `${out.slice(-500)}${errors.slice(-500)}`,
    );
  }
  const times = [...errors.matchAll(/(\d+)m([\d.]+)s/g)].slice(-2);
  const cpu = times.reduce((s, [, m, n]) => s + Number(m) * 60 + Number(n), 0);
  return { cpu, wall };
}

/** Processor time that a process has taken, in s, all threads. */
function taken(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  // proc(5): utime and stime, in hundredths
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Runs a command whose output has the lines BEGIN and END; what is between them costs. */
export async function between(command: readonly string[]): Promise<Cost> {
  const child = new Deno.Command(command[0], {
    args: command.slice(1),
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const moment = () => ({ cpu: taken(child.pid), wall: performance.now() });
  let said = "";
  let begin, end;
  for await (
    const text of child.stdout.pipeThrough(new TextDecoderStream())
  ) {
    said += text;
    if (!begin && /^BEGIN\r?$/m.test(said)) begin = moment();
    if (!end && /^END\r?$/m.test(said)) end = moment();
  }
  await child.status;
  if (!begin || !end) throw new Error(`no BEGIN and END: ${said.slice(-500)}`);
  return { cpu: end.cpu - begin.cpu, wall: (end.wall - begin.wall) / 1000 };
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

/** Prints the heading of compare()'s lines. */
export function heading(): void {
  console.log(
    "                           CPU, s          QEMU's over icebp's (above 1: icebp is quicker)\n" +
      "guest                   icebp    QEMU    CPU    (range)          wall",
  );
}

/** Measures both in rounds, and prints their medians and the medians of the ratios;
 * `base` is taken off. */
export async function compare(
  name: string,
  rounds: number,
  icebp: () => Promise<Cost>,
  qemu: () => Promise<Cost>,
  base: { readonly icebp: Cost; readonly qemu: Cost } = NOTHING,
): Promise<void> {
  const mine: number[] = [], theirs: number[] = [];
  const ratios: number[] = [], walls: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const a = await icebp(), b = await qemu();
    mine.push(a.cpu - base.icebp.cpu);
    theirs.push(b.cpu - base.qemu.cpu);
    ratios.push(theirs[round] / mine[round]);
    walls.push((b.wall - base.qemu.wall) / (a.wall - base.icebp.wall));
  }
  const range = `(${Math.min(...ratios).toFixed(2)} to ${
    Math.max(...ratios).toFixed(2)
  })`;
  console.log(
    name.padEnd(22),
    median(mine).toFixed(2).padStart(6),
    median(theirs).toFixed(2).padStart(7),
    median(ratios).toFixed(2).padStart(6),
    `  ${range.padEnd(16)}`,
    median(walls).toFixed(2),
  );
}

const ZERO: Cost = { cpu: 0, wall: 0 };
const NOTHING = { icebp: ZERO, qemu: ZERO };

/** The cheapest of some runs. */
export async function least(run: () => Promise<Cost>): Promise<Cost> {
  const costs = [await run(), await run(), await run()];
  return {
    cpu: Math.min(...costs.map(({ cpu }) => cpu)),
    wall: Math.min(...costs.map(({ wall }) => wall)),
  };
}
