/** The guest's files: read, and what is to become of them. */
import { DEMO_ELF, demoFile, demoFileNames } from "../boot/demo/mod.ts";
import type { BootRequest } from "../boot/image.ts";
import type { GuestFile } from "../history/recording.ts";
import { fileProblem, readRegular } from "./files.ts";
import type { RunOptions } from "./options.ts";
import { virtioCount } from "./virtio.ts";

/** Ends the demo when nobody debugs it; three seconds of guest time. */
const DEMO_TICKS = "ticks=300";

/** The longest file that a guest may have in memory. */
const MOST_BYTES = 0xffff_ffff;

/** What a guest is told about its files, as its user named them. JSON-able. */
export interface GuestTexts {
  readonly name: string;
  readonly commandLine: string;
  readonly initrd?: string;
  readonly modules: readonly string[];
}

/** What a guest is told in a request. */
export function textsOf(request: BootRequest): GuestTexts {
  const { name, commandLine, initrd, modules } = request;
  return {
    name,
    commandLine,
    initrd: initrd?.text,
    modules: modules.map(({ text }) => text),
  };
}

/** The user's files of a request that was made of these options. */
export function filesOf(
  { guest, initrd, modules }: Pick<
    RunOptions,
    "guest" | "initrd" | "modules"
  >,
  request: BootRequest,
): GuestFile[] {
  const files: GuestFile[] = [];
  if (guest !== undefined) files.push({ name: guest, bytes: request.image });
  if (initrd !== undefined) {
    files.push({ name: initrd, bytes: request.initrd!.bytes });
  }
  modules.forEach(({ path }, i) =>
    files.push({ name: path, bytes: request.modules[i].bytes })
  );
  return files;
}

/** Reads a user's file of at most 4 GiB; throws a FileError. */
export function readFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
  return readRegular(path, MOST_BYTES);
}

/** Reads the guest, its files through `read`; throws a FileError. `texts` is what it was
 * told before, if it is one that goes on. */
export async function readGuest(
  options: RunOptions,
  read: (path: string) => Promise<Uint8Array> = readFile,
  texts: GuestTexts | null = null,
): Promise<BootRequest> {
  const { guest, initrd } = options;
  const demo = guest === undefined;
  const text = (path: string, rest: string) =>
    rest === "" ? path : `${path} ${rest}`;
  return {
    image: demo ? demoFile(DEMO_ELF) : await read(guest),
    name: texts?.name ?? (demo ? DEMO_ELF : guest),
    commandLine: texts?.commandLine ??
      (demo && options.append === "" && options.gdb === undefined
        ? DEMO_TICKS
        : options.append),
    initrd: initrd === undefined
      ? undefined
      : { bytes: await read(initrd), text: texts?.initrd ?? initrd },
    modules: await Promise.all(options.modules.map(async (module, i) => ({
      bytes: await read(module.path),
      text: texts?.modules[i] ?? text(module.path, module.text),
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
