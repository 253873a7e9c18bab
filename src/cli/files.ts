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
