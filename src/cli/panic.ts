/** A Linux kernel's panic, found in what it prints. */

/** What kernel/panic.c prints at its beginning. */
const SIGN = "Kernel panic - not syncing";
/** And with its last line, before it waits for ever or for its reboot. */
const LAST = /---\[ end Kernel panic|Rebooting in \d+ seconds/;
/** The time that printk puts before a line. */
const TIME = /^\[ *\d+\.\d+\] /;
const MOST_OF_LINE = 400;
const LF = 10, CR = 13;

/** Looks through the text of one console. */
export class PanicWatch {
  readonly #begins: (line: string) => void;
  readonly #ends: (line: string) => void;
  #text = "";
  #panic: string | null = null;

  /** `begins` is called once with the line that tells of a panic, `ends` with the same
   * when the kernel has said everything about it. */
  constructor(
    begins: (line: string) => void,
    ends: (line: string) => void,
  ) {
    this.#begins = begins;
    this.#ends = ends;
  }

  /** The kernel prints this. */
  push(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (byte === LF || byte === CR) this.#line();
      else if (this.#text.length < MOST_OF_LINE) {
        this.#text += String.fromCharCode(byte);
      }
    }
  }

  #line(): void {
    const line = this.#text.replace(TIME, "");
    this.#text = "";
    if (this.#panic === null) {
      if (!line.includes(SIGN)) return;
      this.#panic = line;
      this.#begins(line);
    } else if (LAST.test(line)) this.#ends(this.#panic);
  }
}
