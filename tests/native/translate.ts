// src/soft/core.wasm as C: wasm2c's output, changed where it reaches memory and calls
// through its table. wasm2c's macros are part of its output, so this changes text; what
// is not there exactly as expected is an error, not skipped.

import { runTool } from "../util/tools.ts";

/** The release whose output this knows (Debian 12's). */
export const WASM2C_VERSION = "1.0.32";

/** Text of wasm2c's output, how often it is there, and what to have instead. */
type Change = readonly [from: string, times: number, to: string];

const CHANGES: readonly Change[] = [
  // Never called, and not there for mingw.
  ["#include <alloca.h>\n", 1, ""],
  // address.h knows where an address is.
  [
    "    wasm_rt_memcpy(&result, &mem->data[addr], sizeof(t1)); \\\n" +
    '    wasm_asm("" ::"r"(result));                            \\\n',
    1,
    "    wasm_rt_memcpy(&result, at(addr), sizeof(t1)); \\\n",
  ],
  [
    "wasm_rt_memcpy(&mem->data[addr], &wrapped, sizeof(t1));",
    1,
    "wasm_rt_memcpy(at(addr), &wrapped, sizeof(t1));",
  ],
  [
    "  RANGE_CHECK(mem, d, n);\n  memset(mem->data + d, val, n);\n",
    1,
    "  memset(at(d), val, n);\n",
  ],
  [
    "  RANGE_CHECK(dest, dest_addr, n);\n  RANGE_CHECK(src, src_addr, n);\n" +
    "  memmove(dest->data + dest_addr, src->data + src_addr, n);\n",
    1,
    "  memmove(at(dest_addr), at(src_addr), n);\n",
  ],
  // The table's functions have the type that the core's compiler has checked.
  [
    "  (LIKELY((x) < table.size && table.data[x].func &&     \\\n" +
    "          table.data[x].func_type == func_types[ft]) || \\\n" +
    "       TRAP(CALL_INDIRECT),                             \\\n" +
    "   ((t)table.data[x].func)(__VA_ARGS__))\n",
    1,
    "  (((t)table.data[x].func)(__VA_ARGS__))\n",
  ],
];

/** Translates the module at `wasm`; returns core.c and core.h. Throws if wasm2c is another. */
export function translate(wasm: string): { source: string; header: string } {
  const folder = Deno.makeTempDirSync();
  try {
    runTool("wasm2c", [wasm, "-o", `${folder}/core.c`, "-n", "core"]);
    let source = Deno.readTextFileSync(`${folder}/core.c`);
    for (const [from, times, to] of CHANGES) {
      const parts = source.split(from);
      if (parts.length !== times + 1) {
        throw new Error(
          `wasm2c's output is not that of wabt ${WASM2C_VERSION}: ` +
            `${parts.length - 1} times ${JSON.stringify(from.trim())}`,
        );
      }
      source = parts.join(to);
    }
    return { source, header: Deno.readTextFileSync(`${folder}/core.h`) };
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}
