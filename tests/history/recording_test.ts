// Recordings: the same run to the same bytes in another process, as far as the file is
// whole.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { ContainerError } from "../../src/history/container.ts";
import { History } from "../../src/history/history.ts";
import {
  readRecording,
  Recorder,
  type RecordingSink,
} from "../../src/history/recording.ts";
import { command } from "../cli/icebp.ts";
import { LongMode } from "../debug/long_mode.ts";
import { testPlatform } from "../util/platform.ts";
import { requireTool } from "../util/tools.ts";
import { digest } from "./digest.ts";
import { WORK } from "./work.ts";

const soft = testPlatform() === "soft" &&
  Deno.env.get("ICEBP_TEST_BREAKPOINTS") !== "memory";
const ignore = !requireTool("gcc", "ld", "nm", "objcopy") || !soft;
const decoder = new TextDecoder();

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

async function recorded(cpus: number, interval: number): Promise<Recorded> {
  const guest = await LongMode.start(WORK, cpus);
  const sink = new Memory();
  const errors: unknown[] = [];
  const { format } = guest.machine.options.platform.timeTravel!;
  const recorder = new Recorder({
    sink,
    format,
    about: { cpus },
    disks: [],
    contents: false,
    failed: (error) => errors.push(error),
  });
  const history = new History(guest.machine, {
    bytes: 512 << 20,
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
  const guest = await LongMode.start("hlt", cpus);
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
    // A bit that is another is damage, not an end.
    const damaged = file.slice();
    damaged[damaged.length >> 1] ^= 4;
    assertThrows(() => readRecording(damaged), ContainerError, "damaged");
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

async function icebp(...args: string[]) {
  const { code, stdout, stderr } = await command(args).output();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

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
