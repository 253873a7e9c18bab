// Debian's kernel on icebp and, where it is there, on QEMU's TCG, in one run: boots to
// init and power-off, also through the native test library (tests/native), where every
// exit is a foreign call; and 100 MiB read from a virtio disk. What is measured is whole
// processes, so a bench is a few runs, not thousands. `deno task guest:debian` has to
// have fetched the guest.

import { debianInitramfs, fetchDebian } from "../tests/guests/debian.ts";
import { buildNative, whyNoNative } from "../tests/native/build.ts";

const MIB = 1024 * 1024;
const DISK_BYTES = 100 * MIB;
const COMMAND_LINE = "console=ttyS0 quiet panic=-1 cryptomgr.notests";
const MOD = new URL("../mod.ts", import.meta.url).href;

const guest = await fetchDebian();
const folder = await Deno.makeTempDir({ prefix: "icebp-bench-" });
globalThis.addEventListener("unload", () => {
  Deno.removeSync(folder, { recursive: true });
});

async function initrd(name: string, script: string): Promise<string> {
  const path = `${folder}/${name}.gz`;
  await Deno.writeFile(path, debianInitramfs(guest, script));
  return path;
}

const hello = await initrd("hello", "echo hello from init\n");
const reader = await initrd(
  "reader",
  "echo BEGIN; dd if=/dev/vda of=/dev/null bs=1M; echo END\n",
);
const disk = `${folder}/disk.img`;
Deno.truncateSync(Deno.createSync(disk) && disk, DISK_BYTES);

function icebp(cpus: number, image: string, ...more: string[]): Deno.Command {
  const args = ["run", "-A", "--no-check", MOD, "--memory=512M"];
  args.push(`--cpus=${cpus}`, `--append=${COMMAND_LINE}`, `--initrd=${image}`);
  return new Deno.Command(Deno.execPath(), {
    args: [...args, ...more, guest.kernel],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  });
}

function qemu(cpus: number, image: string): Deno.Command {
  return new Deno.Command("qemu-system-x86_64", {
    // deno-fmt-ignore
    args: [
      "-accel", "tcg", "-cpu", "max", "-smp", `${cpus}`, "-m", "512",
      "-display", "none", "-no-reboot", "-serial", "stdio",
      "-kernel", guest.kernel, "-initrd", image, "-append", COMMAND_LINE,
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  });
}

function hasQemu(): boolean {
  try {
    return new Deno.Command("qemu-system-x86_64", { args: ["--version"] })
      .outputSync().success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Measures a boot to its end; throws unless the guest said so. */
async function boot(
  bench: Deno.BenchContext,
  command: Deno.Command,
): Promise<void> {
  bench.start();
  const { stdout } = await command.output();
  bench.end();
  const said = new TextDecoder().decode(stdout);
  if (!/hello from init[^]*reboot: Power down/.test(said)) {
    throw new Error(`the guest did not get to its end: ${said.slice(-500)}`);
  }
}

const withQemu = hasQemu();
const noNative = whyNoNative();
const native = noNative === null ? await buildNative() : null;
if (noNative !== null) console.warn(`SKIPPED: native: ${noNative}`);
for (const cpus of [1, 2]) {
  const group = `Linux: boot to init and power off, ${cpus} processor(s)`;
  if (withQemu) {
    Deno.bench({
      name: `QEMU TCG, ${cpus}`,
      group,
      baseline: true,
      n: 3,
      warmup: 1,
      fn: async (bench) => await boot(bench, qemu(cpus, hello)),
    });
  }
  Deno.bench({
    name: `icebp, ${cpus}`,
    group,
    n: 3,
    warmup: 1,
    fn: async (bench) => await boot(bench, icebp(cpus, hello)),
  });
  if (native !== null) {
    Deno.bench({
      name: `icebp on the native library, ${cpus}`,
      group,
      n: 3,
      warmup: 1,
      fn: async (bench) =>
        await boot(bench, icebp(cpus, hello, `--platform=${native}`)),
    });
  }
}

Deno.bench({
  name: "100 MiB from a virtio disk",
  group: "Linux: disk",
  n: 3,
  warmup: 1,
  fn: async (bench) => {
    const child = icebp(1, reader, `--disk=${disk},ro`).spawn();
    let said = "";
    for await (
      const text of child.stdout.pipeThrough(new TextDecoderStream())
    ) {
      const before = said;
      said += text;
      if (!before.includes("BEGIN") && said.includes("BEGIN")) bench.start();
      if (!before.includes("END") && said.includes("END")) bench.end();
    }
    await child.status;
    if (!said.includes("END")) throw new Error(said.slice(-500));
  },
});
