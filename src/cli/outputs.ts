/** Files that a run writes: none of them is one that it reads, or that it also writes
 * otherwise; and those that are written at its end can be. */
import { FileError, fileProblem, refuseIrregular } from "./files.ts";
import type { RunOptions } from "./options.ts";

type Named = readonly [what: string, path: string | undefined];

/** Throws a FileError where an output would write over a file that the run needs. */
export function refuseOverwriting(options: RunOptions): void {
  const taken = new Map<string, string>();
  const inputs: Named[] = [
    ["the guest", options.guest],
    ["the initial RAM disk", options.initrd],
    ...options.modules.map(({ path }): Named => ["a module", path]),
    ...options.disks.map(({ path }): Named => ["a disk", path]),
    ["the recording", options.replay],
  ];
  for (const [what, path] of inputs) {
    const file = path === undefined ? null : identity(path);
    if (file !== null) taken.set(file, what);
  }
  const { serial, console: hvc, record, saveAtExit, restore } = options;
  const outputs: Named[] = [
    ["--serial", serial.kind === "file" ? serial.path : undefined],
    ["--console", hvc?.kind === "file" ? hvc.path : undefined],
    ["--record", record],
    ["--save-at-exit", saveAtExit],
  ];
  const snapshot = restore === undefined ? null : identity(restore);
  for (const [option, path] of outputs) {
    const file = path === undefined ? null : identity(path);
    if (file === null) continue;
    // A machine may be saved where it came from: as a whole, at the end.
    const over = taken.get(file) ??
      (file === snapshot && option !== "--save-at-exit"
        ? "the snapshot"
        : undefined);
    if (over !== undefined) {
      throw new FileError(`${path}: ${option} would write over ${over}`);
    }
    taken.set(file, `what ${option} writes`);
  }
}

/** What is the same for two names of a file; null for what can be written twice, as
 * devices can. */
function identity(path: string): string | null {
  const may = { name: "read", path } as const;
  if (Deno.permissions.querySync(may).state !== "granted") return path;
  try {
    const { isFile, dev, ino } = Deno.statSync(path);
    if (!isFile) return null;
    return ino === null ? Deno.realPathSync(path) : `${dev}:${ino}`;
  } catch {
    return path; // there is none, or who opens it says what is wrong
  }
}

/** Throws a FileError if a file cannot be made at this place, now and so at the end. */
export async function refuseUnwritable(path: string): Promise<void> {
  const trial = `${path}.${crypto.randomUUID().slice(0, 8)}`;
  try {
    const there = await Deno.stat(path).catch((error) => {
      if (error instanceof Deno.errors.NotFound) return null;
      throw error;
    });
    if (there !== null) refuseIrregular(there, path);
    (await Deno.open(trial, { write: true, createNew: true })).close();
    await Deno.remove(trial);
  } catch (error) {
    if (error instanceof FileError) throw error;
    throw fileProblem(error, path);
  }
}
