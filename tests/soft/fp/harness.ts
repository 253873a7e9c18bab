// Builds the arithmetic alone as a WebAssembly module and the C helper that
// runs the same operations on the host's silicon, makes operands, compares.

import { assert } from "@std/assert";
import { requireTool, runTool } from "../../util/tools.ts";

const root = new URL("../../../", import.meta.url).pathname;

/** True where the comparison with silicon can run. */
export function canCompare(): boolean {
  return Deno.build.arch === "x86_64" && Deno.build.os === "linux" &&
    requireTool("gcc");
}

export interface Software {
  memory: WebAssembly.Memory;
  run(op: number, count: number): void;
  cases(): number;
  input(): number;
  output(): number;
}

/** Compiles src/soft/core/fp/selftest.ts. */
export async function buildSoftware(): Promise<Software> {
  const folder = Deno.makeTempDirSync();
  const file = `${folder}/fp.wasm`;
  runTool(Deno.execPath(), [
    "run",
    "-A",
    "npm:assemblyscript@0.28.20/asc",
    "src/soft/core/fp/selftest.ts",
    "-o",
    file,
    "-O3",
    "--runtime",
    "stub",
    "--noAssert",
  ], { cwd: root });
  const module = await WebAssembly.compile(Deno.readFileSync(file));
  Deno.removeSync(folder, { recursive: true });
  assert(WebAssembly.Module.imports(module).length === 0, "imports nothing");
  const instance = await WebAssembly.instantiate(module);
  return instance.exports as unknown as Software;
}

export type Silicon = (
  op: number,
  count: number,
  input: Uint8Array<ArrayBuffer>,
  output: Uint8Array<ArrayBuffer>,
) => void;

/** Compiles a C helper beside this file and opens its one function. */
export function openSilicon(
  name: "silicon_x87" | "silicon_sse",
): { run: Silicon; close(): void } {
  const folder = Deno.makeTempDirSync();
  const library = `${folder}/${name}.so`;
  runTool("gcc", [
    "-O2",
    "-mno-red-zone",
    "-msse4.1",
    "-shared",
    "-fPIC",
    "-o",
    library,
    `${root}tests/soft/fp/${name}.c`,
  ]);
  const definition = {
    parameters: ["u32", "u32", "buffer", "buffer"],
    result: "void",
  } as const;
  const opened = Deno.dlopen(library, {
    silicon_x87: { ...definition, optional: true },
    silicon_sse: { ...definition, optional: true },
  });
  Deno.removeSync(folder, { recursive: true });
  const run = opened.symbols[name];
  assert(run !== null, `${name} is exported`);
  return { run, close: () => opened.close() };
}

/** A small deterministic generator (xorshift32 pairs). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed * 2654435761) >>> 0 || 1;
  }

  u32(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return Math.imul(x ^ (x >>> 15), 0x2c1b3c6d) >>> 0;
  }

  /** An integer in 0 .. n - 1. */
  below(n: number): number {
    return this.u32() % n;
  }
}

export const CASE_BYTES = 40;
export const RESULT_BYTES = 32;

/** Writes the control word and the operands of case number `index`. */
export type Fill = (random: Random, view: DataView, offset: number) => void;

/** One line that reproduces a case. */
export function describeCase(bytes: Uint8Array): string {
  const hex = (from: number, count: number) =>
    Array.from(bytes.subarray(from, from + count)).reverse()
      .map((b) => b.toString(16).padStart(2, "0")).join("");
  return `control=${hex(0, 4)} a=${hex(16, 8)}:${hex(8, 8)} ` +
    `b=${hex(32, 8)}:${hex(24, 8)}`;
}

export function describeResult(bytes: Uint8Array): string {
  const hex = (from: number, count: number) =>
    Array.from(bytes.subarray(from, from + count)).reverse()
      .map((b) => b.toString(16).padStart(2, "0")).join("");
  return `${hex(8, 4)}:${hex(0, 8)} status=${hex(12, 4)} ` +
    `${hex(24, 8)}:${hex(16, 8)}`;
}

export interface Comparison {
  op: number;
  name: string;
  cases: number;
  fill: Fill;
  /** Status bits that must agree. */
  statusMask: number;
  /** Allowed difference in the last place of the result's significand. */
  tolerance?: number;
  /** Cases the silicon does not define. */
  skip?: (view: DataView, offset: number) => boolean;
}

/** Runs one operation on both; returns descriptions of what disagrees. */
export function compare(
  software: Software,
  silicon: Silicon,
  c: Comparison,
  limit = 5,
): string[] {
  const batch = software.cases();
  const memory = software.memory.buffer as ArrayBuffer;
  const input = new Uint8Array(memory, software.input(), batch * CASE_BYTES);
  const output = new Uint8Array(
    memory,
    software.output(),
    batch * RESULT_BYTES,
  );
  const view = new DataView(memory, software.input(), batch * CASE_BYTES);
  const got = new DataView(memory, software.output(), batch * RESULT_BYTES);
  const native = new Uint8Array(batch * RESULT_BYTES);
  const want = new DataView(native.buffer);
  const random = new Random(c.op + 1);
  const failures: string[] = [];
  for (let done = 0; done < c.cases; done += batch) {
    const count = Math.min(batch, c.cases - done);
    for (let i = 0; i < count; i++) c.fill(random, view, i * CASE_BYTES);
    silicon(c.op, count, input.slice(), native);
    software.run(c.op, count);
    for (let i = 0; i < count; i++) {
      const o = i * RESULT_BYTES;
      if (c.skip?.(view, i * CASE_BYTES)) continue;
      const status = got.getUint32(o + 12, true) ^
        want.getUint32(o + 12, true);
      if (
        (status & c.statusMask) === 0 &&
        sameValue(got, want, o, c.tolerance ?? 0) &&
        sameValue(got, want, o + 16, c.tolerance ?? 0)
      ) continue;
      const at = i * CASE_BYTES;
      failures.push(
        `${c.name}: ${describeCase(input.subarray(at, at + CASE_BYTES))}\n` +
          `  silicon  ${
            describeResult(native.subarray(o, o + RESULT_BYTES))
          }\n` +
          `  software ${describeResult(output.subarray(o, o + RESULT_BYTES))}`,
      );
      if (failures.length >= limit) return failures;
    }
  }
  return failures;
}

/** Throws with every disagreement found. */
export function expectAgreement(failures: string[]): void {
  if (failures.length > 0) throw new Error("\n" + failures.join("\n"));
}

function sameValue(
  a: DataView,
  b: DataView,
  o: number,
  tolerance: number,
): boolean {
  const same = a.getUint32(o, true) === b.getUint32(o, true) &&
    a.getUint32(o + 4, true) === b.getUint32(o + 4, true) &&
    a.getUint32(o + 8, true) === b.getUint32(o + 8, true);
  if (same || tolerance === 0) return same;
  const ordinal = (v: DataView) =>
    (BigInt(v.getUint16(o + 8, true) & 0x7fff) << 63n) |
    (v.getBigUint64(o, true) & 0x7fffffffffffffffn);
  const negative = (v: DataView) => v.getUint16(o + 8, true) >> 15;
  if (negative(a) !== negative(b)) return false;
  const d = ordinal(a) - ordinal(b);
  return d <= tolerance && d >= -tolerance;
}
