/** What --help and --version print. */
import config from "../../deno.json" with { type: "json" };
import { EXIT_CODES } from "./exit_codes.ts";

/** The program's version. */
export const VERSION: string = config.version;

/** The text of --help. */
export const HELP = `\
icebp runs x86-64 guests and lets gdb debug them.

usage: icebp [options] [GUEST]

GUEST is a Linux bzImage, a multiboot or ELF kernel, or a boot sector. Without
it a built-in demo runs: a small kernel with symbols, on two processors.

Debugging
  --gdb[=HOST:PORT|unix:PATH]  speak gdb's protocol there (127.0.0.1:1234); the
                               guest waits for gdb before its first instruction,
                               until gdb resumes it or detaches
  --gdb-arch i386|x86-64|auto  what gdb is to take the guest for (auto: i386 for
                               32-bit ELF, boot sectors and 16 or 32-bit images)
  --no-wait                    let the guest run until gdb comes
  --on-disconnect run|stay     what the guest does when gdb is suddenly gone (run)
  --breakpoints processor|memory
                               where breakpoints are: in the processor, which the
                               guest cannot feel (soft), or INT1 in its memory

Time (soft)
  --history SIZE|off           host memory for the past, with --gdb: gdb can go
                               backwards in it (512M)
  --save-at-exit FILE          write the whole machine there when you end it
  --restore FILE               go on from there, or from gdb's "monitor save FILE"
  --record FILE                record the run there
  --record-all                 the contents of its files and disks, too

Ends
  --stop-on-panic              a Linux kernel's panic ends the run, or stops the
                               guest for gdb where it begins

Machine
  --platform whp|soft|PATH     who runs the guest: Windows' hypervisor, software,
                               or a library (whp where it is there, else soft)
  --cpus N                     processors, 1 to 64 (1; the demo: 2)
  --apic xapic|x2apic          whether guests can switch to x2APIC mode (xapic)
  --memory SIZE                like 512M or 2G; a bare number is MiB (256M)
  --disk FILE[,ro]             a virtio disk backed by FILE; repeatable
  --serial stdio|null|file:PATH
                               where the first serial port goes (stdio)
  --console stdio|null|file:PATH
                               add a virtio console (hvc0); with stdio it takes
                               the input once the guest uses it
  --clock virtual|host         skip the time in which all processors wait, or
                               sleep through it (host on an interactive console)
  --translate never|auto|always
                               whether hot guest code becomes WebAssembly, which
                               the guest cannot tell (soft; auto)
  --date DATE|@SECONDS|now     what its clock says at the start, like 2026-11-30 or
                               2026-11-30T08:15:30, UTC (virtual: 2025-01-01, host:
                               now)

Guest
  --append TEXT                the guest's command line
  --initrd FILE                initial RAM disk; for multiboot the first module
  --module FILE[,TEXT]         a multiboot module and its text; repeatable
  --flat ADDRESS[,16|32|64[,ENTRY]]
                               GUEST is a flat image for ADDRESS, entered in this
                               mode (32) at its first byte, or at address ENTRY

Other
  --stats                      say at the end what was executed
  --log LEVEL[,AREA=LEVEL...]  trace, debug, info, warning, error, off (warning)
  --write-demo FOLDER          write the demo's kernel and sources there
  -h, --help    -V, --version

icebp replay FILE [--gdb]      repeats a recorded run, which gdb can run backwards
icebp demo                     shows a breakpoint being hit, without gdb
icebp doctor [--platform ...]  says what this machine offers, and why not

On the console Ctrl-A x ends icebp and Ctrl-A h lists what else there is. The exit
code is the guest's (port 0xF4: (value << 1) | 1, always odd), or icebp's own:
${
  EXIT_CODES.map(([code, when]) => `  ${String(code).padEnd(4)} ${when}\n`)
    .join("")
}`;
