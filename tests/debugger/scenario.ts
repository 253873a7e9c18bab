/**
 * Situations that people meet with gdb, each with a guest of its own: an assembly or C
 * program of some lines that begins in 64-bit mode, icebp that runs it, the real gdb that
 * does what the people do, and what is to be seen.
 */
import { assert } from "@std/assert";
import { testPlatform } from "../util/platform.ts";
import { requireTool, runTool } from "../util/tools.ts";
import { debugFile, Icebp, type IcebpOptions } from "./icebp.ts";

const ignore = !requireTool("gcc", "gdb");

/** What guests include: an IDT, and a local APIC timer that counts `ticks`. */
const PREAMBLE = `
        .macro gate vector, handler
        mov $\\handler, %eax
        mov %ax, idt + 16 * \\vector
        mov %cs, idt + 16 * \\vector + 2
        movw $0x8e00, idt + 16 * \\vector + 4
        shr $16, %eax
        mov %eax, idt + 16 * \\vector + 6
        .endm
        .macro timer count
        gate 0x20, tick
        lidt idt_pointer
        mov $0xfee00000, %esi
        movl $0x1ff, 0xf0(%rsi)
        movl $0x20020, 0x320(%rsi)
        movl $11, 0x3e0(%rsi)
        movl $\\count, 0x380(%rsi)
        .endm
        .macro quit
        mov $0, %al
        out %al, $0xf4
        .endm
        # The page tables of a new address space: PML4 and PDPT copied.
        .macro space name, pdpt
        mov %cr3, %rsi
        mov $\\name, %edi
        mov $512, %ecx
        rep movsq
        mov %cr3, %rsi
        mov (%rsi), %rsi
        and $~0xfff, %rsi
        mov $\\pdpt, %edi
        mov $512, %ecx
        rep movsq
        movq $\\pdpt + 7, \\name
        .endm
        .text
        .globl _start
`;
const HANDLERS = `
        .text
tick:   incl ticks
        push %rax
        mov $0xfee000b0, %eax
        movl $0, (%rax)
        pop %rax
        iretq
        .data
        .balign 16
idt_pointer: .word 0xfff
        .quad idt
        .globl ticks
ticks:  .long 0
        .bss
        .balign 4096
idt:    .skip 4096
        .section .note.GNU-stack, ""
`;

const FLAGS = [
  "-m64",
  "-g",
  "-O0",
  "-ffreestanding",
  "-nostdlib",
  "-static",
  "-fno-pic",
  "-no-pie",
  "-fno-stack-protector",
  "-mno-red-zone",
  "-mgeneral-regs-only",
  "-fcf-protection=none",
  "-fno-asynchronous-unwind-tables",
  "-Wl,--build-id=none,-Ttext=0x200000,-z,noexecstack,--no-warn-rwx-segments",
];

export interface Scenario {
  readonly name: string;
  /** The program in assembly, with the preamble's macros; begins at `_start`. */
  readonly asm?: string;
  /** More of it in C. */
  readonly c?: string;
  readonly options?: IcebpOptions;
  /** Sectors of a disk of zeros, which is the file `disk` in the folder. */
  readonly diskSectors?: number;
  /** What breakpoints in memory cannot do (the README's table). */
  readonly inProcessor?: boolean;
  /** gdb's commands; a folder for files is `FOLDER` in them. */
  readonly lines?: readonly string[];
  /** What is said, in this order. */
  readonly said?: readonly RegExp[];
  /** What must not be said. */
  readonly unsaid?: RegExp;
  /** In place of `lines`. */
  run?(icebp: Icebp, image: string, folder: string): Promise<void>;
}

/** Builds a guest in a folder; returns its path. */
function build(folder: string, { asm = "", c }: Scenario): string {
  const files = [`${folder}/guest.S`];
  Deno.writeTextFileSync(files[0], PREAMBLE + asm + HANDLERS);
  if (c !== undefined) {
    files.push(`${folder}/guest.c`);
    Deno.writeTextFileSync(files[1], c);
  }
  const image = `${folder}/guest.elf`;
  runTool("gcc", [...FLAGS, "-o", image, ...files]);
  return image;
}

/** What came in this order, with anything in between. */
export function assertSequence(
  said: string,
  patterns: readonly RegExp[],
): void {
  let rest = said;
  for (const pattern of patterns) {
    const found = pattern.exec(rest);
    assert(found, `${pattern} is missing after the others in:\n${said}`);
    rest = rest.slice(found.index + found[0].length);
  }
}

/** Makes a scenario a test. */
export function scenario(s: Scenario): void {
  const isIgnored = s.inProcessor === true && testPlatform() !== "soft";
  Deno.test({
    name: `gdb: ${s.name}`,
    ignore: ignore || isIgnored,
    async fn() {
      const folder = await Deno.makeTempDir({ prefix: "icebp-scenario-" });
      try {
        const image = build(folder, s);
        const args = [...s.options?.args ?? []];
        if (s.diskSectors !== undefined) {
          const disk = `${folder}/disk`;
          await Deno.writeFile(disk, new Uint8Array(s.diskSectors * 512));
          args.push("--disk", disk);
        }
        await using icebp = new Icebp({ cpus: 1, image, ...s.options, args });
        if (s.run !== undefined) {
          await s.run(icebp, image, folder);
          return;
        }
        const lines = s.lines!.map((line) => line.replaceAll("FOLDER", folder));
        const said = await debugFile("gdb", icebp, image, ...lines);
        assertSequence(said, s.said!);
        if (s.unsaid) assert(!s.unsaid.test(said), said);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

/** gdb as an editor drives it: the machine interface. */
export class Mi {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<string>;
  #lines: string[] = [];
  #rest = "";
  #token = 0;

  private constructor() {
    this.#child = new Deno.Command("timeout", {
      args: ["-s", "KILL", "60", "gdb", "-q", "-nx", "--interpreter=mi2"],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#reader = this.#child.stdout.pipeThrough(new TextDecoderStream())
      .getReader();
  }

  /** gdb, attached. */
  static async attach(icebp: Icebp, image: string): Promise<Mi> {
    const mi = new Mi();
    await mi.must("-gdb-set mi-async on");
    await mi.must(`-file-exec-and-symbols ${image}`);
    await mi.must(`-target-select remote 127.0.0.1:${icebp.port}`);
    await mi.stopped();
    return mi;
  }

  async #line(wanted: RegExp): Promise<string> {
    for (;;) {
      const at = this.#lines.findIndex((line) => wanted.test(line));
      if (at >= 0) return this.#lines.splice(at, 1)[0];
      const { value, done } = await this.#reader.read();
      if (done) throw new Error(`gdb ended before it said ${wanted}`);
      const lines = (this.#rest + value).split("\n");
      this.#rest = lines.pop()!;
      this.#lines.push(...lines);
    }
  }

  /** The result record of a command. */
  async ask(command: string): Promise<string> {
    const token = ++this.#token;
    const text = new TextEncoder().encode(`${token}${command}\n`);
    await this.#writer.write(text);
    return await this.#line(new RegExp(`^${token}\\^`));
  }

  /** A command that must succeed. */
  async must(command: string): Promise<string> {
    const reply = await this.ask(command);
    if (!/^\d+\^(done|running|connected|exit)/.test(reply)) {
      throw new Error(`${command}: ${reply}`);
    }
    return reply;
  }

  /** The next stop. */
  stopped(): Promise<string> {
    return this.#line(/^\*stopped/);
  }

  /** A value, as gdb prints it. */
  async value(expression: string): Promise<string> {
    const reply = await this.must(`-data-evaluate-expression "${expression}"`);
    return /value="(.*)"/.exec(reply)![1];
  }

  async end(): Promise<void> {
    await this.must("-gdb-exit");
    await this.#writer.close().catch(() => {});
    await this.#reader.cancel();
    await this.#child.status;
  }
}
