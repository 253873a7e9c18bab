// Guests as machines of this process, with what a test of time wants of them: those that
// the command's options make, Debian's kernel among them, and the one that works.

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
import { LongMode } from "../debug/long_mode.ts";
import { type DebianGuest, debianInitramfs } from "../guests/debian.ts";
import { once } from "../util/once.ts";
import { WORK } from "./work.ts";

/** A guest that can be run and gone on with. */
export interface TimedGuest {
  readonly machine: Machine;
  readonly debugger: Debugger;
  readonly opened: OpenedPlatform;
  /** What the serial port has said. */
  readonly output: () => string;
  /** Runs all processors until they stop. */
  run(): Promise<Stop>;
  close(): Promise<void>;
}

/** Makes the machine that the command would with these arguments; without --translate it
 * translates as tests are told to. */
export async function ofCommand(...args: string[]): Promise<TimedGuest> {
  const options = parseOptions(["--platform", "soft", ...args]) as RunOptions;
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

/** Debian's kernel; `script` is what the guest does once it has booted. */
export async function debian(
  guest: DebianGuest,
  folder: string,
  script: string,
  ...args: string[]
): Promise<TimedGuest> {
  const initrd = `${folder}/initramfs.gz`;
  await Deno.writeFile(initrd, debianInitramfs(guest, script));
  return await ofCommand(
    "--memory",
    "128M",
    "--append",
    "console=ttyS0 panic=-1 cryptomgr.notests",
    "--initrd",
    initrd,
    ...args,
    guest.kernel,
  );
}

/** The demo's kernel, which works with all its processors and a timer. */
export function demo(cpus: number): Promise<TimedGuest> {
  return ofCommand("--memory", "8M", "--cpus", `${cpus}`);
}

/** The guest that works. */
export async function work(cpus: number): Promise<TimedGuest> {
  const guest = await LongMode.start(WORK, cpus);
  return {
    machine: guest.machine,
    debugger: guest.debugger,
    opened: guest.opened,
    output: () => guest.output,
    run: () => guest.run(),
    close: () => Promise.resolve(guest.close()),
  };
}

/** Runs a guest to exactly so many instructions; what `see` makes of it there. The guest
 * stands then, there or a little later. */
export async function seenAt<T>(
  { machine, debugger: control, run }: TimedGuest,
  count: number,
  see: () => T,
): Promise<T> {
  const time = machine.options.platform.timeTravel!;
  const seen: T[] = [];
  time.whenExactly(count, () => {
    seen.push(see());
    control.interrupt();
  });
  await run();
  if (seen.length === 0) throw new Error(`the guest ended before ${count}`);
  return seen[0];
}
