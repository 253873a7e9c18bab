// Sets of pages and the pool that they are in: what is joined, given back and used again
// is always the right page.

import { assert, assertEquals } from "@std/assert";
import { PagePool, PageSet } from "../../src/history/pages.ts";
import { PAGE_BYTES } from "../../src/x86/paging.ts";
import { numbers } from "../util/numbers.ts";

/** A page's content, told by a number. */
function filled(value: number): Uint8Array {
  const page = new Uint8Array(PAGE_BYTES);
  new Uint32Array(page.buffer).fill(value);
  return page;
}

/** What a set has, by page, as the numbers that filled() was told. */
function told(set: PageSet): Map<number, number> {
  return new Map(Array.from(set.numbers, (number, i) => {
    const page = set.page(i);
    assertEquals(page.length, PAGE_BYTES);
    const [value] = new Uint32Array(page.slice().buffer);
    assertEquals(page, filled(value));
    return [number, value];
  }));
}

Deno.test("pages of sets that come, are joined and go stay what they are", () => {
  const PAGES = 700;
  const memory = new Uint8Array(PAGES * PAGE_BYTES);
  const pool = new PagePool(16);
  const random = numbers(1);
  const sets: { set: PageSet; is: Map<number, number> }[] = [];
  for (let turn = 1; turn < 300; turn++) {
    const is = new Map<number, number>();
    // Neighbours, as programs write them.
    for (let page = random(50); page < PAGES; page += 1 + random(9) ** 2) {
      const value = turn * 1000 + page;
      memory.set(filled(value), page * PAGE_BYTES);
      is.set(page, value);
    }
    const own = random(4) === 0;
    const set = PageSet.of(
      Uint32Array.from(is.keys()),
      memory,
      own ? undefined : pool,
    );
    sets.push({ set, is });
    while (sets.length > 5) {
      const at = random(sets.length - 1);
      const [older] = sets.splice(at, 1);
      if (random(5) === 0) older.set.release();
      else {
        const next = sets[at];
        const copied = random(3) === 0 ? older.set.copy() : null;
        next.set = next.set.over(copied ?? older.set);
        next.is = new Map([...older.is, ...next.is]);
        if (copied !== null) older.set.release();
      }
    }
    if (turn % 20 === 0) {
      for (const { set, is } of sets) {
        assertEquals(told(set), new Map([...is].sort(([a], [b]) => a - b)));
      }
    }
  }
});

Deno.test("a page is in as few pieces as can be, and prepared ones are taken", () => {
  const pool = new PagePool(8);
  pool.prepare(20, 1000);
  const places = Array.from({ length: 24 }, () => pool.take());
  assertEquals(places.toSorted((a, b) => a - b), [...Array(24).keys()]);
  for (const place of places) pool.give(place);
  // There is room: nothing is prepared, nothing new is taken.
  pool.prepare(20, 1000);
  const again = Array.from({ length: 24 }, () => pool.take());
  assertEquals(new Set(again), new Set(places));
  assertEquals(pool.take() >= 24, true);
  assert(pool.follows(0, 1) && !pool.follows(7, 8) && !pool.follows(1, 0));
});

Deno.test("pages that are not all zeros, and bytes that are pages", () => {
  const memory = new Uint8Array(5 * PAGE_BYTES);
  memory[PAGE_BYTES] = 1;
  memory[4 * PAGE_BYTES - 1] = 2;
  const set = PageSet.nonZero(memory);
  assertEquals([...set.numbers], [1, 3]);
  assertEquals(set.page(1).at(-1), 2);
  assertEquals([...PageSet.nonZero(memory, undefined, [0, 3]).numbers], [3]);
  const bytes = new Uint8Array(2 * PAGE_BYTES);
  bytes.set(filled(7));
  bytes.set(filled(8), PAGE_BYTES);
  const joined = PageSet.joined(Uint32Array.of(4, 9), bytes);
  assertEquals([...told(joined)], [[4, 7], [9, 8]]);
  for (const none of [PageSet.none, PageSet.of(Uint32Array.of(), memory)]) {
    assertEquals([...told(joined.over(none))], [[4, 7], [9, 8]]);
    assertEquals([...told(none.over(joined))], [[4, 7], [9, 8]]);
    assertEquals([...told(none.copy().over(none))], []);
  }
});
