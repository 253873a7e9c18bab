/** The guest's files: read, and made into a boot image. */
import { DEMO_ELF, demoFile, demoFileNames } from "../boot/demo/mod.ts";
import { BootError, type BootImage } from "../boot/image.ts";
import { loadGuest } from "../boot/load.ts";
import type { RunOptions } from "./options.ts";

/** Ends the demo when nobody debugs it; three seconds of guest time. */
const DEMO_TICKS = "ticks=300";

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

/** The longest file that a guest may have in memory. */
const MOST_BYTES = 0xffff_ffff;

async function read(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const { isDirectory, size } = await Deno.stat(path);
    if (isDirectory) throw new FileError(`${path}: a folder, not a file`);
    if (size > MOST_BYTES) throw new FileError(`${path}: too large to load`);
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof FileError) throw error;
    throw fileProblem(error, path);
  }
}

/** Makes the boot image; throws a FileError or a BootError. */
export async function readGuest(options: RunOptions): Promise<BootImage> {
  const { guest, initrd } = options;
  const demo = guest === undefined;
  const text = (path: string, rest: string) =>
    rest === "" ? path : `${path} ${rest}`;
  return loadGuest({
    image: demo ? demoFile(DEMO_ELF) : await read(guest),
    name: demo ? DEMO_ELF : guest,
    commandLine: demo && options.append === "" && options.gdb === undefined
      ? DEMO_TICKS
      : options.append,
    initrd: initrd === undefined
      ? undefined
      : { bytes: await read(initrd), text: initrd },
    modules: await Promise.all(options.modules.map(async (module) => ({
      bytes: await read(module.path),
      text: text(module.path, module.text),
    }))),
    ramBytes: options.memoryBytes,
    cpus: options.cpus,
    virtioDevices: options.disks.length,
    flat: options.flat,
  });
}

/** Writes the demo's kernel and sources into `folder`, which is made. */
export async function writeDemo(folder: string): Promise<void> {
  try {
    await Deno.mkdir(folder, { recursive: true });
    for (const name of demoFileNames()) {
      await Deno.writeFile(`${folder}/${name}`, demoFile(name));
    }
  } catch (error) {
    throw fileProblem(error, folder);
  }
}

export { BootError };
