// The four states of a software breakpoint, on memory and page tables alone.

import { assert, assertEquals } from "@std/assert";
import { MemoryBreakpoints } from "../../src/debug/breakpoints/memory.ts";
import { INT1 as TRAP } from "../../src/debug/breakpoints/trap.ts";
import { PageWalker, type Paging } from "../../src/debug/paging/walk.ts";
import { GuestMemory } from "../../src/machine/memory.ts";

const INT1 = TRAP.opcode;

const REAL: Paging = { cr0: 0n, cr3: 0n, cr4: 0n, efer: 0n };

function setUp() {
  const view = new Uint8Array(0x40000);
  const memory = new GuestMemory(view, view.length);
  const table = new MemoryBreakpoints(memory, new PageWalker(memory));
  view.fill(0x90);
  return { view, table, data: new DataView(view.buffer) };
}

const state = (table: MemoryBreakpoints, at: bigint) =>
  table.at(at)?.state ?? "cleared";

Deno.test("cleared, set-pending, set, clear-pending", () => {
  const { view, table } = setUp();
  assertEquals(state(table, 0x100n), "cleared");
  table.insert(0x100n, []);
  assertEquals(state(table, 0x100n), "set-pending");
  assertEquals(view[0x100], 0x90);
  table.set([REAL]);
  assertEquals(state(table, 0x100n), "set");
  assertEquals(view[0x100], INT1);
  table.remove(0x100n);
  assertEquals(state(table, 0x100n), "clear-pending");
  table.insert(0x100n, []);
  assertEquals(state(table, 0x100n), "set");
  table.clear();
  assertEquals(state(table, 0x100n), "set-pending");
  assertEquals(view[0x100], 0x90);
  table.remove(0x100n);
  assertEquals(state(table, 0x100n), "cleared");
  assertEquals(table.size, 0);
});

Deno.test("the same address twice, removed in any order", () => {
  for (const between of [false, true]) {
    const { view, table } = setUp();
    table.insert(0x100n, []);
    table.insert(0x100n, []);
    assertEquals(table.size, 1);
    if (between) table.set([REAL]);
    assert(table.remove(0x100n));
    if (!between) table.set([REAL]);
    assertEquals(view[0x100], INT1);
    table.clear();
    assertEquals(view[0x100], 0x90);
    table.set([REAL]);
    assert(table.remove(0x100n));
    assert(!table.remove(0x100n));
    table.clear();
    table.set([REAL]);
    assertEquals(view[0x100], 0x90);
    assertEquals(table.at(0x100n), undefined);
  }
});

Deno.test("removed while set: prune takes it out at once", () => {
  const { view, table } = setUp();
  table.insert(0x100n, []);
  table.insert(0x101n, []);
  table.set([REAL]);
  table.remove(0x100n);
  table.prune();
  assertEquals([view[0x100], view[0x101]], [0x90, INT1]);
  assertEquals(state(table, 0x100n), "cleared");
});

Deno.test("what the guest writes over a breakpoint stays", () => {
  const { view, table } = setUp();
  table.insert(0x100n, []);
  table.set([REAL]);
  view[0x100] = 0xc3;
  table.clear();
  assertEquals(view[0x100], 0xc3);
  table.set([REAL]);
  table.clear();
  assertEquals(view[0x100], 0xc3, "and is what is put back from then on");
});

Deno.test("an instruction that is stepped over may change its own byte", () => {
  const { view, table } = setUp();
  table.insert(0x100n, []);
  table.set([REAL]);
  const breakpoint = table.at(0x100n)!;
  table.lift(breakpoint);
  assertEquals(view[0x100], 0x90);
  view[0x100] = 0x40;
  table.settle(breakpoint);
  assertEquals(view[0x100], INT1);
  table.clear();
  assertEquals(view[0x100], 0x40);
});

Deno.test("the guest's own INT1 is a byte like any other", () => {
  const { view, table } = setUp();
  view[0x100] = INT1;
  table.insert(0x100n, []);
  table.set([REAL]);
  table.clear();
  assertEquals(view[0x100], INT1);
});

/** 32-bit page tables at `cr3` (two pages) that map `linear` to `frame`. */
/** `rights`: present 1, writable 2, user 4. */
function map(
  data: DataView,
  cr3: number,
  linear: number,
  frame: number,
  rights = 3,
) {
  data.setUint32(cr3 + (linear >>> 22) * 4, (cr3 + 0x1000) | 7, true);
  data.setUint32(
    cr3 + 0x1000 + ((linear >>> 12) & 0x3ff) * 4,
    frame | rights,
    true,
  );
}

function space(data: DataView, cr3: number): Paging {
  new Uint8Array(data.buffer, cr3, 0x2000).fill(0);
  return { cr0: 0x80000001n, cr3: BigInt(cr3), cr4: 0n, efer: 0n };
}

Deno.test("unmapped stays pending, and is set once mapped", () => {
  const { view, table, data } = setUp();
  const a = space(data, 0x10000);
  table.insert(0x400123n, []);
  table.set([a]);
  assertEquals(state(table, 0x400123n), "set-pending");
  table.clear();
  map(data, 0x10000, 0x400000, 0x5000);
  table.set([a]);
  assertEquals(state(table, 0x400123n), "set");
  assertEquals(view[0x5123], INT1);
  table.clear();
  // Moved to another frame meanwhile.
  map(data, 0x10000, 0x400000, 0x6000);
  table.set([a]);
  assertEquals([view[0x5123], view[0x6123]], [0x90, INT1]);
  table.clear();
});

Deno.test("found through an address space that is not the current one", () => {
  const { view, table, data } = setUp();
  const kernel = space(data, 0x10000);
  const user = space(data, 0x12000);
  map(data, 0x10000, 0x80400000, 0x5000);
  view.set([1, 2, 3, 4], 0x5123);
  table.insert(0x80400123n, []);
  table.set([user]);
  assertEquals(view[0x5123], 1, "nobody knows the kernel's tables yet");
  table.clear();
  table.set([user, kernel]);
  assertEquals(view[0x5123], INT1, "another processor's");
  table.clear();
  table.set([user]);
  assertEquals(view[0x5123], INT1, "remembered");
  table.clear();
  // The old tables' frame holds something else now: hands off.
  view[0x5124] = 0x77;
  table.set([user]);
  assertEquals(view[0x5123], 1);
});

/** Long mode's tables in four pages from 0x10000 on, which map one page. */
function longSpace(data: DataView, linear: bigint, entry: number): Paging {
  new Uint8Array(data.buffer, 0x10000, 0x4000).fill(0);
  for (let level = 3; level >= 0; level--) {
    const index = Number((linear >> BigInt(12 + 9 * level)) & 0x1ffn);
    const table = 0x10000 + (3 - level) * 0x1000;
    const value = level === 0 ? entry : (table + 0x1000) | 7;
    data.setBigUint64(table + index * 8, BigInt(value), true);
  }
  return { cr0: 0x80000001n, cr3: 0x10000n, cr4: 0x20n, efer: 0x500n };
}

Deno.test("code that its kernel can write is left to debug registers", () => {
  const { view, table, data } = setUp();
  const high = 0xffffffff81000000n;
  for (const at of [high, high + 1n, high + 2n, 0x400000n]) {
    table.insert(at, []);
  }
  const writable = longSpace(data, high, 0x5003);
  table.set([writable], 2);
  // What is not mapped has no other way.
  assertEquals(table.lent, [0x400000n, high]);
  assertEquals([...view.subarray(0x5000, 0x5003)], [0x90, INT1, INT1]);
  table.clear();
  assertEquals(table.lent, []);
  table.set([writable]);
  assertEquals([...view.subarray(0x5000, 0x5003)], [INT1, INT1, INT1]);
  table.clear();
  table.set([longSpace(data, high, 0x5001)], 4);
  assertEquals(table.lent, [0x400000n]);
  assertEquals([...view.subarray(0x5000, 0x5003)], [INT1, INT1, INT1]);
});

Deno.test("debug registers go where they are needed most, and move there", () => {
  const { view, table, data } = setUp();
  const a = space(data, 0x10000);
  // Kernel's, read only; kernel's, writable; a program's.
  map(data, 0x10000, 0x400000, 0x5000, 1);
  map(data, 0x10000, 0x401000, 0x6000, 3);
  map(data, 0x10000, 0x402000, 0x7000, 7);
  const [fixed, writable, user] = [0x400010n, 0x401010n, 0x402010n];
  const nowhere = 0x700000n;
  const at = () => [0x5010, 0x6010, 0x7010].map((gpa) => view[gpa] === INT1);
  table.insert(fixed, []);
  table.set([a], 2);
  assertEquals([table.lent, at()], [[], [true, false, false]]);
  table.insert(writable, []);
  table.clear();
  table.set([a], 2);
  assertEquals([table.lent, at()], [[writable], [true, false, false]]);
  table.insert(nowhere, []);
  table.insert(user, []);
  table.clear();
  table.set([a], 3);
  assertEquals(table.lent, [nowhere, user, writable]);
  table.clear();
  table.set([a], 2);
  assertEquals([table.lent, at()], [[nowhere, user], [true, true, false]]);
  assert(!table.waiting);
  table.clear();
  table.set([a], 1);
  assertEquals([table.lent, at()], [[nowhere], [true, true, true]]);
  table.clear();
  table.set([a], 0);
  assert(table.waiting);
  table.clear();
  assertEquals(at(), [false, false, false]);
});

Deno.test("behind MOV SS and POP SS, which hold debug registers back, it is in memory", () => {
  const before = [
    ["8e d0", true],
    ["66 8e d0", true],
    ["8e 15 00 10 00 00", true],
    ["8e 54 24 04", true],
    ["17", true],
    ["8e d8", false],
    ["89 d0", false],
    ["90", false],
  ] as const;
  for (const [code, held] of before) {
    const { view, table } = setUp();
    const bytes = Uint8Array.fromHex(code.replaceAll(" ", ""));
    view.set(bytes, 0x1000);
    const at = 0x1000 + bytes.length;
    table.insert(BigInt(at), []);
    table.set([REAL], 4);
    assertEquals(
      [table.lent.length, view[at]],
      held ? [0, INT1] : [1, 0x90],
      code,
    );
  }
});

/** Two programs whose pages at 0x400000 are the frames 0x5000 and 0x6000. */
function twoPrograms() {
  const { view, table, data } = setUp();
  const [a, b] = [space(data, 0x10000), space(data, 0x12000)];
  map(data, 0x10000, 0x400000, 0x5000, 7);
  map(data, 0x12000, 0x400000, 0x6000, 7);
  return { view, table, data, a, b };
}

Deno.test("a program's breakpoint goes into no other program", () => {
  for (const offset of [0, 0x123, 0xff4, 0xfff]) {
    const { view, table, a, b } = twoPrograms();
    const at = 0x400000n + BigInt(offset);
    const [inA, inB] = [0x5000 + offset, 0x6000 + offset];
    // The byte itself is the same, one near it is not.
    view[offset < 0xff8 ? inB + 7 : inB - 7] = 0x77;
    table.insert(at, []);
    table.set([a, b]);
    assertEquals([view[inA], view[inB]], [INT1, 0x90], `${offset}`);
    assertEquals(table.at(at)!.held, `INT1 at physical 0x${inA.toString(16)}`);
    table.clear();
    table.set([b]);
    // Found in the space that is not current.
    assertEquals([view[inA], view[inB]], [INT1, 0x90], `${offset}`);
    table.clear();
  }
});

Deno.test("it goes into every program that carries the same bytes", () => {
  const { view, table, a, b } = twoPrograms();
  table.insert(0x400123n, []);
  table.set([a]);
  assertEquals([view[0x5123], view[0x6123]], [INT1, 0x90]);
  table.clear();
  table.set([b]);
  assertEquals([view[0x5123], view[0x6123]], [INT1, INT1]);
  table.clear();
});

Deno.test("it stays the program's while a debugger takes it out and puts it back", () => {
  const { view, table, a, b } = twoPrograms();
  const at = 0x400123n;
  view[0x6127] = 0x77;
  table.insert(at, []);
  table.set([a]);
  table.forgetRemoved();
  // A stop in the other program.
  table.clear();
  assert(table.remove(at));
  table.insert(at, []);
  table.set([b]);
  table.forgetRemoved();
  assertEquals([view[0x5123], view[0x6123]], [INT1, 0x90]);
  table.clear();
  // Its page is another program's now, and the guest runs without it once.
  assert(table.remove(at));
  table.set([b]);
  table.forgetRemoved();
  table.insert(at, []);
  table.set([b]);
  assertEquals([view[0x5123], view[0x6123]], [0x90, INT1], "set in b");
  table.clear();
});

Deno.test("set before its program is there it waits, and hurts no other", () => {
  const { view, table, data } = setUp();
  const [a, b] = [space(data, 0x10000), space(data, 0x12000)];
  const at = 0x400123n;
  table.insert(at, []);
  table.set([a, b]);
  assert(table.waiting);
  // Tried again while the guest runs: nobody has said which program it is for.
  map(data, 0x12000, 0x400000, 0x6000, 7);
  table.set([b], 0, 0n, []);
  assert(table.waiting);
  assertEquals(view[0x6123], 0x90);
  assertEquals(
    table.at(at)!.held,
    "nothing: what is mapped is not the program it was set in",
  );
  table.set([b], 1, 0n, []);
  assertEquals(table.lent, [at]);
  // A stop in b.
  table.clear();
  table.set([b]);
  assertEquals(view[0x6123], INT1);
  table.clear();
});

Deno.test("a plant is where the step goes, whoever's breakpoint is there", () => {
  const { view, table, a, b } = twoPrograms();
  const at = 0x400123n;
  view[0x6127] = 0x77;
  table.insert(at, []);
  table.set([a]);
  assert(table.plant(at, [b]));
  assert(table.plant(at, [b]), "twice");
  assertEquals([view[0x5123], view[0x6123]], [INT1, INT1]);
  table.pull(at);
  assertEquals(view[0x6123], INT1);
  table.pull(at);
  assertEquals([view[0x5123], view[0x6123]], [INT1, 0x90]);
  // Removed while it is planted, too.
  assert(table.plant(at, [b]));
  assert(table.remove(at));
  table.pull(at);
  assertEquals([view[0x5123], view[0x6123]], [0x90, 0x90]);
  assertEquals(table.at(at), undefined);
});

Deno.test("one frame at two addresses keeps its original byte", () => {
  const { view, table, data } = setUp();
  const a = space(data, 0x10000);
  map(data, 0x10000, 0x400000, 0x5000);
  map(data, 0x10000, 0x401000, 0x5000);
  table.insert(0x400010n, []);
  table.insert(0x401010n, []);
  table.set([a]);
  table.remove(0x400010n);
  table.prune();
  assertEquals(view[0x5010], INT1);
  table.remove(0x401010n);
  table.prune();
  assertEquals(view[0x5010], 0x90);
});

Deno.test("plants end steps and leave others' breakpoints alone", () => {
  const { view, table } = setUp();
  assert(table.plant(0x100n, [REAL]));
  assertEquals(view[0x100], INT1);
  assertEquals(table.size, 0, "not a breakpoint of anybody's");
  table.pull(0x100n);
  assertEquals(view[0x100], 0x90);
  table.insert(0x200n, []);
  table.set([REAL]);
  assert(table.plant(0x200n, [REAL]));
  table.pull(0x200n);
  assertEquals(view[0x200], INT1);
  assertEquals(table.plant(0x900000n, [REAL]), false);
  assertEquals(table.at(0x900000n), undefined);
});

Deno.test("memory read for the debugger shows no breakpoints", () => {
  const { view, table } = setUp();
  table.insert(0x100n, []);
  table.set([REAL]);
  const bytes = view.slice(0xff, 0x102);
  table.hide(0xff, bytes);
  assertEquals([...bytes], [0x90, 0x90, 0x90]);
});

Deno.test("10,000 breakpoints are inserted and removed, and leave nothing", () => {
  const { view, table } = setUp();
  for (let i = 0; i < 10_000; i++) table.insert(BigInt(0x1000 + i), []);
  table.set([REAL]);
  assertEquals(view.indexOf(INT1), 0x1000);
  table.clear();
  for (let i = 0; i < 10_000; i++) table.remove(BigInt(0x1000 + i));
  assertEquals(table.size, 0);
  assertEquals(view.indexOf(INT1), -1);
});
