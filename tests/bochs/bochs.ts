/**
 * Runs a ROM image of tests/soft/guests' kind under Bochs, without a display.
 *
 * Debian's Bochs has the wx and rfb displays and the debugger. rfb needs no
 * screen: it listens for a viewer on the first free port from 5900 on and, with
 * a timeout of 0, does not wait for one. The debugger wants to be told to
 * continue. What the guest writes to port 0xE9 is on standard output, with
 * other things around it; "Shutdown" at port 0x8900 ends it. The speaker's
 * plugin aborts without a sound card, the VGA BIOS is not packaged: both are
 * left out.
 *
 * @module
 */

/** Guests' logs begin and end with these words, so they can be found. */
export const BEGIN = 0xc0de0000;
export const END = 0xc0deffff;

const LIMIT_SECONDS = 60;

function configuration(image: string, folder: string): string {
  return [
    "config_interface: textconfig",
    'display_library: rfb, options="timeout=0"',
    `romimage: file=${image}, address=0xffff0000, options=none`,
    `vgaromimage: file=${folder}/vga.bin`,
    "megs: 32",
    "cpu: model=corei7_sandy_bridge_2600k, ips=50000000",
    "cpu: reset_on_triple_fault=0",
    "boot: floppy",
    "port_e9_hack: enabled=1",
    "plugin_ctrl: speaker=0",
    "sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy",
    `log: ${folder}/bochs.log`,
    "panic: action=fatal",
    "error: action=report",
    "info: action=report",
    "debug: action=ignore",
    "",
  ].join("\n");
}

/** An option ROM of one block that does nothing. */
function emptyRom(): Uint8Array {
  const rom = new Uint8Array(512);
  rom.set([0x55, 0xaa, 1, 0xcb]);
  rom[511] = 0x100 - (0x55 + 0xaa + 1 + 0xcb) & 0xff;
  return rom;
}

/** The words from BEGIN to END that the image at `image` logs. */
export async function runBochs(
  image: string,
  folder: string,
): Promise<number[]> {
  Deno.writeFileSync(`${folder}/vga.bin`, emptyRom());
  const rc = `${folder}/bochsrc`;
  Deno.writeTextFileSync(rc, configuration(image, folder));
  const child = new Deno.Command("timeout", {
    args: [String(LIMIT_SECONDS), "bochs", "-q", "-f", rc],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode("c\n"));
  const output = new Uint8Array(
    await new Response(child.stdout).arrayBuffer(),
  );
  await child.status;
  await writer.close().catch(() => {}); // it has ended
  return logIn(output);
}

/** The log among the bytes of standard output. */
function logIn(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at + 4 <= bytes.length && view.getUint32(at, true) !== BEGIN) at++;
  const words: number[] = [];
  for (; at + 4 <= bytes.length; at += 4) {
    words.push(view.getUint32(at, true));
    if (words[words.length - 1] === END) return words;
  }
  throw new Error(
    `Bochs: the guest did not end; ${words.length} words, the last ` +
      words.slice(-12).map((word) => word.toString(16)).join(" "),
  );
}
