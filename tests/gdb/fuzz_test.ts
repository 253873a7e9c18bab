/**
 * The protocol machine fed with nonsense: it never throws, never hangs, what it
 * says is always well-formed, and a right request gets its own reply next.
 */
import { assert, assertEquals } from "@std/assert";
import { commands } from "../../src/gdb/commands/mod.ts";
import { PACKET_SIZE } from "../../src/gdb/packet.ts";
import { Client, frame } from "./client.ts";
import { FakeTarget } from "./fake_target.ts";

/** Xorshift: the same numbers for the same seed. */
class Random {
  #state: number;
  constructor(seed: number) {
    this.#state = seed | 1;
  }
  below(limit: number): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return (x >>> 0) % limit;
  }
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }
  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }
}

/** A guest that never runs for long, so that every request has its reply. */
class ShortRuns extends FakeTarget {
  override resume(plan: Parameters<FakeTarget["resume"]>[0]): void {
    super.resume(plan);
    if (this.stop === null) this.stopNow({ kind: "interrupted" });
  }
}

function makeClient(): { target: FakeTarget; client: Client } {
  const target = new ShortRuns();
  target.synchronous = true;
  const client = new Client(target);
  client.handshake();
  return { target, client };
}

/** Bytes in random portions; all that came back. */
function feed(client: Client, bytes: Uint8Array, random: Random): string[] {
  const items: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const size = 1 + random.below(40);
    items.push(...client.raw(bytes.subarray(at, at + size)));
    at += size;
  }
  return items;
}

/** A request whose reply nothing else gives. */
const MARK = "qThreadExtraInfo,p1.2";
const MARKED = "$435055" + "31205b72756e6e696e675d";

Deno.test("fuzz: random bytes", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = new Random(seed * 7919);
    const { client } = makeClient();
    for (let round = 0; round < 10 && !client.session.closed; round++) {
      feed(client, random.bytes(random.below(400)), random);
      if (client.session.closed) break;
      assertEquals(client.raw(frame(MARK)).at(-1), MARKED, `seed ${seed}`);
    }
  }
});

Deno.test("fuzz: random bytes of the protocol's own alphabet", () => {
  const alphabet = [..."$#}*+-0123456789abcdef:;,=pgmMXZzcsHTqvQ\x03.?"];
  for (let seed = 1; seed <= 300; seed++) {
    const random = new Random(seed * 104729);
    const { client } = makeClient();
    for (let round = 0; round < 20 && !client.session.closed; round++) {
      const text = Array.from(
        { length: random.below(300) },
        () => random.pick(alphabet),
      );
      const bytes = Uint8Array.from(text, (c) => c.charCodeAt(0));
      feed(client, bytes, random);
      if (client.session.closed) break;
      assertEquals(client.raw(frame(MARK)).at(-1), MARKED, `seed ${seed}`);
    }
  }
});

/** Those whose reply is none, or that end the conversation. */
const SILENT = ["k", "D", "R"];

/** Something like an argument. */
function argument(random: Random): string {
  const pieces = [
    () => random.below(0x200000).toString(16),
    () => "100000",
    () => random.pick(["ffffffffffffffff", "0", "-1", "1", "40000", ""]),
    () => random.pick([",", ":", ";", "=", ".", "p1", "X", "::", "read:"]),
    () => "f".repeat(random.below(70)),
    () => String.fromCharCode(...random.bytes(random.below(6))),
    () => ";X3,220127",
    () => ";thread:1;",
    () => random.pick(["c", "s", "t", "r100,200", "C05", "target.xml"]),
  ];
  let text = "";
  for (let i = random.below(7); i > 0; i--) text += random.pick(pieces)();
  return text;
}

Deno.test("fuzz: each request has exactly one reply", () => {
  const names = commands.names.filter((n) => !SILENT.includes(n));
  for (let seed = 1; seed <= 200; seed++) {
    const random = new Random(seed * 15485863);
    const { target, client } = makeClient();
    for (let round = 0; round < 60; round++) {
      const separator = random.pick(["", "", ":", ";", ","]);
      const payload = random.pick(names) + separator + argument(random);
      const stream = [...frame(payload), ...frame(MARK)];
      const replies = feed(client, Uint8Array.from(stream), random);
      const told = replies.filter((r) => !/^\$O[0-9a-f]/.test(r));
      // A kill is final, but the conversation goes on.
      assertEquals(told.length, 2, `seed ${seed}: ${payload}: ${replies}`);
      assertEquals(told[1], MARKED, `seed ${seed}: ${payload}`);
      assert(target.breakpoints.length < 100);
    }
  }
});

Deno.test("fuzz: damaged packets are refused, torn ones forgotten", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const random = new Random(seed * 32452843);
    const client = new Client(new ShortRuns());
    for (let round = 0; round < 40; round++) {
      const good = frame(`m10${random.below(0xffff).toString(16)},8`);
      const bad = good.slice();
      const stream: number[] = [];
      const expected: string[] = [];
      switch (random.below(3)) {
        case 0: // one of the digits of the checksum is wrong
          bad[bad.length - 1 - random.below(2)] ^= 1;
          stream.push(...bad);
          expected.push("-");
          break;
        case 1: // the end is missing
          stream.push(...bad.subarray(0, 1 + random.below(bad.length - 2)));
          break;
        case 2: // noise in between
          stream.push(0x20, 0x0d, 0x0a, 0x2b, 0x03, 0xff);
          break;
      }
      stream.push(...frame(MARK));
      expected.push("+", MARKED);
      const items = feed(client, Uint8Array.from(stream), random);
      assertEquals(items, expected, `seed ${seed}`);
    }
  }
});

Deno.test("fuzz: lengths beyond all measure", () => {
  const { client } = makeClient();
  const random = new Random(5);
  for (const name of ["m", "x", "M", "X", "qCRC:", "qSearch:memory:", "Z2,"]) {
    for (
      const length of ["7fffffff", "ffffffff", "1fffffffffffff", "f".repeat(40)]
    ) {
      for (const address of ["0", "100000", "ffffffffffffffff"]) {
        for (const end of ["", ":", ";", ":00", ";a"]) {
          const replies = client.raw(
            frame(`${name}${address},${length}${end}`),
          );
          assertEquals(replies.length, 1);
        }
      }
    }
  }
  for (const size of [PACKET_SIZE, PACKET_SIZE + 1, 4 * PACKET_SIZE]) {
    const stream = [...frame("M".padEnd(size, "0")), ...frame(MARK)];
    const replies = feed(client, Uint8Array.from(stream), random);
    assertEquals(replies.length, 2);
    assertEquals(replies[1], MARKED);
  }
});
