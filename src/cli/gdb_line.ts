/** The line that attaches gdb, for the user to paste. */
import { DEMO_ELF } from "../boot/demo/mod.ts";
import { FileError } from "./files.ts";
import { writeDemo } from "./guest.ts";

/** A word as the system's shell takes it. */
function quote(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  // cmd.exe knows double quotes only, and a path has none.
  if (Deno.build.os === "windows") return `"${word}"`;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** How gdb names the address. */
export function gdbTarget(address: Deno.Addr): string {
  if (address.transport === "unix") return address.path;
  if (address.transport !== "tcp") return "";
  const any = ["0.0.0.0", "::"].includes(address.hostname);
  const host = any ? "localhost" : address.hostname;
  return `${host.includes(":") ? `[${host}]` : host}:${address.port}`;
}

/** The command; `guest` is a file that gdb can read, `folder` is where the
 * demo's symbols and sources are. */
export function gdbLine(
  address: Deno.Addr,
  guest: string | undefined,
  folder: string | undefined,
): string {
  const words = ["gdb"];
  if (guest !== undefined) words.push(quote(guest));
  else if (folder !== undefined) {
    words.push("-d", quote(folder), quote(`${folder}/${DEMO_ELF}`));
  }
  words.push("-ex", quote(`target remote ${gdbTarget(address)}`));
  return words.join(" ");
}

/** Puts the demo's files into a new folder where gdb can read them; undefined
 * if it must not. */
export async function placeDemoSymbols(
  say: (line: string) => void,
): Promise<string | undefined> {
  try {
    const folder = await Deno.makeTempDir({ prefix: "icebp-demo-" });
    await writeDemo(folder);
    return folder;
  } catch (error) {
    const refused = error instanceof Deno.errors.NotCapable ||
      (error instanceof FileError &&
        error.cause instanceof Deno.errors.NotCapable);
    if (!refused) throw error;
    say(
      "The demo's symbols need a folder: run with --allow-write, or once " +
        "with --write-demo FOLDER.",
    );
    return undefined;
  }
}
