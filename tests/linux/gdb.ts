// gdb as a person has it, at its prompt: one line, what it says, the next line.
import { assert } from "@std/assert";
import { kill } from "../util/tools.ts";

/** gdb waits for what does not come if it says nothing for so long, in ms. */
const PATIENCE = 120_000;

export class Gdb {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<string>;
  /** All that it has said, for when a test fails. */
  said = "";
  #taken = 0;
  #marks = 0;

  /** Starts gdb in `folder`, where it finds its files. */
  constructor(folder: string) {
    this.#child = new Deno.Command("sh", {
      // What it says and what it complains of, in order.
      args: ["-c", "exec gdb -nx -q 2>&1"],
      cwd: folder,
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#reader = this.#child.stdout.pipeThrough(new TextDecoderStream())
      .getReader();
    this.#write("set prompt\nset width 0\nset height 0\nset confirm off");
  }

  #write(line: string): Promise<void> {
    return this.#writer.write(new TextEncoder().encode(`${line}\n`));
  }

  /** Reads on until it says `text`; returns what came before. */
  async #until(text: string): Promise<string> {
    const patience = setTimeout(() => this.#child.kill("SIGKILL"), PATIENCE);
    try {
      for (;;) {
        const at = this.said.indexOf(text, this.#taken);
        if (at >= 0) {
          const part = this.said.slice(this.#taken, at);
          this.#taken = at + text.length;
          return part;
        }
        const { value, done } = await this.#reader.read();
        if (done) throw new Error(`gdb never says ${text}:\n${this.said}`);
        this.said += value;
      }
    } finally {
      clearTimeout(patience);
    }
  }

  /** Gives it lines; returns what it says to them. */
  async ask(...lines: string[]): Promise<string> {
    const mark = `@mark ${++this.#marks}\n`;
    await this.#write([...lines, `echo ${mark.trim()}\\n`].join("\n"));
    return await this.#until(mark);
  }

  /** Gives it lines whose answer has these in this order, with anything in
   * between. */
  async expect(
    lines: string | readonly string[],
    ...patterns: RegExp[]
  ): Promise<string> {
    const said = await this.ask(...[lines].flat());
    let rest = said;
    for (const pattern of patterns) {
      const found = pattern.exec(rest);
      assert(found, `${pattern} is missing in\n${said}\nafter\n${this.said}`);
      rest = rest.slice(found.index + found[0].length);
    }
    return said;
  }

  /** Lets the guest run for a while and presses Ctrl-C. */
  async interruptAfter(ms: number): Promise<string> {
    const stopped = this.ask("echo running\\n", "continue");
    await new Promise((resolve) => setTimeout(resolve, ms));
    this.#child.kill("SIGINT");
    return await stopped;
  }

  /** Value of an expression that is a number. */
  async value(expression: string): Promise<bigint> {
    const said = await this.expect(`output/d ${expression}`, /^-?\d+$/);
    return BigInt(said);
  }

  /** Steps `count` times; where it was before each, with the code segment. */
  async trail(count: number): Promise<Place[]> {
    const said = await this.ask(
      "set $i = 0",
      `while $i < ${count}`,
      'printf "at %lx %x\\n", (unsigned long) $pc, $cs',
      "stepi",
      "set $i = $i + 1",
      "end",
    );
    return [...said.matchAll(/\bat ([0-9a-f]+) ([0-9a-f]+)$/gm)].map((
      [, pc, cs],
    ) => ({ pc: BigInt(`0x${pc}`), level: parseInt(cs, 16) & 3 }));
  }

  /** Ends it; the guest, if still there, is let go. */
  async [Symbol.asyncDispose](): Promise<void> {
    kill(this.#child);
    await this.#writer.abort();
    await this.#reader.cancel();
    await this.#child.status;
  }
}

/** Where a processor is. */
export interface Place {
  readonly pc: bigint;
  /** The privilege level. */
  readonly level: number;
}
