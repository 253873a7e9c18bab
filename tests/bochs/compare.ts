/**
 * Compares the logs of a fuzzed guest case by case.
 *
 * @module
 */
import { END } from "./bochs.ts";
import type { FuzzCase } from "./fuzz.ts";

const MARK = 0xc0de_0000;

/** A case whose logs differ. */
export interface Mismatch {
  readonly index: number;
  readonly case: FuzzCase;
  readonly core: readonly number[];
  readonly bochs: readonly number[];
}

/** Each case's words; the first that has none ends the list. */
export function split(log: readonly number[], count: number): number[][] {
  const parts: number[][] = [];
  let current: number[] = [];
  for (const word of log) {
    if (word === MARK + parts.length && parts.length < count) {
      current = [];
      parts.push(current);
    } else if (word !== END) current.push(word);
  }
  return parts;
}

/** All cases that differ. */
export function compareLogs(
  cases: readonly FuzzCase[],
  core: readonly number[],
  bochs: readonly number[],
): Mismatch[] {
  const a = split(core, cases.length);
  const b = split(bochs, cases.length);
  if (a.length !== cases.length || b.length !== cases.length) {
    throw new Error(
      `${cases.length} cases: the core ran ${a.length}, Bochs ${b.length}`,
    );
  }
  return cases.flatMap((each, index) => {
    const core = a[index];
    const bochs = b[index];
    const same = core.length === bochs.length &&
      core.every((word, i) => word === bochs[i]);
    return same ? [] : [{ index, case: each, core, bochs }];
  });
}

const WORDS =
  "vector error eip cs eflags esp ss gs fs es ds eax tr:ldt cr0 dr6 tables"
    .split(" ");

/** The words of a mismatch beside each other, and the case's text. */
export function describe(m: Mismatch): string {
  const hex = (word: number | undefined) =>
    word === undefined ? "-" : word.toString(16);
  const lines = [`${m.case.kind}, ${m.case.level}:`, m.case.text.trimEnd()];
  for (let i = 0; i < Math.max(m.core.length, m.bochs.length); i++) {
    if (m.core[i] === m.bochs[i]) continue;
    const name = WORDS[i] ?? `word ${i}`;
    lines.push(`  ${name}: core ${hex(m.core[i])}, Bochs ${hex(m.bochs[i])}`);
  }
  return lines.join("\n");
}
