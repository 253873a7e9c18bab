// `deno task bench:guests [NAME...]`: programs and Linux, each on icebp and on QEMU's TCG
// in turn, and the ratio. Names are of lines; without any all are measured.
// ICEBP_BENCH_ROUNDS (5) says how many rounds.

import { debianInitramfs, fetchDebian } from "../tests/guests/debian.ts";
import { haveTool } from "../tests/util/tools.ts";
import {
  between,
  compare,
  type Cost,
  heading,
  least,
  whole,
} from "./measure.ts";
import { build, EMPTY, PROGRAMS } from "./programs.ts";
import { systemdDisk, systemdInitrd } from "./systemd.ts";

const ROUNDS = Number(Deno.env.get("ICEBP_BENCH_ROUNDS") ?? 5);
const MOD = new URL("../mod.ts", import.meta.url).pathname;

function icebp(...args: string[]): string[] {
  return [Deno.execPath(), "run", "-A", "--no-check", MOD, ...args];
}

// deno-fmt-ignore
function qemu(memory: string, ...args: string[]): string[] {
  return [
    "qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", memory,
    "-display", "none", "-monitor", "none", "-no-reboot", ...args,
  ];
}

/** Both runs of a program; they have to end with the same code. */
function program(image: string) {
  let code: number | undefined;
  const same = (ended: number) =>
    (ended & 1) === 1 && (code ??= ended) === ended;
  return {
    icebp: () => whole(icebp("--memory=256M", "--serial=null", image), same),
    qemu: () =>
      whole(
        // deno-fmt-ignore
        qemu(
          "256", "-serial", "none", "-device", "isa-debug-exit,iobase=0xf4",
          "-kernel", image,
        ),
        same,
      ),
  };
}

const wanted = Deno.args;
const isWanted = (name: string) => wanted.length === 0 || wanted.includes(name);

async function programs(folder: string): Promise<void> {
  const chosen = PROGRAMS.filter(({ name }) => isWanted(name));
  if (chosen.length === 0) return;
  const empty = program(build(EMPTY, folder));
  const base = {
    icebp: await least(empty.icebp),
    qemu: await least(empty.qemu),
  };
  console.log(
    `starting, taken off: icebp ${base.icebp.cpu.toFixed(2)} s, ` +
      `QEMU ${base.qemu.cpu.toFixed(2)} s of a processor`,
  );
  for (const each of chosen) {
    const sides = program(build(each, folder));
    await compare(each.name, ROUNDS, sides.icebp, sides.qemu, base);
  }
}

/** 64 MiB that a packer has something to do with, in the RAM disk. */
const MAKE_DATA =
  "i=0; while [ $i -lt 64 ]; do cat /bin/busybox; i=$((i+1)); done | " +
  "head -c 67108864 >/tmp/data\n";

/** What a booted Linux does between BEGIN and END. */
const SCRIPTS: Readonly<Record<string, string>> = {
  "gzip": `${MAKE_DATA}echo BEGIN; gzip -c /tmp/data >/tmp/packed; echo END\n`,
  "sha256sum": `${MAKE_DATA}echo BEGIN; sha256sum /tmp/data; echo END\n`,
  "1,000 forks":
    "echo BEGIN; i=0; while [ $i -lt 1000 ]; do /bin/true; i=$((i+1)); done; " +
    "echo END\n",
};

async function linux(folder: string): Promise<void> {
  const boots = [1, 2].filter((cpus) => isWanted(`Debian, ${cpus}`));
  const scripts = Object.entries(SCRIPTS).filter(([name]) => isWanted(name));
  if (boots.length + scripts.length === 0) return;
  const guest = await fetchDebian(undefined, console.log);
  const append = "console=ttyS0 quiet panic=-1 cryptomgr.notests";
  const sides = (
    cpus: number,
    script: string,
    run: (command: readonly string[]) => Promise<Cost>,
  ) => {
    const initrd = `${folder}/initrd.gz`;
    Deno.writeFileSync(initrd, debianInitramfs(guest, script));
    return {
      icebp: () =>
        run(icebp(
          "--memory=512M",
          `--cpus=${cpus}`,
          `--append=${append}`,
          `--initrd=${initrd}`,
          guest.kernel,
        )),
      qemu: () =>
        // deno-fmt-ignore
        run(qemu(
          "512", "-smp", `${cpus}`, "-serial", "stdio",
          "-append", append, "-initrd", initrd, "-kernel", guest.kernel,
        )),
    };
  };
  for (const cpus of boots) {
    const both = sides(
      cpus,
      "echo hello from init\n",
      (command) => whole(command, 0, /hello from init[^]*Power down/),
    );
    await compare(`Debian, ${cpus}`, ROUNDS, both.icebp, both.qemu);
  }
  for (const [name, script] of scripts) {
    const both = sides(1, script, between);
    await compare(name, ROUNDS, both.icebp, both.qemu);
  }
}

async function systemd(folder: string): Promise<void> {
  const counts = [1, 2, 4].filter((cpus) => isWanted(`systemd, ${cpus}`));
  if (counts.length === 0) return;
  const disk = systemdDisk();
  if (typeof disk !== "string") {
    console.log(`SKIPPED: systemd: ${disk.why}`);
    return;
  }
  const guest = await fetchDebian(undefined, console.log);
  const initrd = `${folder}/systemd.gz`;
  Deno.writeFileSync(initrd, systemdInitrd(guest));
  const append = "console=ttyS0 quiet panic=-1 cryptomgr.notests " +
    "root=/dev/vda rw";
  const copy = `${folder}/disk.img`;
  const ended = async (command: string[]) => {
    // each run begins with the same disk
    Deno.copyFileSync(disk, copy);
    return await whole(command, 0, /reached the end[^]*Power down/);
  };
  for (const cpus of counts) {
    await compare(
      `systemd, ${cpus}`,
      ROUNDS,
      () =>
        ended(icebp(
          "--memory=512M",
          `--cpus=${cpus}`,
          `--append=${append}`,
          `--initrd=${initrd}`,
          `--disk=${copy}`,
          guest.kernel,
        )),
      () =>
        // deno-fmt-ignore
        ended(qemu(
          "512", "-smp", `${cpus}`, "-serial", "stdio",
          "-drive", `file=${copy},format=raw,if=virtio`,
          "-append", append, "-initrd", initrd, "-kernel", guest.kernel,
        )),
    );
  }
}

for (const tool of ["gcc", "objcopy", "qemu-system-x86_64"]) {
  if (haveTool(tool)) continue;
  console.error(`bench:guests: ${tool} is not on PATH`);
  Deno.exit(1);
}
const folder = Deno.makeTempDirSync({ prefix: "icebp-bench-" });
try {
  heading();
  await programs(folder);
  await linux(folder);
  await systemd(folder);
} finally {
  Deno.removeSync(folder, { recursive: true });
}
