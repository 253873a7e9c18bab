/**
 * Builds the demo guest with GNU as, gcc and ld, and writes image.ts, where it
 * is embedded with its sources. Run as `deno task guest:demo`. The same gcc and
 * binutils give the same bytes anywhere.
 */

const here = new URL(".", import.meta.url);
const GUEST = new URL("guest/", here);
const IMAGE = new URL("image.ts", here);
/** Sources of the image, in link order, and what they include. */
const SOURCES = ["boot.S", "kernel.c", "machine.c"];
const EMBEDDED = [...SOURCES, "machine.h"];
const CFLAGS = [
  "-m64",
  "-ffreestanding",
  "-fno-pic",
  "-no-pie",
  "-mcmodel=small",
  "-mno-red-zone",
  "-mgeneral-regs-only",
  "-fno-stack-protector",
  "-fno-asynchronous-unwind-tables",
  "-fno-omit-frame-pointer",
  "-fcf-protection=none",
  "-Og",
  "-g",
  "-Wall",
  "-Wextra",
  "-Werror",
];

async function run(tool: string, args: string[], cwd: URL): Promise<void> {
  const { success, stderr } = await new Deno.Command(tool, { args, cwd })
    .output();
  if (success) return;
  throw new Error(`${tool} failed:\n${new TextDecoder().decode(stderr)}`);
}

/** Compiles and links the guest; returns the ELF file's bytes. */
export async function buildDemo(): Promise<Uint8Array<ArrayBuffer>> {
  const folder = await Deno.makeTempDir({ prefix: "icebp-demo" });
  try {
    // Paths must not reach the debug information: they differ everywhere.
    const path = decodeURI(GUEST.pathname).replace(/\/$/, "");
    const prefix = `-ffile-prefix-map=${path}=.`;
    const objects: string[] = [];
    for (const source of SOURCES) {
      const object = `${folder}/${source}.o`;
      await run("gcc", [...CFLAGS, prefix, "-c", source, "-o", object], GUEST);
      objects.push(object);
    }
    const elf = `${folder}/demo.elf`;
    await run("ld", [
      "-nostdlib",
      "-static",
      "-z",
      "noexecstack",
      "--build-id=none",
      "-T",
      "guest.ld",
      ...objects,
      "-o",
      elf,
    ], GUEST);
    return await Deno.readFile(elf);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The text of image.ts for this ELF file and the sources beside it. */
export async function imageModule(elf: Uint8Array): Promise<string> {
  const files: [string, Uint8Array][] = [["demo.elf", elf]];
  for (const name of EMBEDDED) {
    files.push([name, await Deno.readFile(new URL(name, GUEST))]);
  }
  const entries = files.map(([name, bytes]) => {
    const lines = bytes.toBase64().match(/.{1,76}/g) ?? [];
    return `  "${name}": \`\n${lines.join("\n")}\n\`,\n`;
  });
  return "// Made by build.ts from guest/: do not edit. Base64.\n\n" +
    "/** The demo guest and its sources, by file name. */\n" +
    `export const DEMO_BASE64 = {\n${entries.join("")}} as const;\n`;
}

if (import.meta.main) {
  await Deno.writeTextFile(IMAGE, await imageModule(await buildDemo()));
}
