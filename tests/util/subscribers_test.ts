import { assertEquals, assertThrows } from "@std/assert";
import { Subscribers } from "../../src/util/subscribers.ts";

Deno.test("subscribers are told in order, until they unsubscribe", () => {
  const heard: string[] = [];
  const event = new Subscribers<[number]>();
  event.tell(0);
  const listener = (n: number) => void heard.push(`a${n}`);
  const first = event.subscribe(listener);
  // The same function twice is two subscriptions.
  const second = event.subscribe(listener);
  event.subscribe((n) => heard.push(`b${n}`));
  event.tell(1);
  assertEquals(heard.splice(0), ["a1", "a1", "b1"]);
  first();
  first();
  assertEquals(event.size, 2);
  event.tell(2);
  assertEquals(heard.splice(0), ["a2", "b2"]);
  second();
  event.tell(3);
  assertEquals(heard, ["b3"]);
});

Deno.test("who unsubscribes or subscribes while others are told", () => {
  const heard: string[] = [];
  const event = new Subscribers<[]>();
  event.subscribe(() => {
    heard.push("first");
    last();
    event.subscribe(() => heard.push("new"));
  });
  const last = event.subscribe(() => heard.push("last"));
  event.tell();
  assertEquals(heard.splice(0), ["first"]);
  event.tell();
  assertEquals(heard, ["first", "new"]);
});

Deno.test("an event that a listener causes is told behind this one, at once", () => {
  const heard: string[] = [];
  const event = new Subscribers<[number]>();
  event.subscribe((n) => {
    heard.push(`a${n}`);
    if (n < 3) event.tell(n + 1);
    heard.push(`a${n} done`);
  });
  event.subscribe((n) => heard.push(`b${n}`));
  event.tell(1);
  assertEquals(
    heard,
    ["a1", "b1", "a2", "b2", "a3", "a3 done", "b3", "a2 done", "a1 done"],
  );
});

Deno.test("a listener that throws fails loudly, and the others are told", () => {
  const heard: number[] = [];
  const event = new Subscribers<[number]>();
  event.subscribe(() => {
    throw new RangeError("one");
  });
  event.subscribe((n) => heard.push(n));
  assertThrows(() => event.tell(1), RangeError, "one");
  assertEquals(heard, [1]);
  event.subscribe(() => {
    throw new TypeError("two");
  });
  const { errors } = assertThrows(() => event.tell(2), AggregateError, "one");
  assertEquals(errors.map((error) => error.message), ["one", "two"]);
  assertEquals(heard, [1, 2]);
});
