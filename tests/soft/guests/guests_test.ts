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
}

const LATE_FAULT =
  "a fault after the switch is the new task's, at its first instruction";

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
      { word: 327, qemu: 0x12c4f, manual: 0x12024, why: LATE_FAULT },
      { word: 335, qemu: 0x12ce3, manual: 0x12024, why: LATE_FAULT },
      { word: 343, qemu: 0x12d77, manual: 0x12024, why: LATE_FAULT },
      { word: 346, qemu: 0, manual: 0x3800, why: LATE_FAULT },
      { word: 347, qemu: 0, manual: 0x23, why: LATE_FAULT },
    ],
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
        if (!qemu) return;
        const reference = runQemu(image, guest);
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
