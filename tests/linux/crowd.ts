// Programs for breakpoints in code that many processes run: one that shares libc and
// forks, and one that has other code of its own at the same addresses.
import type { ArchiveFile } from "../guests/cpio.ts";
import { runTool } from "../util/tools.ts";

/** Tells where it is by a getpgid(main, tick, write, open), of which the kernel sees
 * the arguments. Then its children, when all are there, call tick(), open() and
 * write() so often, and check that each call did what it is to do. */
const CROWD = `
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int ticks;

__attribute__((noinline, noclone)) int tick(int n)
{
  ticks += n;
  return ticks;
}

static int child(int turns)
{
  for (int i = 1; i <= turns; i++) {
    if (tick(1) != i) return 1;
    int file = open("/dev/null", O_WRONLY);
    if (file < 0) return 2;
    if (write(file, "turns", 5) != 5) return 3;
    close(file);
  }
  return ticks == turns ? 0 : 4;
}

int main(int count, char **words)
{
  int children = atoi(words[2]), turns = atoi(words[3]);
  if (children == 0) {
    printf("%s: at %lx %lx %lx %lx\\n", words[1], (long)main, (long)tick,
           (long)write, (long)open);
  }
  syscall(SYS_getpgid, main, tick, write, open);
  int gate[2];
  char none;
  pipe(gate);
  for (int i = 0; i < children; i++) {
    if (fork() == 0) {
      close(gate[1]);
      read(gate[0], &none, 1);
      _exit(child(turns));
    }
  }
  close(gate[1]);
  int status, right = 0;
  while (wait(&status) > 0) right += status == 0;
  printf("%s: %d children right, code %02x %02x %02x\\n", words[1], right,
         *(unsigned char *)tick, *(unsigned char *)write, *(unsigned char *)open);
  return 0;
}
`;

/** Runs a program whose addresses are not randomized. */
const FIXED = `
#include <sys/personality.h>
#include <unistd.h>

int main(int count, char **words)
{
  personality(ADDR_NO_RANDOMIZE);
  execvp(words[1], words + 1);
  return 127;
}
`;

/** Loads a module and unloads it, so many times. */
const MODULES = `
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int count, char **words)
{
  int loads = atoi(words[3]), done = 0;
  for (int i = 0; i < loads; i++) {
    int file = open(words[1], O_RDONLY);
    if (syscall(SYS_finit_module, file, "", 0) != 0) break;
    close(file);
    if (syscall(SYS_delete_module, words[2], O_NONBLOCK) != 0) break;
    done++;
  }
  printf("modules: %d\\n", done);
  return 0;
}
`;

const PROGRAMS = { crowd: CROWD, fixed: FIXED, modules: MODULES };

/** The tools that make these programs. */
export const CROWD_TOOLS = ["gcc", "as", "ld", "nm"];

/** Builds the programs in `folder`, with symbols; returns them for an initramfs. */
export function buildCrowd(folder: string): ArchiveFile[] {
  return Object.entries(PROGRAMS).map(([name, source]) => {
    const path = `${folder}/${name}`;
    Deno.writeTextFileSync(`${path}.c`, source);
    runTool("gcc", ["-O1", "-g", "-fpie", "-pie", "-o", path, `${path}.c`]);
    const content = Deno.readFileSync(path);
    return { path: `bin/${name}`, content, executable: true };
  });
}

/** Turns that the twin makes. */
const TWIN_TURNS = 1_000_000;

/**
 * Builds `folder`/twin: a program without libc that has an instruction's operand at
 * each of `addresses`, executes it over and over, and prints "twin: right" if what
 * it computed is right.
 */
export function buildTwin(
  folder: string,
  addresses: readonly bigint[],
): Uint8Array {
  const path = `${folder}/twin`;
  // mov $0x12345678, %eax: its operand's first byte is at the address.
  const parts = addresses.map((_, i) => `
        .section .part${i}, "ax"
part${i}: mov $0x12345678, %eax
        add %rax, %rbx
        ret`);
  const calls = addresses.map((_, i) => `
        movabs $part${i}, %rax
        call *%rax`);
  Deno.writeTextFileSync(
    `${path}.s`,
    `
        .globl _start
_start: xor %ebx, %ebx
        mov $${TWIN_TURNS}, %ebp
turn:   ${calls.join("")}
        dec %ebp
        jnz turn
        movabs $${TWIN_TURNS * addresses.length * 0x12345678}, %rax
        lea wrong(%rip), %rsi
        mov $12, %edx
        cmp %rax, %rbx
        jne say
        lea right(%rip), %rsi
say:    mov $1, %eax
        mov $1, %edi
        syscall
        mov $231, %eax
        xor %edi, %edi
        syscall
wrong:  .ascii "twin: wrong\\n"
right:  .ascii "twin: right\\n"
${parts.join("\n")}
`,
  );
  runTool("as", ["-o", `${path}.o`, `${path}.s`]);
  runTool("ld", [
    "-o",
    path,
    `${path}.o`,
    ...addresses.map((address, i) =>
      `--section-start=.part${i}=0x${(address - 1n).toString(16)}`
    ),
  ]);
  return Deno.readFileSync(path);
}
