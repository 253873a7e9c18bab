/** The guest's files: read, and what is to become of them. */
import { DEMO_ELF, demoFile, demoFileNames } from "../boot/demo/mod.ts";
import type { BootRequest } from "../boot/image.ts";
import { fileProblem, readRegular } from "./files.ts";
import type { RunOptions } from "./options.ts";
import { virtioCount } from "./virtio.ts";

/** Ends the demo when nobody debugs it; three seconds of guest time. */
const DEMO_TICKS = "ticks=300";

/** The longest file that a guest may have in memory. */
const MOST_BYTES = 0xffff_ffff;

const read = (path: string) => readRegular(path, MOST_BYTES);

/** Reads the guest; throws a FileError. */
export async function readGuest(options: RunOptions): Promise<BootRequest> {
  const { guest, initrd } = options;
  const demo = guest === undefined;
  const text = (path: string, rest: string) =>
    rest === "" ? path : `${path} ${rest}`;
  return {
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
    virtioDevices: virtioCount(options),
    flat: options.flat,
  };
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
