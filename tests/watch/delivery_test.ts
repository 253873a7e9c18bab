/**
 * What the processor itself accesses when it delivers an event, returns from one or
 * switches tasks: gates, descriptors, stacks and task states, under watch.
 */
import { assertEquals } from "@std/assert";
import { DebugAccess, DebugSpace } from "../../ffi/debug_points.ts";
import { Reg } from "../../ffi/registers.ts";
import { openSoft } from "../../src/soft/mod.ts";
import type { Mode } from "../silicon/encode.ts";
import { Prng } from "../silicon/prng.ts";
import { testPlatform } from "../util/platform.ts";
import { ENTRY, Kernel, KERNEL_BYTES, Place } from "./kernel.ts";

const { Read, Write } = DebugAccess;

interface Delivery {
  readonly name: string;
  readonly mode: Mode;
  readonly code: number[];
  /** Sets up what the image does not have. */
  prepare(view: DataView): void;
  /** Ranges that are read or written: first byte, length, access. */
  readonly accesses: readonly (readonly [string, number, number, number])[];
}

const { GDT, IDT, TSS, OTHER_TSS, LANDING, STACK_TOP, Selector } = Place;

/** A gate of the IDT: interrupt gates of 64 or 32 bits, or one to a task. */
function gate(view: DataView, vector: number, mode: Mode, task = false): void {
  const at = IDT + vector * (mode === 64 ? 16 : 8);
  view.setUint32(
    at,
    task ? Selector.otherTss << 16 : LANDING | Selector.code << 16,
    true,
  );
  view.setUint32(at + 4, task ? 0x8500 : 0x8e00, true);
}

const VECTOR = 0x40;
const INT = [0xcd, VECTOR];

const DELIVERIES: Delivery[] = [
  {
    name: "INT n",
    mode: 64,
    code: INT,
    prepare: (view) => gate(view, VECTOR, 64),
    accesses: [
      ["gate", IDT + 16 * VECTOR, 12, Read],
      ["descriptor", GDT + Selector.code, 8, Read],
      ["stack", STACK_TOP - 40, 40, Write],
    ],
  },
  {
    name: "INT n with an IST",
    mode: 64,
    code: INT,
    prepare(view) {
      gate(view, VECTOR, 64);
      view.setUint8(IDT + 16 * VECTOR + 4, 3);
      view.setUint32(TSS + 0x34, STACK_TOP + 0x100, true);
    },
    accesses: [
      ["gate", IDT + 16 * VECTOR, 12, Read],
      ["IST", TSS + 0x34, 8, Read],
      ["stack", STACK_TOP + 0x100 - 40, 40, Write],
    ],
  },
  {
    name: "INT n in 32-bit code",
    mode: 32,
    code: INT,
    prepare: (view) => gate(view, VECTOR, 32),
    accesses: [
      ["gate", IDT + 8 * VECTOR, 8, Read],
      ["descriptor", GDT + Selector.code, 8, Read],
      ["stack", STACK_TOP - 12, 12, Write],
    ],
  },
  {
    name: "a task gate",
    mode: 32,
    code: INT,
    prepare: (view) => gate(view, VECTOR, 32, true),
    accesses: [
      ["EIP of the old task", TSS + 0x20, 4, Write],
      ["EDI of the old task", TSS + 0x44, 4, Write],
      ["CR3 of the new task", OTHER_TSS + 0x1c, 4, Read],
      ["GS of the new task", OTHER_TSS + 0x5c, 2, Read],
    ],
  },
  {
    name: "a far jump to a task",
    mode: 32,
    code: [0xea, 0, 0, 0, 0, Selector.otherTss, 0],
    prepare() {},
    accesses: [
      ["busy bit", GDT + Selector.otherTss + 5, 1, Write],
      ["CS of the new task", GDT + Selector.code, 8, Read],
      ["no more busy", GDT + Selector.tss + 5, 1, Write],
      ["EIP of the old task", TSS + 0x20, 4, Write],
      ["CR3 of the new task", OTHER_TSS + 0x1c, 4, Read],
    ],
  },
];

for (const { name, mode, code, prepare, accesses } of DELIVERIES) {
  Deno.test({
    name: `watched: ${name}, ${mode}-bit code`,
    ignore: testPlatform() !== "soft",
    async fn() {
      const platform = await openSoft({ memoryBytes: KERNEL_BYTES });
      const kernel = new Kernel(platform);
      const { partition, vp } = kernel;
      kernel.make(mode, code, 1, new Prng(1));
      kernel.change((view) => {
        prepare(view);
        kernel.makeTask(view);
      });
      const run = async (access: number, from: number, length: number) => {
        partition.setDebugPoint({
          identifier: 1,
          access,
          space: DebugSpace.All,
          address: BigInt(from),
          length: BigInt(length),
          cr3: 0n,
        });
        kernel.place();
        const exit = await vp.run();
        const { reason } = exit;
        const rip = vp.get(Reg.Rip);
        partition.clearDebugPoint(1);
        return `${reason} 0x${rip.toString(16)}`;
      };
      const hit = `debugPoint 0x${LANDING.toString(16)}`;
      const none = `halt 0x${(LANDING + 1).toString(16)}`;
      for (const [what, from, length, access] of accesses) {
        for (const at of [from, from + length - 1]) {
          assertEquals(await run(access, at, 1), hit, what);
        }
        // The busy bit is looked at, too.
        if (what.includes("busy")) continue;
        const other = (Read | Write) & ~access;
        assertEquals(await run(other, from, 1), none, what);
      }
      // Nobody touches the case's own operands.
      assertEquals(await run(Read | Write, Place.OPERANDS, 0x1000), none);
      assertEquals(vp.get(Reg.Rip), BigInt(LANDING + 1));
      kernel.place();
      assertEquals(vp.get(Reg.Rip), BigInt(ENTRY));
      partition.delete();
      platform.close();
    },
  });
}
