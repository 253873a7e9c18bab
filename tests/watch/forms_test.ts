/**
 * Every form of the comparison with silicon under watch: what it reads and writes is
 * known from running it on a device, which sees each access; then data points are set
 * on, in and beside that.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { decode, newDecoded } from "../../src/x86/decode.ts";
import { openSoft } from "../../src/soft/mod.ts";
import { Batch } from "../silicon/batch.ts";
import { CoreCpu } from "../silicon/core_cpu.ts";
import type { Form } from "../silicon/form.ts";
import { groups } from "../silicon/forms/mod.ts";
import { Gpa, GUEST_BYTES, SYSTEM_BASE } from "../silicon/guest.ts";
import {
  Case,
  DATA,
  DATA_BYTES,
  READ_ONLY,
  READ_ONLY_BYTES,
} from "../silicon/layout.ts";
import { Prng } from "../silicon/prng.ts";
import { reproduction } from "../silicon/repro_line.ts";
import { buildCases } from "../silicon/run.ts";
import { testPlatform } from "../util/platform.ts";
import { ALIAS, differ, type Ground, plain, traced } from "./ground.ts";
import { watched } from "./watched.ts";

/** Cases of each form; ICEBP_WATCH_CASES has more. */
const CASES = Number(Deno.env.get("ICEBP_WATCH_CASES") ?? 6);
const SEED = Number(Deno.env.get("ICEBP_WATCH_SEED") ?? 1);
const ONLY = new RegExp(Deno.env.get("ICEBP_WATCH_ONLY") ?? "");

const STRING = /(MOVS|STOS|LODS|CMPS|SCAS)[BWDQ]$/;
/** What describes segments, from the GDT to the LDT. */
const TABLES = [Gpa.gdt, Gpa.ldt + 0x1000] as const;

/** The core's cases of one batch, one at a time. */
class CaseGround implements Ground {
  readonly #cpu: CoreCpu;
  readonly #tables: Uint8Array;
  readonly touched = [TABLES[0], Gpa.readOnly + READ_ONLY_BYTES] as const;
  readonly operands = [Gpa.data, Gpa.data + DATA_BYTES] as const;
  #batch!: Batch;
  #record = 0;

  constructor(cpu: CoreCpu) {
    this.#cpu = cpu;
    // Everything from ALIAS on, at SYSTEM_BASE + ALIAS.
    this.#entry(Gpa.systemPd + 8, BigInt(ALIAS) | 0xe3n);
    this.#tables = cpu.memory.slice(...TABLES);
  }

  get partition() {
    return this.#cpu.partition;
  }

  get vp() {
    return this.#cpu.vp;
  }

  get memory() {
    return this.#cpu.memory;
  }

  choose(batch: Batch, index: number): void {
    this.#batch = batch;
    this.#record = batch.offsets[index];
  }

  #entry(at: number, value: bigint): void {
    new DataView(this.memory.buffer, this.memory.byteOffset)
      .setBigUint64(at, value, true);
  }

  map(device: boolean): void {
    const by = device ? ALIAS : 0;
    const pages = (
      linear: number,
      gpa: number,
      bytes: number,
      flags: bigint,
    ) => {
      for (let at = 0; at < bytes; at += 0x1000) {
        const index = (linear + at) >>> 12 & 511;
        this.#entry(Gpa.dataPt + 8 * index, BigInt(gpa + at + by) | flags);
      }
    };
    const readOnly = 0x8000_0000_0000_0065n;
    pages(DATA, Gpa.data, DATA_BYTES, readOnly | 2n);
    pages(READ_ONLY, Gpa.readOnly, READ_ONLY_BYTES, readOnly);
    const { vp } = this.#cpu;
    const base = SYSTEM_BASE + BigInt(by);
    vp.setTable(Reg.Gdtr, {
      ...vp.getTable(Reg.Gdtr),
      base: base + BigInt(Gpa.gdt),
    });
    for (const [name, gpa] of [[Reg.Ldtr, Gpa.ldt], [Reg.Tr, Gpa.tss]]) {
      vp.setSegment(name, {
        ...vp.getSegment(name),
        base: base + BigInt(gpa),
      });
    }
    vp.set(Reg.Cr3, vp.get(Reg.Cr3));
  }

  linearOf(gpa: number): bigint {
    if (gpa >= Gpa.readOnly && gpa < Gpa.readOnly + READ_ONLY_BYTES) {
      return BigInt(READ_ONLY + gpa - Gpa.readOnly);
    }
    if (gpa >= Gpa.data - 1 && gpa <= Gpa.data + DATA_BYTES) {
      return BigInt(DATA + gpa - Gpa.data);
    }
    return SYSTEM_BASE + BigInt(gpa);
  }

  place(): void {
    this.memory.set(this.#tables, TABLES[0]);
    this.memory.set(this.#batch.pristine, Gpa.data);
    this.#cpu.place(this.#batch, this.#record);
  }

  registers(): Uint8Array {
    return this.#cpu.readRegisters(this.#batch);
  }
}

const decoded = newDecoded();

interface Tally {
  forms: number;
  completed: number;
  accesses: number;
}

/** Runs a form's cases; what is wrong, a line each. */
async function watchForm(
  form: Form,
  cpu: CoreCpu,
  ground: CaseGround,
  tally: Tally,
): Promise<string[]> {
  const rng = new Prng(SEED, form.name);
  const batch = new Batch(form.fx ?? false, CASES);
  buildCases(form, rng, batch, CASES);
  cpu.load(batch);
  ground.map(true);
  const traces = [];
  for (let i = 0; i < batch.length; i++) {
    ground.choose(batch, i);
    traces.push(await traced(ground));
  }
  ground.map(false);
  const wrong: string[] = [];
  tally.forms++;
  for (let i = 0; i < batch.length; i++) {
    // A trap's own forms are two instructions.
    decode(batch.codeOf(i), 0, form.mode ?? 64, decoded);
    if (decoded.length !== batch.lengths[i]) continue;
    ground.choose(batch, i);
    const end = await plain(ground);
    const first = batch.view.getBigUint64(batch.offsets[i] + Case.rip, true);
    const behind = new DataView(end.registers.buffer).getBigUint64(
      16 * 16,
      true,
    );
    const completed = behind !== first;
    const complaints = [];
    const trace = traces[i];
    if (trace.end.reason !== end.reason) {
      complaints.push(`on a device: ${trace.end.reason}, not ${end.reason}`);
    } else {
      if (differ(trace.end.registers, end.registers)) {
        complaints.push("on a device: other registers");
      }
      // What the manual leaves undefined is what the last case has left.
      for (const [from, to] of batch.undefinedOf[i].ranges) {
        for (let linear = from; linear < to; linear++) {
          const at = linear - DATA + Gpa.data - TABLES[0];
          trace.end.memory[at] = end.memory[at];
        }
      }
      if (differ(trace.end.memory, end.memory)) {
        complaints.push("on a device: other memory");
      }
    }
    if (completed) tally.completed++;
    if (trace.reads.size + trace.writes.size > 0) tally.accesses++;
    complaints.push(
      ...await watched(ground, {
        trace,
        end,
        first,
        behind,
        completed,
        repeated: STRING.test(form.name),
      }, rng),
    );
    for (const what of complaints) {
      wrong.push(`${form.name}: ${what}\n    ${reproduction(form, batch, i)}`);
    }
  }
  return wrong;
}

for (const { name, families } of groups) {
  const forms = families.flatMap((family) => family.forms)
    .filter((form) => ONLY.test(form.name));
  if (forms.length === 0) continue;
  Deno.test({
    name: `watched: ${name} (seed ${SEED})`,
    ignore: testPlatform() !== "soft",
    async fn() {
      const cpu = new CoreCpu(await openSoft({ memoryBytes: GUEST_BYTES }));
      const ground = new CaseGround(cpu);
      const tally = { forms: 0, completed: 0, accesses: 0 };
      const wrong = [];
      for (const form of forms) {
        wrong.push(...await watchForm(form, cpu, ground, tally));
      }
      await cpu.close();
      assertEquals(wrong.slice(0, 20).join("\n"), "", `${wrong.length} wrong`);
      // Traps and prefixes access nothing.
      if (name === "traps and prefixes") return;
      if (ONLY.source === "(?:)" && CASES > 5) {
        assert(tally.accesses > tally.forms, JSON.stringify(tally));
        assert(tally.completed > tally.forms, JSON.stringify(tally));
      }
    },
  });
}
