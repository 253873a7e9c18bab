// Recordings: the same run to the same bytes in another process, as far as the file is
// whole.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { ContainerError } from "../../src/history/container.ts";
import { History } from "../../src/history/history.ts";
import {
  readRecording,
  Recorder,
  type RecordingSink,
} from "../../src/history/recording.ts";
import { command, icebp as run } from "../cli/icebp.ts";
import { bootSector, out, resetOnce, tripleFault } from "../cli/sectors.ts";
import { LongMode } from "../debug/long_mode.ts";
import { testPlatform } from "../util/platform.ts";
import { requireTool } from "../util/tools.ts";
import { digest } from "./digest.ts";
import { WORK } from "./work.ts";

const soft = testPlatform() === "soft" &&
  Deno.env.get("ICEBP_TEST_BREAKPOINTS") !== "memory";
const ignore = !requireTool("gcc", "ld", "nm", "objcopy") || !soft;
const decoder = new TextDecoder();
const MOD = new URL("../../mod.ts", import.meta.url).pathname;

class Memory implements RecordingSink {
  parts: Uint8Array[] = [];
  /** Bytes that there is room for. */
  room = Infinity;

  writeSync(bytes: Uint8Array): number {
    if (bytes.length > this.room) throw new Error("No space left on device");
    this.room -= bytes.length;
    this.parts.push(bytes.slice());
    return bytes.length;
  }

  get bytes(): Uint8Array {
    const all = new Uint8Array(
      this.parts.reduce((sum, part) => sum + part.length, 0),
    );
    let at = 0;
    for (const part of this.parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }
}

interface Recorded {
  readonly guest: LongMode;
  readonly history: History;
  readonly recorder: Recorder;
  readonly sink: Memory;
  readonly errors: unknown[];
}

async function recorded(
  cpus: number,
  interval: number,
  isFresh = false,
): Promise<Recorded> {
  const guest = await LongMode.start(WORK, cpus);
  const sink = new Memory();
  const errors: unknown[] = [];
  const { platform, guestMemory } = guest.machine.options;
  const { format } = platform.timeTravel!;
  const pages = platform.timeTravel!.takeChanged();
  const loaded = isFresh ? { memory: guestMemory, pages } : null;
  const recorder = new Recorder({
    sink,
    format,
    about: { cpus },
    disks: [],
    files: [],
    loaded,
    contents: false,
    failed: (error) => errors.push(error),
  });
  const history = new History(guest.machine, {
    bytes: 512 << 20,
    loaded,
    interval,
    recorder,
  });
  const { serial } = guest.machine.board;
  history.channel("serial", (bytes) => serial.receive(bytes));
  guest.debugger.keepHistory(history);
  return { guest, history, recorder, sink, errors };
}

/** Runs live for about so many instructions, typing. */
async function runFor({ guest, history, recorder }: Recorded, count: number) {
  const time = guest.machine.options.platform.timeTravel!;
  const to = time.instructions() + count;
  let typed = 0;
  const look = setInterval(() => {
    if (time.instructions() >= to) guest.debugger.interrupt();
    history.input("serial", Uint8Array.of(typed++));
    recorder.flush();
  }, 1);
  await guest.run();
  clearInterval(look);
}

async function repeated(file: Uint8Array, cpus: number) {
  const run = readRecording(file);
  assertEquals(run.about, { cpus });
  const source = run.loaded === null ? "hlt" : WORK;
  const guest = await LongMode.start(source, cpus);
  const history = new History(guest.machine, { bytes: 512 << 20 });
  const { serial } = guest.machine.board;
  history.channel("serial", (bytes) => serial.receive(bytes));
  guest.debugger.keepHistory(history);
  history.take(run);
  history.audible = true;
  return { guest, history, run };
}

for (const cpus of [1, 2, 4]) {
  Deno.test({
    name: `a recorded run is repeated, and goes backwards: ${cpus} processors`,
    ignore,
    async fn() {
      const first = await recorded(cpus, Infinity);
      await runFor(first, 4_000_000);
      const { guest } = first;
      // What a debugger does is in it, too.
      for (let n = 0; n < 3; n++) await guest.resume("step");
      guest.machine.memory.write(0x3000f0, Uint8Array.of(7));
      await runFor(first, 4_000_000);
      first.recorder.end({
        instructions: Number(first.history.now().instructions),
        code: 42,
      });
      const end = first.history.now();
      const second = await repeated(first.sink.bytes, cpus);
      assertEquals(second.run.end?.code, 42);
      assertEquals(second.history.end(), end);
      assertEquals(
        await second.history.replay(end.instructions, () => "go on"),
        "end",
      );
      assert(!second.history.inPast);
      assertEquals(second.history.now(), end);
      assertEquals(second.guest.output, guest.output);
      assertEquals(second.guest.machine.memory.readByte(0x3000f0), 7);
      assertEquals(
        second.guest.machine.options.guestMemory.slice(0, 4 << 20),
        guest.machine.options.guestMemory.slice(0, 4 << 20),
      );
      second.history.audible = false;
      for (const part of [3n, 7n, 2n, 5n]) {
        await first.history.goTo(end.instructions / part);
        await second.history.goTo(end.instructions / part);
        assertEquals(
          await digest(second.guest.machine),
          await digest(guest.machine),
        );
      }
      guest.close();
      second.guest.close();
    },
  });
}

Deno.test({
  name: "memory as files make it is not recorded; what came before a run is",
  ignore,
  async fn() {
    for (const loaded of [false, true]) {
      const first = await recorded(2, Infinity, loaded);
      const { guest, history } = first;
      const { machine } = guest;
      // This guest's reset leaves them.
      machine.memory.write(0x3000e0, Uint8Array.of(5));
      guest.debugger.restart();
      machine.memory.write(0x3000f0, Uint8Array.of(7));
      await runFor(first, 2_000_000);
      // A reset in the middle is whole memory in any case.
      guest.debugger.restart();
      machine.memory.write(0x3000f8, Uint8Array.of(8));
      await runFor(first, 2_000_000);
      const end = history.now();
      first.recorder.end({ instructions: Number(end.instructions), code: 0 });
      const { segments } = readRecording(first.sink.bytes);
      assertEquals(segments[0].state.full, !loaded);
      assertEquals(segments[0].state.loaded, loaded);
      assertEquals(segments.at(-1)!.state.loaded, false);
      assertEquals(segments.at(-1)!.state.full, true);
      const second = await repeated(first.sink.bytes, 2);
      for (
        const count of [0n, end.instructions / 3n, end.instructions - 1000n]
      ) {
        await second.history.goTo(count);
        await history.goTo(count);
        assertEquals(
          await digest(second.guest.machine),
          await digest(machine),
        );
      }
      const { memory } = second.guest.machine;
      assertEquals(
        [0x3000e0, 0x3000f0, 0x3000f8].map((at) => memory.readByte(at)),
        [5, 7, 8],
      );
      await second.history.goTo(1000n);
      assertEquals(
        [0x3000e0, 0x3000f0, 0x3000f8].map((at) => memory.readByte(at)),
        [5, 7, 0],
      );
      guest.close();
      second.guest.close();
    }
  },
});

Deno.test({
  name: "a future that a debugger ended is not repeated",
  ignore,
  async fn() {
    const first = await recorded(2, Infinity);
    await runFor(first, 3_000_000);
    const { guest, history } = first;
    await history.goTo(1_000_000n);
    history.fork();
    guest.machine.memory.write(0x3000f0, Uint8Array.of(9));
    await runFor(first, 1_000_000);
    const end = history.now();
    first.recorder.end({ instructions: Number(end.instructions), code: 0 });
    const second = await repeated(first.sink.bytes, 2);
    await second.history.goTo(1n << 60n);
    assertEquals(second.history.now(), end);
    assertEquals(second.guest.machine.memory.readByte(0x3000f0), 9);
    await second.history.goTo(999_000n);
    await history.goTo(999_000n);
    assertEquals(
      await digest(second.guest.machine),
      await digest(guest.machine),
    );
    guest.close();
    second.guest.close();
  },
});

Deno.test({
  name: "cut anywhere, a recording is repeated up to its last whole section",
  ignore,
  async fn() {
    const first = await recorded(1, Infinity);
    // Whatever the host's timers do, there is something written in between.
    for (let part = 0; part < 3; part++) {
      await runFor(first, 1_000_000);
      // What somebody changes, only another snapshot has.
      first.guest.machine.memory.write(0x3000f0, Uint8Array.of(part));
    }
    const file = first.sink.bytes;
    const whole = readRecording(file).segments.length;
    let refused = 0, some = 0, parts = 0;
    for (let length = 0; length < file.length; length += 10) {
      try {
        const run = readRecording(file.slice(0, length));
        assertEquals(run.end, null);
        assert(run.segments.length >= parts);
        parts = run.segments.length;
        if (parts < whole) some = length;
      } catch (error) {
        assert(error instanceof ContainerError, String(error));
        refused++;
      }
    }
    assert(refused > 0 && some > 0);
    // Its parts are repeated as the whole is.
    const second = await repeated(file.slice(0, some), 1);
    const { instructions } = second.history.end();
    assert(instructions >= 1_000_000n);
    for (const count of [instructions - 1n, instructions / 2n]) {
      await second.history.goTo(count);
      await first.history.goTo(count);
      assertEquals(
        await digest(second.guest.machine),
        await digest(first.guest.machine),
      );
    }
    // A bit that is another is damage, not an end; a length that leads behind the end
    // of the file is one. Nothing of what it is in is taken.
    const all = readRecording(file);
    const damages = { refused: 0, shorter: 0 };
    for (let at = 0; at < file.length; at += 1 + (file.length >> 8)) {
      const damaged = file.slice();
      damaged[at] ^= 1 << (at % 8);
      try {
        const { segments, inputs } = readRecording(damaged);
        const last = segments.at(-1)!;
        const was = all.segments[segments.length - 1];
        assertEquals(last.state, was.state);
        const { length } = last.log!;
        assertEquals(last.log, was.log!.slice(0, length));
        assertEquals(inputs, all.inputs.slice(0, inputs.length));
        damages.shorter++;
      } catch (error) {
        assert(error instanceof ContainerError, String(error));
        damages.refused++;
      }
    }
    assert(damages.refused > 200 && damages.shorter < 20, `${damages.refused}`);
    first.guest.close();
    second.guest.close();
  },
});

Deno.test({
  name: "a full disk ends the recording, not the guest",
  ignore,
  async fn() {
    const first = await recorded(1, Infinity);
    await runFor(first, 1_000_000);
    first.sink.room = 100;
    await runFor(first, 3_000_000);
    assertEquals(first.errors.length, 1);
    assert(first.history.now().instructions >= 4_000_000n);
    const second = await repeated(first.sink.bytes, 1);
    const { instructions } = second.history.end();
    assert(instructions >= 1_000_000n && instructions < 4_000_000n);
    // Before its end: there the guest was stopped, and what came then is not in it.
    await second.history.goTo(instructions - 1n);
    await first.history.goTo(instructions - 1n);
    assertEquals(
      await digest(second.guest.machine),
      await digest(first.guest.machine),
    );
    first.guest.close();
    second.guest.close();
  },
});

const icebp = (...args: string[]) => run(args);

Deno.test({
  name:
    "--record and replay: output and exit code in another process; a killed one",
  ignore: !soft || Deno.build.os === "windows",
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      const file = `${folder}/run.rec`;
      const platform = ["--platform", "soft"];
      const first = await icebp(
        ...platform,
        "--append",
        "ticks=50",
        "--record",
        file,
      );
      assertEquals(await icebp("replay", file), first);
      const child = command([
        ...platform,
        "--append",
        "ticks=100000",
        "--record",
        file,
      ]).spawn();
      const reader = child.stdout.getReader();
      let out = "";
      // Longer than one flush.
      const began = performance.now();
      while (out.length < 200 || performance.now() - began < 1500) {
        const { value, done } = await reader.read();
        assert(!done);
        out += decoder.decode(value);
      }
      child.kill("SIGKILL");
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        out += decoder.decode(value);
      }
      await child.stderr.cancel();
      await child.status;
      const again = await icebp("replay", file);
      assertEquals(again.code, 0);
      assert(/The recording ends after \d+ instructions\./.test(again.err));
      assert(again.out.length > 0 && out.startsWith(again.out));
      await Deno.writeTextFile(file, "nothing");
      const { code, err } = await icebp("replay", file);
      assertEquals(code, 4);
      assertEquals(err, `icebp: ${file}: no recording of icebp's\n`);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

/** Says A and ends with 7. */
const SAYS_A = bootSector(...out(0x3f8, 0x41, 1), ...out(0xf4, 3, 1), 0xf4);

Deno.test({
  name: "a recording names its files by their hashes, or has them with it",
  ignore: !soft,
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      const at = (name: string) => `${folder}/${name}`;
      await Deno.mkdir(at("was"));
      await Deno.mkdir(at("sent"));
      await Deno.writeFile(at("was/guest"), SAYS_A);
      await Deno.writeFile(at("was/disk"), new Uint8Array(1024).fill(5));
      const args = ["--platform", "soft", "--disk", at("was/disk")];
      const record = (name: string, ...more: string[]) =>
        icebp(...args, "--record", at(name), ...more, at("was/guest"));
      const wanted = { code: 7, out: "A", err: "" };
      assertEquals(await record("sent/hashes"), wanted);
      assertEquals(await record("all", "--record-all"), wanted);
      // What it was made of is there as it was; the memory is not in the file.
      const { size } = await Deno.stat(at("sent/hashes"));
      assert(size < 8192, `${size}`);
      assertEquals(await icebp("replay", at("sent/hashes")), wanted);
      const changed = (name: string) =>
        `icebp: ${name}: not as it was when the run was recorded; a copy from ` +
        "then, here or beside the recording, or a recording with --record-all, " +
        "can be repeated\n";
      for (const name of ["was/guest", "was/disk"]) {
        const before = await Deno.readFile(at(name));
        const other = before.slice();
        other[300] ^= 1;
        await Deno.writeFile(at(name), other);
        assertEquals(await icebp("replay", at("sent/hashes")), {
          code: 4,
          out: "",
          err: changed(at(name)),
        });
        assertEquals(await icebp("replay", at("all")), wanted);
        await Deno.writeFile(at(name), before);
      }
      // Sent to somebody else: beside the recording.
      await Deno.rename(at("was/guest"), at("sent/guest"));
      assertEquals(await icebp("replay", at("sent/hashes")), wanted);
      await Deno.rename(at("was/disk"), at("sent/disk"));
      assertEquals(await icebp("replay", at("sent/hashes")), wanted);
      await Deno.remove(at("sent/guest"));
      assertEquals(await icebp("replay", at("sent/hashes")), {
        code: 4,
        out: "",
        err: `icebp: ${at("was/guest")}: no such file\n`,
      });
      await Deno.remove(at("was"), { recursive: true });
      assertEquals(await icebp("replay", at("all")), wanted);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name:
    "--record: a full disk is said, the guest goes on, the rest is repeated",
  ignore: !soft || Deno.build.os !== "linux",
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      const file = `${folder}/run.rec`;
      // Files end at 16 KiB, as on a disk that is full.
      const { code, stdout, stderr } = await new Deno.Command("sh", {
        args: [
          "-c",
          'ulimit -f 32; trap "" XFSZ; exec "$@"',
          "sh",
          Deno.execPath(),
          ...["run", "-A", "--no-check", "--no-code-cache", MOD],
          ...["--platform", "soft", "--append", "ticks=2000"],
          ...["--record", file],
        ],
        stdin: "null",
      }).output();
      const out = decoder.decode(stdout);
      assert(code === 0 && out.endsWith("the demo ends\r\n"), out.slice(-200));
      const [, end] =
        /^The recording ends before instruction (\d+), the guest goes on: .*\n$/
          .exec(decoder.decode(stderr))!;
      assertEquals((await Deno.stat(file)).size, 16_384);
      // What came until then may have been too much for the rest of the disk.
      const again = await icebp("replay", file);
      const none = `icebp: ${file}: it ends before the guest ran\n`;
      assert(out.startsWith(again.out));
      if (again.code === 4) assertEquals([again.out, again.err], ["", none]);
      else {
        assertEquals(again.code, 0);
        const [, last] = /^The recording ends after (\d+) instructions\.\n$/
          .exec(again.err)!;
        assert(0 < Number(last) && Number(last) <= Number(end), last);
      }
      // Where nothing can be written at all the guest runs, too.
      const full = await icebp(
        ...["--platform", "soft", "--append", "ticks=50"],
        ...["--record", "/dev/full"],
      );
      assertEquals([full.code, full.err.split(":")[0]], [
        0,
        "The recording ends before instruction 0, the guest goes on",
      ]);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "--record: a crash, and an end from outside, are ends of a recording",
  ignore: !soft || Deno.build.os === "windows",
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      const file = `${folder}/run.rec`, guest = `${folder}/guest`;
      await Deno.writeFile(guest, tripleFault);
      const record = ["--platform", "soft", "--record", file];
      const first = await icebp(...record, guest);
      assertEquals(first.code, 8);
      assertMatch(first.err, /^icebp: processor 0 shut down \(triple fault\)/);
      assertEquals(await icebp("replay", file), first);
      const child = command([...record, "--append", "ticks=100000"]).spawn();
      const [out, copy] = child.stdout.tee();
      for await (const text of copy.pipeThrough(new TextDecoderStream())) {
        if (text.includes("works")) break;
      }
      child.kill("SIGTERM");
      await child.stderr.cancel();
      const said = await new Response(out).text();
      assertEquals((await child.status).code, 130);
      assertEquals(await icebp("replay", file), {
        code: 130,
        out: said,
        err: "",
      });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "what was recorded with translated code is repeated without, and back",
  ignore: !soft,
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      for (const [one, other] of [["always", "never"], ["never", "always"]]) {
        const file = `${folder}/${one}.rec`;
        const first = await icebp(
          ...["--platform", "soft", "--append", "ticks=50"],
          ...["--translate", one, "--record", file],
        );
        assertEquals(first.code, 0);
        assertEquals(await icebp("replay", file, "--translate", other), first);
      }
      // Nothing tells how it was run.
      const [a, b] = await Promise.all(
        ["always", "never"].map(async (name) =>
          readRecording(await Deno.readFile(`${folder}/${name}.rec`))
        ),
      );
      assertEquals(a.end, b.end);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "a guest that starts again does not make its recording long",
  ignore: !soft,
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      const file = `${folder}/run.rec`, guest = `${folder}/guest`;
      await Deno.writeFile(guest, resetOnce);
      const record = ["--platform", "soft", "--record", file, guest];
      const first = await icebp(...record);
      assertEquals([first.code, first.out], [0, "AB"]);
      assertEquals(await icebp("replay", file), first);
      const { segments, loaded } = readRecording(await Deno.readFile(file));
      assert(loaded !== null && segments.length === 2);
      for (const { state } of segments) {
        assertEquals([state.loaded, state.full], [true, false]);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
