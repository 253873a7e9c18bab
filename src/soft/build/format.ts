// Formats src/soft/core, decorators and all: part of `deno task fmt`. With --check
// it says only which files are not formatted (exit code 1 if any).

import {
  CORE,
  coreFiles,
  showDecorators,
  withReadableCore,
} from "./core_sources.ts";

/** Formatted text of the files that are not formatted, by path in the core. */
function unformatted(): Promise<Map<string, string>> {
  return withReadableCore(
    ["fmt", "--quiet", "--no-config", "."],
    (folder, output) => {
      if (!output.success) {
        throw new Error(new TextDecoder().decode(output.stderr));
      }
      const changed = new Map<string, string>();
      for (const path of coreFiles()) {
        const text = showDecorators(Deno.readTextFileSync(`${folder}/${path}`));
        if (text !== Deno.readTextFileSync(CORE + path)) {
          changed.set(
            path,
            text,
          );
        }
      }
      return changed;
    },
  );
}

if (import.meta.main) {
  const changed = await unformatted();
  if (Deno.args.includes("--check")) {
    for (const path of changed.keys()) {
      console.error(
        `src/soft/core/${path}: not formatted: run \`deno task fmt\``,
      );
    }
    if (changed.size > 0) Deno.exit(1);
  } else {
    for (const [path, text] of changed) {
      console.log(`src/soft/core/${path}`);
      Deno.writeTextFileSync(CORE + path, text);
    }
  }
}
