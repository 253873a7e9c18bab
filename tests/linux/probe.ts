// A program for the debugger to follow into the kernel and back, and a file that
// stands in for vmlinux: Debian's kernel package has no symbols.
import { runTool } from "../util/tools.ts";

/**
 * Opens a file that is not there, again and again: with a directory that counts
 * up from FIRST_DIRECTORY + 1, and from its argument (a digit) times 2^20. In
 * between it makes the shortest of system calls, at `call`, and a page fault, at
 * `touch`. It ends when it has gone round `limit` times.
 */
const SOURCE = `
        .globl _start, loop, call, back, touch, touched, limit
_start: mov 16(%rsp), %rax
        movzbl (%rax), %ebx
        sub $'0', %ebx
        shl $20, %ebx
loop:   inc %ebx
        mov $257, %eax
        lea 10000(%rbx), %edi
        lea path(%rip), %rsi
        xor %edx, %edx
        xor %r10d, %r10d
        syscall
        mov $28, %eax
        lea page(%rip), %rdi
        mov $4096, %esi
        mov $4, %edx
        syscall
        mov $39, %eax
call:   syscall
back:   nop
touch:  movb $1, page(%rip)
touched: mov %ebx, %eax
        and $0xfffff, %eax
        cmp limit(%rip), %eax
        jb loop
        mov $231, %eax
        xor %edi, %edi
        syscall
path:   .asciz "/none"
        .data
limit:  .long 0xfffff
        .bss
        .balign 4096
page:   .skip 4096
`;

/** What the probe counts its openat() calls from. */
export const FIRST_DIRECTORY = 10000;

/** The tools that make these files. */
export const PROBE_TOOLS = ["as", "ld", "nm"];

/** A program as it is linked. */
export interface Probe {
  readonly file: Uint8Array;
  readonly symbols: ReadonlyMap<string, bigint>;
}

/** Names with addresses, from lines as nm and /proc/kallsyms print them. */
export function parseSymbols(lines: string): Map<string, bigint> {
  return new Map(
    [...lines.matchAll(/^([0-9a-f]{16}) \w ([\w.]+)$/gm)]
      .map(([, address, name]) => [name, BigInt(`0x${address}`)]),
  );
}

function link(folder: string, name: string, source: string, ...args: string[]) {
  const path = `${folder}/${name}`;
  Deno.writeTextFileSync(`${path}.s`, source);
  runTool("as", ["-o", `${path}.o`, `${path}.s`]);
  runTool("ld", [...args, "-o", path, `${path}.o`]);
  return path;
}

/** Builds the program. */
export function buildProbe(folder: string): Probe {
  const path = link(folder, "probe", SOURCE);
  return {
    file: Deno.readFileSync(path),
    symbols: parseSymbols(runTool("nm", [path])),
  };
}

/** Writes `folder`/vmlinux: a kernel's symbols at the addresses it was linked
 * at, `_text` among them, and nothing else. */
export function buildVmlinux(
  folder: string,
  symbols: ReadonlyMap<string, bigint>,
): void {
  const text = symbols.get("_text")!;
  const lines = [...symbols].filter(([name]) => name !== "_text").flatMap((
    [name, address],
  ) => [`.globl ${name}`, `.set ${name}, _text + ${address - text}`]);
  link(
    folder,
    "vmlinux",
    [
      '.section .kernel, "ax", @nobits',
      ".globl _text",
      "_text: .skip 0x4000000",
      ...lines,
      "",
    ].join("\n"),
    `--section-start=.kernel=0x${text.toString(16)}`,
    "-e0",
  );
}
