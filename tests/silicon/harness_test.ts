/**
 * The harness itself: that it agrees with itself, sees every kind of
 * difference, and survives cases that kill the child process.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Batch, type CpuUnderTest, Results } from "./batch.ts";
import { Builder } from "./builder.ts";
import { compareCase } from "./compare.ts";
import { type Feature, FEATURE_NAMES, missing } from "./features.ts";
import type { Form } from "./form.ts";
import { families } from "./forms/mod.ts";
import { Case, DATA, Fx, HLT, RAX, RDI, Result, SLOT_BYTES } from "./layout.ts";
import { NativeCpu, NativeDied, whyNoSilicon } from "./native_cpu.ts";
import { Prng } from "./prng.ts";
import { caseLine, parseLine } from "./repro_line.ts";
import { buildCases, describe, runForm } from "./run.ts";

const ignore = await whyNoSilicon() !== null;

function formNamed(name: string): Form {
  for (const { forms } of families) {
    for (const form of forms) if (form.name === name) return form;
  }
  throw new Error(`no form ${name}`);
}

async function withNative(
  run: (cpu: NativeCpu) => Promise<void>,
): Promise<void> {
  const cpu = new NativeCpu();
  try {
    await run(cpu);
  } finally {
    await cpu.close();
  }
}

/** The silicon with an error in some byte of every hundredth result. */
class Wrong implements CpuUnderTest {
  readonly name = "wrong";
  readonly #cpu: CpuUnderTest;
  readonly #at: number;
  constructor(cpu: CpuUnderTest, at: number) {
    this.#cpu = cpu;
    this.#at = at;
  }
  async runBatch(batch: Batch): Promise<Results> {
    const results = await this.#cpu.runBatch(batch);
    for (let i = 0; i < batch.length; i += 100) {
      results.bytes[results.offsets[i] + this.#at] ^= 1;
    }
    return results;
  }
  close(): Promise<void> {
    return this.#cpu.close();
  }
}

Deno.test({
  name: "silicon agrees with itself in another process",
  ignore,
  fn: () =>
    withNative((one) =>
      withNative(async (two) => {
        for (const { forms } of families) {
          const form = forms[0];
          const result = await runForm(form, 7, 200, one, two);
          assertEquals(result.failed, 0, describe(form, result));
        }
      })
    ),
});

const MUTATIONS: [string, string, number][] = [
  ["CF", "ADD r/m64, r64", Result.rflags],
  ["a register", "ADD r/m64, r64", Result.gpr + 8 * 13 + 7],
  ["the vector", "ADD r/m64, r64", Result.vector],
  ["the error code", "ADD r/m64, r64", Result.errorCode],
  ["RIP", "ADD r/m64, r64", Result.rip],
  ["the FS base", "ADD r/m64, r64", Result.fsBase + 3],
  ["FSW", "FADD ST(0), ST(i)", Result.fx + Fx.fsw],
  ["ST(7)", "FADD ST(0), ST(i)", Result.fx + Fx.st + 7 * 16 + 9],
  ["XMM15", "ADDPS xmm, xmm/m128", Result.fx + Fx.xmm + 255],
  ["MXCSR", "ADDPS xmm, xmm/m128", Result.fx + Fx.mxcsr],
];
for (const [what, name, at] of MUTATIONS) {
  Deno.test({
    name: `a wrong bit is seen in ${what}`,
    ignore,
    fn: () =>
      withNative(async (cpu) => {
        const wrong = new Wrong(cpu, at);
        const result = await runForm(formNamed(name), 3, 300, cpu, wrong);
        assertEquals(result.failed, 3);
        assert(result.failures[0].reproduction.includes("repro.ts"));
      }),
  });
}

Deno.test({
  name: "a wrong bit is seen in memory",
  ignore,
  fn: () =>
    withNative(async (cpu) => {
      const batch = new Batch(false, 1);
      batch.fillScratch();
      batch.clear();
      const g = new Builder(new Prng(1), batch);
      g.begin(64);
      g.setAddress(RDI, DATA + 0x123);
      g.setAddress(RAX, 0x5a5a_5a5a);
      g.code.push(0x88, 0x07); // MOV [RDI], AL
      g.end();
      const right = await cpu.runBatch(batch);
      const got = await cpu.runBatch(batch);
      assertEquals(compareCase(batch, 0, right, got), []);
      assertEquals(right.view.getUint32(Result.diffCount, true), 1);
      assertEquals(right.view.getUint32(Result.fx, true), 0x120);
      assertEquals(right.bytes[Result.fx + 4 + 3], 0x5a);
      got.bytes[Result.fx + 4 + 3] ^= 1;
      assertEquals(compareCase(batch, 0, right, got).length, 1);
    }),
});

Deno.test({
  name: "a page fault has its address and error code",
  ignore,
  fn: () =>
    withNative(async (cpu) => {
      const batch = new Batch(false, 1);
      batch.clear();
      const g = new Builder(new Prng(1), batch);
      g.begin(64);
      g.setAddress(RDI, DATA + 0x1ffd);
      g.code.push(0x89, 0x07); // MOV [RDI], EAX, over the end
      g.end();
      const { view } = await cpu.runBatch(batch);
      assertEquals(view.getUint32(Result.vector, true), 14);
      assertEquals(view.getUint32(Result.errorCode, true), 6);
      assertEquals(view.getUint32(Result.cr2, true), DATA + 0x2000);
    }),
});

Deno.test({
  name: "a case that kills the child costs only the child",
  ignore,
  fn: () =>
    withNative(async (cpu) => {
      const batch = new Batch(false, 1);
      batch.clear();
      const g = new Builder(new Prng(1), batch);
      g.begin(64);
      g.setAddress(RAX, 231); // exit_group
      g.setAddress(RDI, 5);
      g.code.push(0x0f, 0x05); // SYSCALL
      g.end();
      await assertRejects(() => cpu.runBatch(batch), NativeDied, "code 5");
      const form = formNamed("ADD r/m8, r8");
      assertEquals((await runForm(form, 1, 10, cpu, cpu)).failed, 0);
    }),
});

Deno.test({
  name: "a case's line gives the same result as its batch",
  ignore,
  fn: () =>
    withNative(async (cpu) => {
      for (const name of ["FADD m64fp", "POPF (64)", "REP MOVSD"]) {
        const form = formNamed(name);
        const batch = new Batch(form.fx ?? false, 20);
        buildCases(form, new Prng(9), batch, 20);
        const together = await cpu.runBatch(batch);
        for (let i = 0; i < 20; i++) {
          const { batch: one } = parseLine(caseLine(form, batch, i));
          const alone = await cpu.runBatch(one);
          const from = together.offsets[i];
          const end = from +
            together.view.getUint32(from + Result.recordBytes, true);
          const same = new Results(together.bytes.slice(from, end), 1);
          assertEquals(compareCase(one, 0, same, alone), []);
        }
      }
    }),
});

/** A processor whose CMPS takes the destination's fault first, as SCAS's. */
class DestinationFirst implements CpuUnderTest {
  readonly name = "destination first";
  readonly #cpu: CpuUnderTest;
  constructor(cpu: CpuUnderTest) {
    this.#cpu = cpu;
  }
  async runBatch(batch: Batch): Promise<Results> {
    const results = await this.#cpu.runBatch(batch);
    // The other CPU runs the same batch meanwhile: a copy is changed.
    const changed: Batch = Object.assign(
      Object.create(Batch.prototype),
      batch,
      { code: batch.code.slice() },
    );
    for (let i = 0; i < batch.length; i++) {
      const bytes = changed.codeOf(i);
      bytes[bytes.length - 1] |= 8; // CMPS to SCAS
    }
    const scas = await this.#cpu.runBatch(changed);
    for (let i = 0; i < batch.length; i++) {
      const at = results.offsets[i];
      const from = scas.offsets[i];
      const start = batch.view.getBigUint64(batch.offsets[i] + Case.rip, true);
      const faulted = (view: DataView, at: number) =>
        view.getBigUint64(at + Result.rip, true) === start;
      if (!faulted(results.view, at) || !faulted(scas.view, from)) continue;
      results.bytes.set(scas.bytes.subarray(from, from + 16), at);
    }
    return results;
  }
  close(): Promise<void> {
    return this.#cpu.close();
  }
}

for (const mode of ["", "32-bit code: ", "16-bit code: "]) {
  Deno.test({
    name: `CMPS may fault on its destination first, counted: ${mode}`,
    ignore,
    fn: () =>
      withNative(async (cpu) => {
        let taken = 0;
        for (const name of ["CMPSB", "CMPSW", "CMPSD"]) {
          const form = formNamed(mode + name);
          const other = new DestinationFirst(cpu);
          const result = await runForm(form, 5, 3000, other, cpu);
          assertEquals(result.failed, 0, describe(form, result));
          for (const times of result.taken.values()) taken += times;
        }
        assert(taken > 0);
      }),
  });
}

/** What, the form, the result's byte that is wrong in its bit 0, accepted? */
const OTHER_WAYS: [string, string, number, boolean][] = [
  ["CMPS with a fault of neither operand", "CMPSD", Result.cr2 + 1, false],
  ["the last bit of a sine", "FSIN", Result.fx + Fx.st, true],
  ["more of a sine", "FSIN", Result.fx + Fx.st + 1, false],
  ["another register with a sine", "FSIN", Result.fx + Fx.st + 32, false],
  ["a late bit of a reciprocal", "RCPPS xmm, xmm/m128", 0, true],
  ["the exponent of a reciprocal", "RCPPS xmm, xmm/m128", 3, false],
  ["the low bits that LAR gives", "LAR r32, r/m16", Result.gpr, false],
  ["a product's last bit", "FMUL ST(0), ST(i)", Result.fx + Fx.st, false],
];
for (const [what, name, at, accepted] of OTHER_WAYS) {
  Deno.test({
    name: `${what}: ${accepted ? "accepted and counted" : "refused"}`,
    ignore,
    fn: () =>
      withNative(async (cpu) => {
        const offset = name.startsWith("RCP")
          ? Result.fx + Fx.xmm + 16 + at
          : at;
        const wrong = new Wrong(cpu, offset);
        const result = await runForm(formNamed(name), 11, 4000, wrong, cpu);
        const taken = [...result.taken.values()].reduce((a, b) => a + b, 0);
        assert(accepted ? taken > 0 : taken === 0, `${taken} taken`);
        if (!accepted) assert(result.failed > 0);
      }),
  });
}

Deno.test("forms are skipped for each feature that a processor lacks", () => {
  const all = new Set<Feature>(FEATURE_NAMES);
  for (const { forms } of families) {
    for (const form of forms) assertEquals(missing(form, all, all), null);
  }
  const old = new Set(all);
  old.delete("aes");
  const form = formNamed("0F 38 DB-DF, any prefixes");
  assertEquals(missing(form, old, all), "this host's silicon lacks aes");
  assertEquals(missing(form, all, old), "the core does not offer aes");
});

Deno.test("cases depend on the seed alone", () => {
  const build = (seed: number) => {
    const batch = new Batch(false, 50);
    buildCases(formNamed("SHL r/m8, CL"), new Prng(seed), batch, 50);
    return [batch.input.slice(0, batch.used), batch.code.slice()];
  };
  assertEquals(build(5), build(5));
  const [, code] = build(6);
  assert(build(5)[1].some((byte, i) => byte !== code[i]));
  assert(code.subarray(0, 50 * SLOT_BYTES).some((byte) => byte !== HLT));
});
