// The outside programs that some tests need (installed by .ci/run), and how a
// test says that it cannot run without one.

const decoder = new TextDecoder();
const found = new Map<string, boolean>();

/** True if `name` can be started from PATH. */
export function haveTool(name: string): boolean {
  let have = found.get(name);
  if (have === undefined) {
    have = searchPath(name);
    found.set(name, have);
  }
  return have;
}

function searchPath(name: string): boolean {
  const windows = Deno.build.os === "windows";
  const folders = (Deno.env.get("PATH") ?? "").split(windows ? ";" : ":");
  for (const folder of folders) {
    for (const suffix of windows ? [".exe", ".cmd", ""] : [""]) {
      try {
        const info = Deno.statSync(`${folder}/${name}${suffix}`);
        if (info.isFile) return true;
      } catch (error) {
        if (
          !(error instanceof Deno.errors.NotFound) &&
          !(error instanceof Deno.errors.NotADirectory) &&
          !(error instanceof Deno.errors.PermissionDenied)
        ) throw error;
      }
    }
  }
  return false;
}

/**
 * For `Deno.test({ ignore: !requireTool("gcc") })`: whether the tool is there.
 * If it is not, a line on the console says what is skipped for want of it.
 */
export function requireTool(...names: string[]): boolean {
  let all = true;
  for (const name of names) {
    if (haveTool(name)) continue;
    all = false;
    console.warn(`SKIPPED: tests that need ${name} (not on PATH; see .ci/run)`);
  }
  return all;
}

/** Runs a tool to its end; throws with its standard error unless it exits 0. */
export function runTool(
  name: string,
  args: string[],
  options: { cwd?: string } = {},
): string {
  const { success, code, stdout, stderr } = new Deno.Command(name, {
    args,
    cwd: options.cwd,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).outputSync();
  if (!success) {
    throw new Error(
      `${name} ${args.join(" ")} exited ${code}\n${decoder.decode(stderr)}`,
    );
  }
  return decoder.decode(stdout);
}

/** Ends a program in any case. */
export function kill(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch (error) {
    // It ended by itself.
    if (!(error instanceof TypeError)) throw error;
  }
}
