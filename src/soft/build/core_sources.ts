// The core's sources as Deno's formatter and linter can read them: AssemblyScript
// has decorators on functions, which the one deletes and the other refuses. Each
// stands on a line of its own, and is a comment while these look at it.

/** The folder of the core's sources, with a slash at its end. */
export const CORE = new URL("../core/", import.meta.url).pathname;

/** Paths in {@linkcode CORE} of all source files, sorted. */
export function coreFiles(folder = ""): string[] {
  const found: string[] = [];
  for (const entry of Deno.readDirSync(CORE + folder)) {
    const path = folder + entry.name;
    if (entry.isDirectory) found.push(...coreFiles(`${path}/`));
    else if (path.endsWith(".ts")) found.push(path);
  }
  return found.sort();
}

const DECORATOR = /^( *)@(\w+(?:\(.*\))?)$/gm;
const HIDDEN = /^( *)\/\/ decorator: (.*)$/gm;

/** `source` with its decorators hidden in comments; lines keep their numbers. */
export function hideDecorators(source: string): string {
  return source.replace(DECORATOR, "$1// decorator: $2");
}

/** Undoes {@linkcode hideDecorators}. */
export function showDecorators(source: string): string {
  return source.replace(HIDDEN, "$1@$2");
}

/**
 * Runs deno with `args` in a folder that has the core's files with hidden
 * decorators, then gives the folder to `look`.
 */
export async function withReadableCore<T>(
  args: readonly string[],
  look: (folder: string, output: Deno.CommandOutput) => T,
): Promise<T> {
  const folder = Deno.realPathSync(Deno.makeTempDirSync());
  try {
    for (const path of coreFiles()) {
      const to = `${folder}/${path}`;
      Deno.mkdirSync(to.slice(0, to.lastIndexOf("/")), { recursive: true });
      const source = Deno.readTextFileSync(CORE + path);
      Deno.writeTextFileSync(to, hideDecorators(source));
    }
    const output = await new Deno.Command(Deno.execPath(), {
      args: [...args],
      cwd: folder,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
    return look(folder, output);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}
