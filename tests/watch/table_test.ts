/**
 * Every instruction of the core's own table that can access memory, in supervisor mode,
 * under watch, as forms_test.ts has those of user mode: system instructions, strings with
 * devices, saved states, descriptor tables and tasks.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { openSoft } from "../../src/soft/mod.ts";
import type { Mode } from "../silicon/encode.ts";
import { Prng } from "../silicon/prng.ts";
import { testPlatform } from "../util/platform.ts";
import { differ, plain, traced } from "./ground.ts";
import {
  encodings,
  ENTRY,
  Kernel,
  KERNEL_BYTES,
  landed,
  TRIES,
} from "./kernel.ts";
import { type Cell, cellsOf, nameOf } from "./table.ts";
import { watched } from "./watched.ts";

const SEED = Number(Deno.env.get("ICEBP_WATCH_SEED") ?? 1);
const ONLY = new RegExp(Deno.env.get("ICEBP_WATCH_ONLY") ?? "");

/** INT n is delivered (points_test.ts); other traps and HLT end the case; RDTSC never
 * reads the same. */
function isElsewhere({ map, opcode }: Cell): boolean {
  const traps = [0xcc, 0xcd, 0xce, 0xf1, 0xf4];
  return map === 0 && traps.includes(opcode) || map === 1 && opcode === 0x31;
}

/** INS, OUTS, MOVS, CMPS, STOS, LODS and SCAS. */
function isString({ map, opcode }: Cell): boolean {
  return map === 0 &&
    (opcode >= 0x6c && opcode <= 0x6f || opcode >= 0xa4 && opcode <= 0xa7 ||
      opcode >= 0xaa && opcode <= 0xaf);
}

/** Loads of segments and far transfers: what they do depends on what they find. */
function loadsSegments({ map, opcode, reg }: Cell): boolean {
  const byOpcode = map === 0
    ? [0x07, 0x17, 0x1f, 0x8e, 0x9a, 0xc4, 0xc5, 0xca, 0xcb, 0xcf, 0xea]
    : map === 1
    ? [0x00, 0x02, 0x03, 0xa1, 0xa9, 0xb2, 0xb4, 0xb5]
    : [];
  return byOpcode.includes(opcode) ||
    map === 0 && opcode === 0xff && (reg === 3 || reg === 5);
}

/** The table's cells, each definition with F3 and F2 only where that is its own, or a
 * string's. */
function distinct(cells: readonly Cell[]): Cell[] {
  const known = new Set<string>();
  return cells.filter((cell) => {
    const { map, opcode, reg, spec, prefix } = cell;
    const key = `${map} ${opcode} ${reg} ${spec}`;
    if (prefix > 1 && known.has(key) && !isString(cell)) return false;
    known.add(key);
    return true;
  });
}

/** Take privilege that nothing here has, or end elsewhere; none accesses memory. */
const NEVER = /^(66 )?0F (05|07|30|32|33|34|35)$/;
/** Have an operand that they do not access: LEA, hints, INVLPG, CLFLUSH, CLWB. */
const NOTHING = /^(66 )?(8D|0F (01 .7|0D|1[89A-F]|AE .[67]))$/;

interface Seen {
  readonly cell: Cell;
  completed: boolean;
  accesses: boolean;
}

/** Runs one case; null if the instruction does not complete. */
async function runCase(
  kernel: Kernel,
  mode: Mode,
  code: readonly number[],
  attempt: number,
  repeated: boolean,
  rng: Prng,
): Promise<{ accesses: number; wrong: string[] } | null> {
  kernel.make(mode, code, attempt, rng);
  // Once more: x87 pointers that cannot be set are those of the last instruction.
  await plain(kernel);
  const end = await plain(kernel);
  const rip = new DataView(end.registers.buffer).getBigUint64(16 * 16, true);
  const behind = landed(end.reason, rip);
  if (behind === null) return null;
  kernel.map(true);
  const trace = await traced(kernel);
  kernel.map(false);
  const wrong: string[] = [];
  if (trace.end.reason !== end.reason) {
    wrong.push(`on a device: ${trace.end.reason}, not ${end.reason}`);
  } else if (differ(trace.end.registers, end.registers)) {
    wrong.push("on a device: other registers");
  } else if (differ(trace.end.memory, end.memory)) {
    wrong.push("on a device: other memory");
  }
  const first = BigInt(ENTRY);
  const expected = {
    trace,
    end,
    first,
    behind,
    completed: true,
    repeated,
  };
  wrong.push(...await watched(kernel, expected, rng));
  kernel.map(true);
  const device = { ...expected, device: true };
  for (const what of await watched(kernel, device, rng)) {
    wrong.push(`on a device: ${what}`);
  }
  kernel.map(false);
  return { accesses: trace.reads.size + trace.writes.size, wrong };
}

for (const mode of [64, 32, 16] as const) {
  Deno.test({
    name: `watched: the core's table in ${mode}-bit code (seed ${SEED})`,
    ignore: testPlatform() !== "soft",
    async fn() {
      const platform = await openSoft({ memoryBytes: KERNEL_BYTES });
      const kernel = new Kernel(platform);
      const wrong: string[] = [];
      const seen = new Map<string, Seen>();
      for (const cell of distinct(cellsOf(platform.guestMemory.buffer))) {
        const name = nameOf(cell);
        if (isElsewhere(cell)) continue;
        if (!ONLY.test(name)) continue;
        const own: Seen = { cell, completed: false, accesses: false };
        for (const { code, lock } of encodings(cell, mode)) {
          seen.set(name, own);
          const bytes = Uint8Array.from(code).toHex();
          const rng = new Prng(SEED, `${mode} ${bytes}`);
          for (let attempt = 0; attempt < TRIES; attempt++) {
            const result = await runCase(
              kernel,
              mode,
              code,
              attempt,
              isString(cell),
              rng,
            );
            if (result === null) continue;
            own.completed = true;
            if (result.accesses > 0) own.accesses = true;
            for (const what of result.wrong) {
              wrong.push(
                `${name}${lock ? " LOCK" : ""} (${bytes}, ${attempt}): ${what}`,
              );
            }
            if (!loadsSegments(cell)) break;
          }
        }
      }
      kernel.partition.delete();
      platform.close();
      const never = [...seen].filter(([name, { completed }]) =>
        !completed && !NEVER.test(name)
      );
      const nothing = [...seen].filter(([, own]) =>
        own.cell.operand !== "none" && own.completed && !own.accesses
      );
      assertEquals(wrong.slice(0, 30).join("\n"), "", `${wrong.length} wrong`);
      assertEquals(never.map(([name]) => name), []);
      assertEquals(
        nothing.map(([name]) => name).filter((name) => !NOTHING.test(name)),
        [],
      );
    },
  });
}
