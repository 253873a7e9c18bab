// Time travel: what a snapshot costs, what recording costs a boot of Debian's kernel
// beside QEMU's record/replay, how soon a booted Debian is gone back in, and how soon
// one comes from a file. `deno task guest:debian` has to have fetched the guest. It
// measures everything, or what is named:
//
//     deno run -A bench/history_bench.ts [snapshot] [boot] [reverse] [restore]

import { History } from "../src/history/history.ts";
import { readSnapshot, Snapshots } from "../src/history/snapshots.ts";
import { debianInitramfs, fetchDebian } from "../tests/guests/debian.ts";
import { ofCommand, type TimedGuest } from "../tests/history/guests.ts";
import { once } from "../tests/util/once.ts";

const MIB = 2 ** 20;
const HISTORY_BYTES = 512 * MIB;
const MOD = new URL("../mod.ts", import.meta.url).pathname;
const LINE = "console=ttyS0 quiet panic=-1 cryptomgr.notests";
/** QEMU's replay of a recording may never end. */
const PATIENCE_S = 120;
const ROUNDS = Number(Deno.env.get("ICEBP_BENCH_ROUNDS") ?? 3);

const parts: Record<string, () => Promise<void>> = {
  snapshot,
  boot,
  reverse,
  restore,
};
const wanted = Deno.args.filter((name) => name in parts);
const folder = await Deno.makeTempDir({ prefix: "icebp-bench-" });
try {
  for (const name of wanted.length > 0 ? wanted : Object.keys(parts)) {
    console.log(`\n${name}`);
    await parts[name]();
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
Deno.exit();

function tell(what: string, value: string, goal = ""): void {
  console.log(`  ${what.padEnd(52)} ${value.padStart(24)}  ${goal}`);
}

function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
}

/** A median with the range, ms. */
function spread(values: readonly number[]): string {
  const [least, middle, most] = [0, 0.5, 1].map((q) => quantile(values, q));
  return `${middle.toFixed(1)} ms (${least.toFixed(1)} to ${most.toFixed(1)})`;
}

async function initrd(name: string, script: string | null): Promise<string> {
  const path = `${folder}/${name}.gz`;
  const guest = await fetchDebian();
  await Deno.writeFile(
    path,
    script === null ? debianInitramfs(guest) : debianInitramfs(guest, script),
  );
  return path;
}

/** Lets a guest run live until it stops, or has done so many instructions. */
async function run(guest: TimedGuest, instructions = Infinity): Promise<void> {
  const time = guest.machine.options.platform.timeTravel!;
  const look = setInterval(() => {
    if (time.instructions() >= instructions) guest.debugger.interrupt();
  }, 5);
  await guest.run();
  clearInterval(look);
}

/** The pauses of snapshots of 10,000 pages: neighbours, and every third page. */
async function snapshot(): Promise<void> {
  const PAGES = 10_000, FIRST = 0x100000, EVERY = 8_000_000;
  const u32 = (n: number) => [n, n >> 8, n >> 16, n >> 24].map((b) => b & 255);
  for (const stride of [1, 3]) {
    const end = FIRST + PAGES * stride * 4096;
    const code = [
      ...[0xbf, ...u32(FIRST)], //        start: mov edi, FIRST
      ...[0xff, 0x07], //                 write: inc dword [edi]
      ...[0x81, 0xc7, ...u32(stride * 4096)], // add edi, stride * 4096
      ...[0x81, 0xff, ...u32(end)], //           cmp edi, end
      ...[0x72, 0xf0], //                        jb write
      ...[0xb9, ...u32((EVERY - 4 * PAGES) / 2)], // mov ecx, ...
      ...[0x49, 0x75, 0xfd], //           wait:  dec ecx; jnz wait
      ...[0xeb, 0xe1], //                        jmp start
    ];
    const image = `${folder}/writer.bin`;
    await Deno.writeFile(image, Uint8Array.from(code));
    const guest = await ofCommand(
      ...["--memory", "128M", "--flat", "0x7000,32", image],
    );
    const { platform } = guest.machine.options;
    const time = platform.timeTravel!;
    const history = new History(guest.machine, { bytes: HISTORY_BYTES });
    const pauses: number[] = [];
    const whenQuiet = time.whenQuiet.bind(time);
    time.whenQuiet = (instructions, fn) =>
      whenQuiet(
        instructions,
        fn && (() => {
          const before = history.end().instructions;
          const began = performance.now();
          fn();
          pauses.push(performance.now() - began);
          if (history.end().instructions !== before) throw new Error("ran");
        }),
      );
    guest.debugger.keepHistory(history);
    await run(guest, 120 * EVERY);
    const long = pauses.filter((ms) => ms > 4);
    tell(
      `a snapshot of 10,000 pages, ${stride === 1 ? "all" : "a third"} of them`,
      spread(long.length > 0 ? long : pauses),
      "20 ms",
    );
    tell(
      `  other pauses (${pauses.length - long.length})`,
      spread(pauses.filter((ms) => ms <= 4)),
    );
    await guest.close();
  }
}

interface Measured {
  readonly real: number;
  readonly cpu: number;
  readonly ended: boolean;
}

/** A process' time, its wall clock and its processors'. */
async function measured(command: string, args: string[]): Promise<Measured> {
  const { stdout, stderr } = await new Deno.Command("bash", {
    args: [
      "-c",
      'TIMEFORMAT="@%R %U %S"; time timeout "$@"',
      "bash",
      `${PATIENCE_S}`,
      command,
      ...args,
    ],
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  const [real, user, system] = decoder.decode(stderr).split("@").at(-1)!
    .split(" ").map(Number);
  const ended = /hello from init[^]*reboot: Power down/.test(
    decoder.decode(stdout),
  );
  return { real, cpu: user + system, ended };
}

/** A boot to a script and power-off: as it is, with a history, recorded, repeated; and
 * QEMU's the same. */
async function boot(): Promise<void> {
  const { kernel } = await fetchDebian();
  const image = await initrd("hello", "echo hello from init\n");
  const file = `${folder}/run.rec`;
  const icebp = (...args: string[]) => [
    Deno.execPath(),
    ...["run", "-A", "--no-check", MOD, ...args],
  ];
  const machine = [
    ...["--platform=soft", "--memory=512M", `--append=${LINE}`],
    ...[`--initrd=${image}`, kernel],
  ];
  const qemu = (...args: string[]) => [
    "qemu-system-x86_64",
    ...["-accel", "tcg", "-cpu", "max", "-m", "512", "-display", "none"],
    ...["-no-reboot", "-net", "none", "-serial", "stdio", "-kernel", kernel],
    ...["-initrd", image, "-append", LINE, ...args],
  ];
  const rr = (mode: string) => [
    "-icount",
    `shift=auto,rr=${mode},rrfile=${folder}/qemu.rr`,
  ];
  const ways: Record<string, string[]> = {
    "icebp": icebp(...machine),
    "icebp --record": icebp("--record", file, ...machine),
    "icebp replay": icebp("replay", file),
    "icebp --gdb --no-wait (history)": icebp(
      ...["--gdb=127.0.0.1:0", "--no-wait", ...machine],
    ),
    "QEMU": qemu(),
    "QEMU, recording": qemu(...rr("record")),
    "QEMU, replaying": qemu(...rr("replay")),
  };
  const results = new Map<string, Measured[]>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, [command, ...args]] of Object.entries(ways)) {
      const list = results.get(name) ?? [];
      results.set(name, [...list, await measured(command, args)]);
    }
  }
  const middle = (name: string, of: "real" | "cpu") =>
    quantile(results.get(name)!.map((m) => m[of]), 0.5);
  for (const [name, list] of results) {
    const plain = name.startsWith("QEMU") ? "QEMU" : "icebp";
    const [real, cpu] = (["real", "cpu"] as const).map((of) => ({
      is: middle(name, of),
      ratio: middle(name, of) / middle(plain, of),
    }));
    const ended = list.filter(({ ended }) => ended).length;
    tell(
      name,
      `${real.is.toFixed(2)} s, CPU ${cpu.is.toFixed(2)} s`,
      `x ${real.ratio.toFixed(2)}, CPU x ${cpu.ratio.toFixed(2)}` +
        (name.includes("record") ? ", goal 1.10" : "") +
        (ended === list.length
          ? ""
          : `; ${list.length - ended} of ${list.length} did not end`),
    );
  }
  tell(
    "the recording",
    `${((await Deno.stat(file)).size / 1024).toFixed(0)} KiB`,
  );
}

/** Back in a booted Debian of 512 MiB. */
async function reverse(): Promise<void> {
  const { kernel } = await fetchDebian();
  const image = await initrd(
    "busy",
    "echo booted; i=0; while [ $i -lt 40000 ]; do i=$((i+1)); done; echo end\n",
  );
  const guest = await ofCommand(
    ...["--memory", "512M", "--append", LINE, "--initrd", image, kernel],
  );
  const time = guest.machine.options.platform.timeTravel!;
  const history = new History(guest.machine, { bytes: HISTORY_BYTES });
  guest.debugger.keepHistory(history);
  /** Instructions by host time. */
  const course: [ms: number, instructions: number][] = [];
  let booted = 0;
  const look = setInterval(() => {
    course.push([performance.now(), time.instructions()]);
    if (booted > 0 || !guest.output().includes("booted")) return;
    booted = time.instructions();
    tell(
      `history of the boot, ${(booted / 1e9).toFixed(2)}e9 instructions`,
      `${(history.bytes / MIB).toFixed(0)} MiB`,
      `300 MiB (${history.snapshots} snapshots)`,
    );
  }, 5);
  await run(guest);
  clearInterval(look);
  const end = time.instructions();
  const back = async (action: "step" | "continue") => {
    const stopped = new Promise((resolve) =>
      once(guest.debugger.onStop, resolve)
    );
    const began = performance.now();
    guest.debugger.reverse(action, 0);
    await stopped;
    return performance.now() - began;
  };
  let x = 12345;
  const first: number[] = [], second: number[] = [], going: number[] = [];
  for (let n = 0; n < 100; n++) {
    x = (x * 1103515245 + 12345) % 2 ** 31;
    const place = BigInt(Math.floor(booted + x / 2 ** 31 * (end - booted)));
    // Nothing of the way there is kept, as of the way to a hit.
    await history.goTo(place);
    first.push(await back("step"));
    second.push(await back("step"));
    const began = performance.now();
    await guest.debugger.monitor(`goto ${end - Number(place) + booted}`, 0);
    going.push(performance.now() - began);
  }
  tell("goto, random places", spread(going));
  tell(
    "reverse-stepi there, the first: median, 99 %",
    [0.5, 0.99].map((q) => quantile(first, q).toFixed(1)).join(", ") + " ms",
    "50, 300 ms",
  );
  tell(
    "  and the next",
    [0.5, 0.99].map((q) => quantile(second, q).toFixed(1)).join(", ") + " ms",
  );
  // Over a thousand million instructions that do not come to a breakpoint.
  const OVER = 1e9;
  await history.goTo(BigInt(end));
  guest.debugger.insertBreakpoint({
    kind: "software",
    address: 0x123456n,
    length: 1,
    conditions: [],
  });
  const share = Math.min(1, OVER / end);
  const after = course.find(([, n]) => n >= end - OVER) ?? course[0];
  const forward = course.at(-1)![0] - after[0];
  const backward = await back("continue") * share;
  tell(
    `reverse-continue over ${(share * end / 1e9).toFixed(2)}e9 instructions`,
    `${(backward / 1000).toFixed(2)} s`,
    `x ${(backward / forward).toFixed(2)} of ${
      (forward / 1000).toFixed(2)
    } s forward, goal 2.5`,
  );
  await guest.close();
}

/** Debian at its prompt: to a file and from it. */
async function restore(): Promise<void> {
  const { kernel } = await fetchDebian();
  const image = await initrd("shell", null);
  const file = `${folder}/prompt.snap`;
  const start = (...args: string[]) =>
    new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", MOD, ...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
  const prompt = async (child: Deno.ChildProcess) => {
    const reader = child.stdout.pipeThrough(new TextDecoderStream())
      .getReader();
    // Behind it its editor asks for the cursor's place.
    for (let said = ""; !said.replaceAll("\x1b[6n", "").endsWith("# ");) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`no prompt:\n${said}`);
      said += value;
    }
    return reader;
  };
  const machine = ["--platform=soft", "--memory=512M", `--append=${LINE}`];
  const child = start(
    ...[...machine, `--initrd=${image}`, "--save-at-exit", file, kernel],
  );
  const reader = await prompt(child);
  child.kill("SIGTERM");
  await child.stdin.close();
  await reader.cancel();
  await child.status;
  const { size } = await Deno.stat(file);
  tell("the file", `${(size / MIB).toFixed(1)} MiB`, "80 MiB");
  const toPrompt: number[] = [], inProcess: number[] = [];
  for (let round = 0; round < 5; round++) {
    const began = performance.now();
    const again = start("--restore", file);
    const keyboard = again.stdin.getWriter();
    await keyboard.write(Uint8Array.of(10));
    const reader = await prompt(again);
    toPrompt.push(performance.now() - began);
    again.kill("SIGTERM");
    await keyboard.abort();
    await reader.cancel();
    await again.status;
  }
  const guest = await ofCommand(
    ...["--memory", "512M", "--append", LINE, "--initrd", image, kernel],
  );
  const { format } = guest.machine.options.platform.timeTravel!;
  for (let round = 0; round < 5; round++) {
    const began = performance.now();
    const snapshot = readSnapshot<null>(await Deno.readFile(file), format);
    new Snapshots(guest.machine, [], null).load(snapshot);
    inProcess.push(performance.now() - began);
  }
  await guest.close();
  tell("read and taken", spread(inProcess), "700 ms");
  tell("from the command to the shell's next prompt", spread(toPrompt), "1 s");
}
