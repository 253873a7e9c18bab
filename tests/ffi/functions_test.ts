// The symbol tables against the prototypes of the C headers: which functions
// there are, their parameters in order, each one's kind and its declaration as
// the table quotes it.

import { assert, assertEquals } from "@std/assert";
import { emulatorCallbacks, winhvemulation } from "../../ffi/mod.ts";
import { kernel32 } from "../../ffi/kernel32.ts";
import { winhvplatform } from "../../ffi/winhvplatform.ts";
import { requireTool } from "../util/tools.ts";
import { haveHeaders, HEADERS, runC } from "./c_compiler.ts";

const ignore = !requireTool("gcc") || !haveHeaders();

interface Prototype {
  readonly name: string;
  readonly parameters: readonly string[];
}

function prototypes(header: string, pattern: RegExp): Prototype[] {
  const text = Deno.readTextFileSync(`${HEADERS}/${header}`);
  return [...text.matchAll(pattern)].map(([, name, parameters]) => ({
    name,
    parameters: parameters.split(",").map((parameter) => parameter.trim()),
  }));
}

const FUNCTION = /^HRESULT (?:WINAPI )?(WHv\w+)\(([^)]*)\);/gm;
const CALLBACK = /^typedef HRESULT \(CALLBACK \*(\w+)\)\(([^)]*)\);/gm;

/** The size of every type that is passed by value, as C has it. */
function sizes(all: readonly Prototype[]): Map<string, string> {
  const types = new Set(
    all.flatMap(({ parameters }) => parameters)
      .filter((parameter) => !parameter.includes("*"))
      .map((parameter) => parameter.split(" ")[0]),
  );
  return runC(
    [...types].map((type) => `VALUE("${type}", sizeof(${type}))`).join("\n"),
  );
}

/** What the table must say for a parameter. */
function kind(
  parameter: string,
  bySize: Map<string, string>,
  pointer: string,
): string {
  // The context is a number of the caller's, and never dereferenced.
  if (parameter === "VOID *Context") return "u64";
  if (/\*|^PVOID /.test(parameter)) return pointer;
  const size = bySize.get(parameter.split(" ")[0]);
  assert(size === "4" || size === "8", `${parameter}: ${size} bytes`);
  return size === "4" ? "u32" : "u64";
}

/** The comment beside every parameter of a table's source, by name. */
function quoted(path: string): Map<string, string[]> {
  const text = Deno.readTextFileSync(new URL(path, import.meta.url));
  const result = new Map<string, string[]>();
  for (
    const [, comment, name, body] of text.matchAll(
      /^ {2}(?:\/\/ (\w+)\n {2})?(\w+): \{\n {4}parameters: \[([^\]]*)\]/gm,
    )
  ) {
    result.set(
      comment ?? name,
      [...body.matchAll(/"\w+", \/\/ (.+)$/gm)].map((match) => match[1]),
    );
  }
  return result;
}

type Table = Record<
  string,
  { parameters: readonly string[]; result: string }
>;

function compare(
  table: Table,
  expected: readonly Prototype[],
  source: string,
  pointer: string,
) {
  const bySize = sizes(expected);
  const comments = quoted(source);
  assertEquals(
    Object.keys(table).sort(),
    expected.map(({ name }) => name).sort(),
  );
  for (const { name, parameters } of expected) {
    assertEquals(
      [...table[name].parameters],
      parameters.map((parameter) => kind(parameter, bySize, pointer)),
      name,
    );
    assertEquals(table[name].result, "i32", name);
    assertEquals(comments.get(name), [...parameters], name);
  }
}

Deno.test({
  name: "the table of WinHvPlatform.dll is its header's prototypes",
  ignore,
  fn() {
    const expected = prototypes("winhvplatform.h", FUNCTION);
    assert(expected.length > 60);
    compare(winhvplatform, expected, "../../ffi/winhvplatform.ts", "buffer");
  },
});

Deno.test({
  name: "the table of WinHvEmulation.dll is its header's prototypes",
  ignore,
  fn() {
    const expected = prototypes("winhvemulation.h", FUNCTION);
    assertEquals(expected.length, 4);
    compare(winhvemulation, expected, "../../ffi/winhvemulation.ts", "buffer");
  },
});

Deno.test({
  name: "the emulator's callbacks are its header's types",
  ignore,
  fn() {
    const names: Record<string, string> = {
      ioPort: "WHV_EMULATOR_IO_PORT_CALLBACK",
      memory: "WHV_EMULATOR_MEMORY_CALLBACK",
      getRegisters: "WHV_EMULATOR_GET_VIRTUAL_PROCESSOR_REGISTERS_CALLBACK",
      setRegisters: "WHV_EMULATOR_SET_VIRTUAL_PROCESSOR_REGISTERS_CALLBACK",
      translateGvaPage: "WHV_EMULATOR_TRANSLATE_GVA_PAGE_CALLBACK",
    };
    const table = Object.fromEntries(
      Object.entries(emulatorCallbacks).map((
        [kind, definition],
      ) => [names[kind], definition]),
    );
    const expected = prototypes("winhvemulation.h", CALLBACK);
    assertEquals(expected.length, 5);
    compare(table, expected, "../../ffi/winhvemulation.ts", "pointer");
  },
});

Deno.test("only a run may block, and only newer functions are optional", () => {
  const table = Object.entries(winhvplatform);
  assertEquals(
    table.filter(([, f]) => "nonblocking" in f).map(([name]) => name),
    ["WHvRunVirtualProcessor"],
  );
  // What Windows 10, version 1803 exports.
  assertEquals(
    table.filter(([, f]) => !("optional" in f)).map(([name]) => name).sort(),
    [
      "WHvCancelRunVirtualProcessor",
      "WHvCreatePartition",
      "WHvCreateVirtualProcessor",
      "WHvDeletePartition",
      "WHvDeleteVirtualProcessor",
      "WHvGetCapability",
      "WHvGetPartitionProperty",
      "WHvGetVirtualProcessorRegisters",
      "WHvMapGpaRange",
      "WHvRunVirtualProcessor",
      "WHvSetPartitionProperty",
      "WHvSetVirtualProcessorRegisters",
      "WHvSetupPartition",
      "WHvTranslateGva",
      "WHvUnmapGpaRange",
    ],
  );
});

Deno.test({
  name: "event objects have the prototypes of the C headers",
  ignore,
  fn() {
    const prototype = /^ *WINBASEAPI \w+ WINAPI (\w+) \(([^)]*)\);/gm;
    const known = new Map(
      ["synchapi.h", "handleapi.h"].flatMap((header) =>
        prototypes(header, prototype)
      ).map(({ name, parameters }) => [name, parameters]),
    );
    const comments = quoted("../../ffi/kernel32.ts");
    for (const name of Object.keys(kernel32)) {
      assertEquals(comments.get(name), known.get(name), name);
    }
  },
});
