// Debian's kernel as a machine of this process, with what a test of time wants of it.

import { loadGuest } from "../../src/boot/load.ts";
import { startGuest } from "../../src/boot/start.ts";
import { SeededEntropy } from "../../src/cli/entropy.ts";
import { readGuest } from "../../src/cli/guest.ts";
import { parseOptions, type RunOptions } from "../../src/cli/options.ts";
import { type OpenedPlatform, openPlatform } from "../../src/cli/platform.ts";
import { VirtioDevices } from "../../src/cli/virtio.ts";
import { Debugger } from "../../src/debug/debugger.ts";
import type { Stop } from "../../src/debug/target.ts";
import { Machine } from "../../src/machine/machine.ts";
import { type DebianGuest, debianInitramfs } from "../guests/debian.ts";
import { once } from "../util/once.ts";

/** A booted, or booting, Debian. */
export interface Debian {
  readonly machine: Machine;
  readonly debugger: Debugger;
  readonly opened: OpenedPlatform;
  /** What the serial port has said. */
  readonly output: () => string;
  /** Runs all processors until they stop. */
  run(): Promise<Stop>;
  close(): Promise<void>;
}

/** Makes the machine; `script` is what the guest does once it has booted. Without
 * --translate it translates as tests are told to. */
export async function debian(
  guest: DebianGuest,
  folder: string,
  script: string,
  ...args: string[]
): Promise<Debian> {
  const initrd = `${folder}/initramfs.gz`;
  await Deno.writeFile(initrd, debianInitramfs(guest, script));
  const options = parseOptions([
    "--platform",
    "soft",
    "--memory",
    "128M",
    "--append",
    "console=ttyS0 panic=-1 cryptomgr.notests",
    "--initrd",
    initrd,
    ...args,
    guest.kernel,
  ]) as RunOptions;
  const image = loadGuest(await readGuest(options));
  const opened = await openPlatform(
    "soft",
    options.memoryBytes,
    "virtual",
    args.some((arg) => arg.startsWith("--translate"))
      ? options.translate
      : undefined,
  );
  let output = "";
  const virtio = new VirtioDevices(options, () => {}, null);
  const machine = new Machine({
    platform: opened.platform,
    guestMemory: opened.guestMemory,
    clock: opened.clock,
    entropy: new SeededEntropy(1n),
    cpus: options.cpus,
    apic: options.apic,
    ramBytes: options.memoryBytes,
    startTime: 1_700_000_000n,
    serialOut: (bytes) => output += String.fromCharCode(...bytes),
    onHostWrite: opened.onHostWrite,
    attach: (machine) => virtio.attach(machine),
  });
  startGuest(machine, image);
  const control = new Debugger(machine);
  return {
    machine,
    debugger: control,
    opened,
    output: () => output,
    run: () =>
      new Promise((resolve) => {
        once(control.onStop, resolve);
        control.resume(
          machine.processors.map(() => ({ kind: "continue" })),
        );
      }),
    async close() {
      await machine.close();
      virtio.close();
      opened.platform.close();
    },
  };
}
