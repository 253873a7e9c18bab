// The kinds of values that a state is declared of.
import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import type { StateValue } from "../../src/machine/device.ts";
import {
  big,
  bytes,
  flag,
  integer,
  type Kind,
  list,
  optional,
  queue,
  record,
  several,
  text,
  time,
  versionOf,
} from "../../src/machine/state.ts";

/** Through a file and back. */
function kept<T>(kind: Kind<T>, value: T): T {
  return kind.load(JSON.parse(JSON.stringify(kind.save(value))), "x");
}

let moment = 5n;
const ALL = record({
  on: flag(true),
  count: integer(7),
  name: text("none"),
  cycles: big(-1n),
  at: time(() => moment),
  memory: bytes(4, () => Uint8Array.of(1, 2, 3, 4)),
  waiting: queue(integer(0)),
  latch: optional(integer(9)),
  pair: list([integer(1), integer(2)]),
  chips: several(2, record({ irr: integer(0) })),
});

Deno.test("a reset gives what is declared, anew each time", () => {
  const state = ALL.initial();
  const expected = {
    on: true,
    count: 7,
    name: "none",
    cycles: -1n,
    at: 5n,
    memory: Uint8Array.of(1, 2, 3, 4),
    waiting: [],
    latch: null,
    pair: [1, 2],
    chips: [{ irr: 0 }, { irr: 0 }],
  };
  assertEquals(state, expected);
  state.memory[0] = 9;
  state.waiting.push(1);
  state.chips[0].irr = 1;
  moment = 6n;
  assertEquals(ALL.initial(), { ...expected, at: 6n });
});

Deno.test("what is saved is loaded as it was", () => {
  const state = {
    on: false,
    count: 2 ** 60,
    name: "a",
    cycles: 2n ** 80n,
    at: 123n,
    memory: Uint8Array.of(9, 8, 7, 0),
    waiting: [3, 2, 1],
    latch: 0,
    pair: [5, -6],
    chips: [{ irr: 1 }, { irr: 2 }],
  };
  const loaded = kept(ALL, state);
  assertEquals(loaded, state);
  assertEquals(Object.keys(loaded), Object.keys(ALL.initial()));
  assertEquals(kept(ALL, { ...state, latch: null }).latch, null);
});

Deno.test("anything else is refused, with its place", () => {
  const saved = ALL.save(ALL.initial()) as Record<string, StateValue>;
  const refuses = (changed: Record<string, StateValue>, why: string) => {
    assertThrows(() => ALL.load({ ...saved, ...changed }, "x"), TypeError, why);
  };
  refuses({ on: 1 }, "saved state x.on: true or false expected");
  refuses({ count: 1.5 }, "x.count: a whole number expected");
  refuses({ count: null }, "x.count: a whole number expected");
  refuses({ name: 1 }, "x.name: a text expected");
  refuses({ cycles: 1 }, "x.cycles: an integer ending in n expected");
  refuses({ at: "1.5n" }, "x.at: an integer ending in n expected");
  refuses({ memory: "010203" }, "x.memory: 4 hexadecimal bytes expected");
  refuses({ memory: "0102030g" }, "x.memory: 4 hexadecimal bytes expected");
  refuses({ waiting: {} }, "x.waiting: a list expected");
  refuses({ waiting: [1, "2"] }, "x.waiting[1]: a whole number expected");
  refuses({ latch: false }, "x.latch: a whole number expected");
  refuses({ pair: [1] }, "x.pair: 2 entries expected");
  refuses({ chips: [{ irr: 0 }, 1] }, "x.chips[1]: a record expected");
  refuses({ chips: [{ irr: 0 }, {}] }, "x.chips[1]: a field irr expected");
  refuses({ more: 1 }, "x: no field more expected");
  const { on: _, ...less } = saved;
  assertThrows(() => ALL.load(less, "x"), TypeError, "x: a field on expected");
  // What every object has is no field.
  const odd = JSON.parse('{"__proto__": 1}');
  assertThrows(() => record({}).load(odd, "x"), TypeError, "no field");
  const named = record({ toString: integer(0) });
  assertThrows(() => named.load({}, "x"), TypeError, "a field toString");
});

Deno.test("a version tells other names and kinds apart, not other initial values", () => {
  const version = versionOf(record({ a: integer(0), b: bytes(4) }));
  assertEquals(version, versionOf(record({ a: integer(5), b: bytes(4) })));
  assertEquals(/^[0-9a-f]{8}$/.test(version), true);
  const others = [
    record({ a: integer(0), c: bytes(4) }),
    record({ a: integer(0), b: bytes(5) }),
    record({ a: big(0n), b: bytes(4) }),
    record({ a: time(0n), b: bytes(4) }),
    record({ a: optional(integer(0)), b: bytes(4) }),
    record({ a: queue(integer(0)), b: bytes(4) }),
    record({ a: several(1, integer(0)), b: bytes(4) }),
    record({ a: several(2, integer(0)), b: bytes(4) }),
    record({ a: record({ a: integer(0) }), b: bytes(4) }),
    record({ a: integer(0) }),
  ];
  const all = new Set([version, ...others.map(versionOf)]);
  assertEquals(all.size, others.length + 1);
  assertNotEquals(versionOf(record({})), versionOf(queue(record({}))));
});
