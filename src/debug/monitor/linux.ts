/** The monitor's command for Linux: where a kernel is, and waiting until it is up. */
import {
  findKernel,
  KERNEL_MAP,
  KERNEL_MAP_END,
  kernelSpace,
  type LinuxKernel,
} from "../linux/kernel.ts";
import type { Guest } from "../guest/guest.ts";
import { pagingMode } from "../paging/walk.ts";
import type { Commands, MonitorContext } from "./command.ts";

export const linuxCommands: Commands = {
  linux: {
    usage: "linux [wait]",
    help: "where Linux is, and how gdb gets its symbols; or stop when it is up",
    run: showLinux,
  },
};

function showLinux(
  target: MonitorContext,
  words: readonly string[],
  processor: number,
): string {
  if (words.length > 1 || (words[0] ?? "wait") !== "wait") {
    return "usage: linux [wait]\n";
  }
  target.course.needStopped();
  const kernel = kernelOf(target, processor);
  if (words.length > 0 && !isUp(kernel)) return waitForLinux(target, processor);
  if (kernel === null || kernel.banner === null) {
    return whyNoLinux(target, kernel);
  }
  const { banner, text, gpa, offset, patching } = kernel;
  if (offset < 0n) {
    // Older kernels begin with all of the mapping in use.
    return `${banner}\nIt is too early to tell where it is: ` +
      "go on for a moment.\n";
  }
  const load = offset === 0n ? "" : ` -o 0x${offset.toString(16)}`;
  return `${banner}\n` +
    `_text is at 0x${text.toString(16)} (physical 0x${gpa.toString(16)}): ` +
    (offset === 0n
      ? "where it was linked, without a KASLR offset.\n"
      : `the KASLR offset is 0x${offset.toString(16)}.\n`) +
    "For its symbols paste, with vmlinux the file that has them:\n" +
    `  symbol-file${load} vmlinux\n` +
    (patching
      ? "It is starting and patches its code: four breakpoints stay out of its way.\n"
      : "");
}

/** Whether a kernel has started: from then on, just before its first program, it
 * leaves its code as it is. */
function isUp(kernel: LinuxKernel | null): boolean {
  return kernel !== null && kernel.banner !== null && !kernel.patching;
}

function waitForLinux(target: MonitorContext, processor: number): string {
  target.lookout.stopWhen = () => isUp(kernelOf(target, processor));
  return "Continue: the guest stops when the kernel has started, about when its " +
    "first program begins.\n";
}

/** The kernel as a processor sees it, the current one first. */
function kernelOf(
  target: MonitorContext,
  processor: number,
): LinuxKernel | null {
  const { machine: { memory }, walker, vcpus } = target.guest;
  let other: LinuxKernel | null = null;
  for (const v of [vcpus[processor], ...vcpus]) {
    v.read();
    const space = kernelSpace(memory, v) ?? v;
    const kernel = findKernel(memory, walker, space);
    if (kernel !== null && kernel.banner !== null) return kernel;
    other ??= kernel;
  }
  return other;
}

/** Whether what was booted is a 32-bit Linux. */
function is32Bit({ machine: { booted }, vcpus }: Guest): boolean {
  const modes = vcpus.map((v) => pagingMode(v));
  return booted?.kind === "linux" &&
    (booted.architecture === "i386" ||
      (modes.some((m) => m === "32-bit" || m === "PAE") &&
        !modes.some((m) => m.endsWith("-level"))));
}

function whyNoLinux(target: MonitorContext, found: LinuxKernel | null): string {
  const { booted } = target.guest.machine;
  const lines: string[] = [];
  if (is32Bit(target.guest)) {
    lines.push(
      "It is too early: a 32-bit kernel is found when it has started " +
        '("monitor linux wait").',
      'With "nokaslr" on its command line, or if it was built without KASLR, ' +
        "its symbols",
      "need no offset:",
      "  symbol-file vmlinux",
    );
  } else if (booted?.kind === "linux") {
    lines.push(
      "It is too early: no processor has the kernel's page tables yet.",
      'With "nokaslr" on its command line its symbols need no offset, and ' +
        "breakpoints",
      "can be set now: they wait until its code is mapped.",
    );
  } else if (found !== null) {
    lines.push(
      "This is not Linux: what is mapped at " +
        `0x${found.text.toString(16)} does not say "Linux version".`,
    );
  } else {
    lines.push(
      "This is not Linux, or it is too early: nothing is mapped between " +
        `0x${KERNEL_MAP.toString(16)} and 0x${KERNEL_MAP_END.toString(16)}.`,
    );
  }
  if (booted !== null) lines.push(`Booted was ${booted.describe}.`);
  return lines.map((line) => `${line}\n`).join("");
}
