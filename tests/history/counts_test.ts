// At random counts: a snapshot, on from there, back to it, and on again is the same, to
// the instruction, the memory and the output; from its file in another process, too.
// ICEBP_TEST_COUNTS chooses how many counts each guest has (Debian's has 12, the others
// 200; a tenth of them, Debian's a quarter, go to the other process).

import { assertEquals } from "@std/assert";
import { Snapshots } from "../../src/history/snapshots.ts";
import {
  type DebianGuest,
  fetchDebian,
  GuestFetchError,
} from "../guests/debian.ts";
import { testPlatform } from "../util/platform.ts";
import { requireTool } from "../util/tools.ts";
import { digest } from "./digest.ts";
import { debian, demo, seenAt, type TimedGuest, work } from "./guests.ts";
import { numbers } from "../util/numbers.ts";

const soft = testPlatform() === "soft" &&
  Deno.env.get("ICEBP_TEST_BREAKPOINTS") !== "memory";
const wanted = Number(Deno.env.get("ICEBP_TEST_COUNTS") ?? 0);
/** How far it goes on, at most. */
const MOST_ON = 300_000;
const OTHER = new URL("continue.ts", import.meta.url).pathname;

interface Kind {
  readonly name: string;
  /** Instructions within which the counts are. */
  readonly within: number;
  readonly counts: number;
  readonly files: number;
  make(cpus: number, folder: string): Promise<TimedGuest | null>;
}

async function debianOrNull(
  cpus: number,
  folder: string,
): Promise<TimedGuest | null> {
  let files: DebianGuest;
  try {
    files = await fetchDebian(undefined, console.log);
  } catch (error) {
    if (!(error instanceof GuestFetchError)) throw error;
    console.warn(`SKIPPED: snapshots of Debian's kernel: ${error.message}`);
    return null;
  }
  const script = "echo one; ls -lR / | gzip -c | md5sum; echo two";
  return await debian(files, folder, script, "--cpus", `${cpus}`);
}

const kinds: readonly Kind[] = [
  {
    name: "work",
    within: 30_000_000,
    counts: wanted || 200,
    files: Math.ceil((wanted || 200) / 10),
    make: work,
  },
  {
    name: "demo",
    within: 100_000_000,
    counts: wanted || 200,
    files: Math.ceil((wanted || 200) / 10),
    make: demo,
  },
  {
    name: "debian",
    within: 400_000_000,
    counts: wanted || 12,
    files: Math.ceil((wanted || 12) / 4),
    make: debianOrNull,
  },
];

/** What another process makes of snapshots: of each the digest at a count, and what was
 * said on the way. */
async function elsewhere(
  kind: string,
  cpus: number,
  folder: string,
  files: readonly { readonly path: string; readonly to: number }[],
): Promise<{ seen: string; said: string }[]> {
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check", OTHER, kind, `${cpus}`, folder],
      ...files.flatMap(({ path, to }) => [path, `${to}`]),
    ],
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(decoder.decode(stderr));
  return JSON.parse(decoder.decode(stdout));
}

for (const kind of kinds) {
  for (const cpus of [1, 2, 4]) {
    const tools = kind.name === "debian"
      ? ["apt-get", "apt-cache", "dpkg-deb"]
      : kind.name === "work"
      ? ["gcc", "ld", "nm", "objcopy"]
      : [];
    Deno.test({
      name: `${kind.counts} random counts, there and again: ${kind.name}, ` +
        `${cpus} processors`,
      ignore: !requireTool(...tools) || !soft,
      async fn() {
        const folder = await Deno.makeTempDir();
        try {
          await thereAndAgain(kind, cpus, folder);
        } finally {
          await Deno.remove(folder, { recursive: true });
        }
      },
    });
  }
}

async function thereAndAgain(
  kind: Kind,
  cpus: number,
  folder: string,
): Promise<void> {
  const guest = await kind.make(cpus, folder);
  if (guest === null) return;
  const { machine } = guest;
  const time = machine.options.platform.timeTravel!;
  const random = numbers(cpus + 1000 * kind.name.length);
  const counts = Array.from(
    { length: kind.counts },
    () => 1 + random(kind.within),
  ).sort((a, b) => a - b);
  const snapshots = new Snapshots(machine, [], null);
  const files: { path: string; to: number; seen: string; said: string }[] = [];
  for (const [i, count] of counts.entries()) {
    // What came before may have gone further.
    if (time.instructions() < count) await seenAt(guest, count, () => {});
    const here = await digest(machine);
    snapshots.keep("here");
    const isFile = i % Math.ceil(kind.counts / kind.files) === 0;
    const path = `${folder}/${i}.snap`;
    if (isFile) await snapshots.write(path);
    const said = guest.output().length;
    const to = time.instructions() + 1 + random(MOST_ON);
    const on = async () => {
      const before = guest.output().length;
      const seen = await seenAt(
        guest,
        to,
        () => digest(machine).then((at) => [at, guest.output().slice(before)]),
      );
      return seen;
    };
    const first = await on();
    const later = await digest(machine);
    assertEquals(guest.output().slice(said).startsWith(first[1]), true);
    snapshots.restore("here");
    assertEquals(await digest(machine), here, `back at ${count}`);
    assertEquals(await on(), first, `from ${count} to ${to}`);
    assertEquals(await digest(machine), later, `behind ${to}`);
    if (isFile) files.push({ path, to, seen: first[0], said: first[1] });
  }
  await guest.close();
  assertEquals(
    await elsewhere(kind.name, cpus, folder, files),
    files.map(({ seen, said }) => ({ seen, said })),
  );
}
