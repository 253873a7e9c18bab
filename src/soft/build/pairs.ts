// The pair cases of src/soft/core/code/inner.ts: for two instructions that often follow
// each other, the first one's case with the second's put where the first has
// completed. They are derived from the single cases in the same file, and the
// compiler is given them at the lines marked "pairs:".

const conditions = (first: string, codes: string) =>
  [...codes].map((code) => [first, `J${code}`]);

/** First and second case; at most 154 pairs fit beside 101 single cases. */
const PAIRS: string[][] = [
  ...["TEST_RR8", "TEST_RR32", "TEST_RR64", "TEST_RI8", "TEST_AI8"]
    .flatMap((first) => conditions(first, "45")),
  ...["CMP_RI32", "CMP_RI64", "CMP_RR32", "CMP_RR64"]
    .flatMap((first) => conditions(first, "234567CDEF")),
  ...["CMP_RI8", "CMP_AI8", "CMP_MI8", "CMP_MI32"]
    .flatMap((first) => conditions(first, "45")),
  ["DEC_R32", "J5"],
  ["DEC_R64", "J5"],
  ["SUB_RI64", "J5"],
  ["ADD_RI64", "CMP_RR64"],
  ["PUSH64", "PUSH64"],
  ["PUSH64", "MOV_RR64"],
  ["POP64", "POP64"],
  ["POP64", "RET"],
  ["MOV_RR64", "MOV_RR64"],
  ["MOV_RR64", "CALL"],
  ["INC_R64", "MOV_MR64"],
  ["LEA64", "MOV_MR64"],
  ["MOV_RM64", "MOV_RM64"],
  ["MOV_RM64", "TEST_RR64"],
  ["MOV_RR64", "POP64"],
  ["MOV_MR64", "XOR_RM64"],
];

const COMPLETED = "p += REC;";

/** The text of the single case `name`, without its label and break. */
function singleCase(source: string, name: string): string {
  const found = source.match(
    new RegExp(`^      case ${name}:\\n((?:.*\\n)*?)        break;\\n`, "m"),
  );
  if (!found) throw new Error(`inner.ts has no case ${name}`);
  return found[1];
}

function pairCase(source: string, first: string, second: string): string {
  const body = singleCase(source, first);
  if (body.split(COMPLETED).length !== 2) {
    throw new Error(`case ${first} does not complete in exactly one place`);
  }
  const then = singleCase(source, second).replaceAll(/^(?=.)/gm, "  ");
  return `      case ${first}__${second}:\n` +
    body.replace(
      COMPLETED,
      () =>
        `${COMPLETED}\n        if (left > 1) {\n          left--;\n` +
        `          cur = p;\n          w = load<u64>(p);\n${then}        }`,
    ) + "        break;\n";
}

/** inner.ts with the pair cases that its single cases give. */
export function withPairs(source: string): string {
  const numbers = [...source.matchAll(/^const \w+: u32 = (\d+);$/gm)]
    .map((match) => Number(match[1]));
  const last = Math.max(...numbers);
  if (last + PAIRS.length > 255) throw new Error("a case number is one byte");
  const parts: Record<string, string> = {
    constants: PAIRS.map(([first, second], i) =>
      `const ${first}__${second}: u32 = ${last + 1 + i};\n`
    ).join(""),
    cases: PAIRS.map(([first, second]) => pairCase(source, first, second))
      .join(""),
    registration: PAIRS.map(([first, second]) =>
      `  fuse(${first}, ${second}, ${first}__${second});\n`
    ).join(""),
  };
  for (const [name, text] of Object.entries(parts)) {
    const mark = new RegExp(`^ *// pairs: ${name}\\b.*\\n`, "m");
    if (!mark.test(source)) throw new Error(`inner.ts has no mark ${name}`);
    source = source.replace(mark, () => text);
  }
  return source;
}
