// WinHvPlatform's numbers for the core: src/soft/core/whv/names.ts and hresult.ts are
// written from ffi/, where they stand for TypeScript. `deno task build` keeps them in
// step.

import {
  CapabilityCode,
  ExitReason,
  PartitionPropertyCode,
  ProcessorCounterSet,
  TranslateGvaFlag,
  TranslateGvaResult,
} from "../../../ffi/enums.ts";
import { HResult } from "../../../ffi/hresult.ts";
import { Reg } from "../../../ffi/registers.ts";
import { CORE } from "./core_sources.ts";

type Numbers = Readonly<Record<string, number>>;

const hex = (value: number) => `0x${(value >>> 0).toString(16)}`;

function namespace(name: string, comment: string, numbers: Numbers): string {
  const lines = Object.entries(numbers).map(([key, value]) =>
    `  export const ${key}: u32 = ${hex(value)};\n`
  );
  return `\n/** ${comment} */\nexport namespace ${name} {\n${
    lines.join("")
  }}\n`;
}

function names(): string {
  return "// Written from ffi/registers.ts and ffi/enums.ts by `deno task build`.\n" +
    "// deno-lint-ignore-file no-namespace\n" +
    namespace("Reg", "WHV_REGISTER_NAME.", Reg) +
    namespace(
      "Property",
      "WHV_PARTITION_PROPERTY_CODE.",
      PartitionPropertyCode,
    ) +
    namespace("Capability", "WHV_CAPABILITY_CODE.", CapabilityCode) +
    namespace("ExitReason", "WHV_RUN_VP_EXIT_REASON.", ExitReason) +
    namespace("CounterSet", "WHV_PROCESSOR_COUNTER_SET.", ProcessorCounterSet) +
    namespace("TranslateFlag", "WHV_TRANSLATE_GVA_FLAGS.", TranslateGvaFlag) +
    namespace(
      "TranslateResult",
      "WHV_TRANSLATE_GVA_RESULT_CODE.",
      TranslateGvaResult,
    );
}

function hresults(): string {
  const lines = Object.entries(HResult).map(([key, value]) =>
    `export const ${key}: i32 = ${value < 0 ? `<i32> ${hex(value)}` : value};\n`
  );
  return `// Written from ffi/hresult.ts by \`deno task build\`.\n${
    lines.join("")
  }`;
}

/** Files of the core that are written, and what they have to be. */
const WRITTEN: readonly (readonly [string, string])[] = [
  ["whv/names.ts", names()],
  ["whv/hresult.ts", hresults()],
];

/** Those of WRITTEN that are not what they have to be. */
export function outdated(): (readonly [string, string])[] {
  return WRITTEN.filter(([path, text]) => {
    try {
      return Deno.readTextFileSync(CORE + path) !== text;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return true;
      throw error;
    }
  });
}
