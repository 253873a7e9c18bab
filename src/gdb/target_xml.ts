/**
 * The target description. Register numbers come from `registers`, and are
 * written down for each one, so that gdb's own features can be used although
 * QEMU's order mixes them: gdb then knows the x87 and SSE registers as such.
 * Source of facts: "Debugging with GDB", G.4 and G.5.12; Intel SDM 3 for bits.
 */
import { registerNumber, registers } from "../debug/registers.ts";

/** Name, first bit, last bit (if it is more than one). */
type Field = readonly [string, number, number?];

const EFLAGS: readonly Field[] = [
  ["CF", 0],
  ["", 1],
  ["PF", 2],
  ["AF", 4],
  ["ZF", 6],
  ["SF", 7],
  ["TF", 8],
  ["IF", 9],
  ["DF", 10],
  ["OF", 11],
  ["IOPL", 12, 13],
  ["NT", 14],
  ["RF", 16],
  ["VM", 17],
  ["AC", 18],
  ["VIF", 19],
  ["VIP", 20],
  ["ID", 21],
];

const MXCSR: readonly Field[] = [
  ["IE", 0],
  ["DE", 1],
  ["ZE", 2],
  ["OE", 3],
  ["UE", 4],
  ["PE", 5],
  ["DAZ", 6],
  ["IM", 7],
  ["DM", 8],
  ["ZM", 9],
  ["OM", 10],
  ["UM", 11],
  ["PM", 12],
  ["RC", 13, 14],
  ["FZ", 15],
];

const CR0: readonly Field[] = [
  ["PE", 0],
  ["MP", 1],
  ["EM", 2],
  ["TS", 3],
  ["ET", 4],
  ["NE", 5],
  ["WP", 16],
  ["AM", 18],
  ["NW", 29],
  ["CD", 30],
  ["PG", 31],
];

const CR3: readonly Field[] = [["PCID", 0, 11], ["PDBR", 12, 63]];

const CR4: readonly Field[] = [
  ["VME", 0],
  ["PVI", 1],
  ["TSD", 2],
  ["DE", 3],
  ["PSE", 4],
  ["PAE", 5],
  ["MCE", 6],
  ["PGE", 7],
  ["PCE", 8],
  ["OSFXSR", 9],
  ["OSXMMEXCPT", 10],
  ["UMIP", 11],
  ["LA57", 12],
  ["VMXE", 13],
  ["SMXE", 14],
  ["FSGSBASE", 16],
  ["PCIDE", 17],
  ["OSXSAVE", 18],
  ["SMEP", 20],
  ["SMAP", 21],
  ["PKE", 22],
];

const EFER: readonly Field[] = [
  ["SCE", 0],
  ["LME", 8],
  ["LMA", 10],
  ["NXE", 11],
  ["SVME", 12],
  ["LMSLE", 13],
  ["FFXSR", 14],
  ["TCE", 15],
];

const DR6: readonly Field[] = [
  ["B0", 0],
  ["B1", 1],
  ["B2", 2],
  ["B3", 3],
  ["BD", 13],
  ["BS", 14],
  ["BT", 15],
];

function flags(id: string, size: number, fields: readonly Field[]): string {
  const lines = fields.map(([name, start, end = start]) =>
    `<field name="${name}" start="${start}" end="${end}"/>\n`
  );
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
  ["eflags", "i386_eflags"],
  ["mxcsr", "i386_mxcsr"],
  ["cr0", "x64_cr0"],
  ["cr3", "x64_cr3"],
  ["cr4", "x64_cr4"],
  ["efer", "x64_efer"],
  ["dr6", "x64_dr6"],
]);

function register(number: number): string {
  const { name, bytes } = registers[number];
  let type = TYPES.get(name);
  let group = "";
  if (/^st\d$/.test(name)) type = "i387_ext";
  else if (/^f(ctrl|stat|tag|iseg|ioff|oseg|ooff|op)$/.test(name)) {
    type = "int";
    group = ` group="float"`;
  } else if (/^xmm/.test(name)) type = "vec128";
  else if (name === "mxcsr") group = ` group="vector"`;
  else if (number > registerNumber("mxcsr")) group = ` group="system"`;
  return `<reg name="${name}" bitsize="${8 * bytes}" type="${
    type ?? `int${8 * bytes}`
  }" regnum="${number}"${group}/>\n`;
}

function range(first: string, last: string): string {
  let lines = "";
  for (let n = registerNumber(first); n <= registerNumber(last); n++) {
    lines += register(n);
  }
  return lines;
}

function feature(name: string, content: string): string {
  return `<feature name="${name}">\n${content}</feature>\n`;
}

const LAST = registers[registers.length - 1].name;

/** The document that `qXfer:features:read:target.xml` carries. */
export const TARGET_XML: string = `<?xml version="1.0"?>
<!DOCTYPE target SYSTEM "gdb-target.dtd">
<target version="1.0">
<architecture>i386:x86-64</architecture>
` +
  feature(
    "org.gnu.gdb.i386.core",
    flags("i386_eflags", 4, EFLAGS) + range("rax", "gs") +
      range("st0", "fop"),
  ) +
  feature(
    "org.gnu.gdb.i386.sse",
    VECTOR_TYPES + flags("i386_mxcsr", 4, MXCSR) + range("xmm0", "mxcsr"),
  ) +
  feature("org.gnu.gdb.i386.segments", range("fs_base", "gs_base")) +
  feature(
    "org.icebp.system",
    flags("x64_cr0", 8, CR0) + flags("x64_cr3", 8, CR3) +
      flags("x64_cr4", 8, CR4) + flags("x64_efer", 8, EFER) +
      flags("x64_dr6", 8, DR6) + range("k_gs_base", "efer") +
      range("cs_base", LAST),
  ) +
  "</target>\n";
