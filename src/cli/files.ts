/** What went wrong with a file, in the user's words. */

/** A file of the user's that cannot be read; the message is one line. */
export class FileError extends Error {
  override readonly name = "FileError";
}

/** The reason a file operation failed, without Deno's extra words. */
export function fileProblem(error: unknown, path: string): FileError {
  if (error instanceof Deno.errors.NotFound) {
    return new FileError(`${path}: no such file`, { cause: error });
  }
  if (error instanceof Deno.errors.NotCapable) {
    return new FileError(`${path}: ${error.message}`, { cause: error });
  }
  const message = error instanceof Error ? error.message : String(error);
  return new FileError(`${path}: ${message.split("\n")[0]}`, { cause: error });
}

/** Throws a FileError that names what is no regular file: devices have no end,
 * and a pipe waits for whoever may write to it. */
export function refuseIrregular(info: Deno.FileInfo, path: string): void {
  if (info.isFile) return;
  const what = info.isDirectory
    ? "a folder"
    : info.isFifo
    ? "a pipe"
    : info.isSocket
    ? "a socket"
    : "a device";
  throw new FileError(`${path}: ${what}, not a file`);
}

/** Whether there is something of this name. */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw fileProblem(error, path);
  }
}

/** Throws a FileError for a file that is not what it was when the run was recorded. */
export function refuseOther(path: string, is: string, was: string): void {
  if (is === was) return;
  throw new FileError(
    `${path}: not as it was when the run was recorded; a copy from then, here or ` +
      "beside the recording, or a recording with --record-all, can be repeated",
  );
}

/** The bytes of a regular file of at most `most` bytes: as many as it has when
 * it is opened, so that a file that grows has an end, too. */
export async function readRegular(
  path: string,
  most: number,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    // Before it is opened: opening a pipe waits.
    refuseIrregular(await Deno.stat(path), path);
    using file = await Deno.open(path);
    const { size } = await file.stat();
    if (size > most) throw new FileError(`${path}: too large to load`);
    const bytes = new Uint8Array(size);
    let done = 0;
    while (done < size) {
      const count = await file.read(bytes.subarray(done));
      if (count === null) break;
      done += count;
    }
    return bytes.subarray(0, done);
  } catch (error) {
    if (error instanceof FileError) throw error;
    throw fileProblem(error, path);
  }
}
