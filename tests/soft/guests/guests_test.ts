// Small guests for what silicon cannot be asked in user mode. Each runs on the
// software platform and under QEMU, and must log the same; where QEMU does other
// than the manual says, the difference is written down here.

import { assertEquals } from "@std/assert";
import { requireTool } from "../../util/tools.ts";
import { assemble, type GuestOptions, runQemu, runSoft } from "./guest.ts";

/** A word of the log that QEMU gets wrong. */
interface Deviation {
  readonly word: number;
  readonly qemu: number;
  readonly manual: number;
  readonly why: string;
}

interface Case extends GuestOptions {
  readonly name: string;
  readonly about: string;
  /** At least this many words, so that an early end is noticed. */
  readonly words: number;
  readonly deviations?: readonly Deviation[];
  /** The whole log by the manual, for what QEMU cannot be asked. */
  readonly manual?: string;
  /** So many pairs of a feature bit and what its instruction did. */
  readonly offered?: number;
  /** What the manual has for a word of QEMU's, where it is always the same. */
  readonly correct?: (word: number) => number;
}

const LATE_FAULT =
  "a fault after the switch is the new task's, at its first instruction";

const LONG_GATE =
  "an error code's index is the vector, 8 times, for 16-byte gates, too";

const V86_LIMIT =
  "a far return beyond the segment's 64 KiB is #GP(0) at the return";

const TOUCHED = "DR6 tells exactly the breakpoints that the access touches";

const CASES: readonly Case[] = [
  {
    name: "protected",
    about: "segment loads, descriptor checks, gates, transfers between rings",
    words: 4587,
    deviations: [{
      word: 4531,
      qemu: 0xe000000b,
      manual: 0xe000000c,
      why: "IRET: an absent stack segment is #SS(selector), not #NP",
    }],
  },
  {
    name: "tasks",
    about: "task switches by JMP, CALL, IRET, gates and exceptions",
    words: 349,
    deviations: [
      { word: 327, qemu: 0x12c5f, manual: 0x12034, why: LATE_FAULT },
      { word: 335, qemu: 0x12cf3, manual: 0x12034, why: LATE_FAULT },
      { word: 343, qemu: 0x12d87, manual: 0x12034, why: LATE_FAULT },
      { word: 346, qemu: 0, manual: 0x3800, why: LATE_FAULT },
      { word: 347, qemu: 0, manual: 0x23, why: LATE_FAULT },
    ],
  },
  {
    name: "long",
    about: "64-bit interrupts, stacks, system calls, compatibility mode, gates",
    words: 630,
    deviations: [
      { word: 139, qemu: 0x502, manual: 0x282, why: LONG_GATE },
      { word: 152, qemu: 0x502, manual: 0x282, why: LONG_GATE },
      { word: 165, qemu: 0x502, manual: 0x282, why: LONG_GATE },
      { word: 579, qemu: 0x302, manual: 0x182, why: LONG_GATE },
    ],
  },
  {
    name: "v86",
    about: "virtual-8086 mode: entry, interrupts, IOPL, transfers",
    words: 251,
    deviations: [
      { word: 167, qemu: 0xe0000006, manual: 0xe000000d, why: V86_LIMIT },
      { word: 169, qemu: 0x10019, manual: 0x1788, why: V86_LIMIT },
      { word: 172, qemu: 0xf00, manual: 0xef8, why: V86_LIMIT },
    ],
  },
  {
    name: "paging",
    about:
      "every mix of page rights, WP, SMEP, SMAP and AC, by access and ring",
    words: 4608,
    cpu: "max",
    // a reserved bit is a fault of a present page: P is set with RSVD
    correct: (word) => word >>> 30 === 2 && word & 8 ? (word | 1) >>> 0 : word,
  },
  {
    name: "apic",
    about: "the local APIC, IPIs, NMI, INIT and SIPI with four processors",
    words: 121,
    apic: 1,
    cpus: 4,
  },
  {
    name: "paging32",
    about: "the same in 32-bit and PAE paging, with large pages",
    words: 5120,
    cpu: "max",
  },
  {
    name: "real",
    about: "real mode: interrupts, far transfers, flags, unreal mode",
    words: 88,
  },
  {
    name: "x2apic",
    about: "x2APIC mode: MSRs, IPIs, TSC deadline, mode changes",
    words: 43,
    manual: `
      e00d0000 00000001 fee00d00 00000000 e00d0000 00000000 00000000 00000001
      00000000 e00d0000 e00d0000 e00d0000 e00d0000 e00d0000 e00d0000 00000002
      00000000 82000000 00000002 00000000 00000000 00000000 82000000 00000004
      00000000 00000060 00000000 82000000 00000002 00000000 00000000 00000000
      00000000 82000000 00000002 00000000 00000001 00000001 00000003 00000003
      00000000 e00d0000 e00d0000`,
    apic: 2,
    cpus: 2,
  },
  {
    name: "misc_enable",
    about: "IA32_MISC_ENABLE: its bits, and what they do to CPUID and EFER",
    words: 76,
    manual: `
      00001801 00000000 00000000 00c51809 00000004 00000002 2c000800 00000000
      e00d0000 00000000 00001800 00000000 00000016 2c100800 00000000 00000000
      00001800 00000000 e00d0000 e00d0000 e00d0000 e00d0000 e00d0000 e00d0000
      e00d0000 e00d0000 e00d0000 e00d0000 e00d0000 e00d0000 e00d0000 e00d0000
      e00d0000 e00d0000 e00d0000 e00d0000 e00d0000 e00d0000 e00d0000 e00d0000
      e00d0000 e00d0000 e00d0000 e00d0000 e00d0000 e00d0000 e00d0000 e00d0000
      e00d0000 e00d0000 e00d0000 e00d0000 e00d0000 e00d0000 e00d0000 e00d0000
      e00d0000 e00d0000 e00d0000 e00d0000 e00d0000 e00d0000 e00d0000 e00d0000
      e00d0000 e00d0000 e00d0000 e00d0000 e00d0000 e00d0000 e00d0000 e00d0000
      e00d0000 e00d0000 00001800 00000000`,
  },
  {
    name: "limits",
    about: "segment limits and types, VME, I/O permissions",
    words: 36,
    manual: `
      71717171 00000000 e00d0000 00000000 e00d0000 e00d0000 e00d0000 00000000
      e00d0000 e00d0000 00000000 e00d0000 00000000 e00d0000 e00d0000 00000000
      e00d0000 00000000 e00d0000 e00d0000 00000000 e00d0000 e00d0000 e00d0000
      e00d0000 e00c0000 e00d0000 e00d0000 e00d0000 e00d0000 00003200 00003000
      00003000 e00d0000 e00d0000 e00d0000`,
  },
  {
    name: "features",
    about: "CPUID offers exactly what does not give #UD",
    words: 97,
    offered: 46,
  },
  {
    name: "debug",
    about: "single steps, breakpoints, RF and shadows",
    words: 273,
    deviations: [
      { word: 2, qemu: 0xffffffff, manual: 0xffffefff, why: "DR6[12] is 0" },
      { word: 225, qemu: 0xffff0ff3, manual: 0xffff0ff1, why: TOUCHED },
      { word: 229, qemu: 0xffff0ff1, manual: 0xffff0ff3, why: TOUCHED },
      {
        word: 248,
        qemu: 0x1289a,
        manual: 0x1289c,
        why: "the last iteration's trap is after the instruction",
      },
      {
        word: 252,
        qemu: 0x128a4,
        manual: 0x128a5,
        why: "MOV SS holds its own data breakpoint back, too",
      },
    ],
  },
  {
    name: "manual",
    about: "refusals, canonical addresses, double faults, debug priorities",
    words: 76,
    manual: `
      b0000001 e00d0000 e00d0000 e00d0000 e00d0000 00000000 e00d0000 e00d0000
      e00d0000 e00d0000 e00d0000 e00d0000 e00d0000 00000000 0000000f 00000000
      b0000002 e00d0000 e00d0000 00000000 00000d01 e00d0000 e00d0000 e00d0000
      e00d0000 e00d0000 e00d0000 00000000 e00d0000 e00d0000 e00d0000 e00d0000
      e00d0000 e00d0000
      b0000003 e00d0000 e00d0000 e00d0000 e00d0050 e00d0000 e00d0000 e00d0000
      e00d0000 e00d0000 e00d0000 e00d0050
      b0000004 e00d0000 e00d0000 e00d0000 e00c0000 e00c0000 e00c0000 e00d0000
      b0000005 e0080000 e00b0033 e0080000
      b0000006 00000029 ffff4ff0 00000029 ffff0ff1 0000002a ffff4ff0 0000002b
      ffff4ff0 00000032 ffff4ff0 00000033 ffff4ff0 0000003b ffff2ff0 00000400
      00000047 ffff0ff0`,
  },
  {
    name: "integer",
    about: "decimal adjustment, strings and their traps, 16-bit stacks, ports",
    words: 5708,
  },
  {
    name: "modify",
    about: "self-modifying code: stores of every kind, aliases, remapped pages",
    words: 56,
  },
  {
    name: "crossmodify",
    about: "one processor runs what another one writes, 128 times",
    words: 2,
    manual: "00000180 00002222",
    apic: 1,
    cpus: 2,
  },
];

const ready = requireTool("as", "ld");
const qemu = requireTool("qemu-system-x86_64", "timeout");

function hex(log: number[]): string[] {
  return log.map((word, i) => `${i}: ${word.toString(16).padStart(8, "0")}`);
}

for (const guest of CASES) {
  Deno.test({
    name: `guest ${guest.name}: ${guest.about}`,
    ignore: !ready,
    async fn() {
      const folder = Deno.makeTempDirSync();
      try {
        const image = assemble(guest.name, folder);
        const log = await runSoft(image, guest);
        assertEquals(log.length, guest.words);
        for (const { word, manual, why } of guest.deviations ?? []) {
          assertEquals(log[word], manual, why);
        }
        if (guest.manual) {
          const expected = guest.manual.trim().split(/\s+/);
          const words = expected.map((word) => parseInt(word, 16));
          assertEquals(hex(log), hex(words));
        }
        for (let i = 0; i < (guest.offered ?? 0); i++) {
          const undefinedOpcode = log[2 * i + 1] === 0xe0060000;
          assertEquals(log[2 * i] === 0, undefinedOpcode, `feature ${i}`);
        }
        if (!qemu || guest.manual || guest.offered) return;
        const reference = runQemu(image, guest).map(
          guest.correct ?? ((w) => w),
        );
        for (const { word, qemu, manual } of guest.deviations ?? []) {
          assertEquals(reference[word], qemu, `QEMU's word ${word}`);
          reference[word] = manual;
        }
        assertEquals(hex(log), hex(reference));
      } finally {
        Deno.removeSync(folder, { recursive: true });
      }
    },
  });
}
