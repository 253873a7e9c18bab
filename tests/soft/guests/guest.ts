// Runs a guest of this folder (see common.inc) on the software platform and under
// QEMU, and gives back the 32-bit words that it logged.

import { Reg } from "../../../ffi/registers.ts";
import { Partition } from "../../../src/platform/mod.ts";
import { openSoft } from "../../../src/soft/mod.ts";
import { runTool } from "../../util/tools.ts";

const directory = new URL("./", import.meta.url).pathname;
const ROM_BYTES = 0x10000;
const RAM_BYTES = 0x100000;
const LOG_PORT = 0xe9;
const END_PORT = 0xf4;
/** Words that a guest can log before it is surely lost. */
const LOG_LIMIT = 0x20000;

/** How a guest is run. */
export interface GuestOptions {
  readonly cpus?: number;
  /** A LocalApicEmulationMode; None if absent. */
  readonly apic?: number;
  /** QEMU's CPU model; Westmere if absent. */
  readonly cpu?: string;
}

function words(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from(
    { length: bytes.byteLength >> 2 },
    (_, i) => view.getUint32(i * 4, true),
  );
}

/** Assembles NAME.S into a ROM image in `folder`; its path. */
export function assemble(name: string, folder: string): string {
  return assembleFile(`${directory}${name}.S`, folder);
}

/** The same of a source anywhere, which finds what it includes in `folders`. */
export function assembleFile(
  source: string,
  folder: string,
  folders: readonly string[] = [],
): string {
  const name = source.slice(source.lastIndexOf("/") + 1, -2);
  const object = `${folder}/${name}.o`;
  const image = `${folder}/${name}.bin`;
  runTool("as", [
    "--64",
    ...[directory, ...folders].flatMap((each) => ["-I", each]),
    source,
    "-o",
    object,
  ]);
  runTool("ld", [
    "-m",
    "elf_x86_64",
    "-Ttext=0x10000",
    "--oformat=binary",
    "-e",
    "0",
    "-o",
    image,
    object,
  ]);
  const bytes = Deno.statSync(image).size;
  if (bytes !== ROM_BYTES) {
    throw new Error(`${name}.S gives ${bytes} bytes, not ${ROM_BYTES}`);
  }
  return image;
}

/** Runs the image at `path` on the software platform. */
export async function runSoft(
  path: string,
  options: GuestOptions = {},
): Promise<number[]> {
  const image = Deno.readFileSync(path);
  const soft = await openSoft({ memoryBytes: RAM_BYTES + ROM_BYTES });
  const partition = Partition.create(soft);
  partition.setProcessorCount(options.cpus ?? 1);
  partition.setLocalApicEmulationMode(options.apic ?? 0);
  partition.setup();
  const rom = RAM_BYTES;
  soft.guestMemory.set(image, RAM_BYTES - ROM_BYTES);
  soft.guestMemory.set(image, rom);
  partition.mapGpaRange(soft.guestMemory.subarray(0, RAM_BYTES), 0, 7);
  partition.mapGpaRange(soft.guestMemory.subarray(rom), 0xffff0000, 5);
  const vps = Array.from(
    { length: options.cpus ?? 1 },
    (_, i) => partition.createVirtualProcessor(i),
  );
  const log: number[] = [];
  const [bsp, ...others] = vps;
  // application processors take no exit of their own here
  const waiting = others.map((vp) => vp.run());
  try {
    for (;;) {
      const exit = await bsp.run();
      if (exit.reason !== "ioPort") {
        throw new Error(
          `unexpected ${exit.reason} exit at ${bsp.get(Reg.Rip).toString(16)}`,
        );
      }
      if (exit.port === END_PORT) return words(Uint8Array.from(log));
      if (exit.port !== LOG_PORT || log.length > LOG_LIMIT) {
        throw new Error(`unexpected output to port ${exit.port}`);
      }
      log.push(Number(exit.rax & 0xffn));
      bsp.set(Reg.Rip, bsp.get(Reg.Rip) + 2n);
    }
  } finally {
    for (const vp of others) vp.cancel();
    await Promise.all(waiting);
    for (const vp of vps) vp.delete();
    partition.delete();
    soft.close();
  }
}

/** Runs the image at `path` under QEMU; throws if it does not end in 60 s. */
export function runQemu(path: string, options: GuestOptions = {}): number[] {
  const output = `${path}.qemu`;
  const { code, stderr } = new Deno.Command("timeout", {
    args: [
      "60",
      "qemu-system-x86_64",
      "-accel",
      "tcg",
      "-cpu",
      options.cpu ?? "Westmere",
      "-m",
      "16",
      "-smp",
      String(options.cpus ?? 1),
      "-nodefaults",
      "-display",
      "none",
      "-no-reboot",
      "-bios",
      path,
      "-debugcon",
      `file:${output}`,
      "-device",
      `isa-debug-exit,iobase=${END_PORT},iosize=1`,
    ],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).outputSync();
  // isa-debug-exit's status for the value 0
  if (code !== 1) {
    throw new Error(`QEMU: ${code}\n${new TextDecoder().decode(stderr)}`);
  }
  return words(Deno.readFileSync(output));
}
