// The architecture's facts for the core: src/soft/core/x86 is written from src/x86,
// where they stand for TypeScript, under the same names. A register's fields become
// masks, REGISTER_FIELD; numbers u32; objects of numbers namespaces; what is a
// bigint has the type that is said here.

import * as apicBase from "../../x86/apic_base.ts";
import * as controlRegisters from "../../x86/control_registers.ts";
import * as debugRegisters from "../../x86/debug_registers.ts";
import * as events from "../../x86/events.ts";
import { type Fields, mask } from "../../x86/fields.ts";
import * as flags from "../../x86/flags.ts";
import * as lapic from "../../x86/lapic.ts";
import * as msrs from "../../x86/msrs.ts";
import * as paging from "../../x86/paging.ts";
import * as segments from "../../x86/segments.ts";
import * as vectors from "../../x86/vectors.ts";
import {
  constant,
  heading,
  namespace,
  NAMESPACES,
  type Numbers,
  type Typed,
  type Written,
} from "./constants.ts";

/** A file of src/x86. */
interface Source {
  readonly name: string;
  readonly exports: Readonly<Record<string, unknown>>;
  /** Of its bigints: as wide as the core looks at what they are of. */
  readonly type: Typed;
  /** Of those whose names begin so. */
  readonly except?: Readonly<Record<string, Typed>>;
}

const SOURCES: readonly Source[] = [
  { name: "apic_base", exports: apicBase, type: "u64" },
  {
    name: "control_registers",
    exports: controlRegisters,
    type: "u32",
    except: { CR3: "u64", EFER: "u64" },
  },
  { name: "debug_registers", exports: debugRegisters, type: "u64" },
  { name: "events", exports: events, type: "u32" },
  { name: "flags", exports: flags, type: "u32" },
  { name: "lapic", exports: lapic, type: "u32" },
  { name: "msrs", exports: msrs, type: "u64" },
  { name: "paging", exports: paging, type: "u64" },
  { name: "segments", exports: segments, type: "u32" },
  { name: "vectors", exports: vectors, type: "u64" },
];

const FIELDS = /_FIELDS$/;

/** The type of a bigint. */
function typeOf({ type, except }: Source, name: string): Typed {
  return except?.[name.split("_", 1)[0]] ?? type;
}

/** The constants of a source, by name. */
function constantsOf(source: Source): Map<string, string> {
  const found = new Map<string, string>();
  const add = (name: string, of: Typed, value: number | bigint) =>
    found.set(name, constant(name, of, value));
  for (const [name, value] of Object.entries(source.exports)) {
    const type = typeOf(source, name);
    if (typeof value === "bigint") add(name, type, value);
    else if (typeof value === "number") add(name, "u32", value);
    else if (FIELDS.test(name)) {
      for (const [field, bits] of Object.entries(value as Fields)) {
        if (!/^\w+$/.test(field)) continue;
        add(name.replace(FIELDS, `_${field}`), type, mask(bits));
      }
    }
  }
  return found;
}

/** The namespaces of a source. */
function namespacesOf({ exports }: Source): string[] {
  return Object.entries(exports)
    .filter(([name, value]) =>
      !FIELDS.test(name) && typeof value === "object" && !(value instanceof Set)
    )
    .map(([name, value]) =>
      namespace(name, `${name} of src/x86.`, value as Numbers)
    );
}

function textOf(source: Source): string {
  const namespaces = namespacesOf(source);
  const constants = [...constantsOf(source).values()].sort();
  return heading(`src/x86/${source.name}.ts`) +
    (namespaces.length > 0 ? NAMESPACES : "") +
    constants.join("") + namespaces.join("");
}

/** The files of the core's folder x86. */
export const FACTS: readonly Written[] = SOURCES.map((source) =>
  [`x86/${source.name}.ts`, textOf(source)] as const
);
