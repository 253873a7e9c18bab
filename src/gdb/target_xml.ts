/**
 * The target descriptions. Register numbers come from a register set, and are
 * written down for each one, so that gdb's own features can be used although
 * QEMU's order mixes them: gdb then knows the x87 and SSE registers as such.
 * Source of facts: "Debugging with GDB", G.4 and G.5.12; Intel SDM 3 for bits.
 */
import {
  type Architecture,
  REGISTER_SETS,
  type RegisterSet,
} from "../debug/guest/register_sets.ts";
import {
  CR0_FIELDS,
  CR3_FIELDS,
  CR4_FIELDS,
  EFER_FIELDS,
} from "../x86/control_registers.ts";
import { DR6_FIELDS } from "../x86/debug_registers.ts";
import type { Fields } from "../x86/fields.ts";
import { MXCSR_FIELDS, RFLAGS_FIELDS } from "../x86/flags.ts";

/** A type of flags; fields are cut where the register of `size` bytes ends. */
function flags(id: string, size: number, fields: Fields): string {
  const lines = Object.entries(fields).map(([name, field]) => {
    const [start, end] = typeof field === "number" ? [field, field] : field;
    const last = Math.min(end, 8 * size - 1);
    return `<field name="${name}" start="${start}" end="${last}"/>\n`;
  });
  return `<flags id="${id}" size="${size}">\n${lines.join("")}</flags>\n`;
}

const VECTORS: readonly (readonly [string, string, number])[] = [
  ["v4f", "ieee_single", 4],
  ["v2d", "ieee_double", 2],
  ["v16i8", "int8", 16],
  ["v8i16", "int16", 8],
  ["v4i32", "int32", 4],
  ["v2i64", "int64", 2],
];

const VECTOR_TYPES =
  VECTORS.map(([id, type, count]) =>
    `<vector id="${id}" type="${type}" count="${count}"/>\n`
  ).join("") + `<union id="vec128">
<field name="v4_float" type="v4f"/>
<field name="v2_double" type="v2d"/>
<field name="v16_int8" type="v16i8"/>
<field name="v8_int16" type="v8i16"/>
<field name="v4_int32" type="v4i32"/>
<field name="v2_int64" type="v2i64"/>
<field name="uint128" type="uint128"/>
</union>
`;

/** Types by register; the others are integers. */
const TYPES = new Map([
  ["rbp", "data_ptr"],
  ["rsp", "data_ptr"],
  ["rip", "code_ptr"],
  ["ebp", "data_ptr"],
  ["esp", "data_ptr"],
  ["eip", "code_ptr"],
  ["eflags", "i386_eflags"],
  ["mxcsr", "i386_mxcsr"],
  ["cr0", "x64_cr0"],
  ["cr3", "x64_cr3"],
  ["cr4", "x64_cr4"],
  ["efer", "x64_efer"],
  ["dr6", "x64_dr6"],
]);

/** Pointers are as wide as the architecture's: other registers are none. */
const OTHERS: Readonly<Record<Architecture, RegExp>> = {
  "i386": /^r(bp|sp|ip)$/,
  "x86-64": /^e(bp|sp|ip)$/,
};

function register(set: RegisterSet, number: number): string {
  const { name, bytes } = set.registers[number];
  let type = OTHERS[set.architecture].test(name) ? undefined : TYPES.get(name);
  let group = "";
  if (/^st\d$/.test(name)) type = "i387_ext";
  else if (/^f(ctrl|stat|tag|iseg|ioff|oseg|ooff|op)$/.test(name)) {
    type = "int";
    group = ` group="float"`;
  } else if (/^xmm/.test(name)) {
    type = "vec128";
    if (number >= set.general) group = ` group="vector"`;
  } else if (name === "mxcsr") group = ` group="vector"`;
  else if (number > set.number("mxcsr")) group = ` group="system"`;
  return `<reg name="${name}" bitsize="${8 * bytes}" type="${
    type ?? `int${8 * bytes}`
  }" regnum="${number}"${group}/>\n`;
}

/** The features of gdb's own that a register belongs to; the rest is ours. */
function featureOf(architecture: Architecture, name: string): string {
  const core = architecture === "i386"
    ? /^(e(ax|bx|cx|dx|si|di|bp|sp|ip|flags)|[cdefgs]s|st\d|f(ctrl|stat|tag|iseg|ioff|oseg|ooff|op))$/
    : /^(r(ax|bx|cx|dx|si|di|bp|sp|ip|\d+)|eflags|[cdefgs]s|st\d|f(ctrl|stat|tag|iseg|ioff|oseg|ooff|op))$/;
  if (core.test(name)) return "org.gnu.gdb.i386.core";
  if (/^(xmm\d+|mxcsr)$/.test(name)) return "org.gnu.gdb.i386.sse";
  if (architecture === "x86-64" && /^[fg]s_base$/.test(name)) {
    return "org.gnu.gdb.i386.segments";
  }
  return "org.icebp.system";
}

/** What a feature defines before its registers. */
function typesOf(set: RegisterSet, feature: string): string {
  const sized = (name: string, id: string, fields: Fields) =>
    flags(id, set.registers[set.number(name)].bytes, fields);
  switch (feature) {
    case "org.gnu.gdb.i386.core":
      return flags("i386_eflags", 4, RFLAGS_FIELDS);
    case "org.gnu.gdb.i386.sse":
      return VECTOR_TYPES + flags("i386_mxcsr", 4, MXCSR_FIELDS);
    case "org.icebp.system":
      return sized("cr0", "x64_cr0", CR0_FIELDS) +
        sized("cr3", "x64_cr3", CR3_FIELDS) +
        sized("cr4", "x64_cr4", CR4_FIELDS) +
        sized("efer", "x64_efer", EFER_FIELDS) +
        sized("dr6", "x64_dr6", DR6_FIELDS);
    default:
      return "";
  }
}

function describe(set: RegisterSet, architecture: string): string {
  const features = Map.groupBy(
    set.registers.keys(),
    (n) => featureOf(set.architecture, set.registers[n].name),
  );
  const parts = [...features].map(([name, numbers]) =>
    `<feature name="${name}">\n${typesOf(set, name)}${
      numbers.map((n) => register(set, n)).join("")
    }</feature>\n`
  );
  return `<?xml version="1.0"?>
<!DOCTYPE target SYSTEM "gdb-target.dtd">
<target version="1.0">
<architecture>${architecture}</architecture>
${parts.join("")}</target>
`;
}

const DOCUMENTS = {
  // Told of i386, gdb would decode 16-bit code as 32-bit whatever the user sets;
  // from i8086 he can go to i386.
  "i8086": describe(REGISTER_SETS.i386, "i8086"),
  "i386": describe(REGISTER_SETS.i386, "i386"),
  "x86-64": describe(REGISTER_SETS["x86-64"], "i386:x86-64"),
};

/** The document that `qXfer:features:read:target.xml` carries; `real` for one
 * that decodes 16-bit code. */
export function targetXml(architecture: Architecture, real: boolean): string {
  return DOCUMENTS[architecture === "i386" && real ? "i8086" : architecture];
}
