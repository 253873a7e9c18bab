// The cases of the interpreter's inner loop (src/soft/core/code/inner.ts): which
// instructions of src/soft/instructions/table.ts have one, and which two have one
// together. They are written where that file has its lines marked "table:".

import "../number_types.ts";
import { REGION } from "../core/shared.ts";
import type { Form, Size } from "../instructions/forms.ts";
import { type Row, TABLE } from "../instructions/table.ts";
import { NEXT, Printer } from "./printer.ts";

/**
 * What has cases, in their order: a name in the table, and forms of it by operands: M is
 * ModRM.rm in memory, R as a register, the other letters are forms.ts's, each with its
 * size; without operands the operand size alone. Forms that come to the same text share a
 * case.
 */
const HOT: readonly (readonly [name: string, forms: string])[] = [
  ["MOV", "Rd,Gd Rq,Gq Gb,Mb Gd,Md Gq,Mq Mb,Gb Mw,Gw Md,Gd Mq,Gq"],
  ["MOV", "Mb,I Md,I Mq,I Zd,J Rq,I"],
  ["LEA", "Gq,Mq Gd,Md"],
  ["MOVZX", "Gd,Rb Gq,Rb Gd,Mb Gq,Mb Gd,Rw Gq,Rw Gd,Mw Gq,Mw"],
  ["MOVSXD", "Gq,Rd Gq,Md"],
  ["CDQE", "Aq,Ad"],
  ["ADD", "Rd,Gd Rd,I Gd,Md Rq,Gq Rq,I Gq,Mq"],
  ["OR", "Rd,Gd Rd,I Gd,Md Rq,Gq Rq,I Gq,Mq"],
  ["AND", "Rd,Gd Rd,I Gd,Md Rq,Gq Rq,I Gq,Mq"],
  ["SUB", "Rd,Gd Rd,I Gd,Md Rq,Gq Rq,I Gq,Mq"],
  ["XOR", "Rd,Gd Rd,I Gd,Md Rq,Gq Rq,I Gq,Mq"],
  ["CMP", "Rd,Gd Rd,I Gd,Md Rq,Gq Rq,I Gq,Mq"],
  ["CMP", "Mb,I Mb,Gb Md,I Md,Gd Mq,I Mq,Gq Rb,I Ab,I"],
  ["TEST", "Rb,Gb Rd,Gd Rq,Gq Rb,I Ab,I Mb,I"],
  ["INC", "Rd"],
  ["DEC", "Rd"],
  ["INC", "Rq"],
  ["DEC", "Rq"],
  ["SHL", "Rd,I"],
  ["SHR", "Rd,I"],
  ["SHL", "Rq,I"],
  ["SHR", "Rq,I"],
  ...[..."0123456789CDEF"].map((cc) => [`J${cc}`, "w d q"] as const),
  ["JMP", "q"],
  ["CALL", "q"],
  ["RET", "q"],
  ["PUSH", "Zq"],
  ["POP", "Zq"],
  ["NOP", "Rw Mw Rd Md Rq Mq"],
];

/** First and second instruction of pairs: what often follows each other. */
const PAIRS: readonly (readonly [string, string])[] = [
  ...["TEST Rb,Gb", "TEST Rd,Gd", "TEST Rq,Gq", "TEST Rb,I", "TEST Ab,I"]
    .flatMap((first) => conditions(first, "45")),
  ...["CMP Rd,I", "CMP Rq,I", "CMP Rd,Gd", "CMP Rq,Gq"]
    .flatMap((first) => conditions(first, "234567CDEF")),
  ...["CMP Rb,I", "CMP Ab,I", "CMP Mb,I", "CMP Md,I"]
    .flatMap((first) => conditions(first, "45")),
  ["DEC Rd", "J5 w"],
  ["DEC Rq", "J5 w"],
  ["SUB Rq,I", "J5 w"],
  ["ADD Rq,I", "CMP Rq,Gq"],
  ["PUSH Zq", "PUSH Zq"],
  ["PUSH Zq", "MOV Rq,Gq"],
  ["POP Zq", "POP Zq"],
  ["POP Zq", "RET q"],
  ["MOV Rq,Gq", "MOV Rq,Gq"],
  ["MOV Rq,Gq", "CALL q"],
  ["INC Rq", "MOV Mq,Gq"],
  ["LEA Gq,Mq", "MOV Mq,Gq"],
  ["MOV Gq,Mq", "MOV Gq,Mq"],
  ["MOV Gq,Mq", "TEST Rq,Gq"],
  ["MOV Rq,Gq", "POP Zq"],
  ["MOV Mq,Gq", "XOR Gq,Mq"],
];

function conditions(first: string, codes: string) {
  return [...codes].map((code) => [first, `J${code} w`] as const);
}

const LETTERS = ["b", "w", "d", "q"] as const;

/** A case: its text, and which instructions it is of. */
interface Case {
  readonly text: string;
  readonly marks: readonly Mark[];
}

/** A form of an instruction as inner.ts's mark() takes it, and the text for it. */
interface Mark {
  readonly name: string;
  readonly form: Form;
  readonly size: Size;
  readonly memory: boolean;
  readonly text: string;
}

/** How HOT calls a form. */
function formName({ operands }: Form, size: Size, memory: boolean): string {
  if (operands.length === 0) return LETTERS[size];
  return operands.map((o) => {
    const letter = LETTERS[o.size === "half" ? size - 1 : o.size ?? size];
    switch (o.at) {
      case "ModRM.rm":
        return (memory ? "M" : "R") + letter;
      case "ModRM.reg":
        return "G" + letter;
      case "opcode":
        return "Z" + letter;
      case "rAX":
        return "A" + letter;
      case "rCX":
        return "C" + letter;
      case "one":
        return "1";
      case "offset":
        return "O" + letter;
      case "immediate":
        return "I";
      case "wide immediate":
        return "J";
    }
  }).join(",");
}

/** All of a row's forms that are called one of `names`. */
function marks(row: Row, names: readonly string[]): Mark[] {
  const found: Mark[] = [];
  for (const form of row.forms) {
    const both = form.operands.some(({ at }) => at === "ModRM.rm");
    for (const size of form.sizes) {
      for (const memory of both ? [false, true] : [false]) {
        const name = formName(form, size, memory);
        if (!names.includes(name)) continue;
        const text = new Printer(size, memory).text(row, form);
        found.push({ name, form, size, memory, text });
      }
    }
  }
  return found;
}

/** The cases by the name of the first form that has it. */
function allCases(): Map<string, Case> {
  const cases = new Map<string, Case>();
  for (const [rowName, list] of HOT) {
    const row = TABLE.find(({ name }) => name === rowName);
    if (row === undefined) throw new Error(`no instruction ${rowName}`);
    const names = list.split(" ");
    const all = marks(row, names);
    const seen = new Set<string>();
    for (const wanted of names) {
      const text = all.find(({ name }) => name === wanted)?.text;
      if (text === undefined) {
        throw new Error(`no form ${wanted} of ${rowName}`);
      }
      if (seen.has(text)) continue;
      seen.add(text);
      cases.set(`${rowName} ${wanted}`, {
        text,
        marks: all.filter((mark) => mark.text === text),
      });
    }
  }
  return cases;
}

/** A constant's name from a case's. */
const constant = (name: string) => name.replaceAll(/[ ,]/g, "_");

function caseText(name: string, text: string): string {
  return `case ${name}:\n{\n${text}\n}\nbreak;`;
}

/** The case of two instructions in a row: the second one's text where the first is done. */
function pairText(first: string, second: string): string {
  const parts = first.split(NEXT);
  if (parts.length !== 2) {
    throw new Error("the first of a pair is done in exactly one place");
  }
  return parts.join(
    `${NEXT}\nif (left > 1) {\nleft--;\ncur = p;\nw = load<u64>(p);\n${second}\n}`,
  );
}

/** `source`, inner.ts, with the cases, their numbers and what has them. */
export function withCases(source: string): string {
  const cases = allCases();
  const textOf = (name: string) => {
    const found = cases.get(name);
    if (found === undefined) throw new Error(`no case ${name}`);
    return found.text;
  };
  const pairs = PAIRS.map(([first, second]) => ({
    first: constant(first),
    second: constant(second),
    both: constant(`${first}__${second}`),
    text: pairText(textOf(first), textOf(second)),
  }));
  const names = [
    ...[...cases.keys()].map(constant),
    ...pairs.map(({ both }) => both),
  ];
  if (names.length >= REGION) throw new Error("a case's number is one byte");
  const parts = {
    numbers: names.map((name, i) => `const ${name}: u32 = ${i + 1};`),
    cases: [
      ...[...cases].map(([name, { text }]) => caseText(constant(name), text)),
      ...pairs.map(({ both, text }) => caseText(both, text)),
    ],
    marks: [
      ...[...cases].flatMap(([name, { marks }]) =>
        marks.map(({ form: { map, opcode, digit }, size, memory }) =>
          `mark(${
            constant(name)
          }, ${map}, ${opcode}, ${digit}, ${size}, ${memory});`
        )
      ),
      ...pairs.map(({ first, second, both }) =>
        `fuse(${first}, ${second}, ${both});`
      ),
    ],
  };
  for (const [name, lines] of Object.entries(parts)) {
    const mark = new RegExp(`^ *// table: ${name}\\n`, "m");
    if (!mark.test(source)) throw new Error(`inner.ts has no mark ${name}`);
    source = source.replace(mark, () => lines.join("\n") + "\n");
  }
  return source;
}
