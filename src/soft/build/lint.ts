// Lints src/soft/core: Deno's recommended rules, and rules of its own for what those
// do not see. Prints a line for each fault; exit code 1 if there is any.

import { CORE, coreFiles, withReadableCore } from "./core_sources.ts";
import { WRITTEN } from "./written.ts";

const WIDTH = 80;

/** Files whose exports need not be the core's, and why. */
const ENTRIES: Record<string, string> = {
  ...Object.fromEntries(
    WRITTEN.map(([path]) => [path, "a list that stands elsewhere"]),
  ),
  "main.ts": "exports are the module's",
  "fp/selftest.ts": "the entry of the module of tests/soft/fp",
};

/** TypeScript that imports from the core. */
const IMPORTERS = ["../", "./", "../translate/", "../../../tests/soft/"];
/** Compile parts of it for themselves, and use what these export. */
const COMPILERS = ["../../../tests/soft/lapic/"];

/** What a source file imports and exports. */
export interface SourceFile {
  /** In the core. */
  readonly path: string;
  readonly text: string;
  /** Names by the path of the file that they come from. */
  readonly imports: readonly (readonly [string, readonly string[]])[];
  readonly exports: readonly string[];
}

/** `target` as imported by `path`, as a path in the core. */
function resolve(path: string, target: string): string {
  const url = new URL(target, `core:///${path}`);
  return url.pathname.slice(1).replace(/(?:\.ts)?$/, ".ts");
}

/** Reads a formatted source file. */
export function parse(path: string, text: string): SourceFile {
  const imports = [...text.matchAll(
    /^(?:import|export) \{([^}]*)\} from "([^"]+)";$/gm,
  )].map(([, names, target]) =>
    [
      resolve(path, target),
      names.split(",").map((name) => name.trim().replace(/ as .*/, ""))
        .filter((name) => name !== ""),
    ] as const
  );
  const exports = [...text.matchAll(
    /^export (?:declare )?(?:const|let|function|class|enum|type) (\w+)/gm,
  )].map(([, name]) => name);
  return { path, text, imports, exports };
}

/** All of the core. */
function coreSources(): SourceFile[] {
  return coreFiles().map((path) =>
    parse(path, Deno.readTextFileSync(CORE + path))
  );
}

function textsOf(base: string, folder: string): string[] {
  return [...Deno.readDirSync(base + folder)]
    .filter(({ name }) => name.endsWith(".ts"))
    .map(({ name }) => Deno.readTextFileSync(base + folder + name));
}

/** Names that the core exports for others than itself. */
function namesTaken(): Set<string> {
  const here = new URL("./", import.meta.url).pathname;
  const taken = new Set<string>();
  for (const text of IMPORTERS.flatMap((folder) => textsOf(here, folder))) {
    for (
      const [, names] of text.matchAll(
        /^import \{([^}]*)\} from "[./\w]*\/core\/[^"]+";$/gm,
      )
    ) for (const name of names.split(",")) taken.add(name.trim());
    const all = text.match(/^import \* as (\w+) from "[./\w]*\/core\//m)?.[1];
    for (
      const [, name] of text.matchAll(new RegExp(`\\b${all}\\.(\\w+)`, "g"))
    ) {
      taken.add(name);
    }
  }
  for (const text of COMPILERS.flatMap((folder) => textsOf(CORE, folder))) {
    for (const [name] of text.matchAll(/\w+/g)) taken.add(name);
  }
  return taken;
}

/** A fault, as `path:line: what`. */
type Report = (file: SourceFile, index: number, what: string) => void;

function wideLines(file: SourceFile, report: Report): void {
  let index = 0;
  for (const line of file.text.split("\n")) {
    const width = [...line].length;
    if (width > WIDTH) report(file, index, `${width} columns`);
    index += line.length + 1;
  }
}

function doubleImports(file: SourceFile, report: Report): void {
  const seen = new Set<string>();
  for (const [, target] of file.text.matchAll(/^import .*"([^"]+)";$/gm)) {
    if (seen.has(target)) report(file, 0, `imports ${target} twice`);
    seen.add(target);
  }
}

function deadExports(
  files: readonly SourceFile[],
  taken: ReadonlySet<string>,
  report: Report,
): void {
  const used = new Set<string>();
  for (const { imports } of files) {
    for (const [from, names] of imports) {
      for (const name of names) used.add(`${from} ${name}`);
    }
  }
  for (const file of files) {
    if (file.path in ENTRIES) continue;
    for (const name of file.exports) {
      if (used.has(`${file.path} ${name}`) || taken.has(name)) continue;
      // What a function gives need not be named by who calls it.
      const given = new RegExp(
        `^export function \\w+\\([^{]*\\): ${name}(?: \\| null)? \\{$`,
        "m",
      );
      if (given.test(file.text)) continue;
      const index = file.text.search(
        new RegExp(`^export (?:declare )?\\w+ ${name}\\b`, "m"),
      );
      report(file, index, `${name} is exported and nobody imports it`);
    }
  }
}

/**
 * Functions with the same parameters and body, and constants with the same name and
 * value. That the first of a list is 0 everywhere says nothing.
 */
function duplicates(files: readonly SourceFile[], report: Report): void {
  const first = new Map<string, string>();
  const see = (file: SourceFile, index: number, what: string, text: string) => {
    const other = first.get(text);
    if (other) report(file, index, `${what} is the same in ${other}`);
    else first.set(text, file.path);
  };
  for (const file of files) {
    for (
      const { 1: name, 2: text, index } of file.text.matchAll(
        /^(?:export )?function (\w+)([^]*?\n)\}$/gm,
      )
    ) {
      if (text.split("\n").length > 3) see(file, index, `${name}()`, text);
    }
    for (
      const { 1: text, 2: name, index } of file.text.matchAll(
        /^(?:export )?(const (\w+)[^=]*= [^]*?;)/gm,
      )
    ) {
      if (!text.endsWith(" = 0;")) see(file, index, name, text);
    }
  }
}

/** A diagnostic of `deno lint --json`. */
interface Diagnostic {
  readonly filename: string;
  readonly code: string;
  readonly message: string;
  readonly range: { readonly start: { readonly line: number } };
}

/** Faults by Deno's rules. */
function denoLint(): Promise<string[]> {
  return withReadableCore(
    ["lint", "--no-config", "--json", "."],
    (folder, { stdout }) => {
      const { diagnostics, errors } = JSON.parse(
        new TextDecoder().decode(stdout),
      );
      return [
        ...diagnostics.map((
          { filename, code, message, range }: Diagnostic,
        ) =>
          `${
            filename.slice(filename.indexOf(folder) + folder.length + 1)
          }:${range.start.line}: ${code}: ${message}`
        ),
        ...errors.map((error: unknown) => JSON.stringify(error)),
      ];
    },
  );
}

/** What the rules of this file find in the core; `taken` are names that others use. */
export function faultsOf(
  files: readonly SourceFile[],
  taken: ReadonlySet<string>,
): string[] {
  const faults: string[] = [];
  const report: Report = ({ path, text }, index, what) =>
    faults.push(`${path}:${text.slice(0, index).split("\n").length}: ${what}`);
  for (const file of files) {
    wideLines(file, report);
    doubleImports(file, report);
  }
  deadExports(files, taken, report);
  duplicates(files, report);
  return faults.sort();
}

if (import.meta.main) {
  const faults = [
    ...faultsOf(coreSources(), namesTaken()),
    ...await denoLint(),
  ].sort();
  for (const fault of faults) console.error(`src/soft/core/${fault}`);
  if (faults.length > 0) Deno.exit(1);
}
