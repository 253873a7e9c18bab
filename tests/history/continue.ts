// Another process' part of counts_test.ts: goes on from snapshots' files.
//
//     continue.ts KIND CPUS FOLDER [FILE COUNT]...

import { readSnapshot, Snapshots } from "../../src/history/snapshots.ts";
import { fetchDebian } from "../guests/debian.ts";
import { digest } from "./digest.ts";
import { debian, demo, seenAt, type TimedGuest, work } from "./guests.ts";

const [kind, cpus, folder, ...files] = Deno.args;

async function make(): Promise<TimedGuest> {
  if (kind === "demo") return await demo(Number(cpus));
  if (kind === "work") return await work(Number(cpus));
  return await debian(await fetchDebian(), folder, "", "--cpus", cpus);
}

const guest = await make();
const { machine } = guest;
const { format } = machine.options.platform.timeTravel!;
const told: { seen: string; said: string }[] = [];
for (let i = 0; i < files.length; i += 2) {
  const snapshot = readSnapshot<null>(await Deno.readFile(files[i]), format);
  new Snapshots(machine, [], null).load(snapshot);
  const before = guest.output().length;
  told.push(
    await seenAt(guest, Number(files[i + 1]), async () => {
      const said = guest.output().slice(before);
      return { seen: await digest(machine), said };
    }),
  );
}
console.log(JSON.stringify(told));
await guest.close();
