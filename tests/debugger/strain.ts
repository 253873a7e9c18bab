/**
 * What a debugger does to the test guest so that, if anything were lost, the
 * guest's counts at the end would not be exact.
 */
import { assert, assertEquals } from "@std/assert";
import { type Client, littleEndian, type StopReply } from "./client.ts";
import type { Icebp } from "./icebp.ts";
import { numbers } from "../util/numbers.ts";

const SIGTRAP = 5;

/** The same numbers for the same seed, which may be any. */
export function randomFrom(seed: number): (limit: number) => number {
  return numbers(seed | 1);
}

/** The last of the guest's turns, and what was counted until then. Returns what icebp said
 * on standard error. */
export async function finish(
  icebp: Icebp,
  client: Client,
  table: ReadonlyMap<string, bigint>,
): Promise<string> {
  const counts = table.get("own_count")!;
  const done = Math.max(
    Number(await client.read64(counts)),
    Number(await client.read64(counts + 8n)),
  );
  await client.write64(table.get("turns")!, BigInt(done + 200));
  await client.send("vCont;c");
  const reply = await client.receive();
  client.close();
  const { code, output, errors } = await icebp.ended();
  assertEquals(reply.slice(0, 3), "W01", output + errors);
  assertEquals(code, 1);
  assert(output.includes("guest: all counts are exact"), output);
  return errors;
}

/** Lets both processors get to work. */
export async function start(
  client: Client,
  table: ReadonlyMap<string, bigint>,
): Promise<void> {
  const place = `${table.get("work")!.toString(16)},1`;
  await client.must(`Z0,${place}`);
  for (let seen = 0; seen !== 3;) {
    const { fields } = await client.resume("vCont;c");
    seen |= 1 << Number(fields.get("core"));
  }
  await client.must(`z0,${place}`);
}

/**
 * `wanted` breakpoint hits and steps, at random, in a guest that is at work; its
 * own INT3, TF and debug registers are among the places.
 */
export async function strain(
  client: Client,
  table: ReadonlyMap<string, bigint>,
  wanted: number,
  below: (limit: number) => number,
): Promise<void> {
  const work = table.get("work")!;
  // Instructions of what runs all the time, the guest's own INT3 among them.
  const places = ["work", "int3_test", "tf_test", "dr_test", "on_debug"]
    .map((name) => table.get(name)!);
  const inserted = new Set<string>();
  let stops = 0, hits = 0;
  while (stops < wanted) {
    switch (below(4)) {
      case 0: {
        const place = `${places[below(places.length)].toString(16)},1`;
        if (inserted.delete(place)) await client.must(`z0,${place}`);
        else {
          await client.must(`Z0,${place}`);
          inserted.add(place);
        }
        break;
      }
      case 1: {
        if (inserted.size === 0) {
          const place = `${work.toString(16)},1`;
          await client.must(`Z0,${place}`);
          inserted.add(place);
        }
        const stop = await client.resume("vCont;c");
        checkStop(stop, inserted);
        hits++;
        stops++;
        break;
      }
      case 2: {
        // One steps, the other runs.
        const thread = 1 + below(2);
        const stop = await client.resume(`vCont;s:p1.${thread};c`);
        assertEquals(stop.signal, SIGTRAP);
        stops++;
        break;
      }
      case 3: {
        // A few steps of one alone.
        const thread = 1 + below(2);
        for (let n = below(6); n >= 0; n--) {
          const stop = await client.resume(`vCont;s:p1.${thread}`);
          assertEquals(stop.fields.get("thread"), `p1.${thread}`);
          stops++;
        }
      }
    }
  }
  assert(hits > wanted / 10);
  for (const place of inserted) await client.must(`z0,${place}`);
}

/** A breakpoint stops where one is inserted. */
function checkStop(stop: StopReply, inserted: ReadonlySet<string>): void {
  assertEquals(stop.signal, SIGTRAP);
  if (!stop.fields.has("swbreak")) return;
  const rip = littleEndian(stop.fields.get("10")!);
  assert(inserted.has(`${rip.toString(16)},1`), `stopped at ${rip}`);
}
