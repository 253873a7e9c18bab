// AssemblyScript's text of numbers that stand in TypeScript.

/** A number with its AssemblyScript type. */
export type Typed = "u32" | "i32" | "u64" | "usize";

/** Numbers by name. */
export type Numbers = Readonly<Record<string, number | bigint>>;

/** A file of the core that is written: its path there, and what it has to be. */
export type Written = readonly [path: string, text: string];

/** The first line of a file that is written from `source`. */
export function heading(source: string): string {
  return `// Written from ${source} by \`deno task build\`.\n`;
}

/** The declaration of one constant. */
export function constant(
  name: string,
  type: Typed,
  value: number | bigint,
): string {
  const text = type === "i32" && value < 0
    ? `<i32> 0x${(Number(value) >>> 0).toString(16)}`
    : type === "i32"
    ? `${value}`
    : `0x${BigInt.asUintN(64, BigInt(value)).toString(16)}`;
  return `export const ${name}: ${type} = ${text};\n`;
}

/** Constants in a namespace: bigints are u64, numbers of the type that is said. */
export function namespace(
  name: string,
  comment: string,
  numbers: Numbers,
  type: Typed = "u32",
): string {
  const lines = Object.entries(numbers).map(([key, value]) =>
    `  ${constant(key, typeof value === "bigint" ? "u64" : type, value)}`
  );
  return `\n/** ${comment} */\nexport namespace ${name} {\n${
    lines.join("")
  }}\n`;
}

/** Has Deno's linter let namespaces be. */
export const NAMESPACES = "// deno-lint-ignore-file no-namespace\n";
