// Any moment of a run again: what a machine was at a count of instructions, going
// forward, it is when history goes there, whatever the order and whatever came from
// outside on the way.

import { assert, assertEquals } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { History } from "../../src/history/history.ts";
import { LongMode } from "../debug/long_mode.ts";
import { fetchDebian, GuestFetchError } from "../guests/debian.ts";
import { testPlatform } from "../util/platform.ts";
import { requireTool } from "../util/tools.ts";
import { digest } from "./digest.ts";
import { debian, ofCommand, type TimedGuest } from "./guests.ts";
import { WORK } from "./work.ts";
import { numbers } from "../util/numbers.ts";

const soft = testPlatform() === "soft" &&
  Deno.env.get("ICEBP_TEST_BREAKPOINTS") !== "memory";
const ignore = !requireTool("gcc", "ld", "nm", "objcopy") || !soft;
const ROOM = { bytes: 512 << 20 };

async function started(cpus: number): Promise<[LongMode, History]> {
  const guest = await LongMode.start(WORK, cpus);
  const history = new History(guest.machine, ROOM);
  guest.debugger.keepHistory(history);
  return [guest, history];
}

/** Runs live for about so many instructions. */
async function runFor(guest: LongMode, instructions: number): Promise<void> {
  const time = guest.machine.options.platform.timeTravel!;
  const to = time.instructions() + instructions;
  const look = setInterval(() => {
    if (time.instructions() >= to) guest.debugger.interrupt();
  }, 1);
  await guest.run();
  clearInterval(look);
}

for (const cpus of [1, 2, 4]) {
  Deno.test({
    name: `any count of a run is reached again: ${cpus} processors`,
    ignore,
    async fn() {
      const [guest, history] = await started(cpus);
      await runFor(guest, 20_000_000);
      await runFor(guest, 20_000_000);
      const end = await digest(guest.machine);
      const most = Number(history.end().instructions);
      const random = numbers(cpus);
      const seen = new Map<number, string>();
      for (let n = 0; n < 60; n++) {
        const old = [...seen.keys()];
        const count = n % 2 ? old[random(old.length)] : random(most);
        await history.goTo(BigInt(count));
        assertEquals(history.now().instructions, BigInt(count));
        assert(history.inPast);
        const now = await digest(guest.machine);
        assertEquals(now, seen.get(count) ?? now);
        seen.set(count, now);
      }
      await history.goTo(history.end().instructions);
      assert(!history.inPast);
      assertEquals(await digest(guest.machine), end);
      guest.close();
    },
  });

  Deno.test({
    name: `what is repeated is what was seen going forward: ${cpus} processors`,
    ignore,
    async fn() {
      // Without history: stopped at random counts, between two instructions.
      const plain = await LongMode.start(WORK, cpus);
      const time = plain.machine.options.platform.timeTravel!;
      const random = numbers(100 + cpus);
      const counts = Array.from({ length: 40 }, () => random(30_000_000))
        .sort((a, b) => a - b);
      const seen: Promise<string>[] = [];
      const next = () => {
        const count = counts[seen.length];
        if (count === undefined) return plain.debugger.interrupt();
        time.whenExactly(count, () => {
          seen.push(digest(plain.machine));
          next();
        });
      };
      next();
      await plain.run();
      plain.close();
      const [guest, history] = await started(cpus);
      await runFor(guest, 31_000_000);
      for (const i of [...counts.keys()].reverse()) {
        await history.goTo(BigInt(counts[i]));
        assertEquals(await digest(guest.machine), await seen[i]);
      }
      assert(guest.output.startsWith(plain.output));
      guest.close();
    },
  });
}

Deno.test({
  name: "what a debugger did is in the past: steps, writes, breakpoints",
  ignore,
  async fn() {
    const [guest, history] = await started(2);
    await runFor(guest, 3_000_000);
    // What a debugger writes comes behind what was there, at the same count.
    const marks = new Map<bigint, string>();
    const mark = async () => {
      const { instructions } = history.now();
      marks.set(instructions, await digest(guest.machine));
    };
    for (let n = 0; n < 3; n++) {
      for (let step = 0; step < 5; step++) {
        await guest.resume("step");
        await mark();
      }
      guest.machine.processors[1].vp.set(Reg.R15, BigInt(n));
      guest.machine.memory.write(0x3000f0, Uint8Array.of(n + 1));
      await mark();
      await runFor(guest, 1_000_000);
      await mark();
      guest.break("vector64");
      for (let hit = 0; hit < 3; hit++) {
        await guest.run();
        assertEquals(guest.rip(0), guest.symbol("vector64"));
        await mark();
      }
      guest.unbreak("vector64");
    }
    await runFor(guest, 1_000_000);
    const end = await digest(guest.machine);
    const random = numbers(7);
    for (let n = 0; n < 60; n++) {
      const [count, what] = [...marks][random(marks.size)];
      await history.goTo(count);
      assertEquals(await digest(guest.machine), what);
    }
    await history.goTo(history.end().instructions);
    assertEquals(await digest(guest.machine), end);
    guest.close();
  },
});

Deno.test({
  name:
    "input comes again where it came, and from the past on another future begins",
  ignore,
  async fn() {
    const [guest, history] = await started(2);
    const { serial } = guest.machine.board;
    history.channel("serial", (bytes) => serial.receive(bytes));
    let typed = 0;
    const type = setInterval(
      () => history.input("serial", Uint8Array.of(typed++)),
      3,
    );
    await runFor(guest, 10_000_000);
    clearInterval(type);
    assert(typed > 3);
    const said = guest.output;
    const end = await digest(guest.machine);
    const most = history.end().instructions;
    await history.goTo(most / 2n);
    const half = await digest(guest.machine);
    assertEquals(await history.replay(most, () => "go on"), "end");
    assertEquals(await digest(guest.machine), end);
    // Nobody is told again.
    assertEquals(guest.output, said);
    await history.goTo(most / 2n);
    assertEquals(await digest(guest.machine), half);
    history.fork();
    guest.machine.memory.write(0x300000, Uint8Array.of(1));
    await runFor(guest, 1_000_000);
    assert(history.end().instructions < most);
    const other = history.end().instructions;
    await history.goTo(most / 2n - 1000n);
    await history.goTo(other);
    assertEquals(guest.machine.memory.readByte(0x300000), 1);
    await history.goTo(most / 2n - 1000n);
    assertEquals(guest.machine.memory.readByte(0x300000) === 1, false);
    guest.close();
  },
});

Deno.test({
  name: "back over a reset, pages are again what it made zeros of",
  ignore: !soft,
  async fn() {
    const guest = await ofCommand("--memory", "4M", "--cpus", "2");
    const { machine } = guest;
    const history = new History(machine, ROOM);
    guest.debugger.keepHistory(history);
    const run = async (instructions: bigint) => {
      const to = history.now().instructions + instructions;
      const look = setInterval(() => {
        if (history.now().instructions > to) guest.debugger.interrupt();
      }, 1);
      await guest.run();
      clearInterval(look);
    };
    await run(9_000_000n);
    machine.memory.write(0x300000, new Uint8Array(0xf0000).fill(7));
    await run(1_000_000n);
    const at = history.now().instructions - 1000n;
    guest.debugger.restart();
    assertEquals(machine.memory.readByte(0x300123), 0);
    await run(9_000_000n);
    await history.goTo(at);
    const there = await digest(machine);
    assertEquals(machine.memory.readByte(0x300123), 7);
    await history.goTo(0n);
    await history.goTo(at);
    assertEquals(await digest(machine), there);
    await history.goTo(history.end().instructions);
    assertEquals(machine.memory.readByte(0x300123), 0);
    await history.goTo(at);
    assertEquals(await digest(machine), there);
    await guest.close();
  },
});

Deno.test({
  name: "points are met again in a replay, each where it was",
  ignore,
  async fn() {
    const [guest, history] = await started(2);
    guest.break("vector64");
    const met: bigint[] = [];
    for (let hit = 0; hit < 20; hit++) {
      await guest.run();
      met.push(history.now().instructions);
    }
    guest.unbreak("vector64");
    await runFor(guest, 1_000_000);
    guest.break("vector64");
    guest.debugger.breakpoints.set();
    const most = history.end().instructions;
    await history.goTo(0n);
    const again: bigint[] = [];
    const note = (at: bigint) => {
      if (again.at(-1) !== at) again.push(at);
    };
    assertEquals(
      await history.replay(most, ({ instructions, processor, point }) => {
        const atPoint = guest.rip(processor) === guest.symbol("vector64");
        if (point !== null) assert(atPoint);
        if (atPoint) note(instructions);
        return "go on";
      }),
      "end",
    );
    assertEquals(again.slice(0, met.length), met);
    // After the breakpoint was taken away the timer went on.
    assert(again.length > met.length);
    const picked = again[25];
    await history.goTo(again[20] + 1n);
    let passed = 0;
    assertEquals(
      await history.replay(most, () => ++passed === 5 ? "stop" : "go on"),
      "hit",
    );
    assertEquals(history.now().instructions, picked);
    assertEquals(guest.rip(0), guest.symbol("vector64"));
    const here = await digest(guest.machine);
    await history.goTo(picked);
    assertEquals(await digest(guest.machine), here);
    guest.close();
  },
});

Deno.test({
  name: "history keeps to its room, and old times stay within reach",
  ignore,
  async fn() {
    const guest = await LongMode.start(WORK, 2);
    const room = 6 << 20;
    const history = new History(guest.machine, { bytes: room });
    guest.debugger.keepHistory(history);
    await runFor(guest, 120_000_000);
    assert(history.bytes < room + (2 << 20), `${history.bytes}`);
    assertEquals(history.start().instructions, 0n);
    const most = Number(history.end().instructions);
    const first = new Map<number, string>();
    const random = numbers(5);
    for (let n = 0; n < 6; n++) {
      const count = random(most);
      await history.goTo(BigInt(count));
      first.set(count, await digest(guest.machine));
    }
    for (const [count, what] of first) {
      await history.goTo(BigInt(count));
      assertEquals(await digest(guest.machine), what);
    }
    guest.close();
  },
});

async function debianOrNull(cpus: number, folder: string) {
  try {
    const files = await fetchDebian(undefined, console.log);
    return await debian(files, folder, "echo done", "--cpus", String(cpus));
  } catch (error) {
    if (!(error instanceof GuestFetchError)) throw error;
    console.warn(`SKIPPED: history of Debian's kernel: ${error.message}`);
    return null;
  }
}

const LIMIT = 60_000_000;

for (const cpus of [1, 2, 4]) {
  Deno.test({
    name: `Debian's kernel at random counts of its boot: ${cpus} processors`,
    ignore: !soft || !requireTool("apt-get", "apt-cache", "dpkg-deb"),
    async fn() {
      const folder = await Deno.makeTempDir();
      const random = numbers(200 + cpus);
      const counts = Array.from({ length: 12 }, () => random(LIMIT))
        .sort((a, b) => a - b);
      const collect = async (guest: TimedGuest): Promise<string[]> => {
        const seen: Promise<string>[] = [];
        const time = guest.machine.options.platform.timeTravel!;
        const next = () => {
          if (seen.length === counts.length) {
            return guest.debugger.interrupt();
          }
          time.whenExactly(counts[seen.length], () => {
            seen.push(digest(guest.machine));
            next();
          });
        };
        next();
        await guest.run();
        await guest.close();
        return Promise.all(seen);
      };
      try {
        const plain = await debianOrNull(cpus, folder);
        if (plain === null) return;
        const seen = await collect(plain);
        const guest = (await debianOrNull(cpus, folder))!;
        const history = new History(guest.machine, ROOM);
        guest.debugger.keepHistory(history);
        const time = guest.machine.options.platform.timeTravel!;
        const look = setInterval(() => {
          if (time.instructions() > LIMIT) guest.debugger.interrupt();
        }, 5);
        await guest.run();
        clearInterval(look);
        for (const i of [...counts.keys()].reverse()) {
          await history.goTo(BigInt(counts[i]));
          assertEquals(await digest(guest.machine), seen[i]);
        }
        await guest.close();
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}
