// Snapshots in files: a machine that goes on from one does what the first one did, and a
// file that is damaged, cut off or something else is refused as a whole.

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  ContainerError,
  encodeHead,
  FileKind,
} from "../../src/history/container.ts";
import { JournaledStore } from "../../src/history/disks.ts";
import {
  applyImage,
  captureImage,
  decodeImage,
  encodeImage,
} from "../../src/history/image.ts";
import { PageSet } from "../../src/history/pages.ts";
import type { BlockStore } from "../../src/machine/devices/virtio/block.ts";
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

function join(parts: Iterable<Uint8Array>): Uint8Array {
  const all = [...parts];
  const bytes = new Uint8Array(all.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of all) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Runs a guest to exactly so many instructions, and on. */
async function digestAt(guest: LongMode, count: number): Promise<string> {
  const time = guest.machine.options.platform.timeTravel!;
  let seen: Promise<string> | null = null;
  time.whenExactly(count, () => {
    seen = digest(guest.machine);
    guest.debugger.interrupt();
  });
  await guest.run();
  return await seen!;
}

for (const cpus of [1, 2, 4]) {
  Deno.test({
    name: `a machine goes on from a file as the first one did: ${cpus}`,
    ignore,
    async fn() {
      const first = await LongMode.start(WORK, cpus);
      await digestAt(first, 3_000_000 + 1000 * cpus);
      const file = join(
        encodeImage(captureImage(first.machine, [], false, { cpus })),
      );
      const output = first.output;
      const wanted = await digestAt(first, 6_000_000);
      const later = await digestAt(first, 9_000_000);
      const second = await LongMode.start("hlt", cpus);
      const image = decodeImage(file);
      assertEquals(image.about, { cpus });
      applyImage(second.machine, [], image);
      assertEquals(await digestAt(second, 6_000_000), wanted);
      assertEquals(await digestAt(second, 9_000_000), later);
      assertEquals(output + second.output, first.output);
      first.close();
      second.close();
    },
  });
}

Deno.test({
  name:
    "a file cut at every tenth byte, or with a bit that is another, is refused",
  ignore,
  async fn() {
    const guest = await LongMode.start(WORK, 1);
    await digestAt(guest, 100_000);
    const image = captureImage(guest.machine, [], false, null);
    // Of memory only a little, so that all places can be tried.
    const numbers = image.pages[0].numbers.slice(0, 2);
    const few = join(encodeImage({
      ...image,
      pages: [PageSet.of(numbers, guest.machine.options.guestMemory)],
    }));
    guest.close();
    assertEquals(decodeImage(few).pages[0].numbers.length, 2);
    for (let length = 0; length < few.length; length += 10) {
      assertThrows(() => decodeImage(few.slice(0, length)), ContainerError);
    }
    for (let at = 0; at < few.length; at++) {
      const damaged = few.slice();
      damaged[at] ^= 1 << (at % 8);
      assertThrows(() => decodeImage(damaged), ContainerError);
    }
    const longer = join([few, Uint8Array.of(0)]);
    assertThrows(() => decodeImage(longer), ContainerError, "too long");
    const other = few.slice();
    other[8]++;
    assertThrows(() => decodeImage(other), ContainerError, "another icebp");
    assertThrows(
      () => decodeImage(encodeHead(FileKind.recording)),
      ContainerError,
      "a recording, no snapshot",
    );
  },
});

class MemoryDisk implements BlockStore {
  readonly readOnly = false;
  readonly label = "disk";
  readonly content: Uint8Array;
  readonly bytes: number;

  constructor(bytes: number) {
    this.bytes = bytes;
    this.content = Uint8Array.from({ length: bytes }, (_, i) => i * 7 >> 3);
  }

  read(offset: number, into: Uint8Array): void {
    into.set(this.content.subarray(offset, offset + into.length));
  }

  write(offset: number, bytes: Uint8Array): void {
    this.content.set(bytes, offset);
  }

  flush(): void {}
}

Deno.test("a disk goes back to what it was, the short last block, too", () => {
  const store = new MemoryDisk(3 * 4096 + 512);
  const disk = new JournaledStore(store);
  const states = [store.content.slice()];
  const sets = [disk.takeChanged()];
  const write = (at: number, length: number, value: number) =>
    disk.write(at, new Uint8Array(length).fill(value));
  write(512, 512, 1);
  write(4096 - 512, 1024, 2);
  states.push(store.content.slice());
  sets.push(disk.takeChanged());
  write(3 * 4096, 512, 3);
  write(512, 512, 4);
  states.push(store.content.slice());
  sets.push(disk.takeChanged());
  assertEquals(sets.map(({ numbers }) => [...numbers]), [[], [0, 1], [0, 3]]);
  for (const to of [0, 2, 1, 0, 1, 2]) {
    disk.restore([0, 1, 2, 3], sets.slice(0, to + 1));
    assertEquals(store.content, states[to]);
  }
});

Deno.test({
  name:
    "a snapshot whose disk has changed since is refused, and nothing changes",
  ignore,
  async fn() {
    const guest = await LongMode.start(WORK, 1);
    const disk = new MemoryDisk(8192);
    await digestAt(guest, 100_000);
    const image = captureImage(guest.machine, [disk], false, null);
    const now = await digestAt(guest, 200_000);
    disk.content[5000]++;
    assertThrows(
      () => applyImage(guest.machine, [disk], image),
      ContainerError,
      "the disk disk is not as it was: its content is another",
    );
    assertThrows(
      () => applyImage(guest.machine, [new MemoryDisk(4096)], image),
      ContainerError,
      "4096 bytes instead of 8192",
    );
    assertThrows(() => applyImage(guest.machine, [], image), ContainerError);
    assertEquals(await digest(guest.machine), now);
    disk.content[5000]--;
    applyImage(guest.machine, [disk], image);
    assert(await digest(guest.machine) !== now);
    guest.close();
  },
});

async function icebp(...args: string[]) {
  const { code, stdout, stderr } = await command(args).output();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

Deno.test({
  name: "--restore: what is no snapshot is one line and exit code 4",
  ignore: !soft,
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      const file = `${folder}/x`;
      assertEquals(await icebp("--restore", file), {
        code: 4,
        out: "",
        err: `icebp: ${file}: no such file\n`,
      });
      await Deno.writeTextFile(file, "something");
      assertEquals(await icebp("--restore", file), {
        code: 4,
        out: "",
        err: `icebp: ${file}: no snapshot of icebp's\n`,
      });
      const { code, err } = await icebp("--restore", file, "--cpus", "2");
      assertEquals(code, 2);
      assert(err.includes("--cpus: with --restore the machine is the file's"));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "--restore: a damaged file is one line and exit code 4, whatever it is",
  ignore: ignore || !soft,
  async fn() {
    const guest = await LongMode.start(WORK, 1);
    await digestAt(guest, 100_000);
    const whole = join(
      encodeImage(captureImage(guest.machine, [], false, null)),
    );
    guest.close();
    const folder = await Deno.makeTempDir();
    try {
      const file = `${folder}/x`;
      const change = (at: number, by: number) => {
        const bytes = whole.slice();
        bytes[at] ^= by;
        return bytes;
      };
      const half = whole.length >> 1;
      const cases: readonly [Uint8Array, RegExp][] = [
        [whole.slice(0, half), new RegExp(`^cut off after ${half} bytes$`)],
        [whole.slice(0, 9), /^cut off at its very beginning$/],
        [change(half, 8), /^damaged at byte \d+$/],
        [change(8, 64), /^made by another icebp: its version is \d+, this/],
        [change(12, 3), /^a recording, no snapshot$/],
        [join([whole, Uint8Array.of(1, 2)]), /^2 bytes too long$/],
        [new Uint8Array(0), /^cut off at its very beginning$/],
      ];
      for (const [bytes, said] of cases) {
        await Deno.writeFile(file, bytes);
        const { code, out, err } = await icebp("--restore", file, "--gdb=:0");
        assertEquals([code, out], [4, ""]);
        const [, what] = /^icebp: [^:]+: ([^\n]*)\n$/.exec(err) ?? [];
        assert(what !== undefined && said.test(what), err);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "--save-at-exit and --restore: the demo goes on in another process",
  ignore: !soft || Deno.build.os === "windows",
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      const file = `${folder}/demo.snap`;
      const args = ["--platform", "soft", "--append", "ticks=100000"];
      const child = command([...args, "--save-at-exit", file]).spawn();
      const reader = child.stdout.getReader();
      let first = "";
      while (first.length < 200) {
        const { value, done } = await reader.read();
        assert(!done, first);
        first += decoder.decode(value);
      }
      child.kill("SIGTERM");
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        first += decoder.decode(value);
      }
      assertEquals((await child.status).code, 130);
      await child.stderr.cancel();
      const again = command(["--restore", file]).spawn();
      const other = again.stdout.getReader();
      let second = "";
      while (second.length < 200) {
        const { value, done } = await other.read();
        assert(!done, second);
        second += decoder.decode(value);
      }
      again.kill("SIGTERM");
      await other.cancel();
      await again.stderr.cancel();
      await again.status;
      // It does not begin again, and nothing is said twice or left out.
      const whole = await icebp(
        ...args.slice(0, 2),
        "--append",
        "ticks=400",
      );
      const numbers = (text: string) =>
        [...text.matchAll(/\d+/g)].map(([digits]) => digits).length;
      assert(numbers(first) > 0 && numbers(second) > 0);
      assert(whole.out.startsWith(first.slice(0, 100)));
      assert(!second.startsWith(first.slice(0, 40)));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
