// Who comes with a run, as far as it is known: some callers tell (IcebpExpectRun).

import { MAX_VPS } from "./core/layout.ts";

/** What a caller has told of itself; and whom a turn that is about to begin waits for. */
export const SILENT = 1, EXPECTED = 2, AWAY = 3, NOBODY = 0;

/** What is known of the callers of all processors. */
export class Attendance {
  /** Of each processor what its caller has told: SILENT, EXPECTED or AWAY. */
  readonly #told = new Uint8Array(MAX_VPS).fill(SILENT);
  /** One more than the highest processor that has run, or was told of. */
  known = 0;

  /** IcebpExpectRun. */
  expect(vp: number, expected: boolean): void {
    this.#told[vp] = expected ? EXPECTED : AWAY;
    if (vp >= this.known) this.known = vp + 1;
  }

  /** Whether its caller has told that it comes. */
  isExpected(vp: number): boolean {
    return this.#told[vp] === EXPECTED;
  }

  /** A caller has come, whatever it told. */
  came(vp: number): void {
    if (this.#told[vp] === AWAY) this.#told[vp] = SILENT;
    if (vp >= this.known) this.known = vp + 1;
  }

  /** A processor is deleted. */
  forget(vp: number): void {
    this.#told[vp] = SILENT;
  }

  /** All are. */
  forgetAll(): void {
    this.known = 0;
    this.#told.fill(SILENT);
  }

  /** Whom a turn would begin without: `runs` are those that are there, `pending` how many
   * they are, of `created` processors. */
  missing(
    runs: readonly (object | null)[],
    pending: number,
    created: number,
  ): number {
    let accounted = pending;
    for (let vp = 0; vp < this.known; vp++) {
      if (runs[vp]) continue;
      if (this.#told[vp] === EXPECTED) return EXPECTED;
      if (this.#told[vp] === AWAY) accounted++;
    }
    return accounted < created ? SILENT : NOBODY;
  }
}
