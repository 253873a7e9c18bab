// What the debugger knows of Linux, on memory and page tables made by hand.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { findKernel, kernelSpace } from "../../src/debug/linux/kernel.ts";
import { PageWalker, type Paging } from "../../src/debug/paging/walk.ts";
import { GuestMemory } from "../../src/machine/memory.ts";
import { Toy } from "./toy.ts";

const CR0 = 0x80000011n, CR4_PAE = 0x20n, CR4_LA57 = 0x1000n;
const EFER = 0x500n;
const WEAK = "Linux version 6.1.0-9-amd64 (d@example) (gcc-12) # SMP now";
const BANNER = "Linux version 6.1.0-9-amd64 (d@example) (gcc-12) #1 SMP now";

/** Flags of a page of 2 MiB. */
const LARGE = 0x83;

function put(view: Uint8Array, at: number, text: string): void {
  view.set(new TextEncoder().encode(`${text}\n\0`), at);
}

/** Page tables in guest memory; new ones are taken from `next` on. */
class Tables {
  readonly #data: DataView;
  readonly #levels: number;
  next: number;

  constructor(view: Uint8Array, next: number, levels = 4) {
    this.#data = new DataView(view.buffer, view.byteOffset);
    this.next = next;
    this.#levels = levels;
  }

  /** Maps a page of 4 KiB, or of 2 MiB where `flags` say so. */
  map(top: number, linear: bigint, frame: number, flags = 3): void {
    let table = top;
    for (let level = this.#levels - 1;; level--) {
      const index = Number((linear >> BigInt(12 + 9 * level)) & 0x1ffn);
      const at = table + index * 8;
      if (level === (flags & 0x80 ? 1 : 0)) {
        this.#data.setBigUint64(at, BigInt(frame | flags), true);
        return;
      }
      if (this.#data.getBigUint64(at, true) === 0n) {
        this.#data.setBigUint64(at, BigInt(this.next | 7), true);
        this.next += 0x1000;
      }
      table = Number(this.#data.getBigUint64(at, true)) & ~0xfff;
    }
  }
}

function setUp(levels = 4) {
  const view = new Uint8Array(0x600000);
  const memory = new GuestMemory(view, view.length);
  const walker = new PageWalker(memory);
  const space: Paging = {
    cr0: CR0,
    cr3: 0x10000n,
    cr4: levels === 5 ? CR4_PAE | CR4_LA57 : CR4_PAE,
    efer: EFER,
  };
  const tables = new Tables(view, 0x12000, levels);
  const map = (linear: bigint, frame: number, flags?: number) =>
    tables.map(0x10000, linear, frame, flags);
  return {
    view,
    memory,
    space,
    map,
    find: () => findKernel(memory, walker, space),
  };
}

for (const levels of [4, 5]) {
  Deno.test(`a kernel is found by its mapping, ${levels} levels`, () => {
    const { view, map, find } = setUp(levels);
    assertEquals(find(), null);
    // Modules and the fixed mappings are no kernel.
    map(0xffffffffc0000000n, 0x200000, LARGE);
    map(0xffffffffff600000n, 0x30000);
    assertEquals(find(), null);
    map(0xffffffff9a200000n, 0x200000, LARGE);
    map(0xffffffff9a400000n, 0x400000, LARGE);
    put(view, 0x412340, BANNER);
    assertEquals(find(), {
      text: 0xffffffff9a200000n,
      gpa: 0x200000,
      offset: 0x19200000n,
      patching: true,
      banner: BANNER,
    });
  });
}

Deno.test("a banner lies across pages and behind holes; the weak one is not it", () => {
  const { view, map, find } = setUp();
  map(0xffffffff81000000n, 0x40000);
  map(0xffffffff81002000n, 0x42000);
  map(0xffffffff81201000n, 0x44000);
  map(0xffffffff81202000n, 0x45000);
  put(view, 0x40800, "Linux version of something else");
  put(view, 0x42100, WEAK);
  assertEquals(find()?.banner, null);
  put(view, 0x45000 - 20, BANNER);
  assertEquals(find()?.banner, BANNER);
  assertEquals(find()?.offset, 0n);
});

Deno.test("a 32-bit kernel is found where low memory becomes read-only", () => {
  const { view, memory } = setUp();
  const walker = new PageWalker(memory);
  const data = new DataView(view.buffer);
  // Page tables of 32 bits with pages of 4 MiB: LARGE, and not writable.
  const space: Paging = { cr0: CR0, cr3: 0x10000n, cr4: 0x10n, efer: 0n };
  const find = () => findKernel(memory, walker, space);
  const map = (linear: number, frame: number, flags: number) =>
    data.setUint32(0x10000 + (linear >>> 22) * 4, frame | flags, true);
  assertEquals(find(), null);
  put(view, 0x212340, BANNER);
  for (const linear of [0xc0000000, 0xd4400000]) map(linear, 0x1000000, LARGE);
  map(0xd4000000, 0, LARGE);
  assertEquals(find(), null, "it is starting");
  map(0xd4000000, 0, LARGE & ~2);
  const kernel = {
    text: 0xd4000000n,
    gpa: 0,
    offset: 0x13000000n,
    patching: false,
    banner: BANNER,
  };
  assertEquals(find(), kernel);
  // What is read-only and no kernel does not hide it.
  map(0xc0400000, 0x1000000, LARGE & ~2);
  assertEquals(find(), kernel);
  // PAE: entries of 8 bytes, pages of 2 MiB; the top level says nothing of writing.
  const pae: Paging = { ...space, cr3: 0x20000n, cr4: CR4_PAE };
  const map64 = (at: number, entry: number) =>
    data.setBigUint64(at, BigInt(entry), true);
  map64(0x20000 + 3 * 8, 0x21001);
  map64(0x21000, 0x200000 | LARGE);
  map64(0x21000 + 8 * 8, 0x200000 | LARGE);
  assertEquals(findKernel(memory, walker, pae), null);
  map64(0x21000 + 8 * 8, 0x200000 | LARGE & ~2);
  assertEquals(findKernel(memory, walker, pae), {
    ...kernel,
    text: 0xc1000000n,
    gpa: 0x200000,
    offset: 0n,
  });
});

Deno.test("without paging there is no kernel to find", () => {
  const { memory } = setUp();
  const walker = new PageWalker(memory);
  const space: Paging = { cr0: 1n, cr3: 0n, cr4: 0n, efer: 0n };
  assertEquals(findKernel(memory, walker, space), null);
});

/** A kernel's top-level table at 0x10000 and the user's behind it. */
function isolated() {
  const parts = setUp();
  const data = new DataView(parts.view.buffer);
  const pair = (index: number, user: bigint, kernel: bigint) => {
    data.setBigUint64(0x11000 + index * 8, user, true);
    data.setBigUint64(0x10000 + index * 8, kernel, true);
  };
  return { ...parts, pair, user: { ...parts.space, cr3: 0x11803n } };
}

Deno.test("a user's page tables lead to the kernel's", () => {
  const { memory, space, user, pair, map } = isolated();
  map(0xffffffff81000000n, 0x40000);
  assertEquals(kernelSpace(memory, user), null, "no program's pages at all");
  pair(0, 0x20027n, 0x8000000000020007n);
  pair(255, 0x21007n, 0x8000000000021027n);
  const kernel = kernelSpace(memory, user);
  assertEquals(kernel, { ...space, cr3: 0x10803n });
  const walker = new PageWalker(memory);
  assertEquals(walker.translate(user, 0xffffffff81000123n), -1);
  assertEquals(walker.translate(kernel!, 0xffffffff81000123n), 0x40123);
  assertEquals(kernelSpace(memory, kernel!), null, "these are the kernel's");
});

Deno.test("what only looks like a user's page tables does not", () => {
  const { memory, user, pair } = isolated();
  pair(0, 0x20007n, 0x8000000000020007n);
  assert(kernelSpace(memory, user) !== null);
  pair(7, 0x20007n, 0n);
  assertEquals(kernelSpace(memory, user), null);
  pair(7, 0x20007n, 0x100020007n);
  assertEquals(kernelSpace(memory, user), null);
  pair(7, 0n, 0n);
  assertEquals(kernelSpace(memory, { ...user, cr3: 0x601000n }), null);
  assertEquals(kernelSpace(memory, { ...user, efer: 0n }), null);
});

/** A machine of toys whose processors have CR3 as given; 0 is no paging. */
function machine(...cr3: bigint[]) {
  const toy = new Toy("90", cr3.length);
  cr3.forEach((value, i) => {
    const { vp } = toy.machine.processors[i];
    if (value === 0n) return;
    vp.set(Reg.Cr0, CR0);
    vp.set(Reg.Cr3, value);
    vp.set(Reg.Cr4, CR4_PAE);
    vp.set(Reg.Efer, EFER);
  });
  const tables = new Tables(toy.platform.memory, 0x4000);
  return { toy, tables, view: toy.platform.memory };
}

Deno.test("monitor linux: version, offset, and the line to paste", async () => {
  for (const processors of [[0x2000n], [0n, 0x2000n], [0n, 0n, 0n, 0x2000n]]) {
    const { toy, tables, view } = machine(...processors);
    // Present, and not writable: 1 instead of 3.
    tables.map(0x2000, 0xffffffff9a200000n, 0x9000, 1);
    put(view, 0x9100, BANNER);
    for (let current = 0; current < processors.length; current++) {
      assertEquals(
        await toy.debugger.monitor("linux", current),
        `${BANNER}
_text is at 0xffffffff9a200000 (physical 0x9000): the KASLR offset is 0x19200000.
For its symbols paste, with vmlinux the file that has them:
  symbol-file -o 0x19200000 vmlinux
`,
      );
    }
  }
});

Deno.test("monitor linux: without KASLR, and with a user's page tables", async () => {
  const { toy, tables, view } = machine(0x3000n);
  tables.map(0x2000, 0x400000n, 0x1000);
  view.copyWithin(0x3000, 0x2000, 0x2800);
  tables.map(0x2000, 0xffffffff81000000n, 0x9000);
  put(view, 0x9100, BANNER);
  const said = await toy.debugger.monitor("linux", 0);
  assertMatch(said, /^_text is at 0xffffffff81000000 .* without a KASLR/m);
  assertMatch(said, /^ {2}symbol-file vmlinux\nIt is starting and patches/m);
});

Deno.test("monitor linux wait: until its code is as it stays", async () => {
  const { toy, tables, view } = machine(0x2000n);
  const { debugger: target } = toy;
  const text = 0xffffffff9a200000n;
  assertMatch(
    await target.monitor("linux wait", 0),
    /^Continue: the guest stops when/,
  );
  const up = target.lookout.stopWhen!;
  assertEquals(up(), false);
  tables.map(0x2000, text, 0x9000);
  put(view, 0x9100, BANNER);
  assertEquals(up(), false, "it can still write its code");
  tables.map(0x2000, text, 0x9000, 1);
  assertEquals(up(), true);
  target.lookout.stopWhen = null;
  // It is up: there is nothing to wait for.
  assertMatch(await target.monitor("linux wait", 0), /^_text is at/m);
  assertEquals(target.lookout.stopWhen, null);
  assertEquals(await target.monitor("linux soon", 0), "usage: linux [wait]\n");
});

Deno.test("monitor linux: too early, and no Linux", async () => {
  const { toy, tables } = machine(0n);
  const { machine: pc, debugger: target } = toy;
  assertMatch(
    await target.monitor("linux", 0),
    /^This is not Linux, or it is too e/,
  );
  pc.booted = { kind: "linux", describe: "bz: Linux 6.1 at 0x1000000" };
  assertMatch(
    await target.monitor("linux", 0),
    /^It is too early: [^]*nokaslr[^]*\nBooted was bz: Linux 6\.1 at 0x1000000/,
  );
  pc.booted = { kind: "elf64", describe: "k.elf: ELF" };
  tables.map(0x2000, 0xffffffff80000000n, 0x9000);
  pc.processors[0].vp.set(Reg.Cr0, CR0);
  pc.processors[0].vp.set(Reg.Cr3, 0x2000n);
  pc.processors[0].vp.set(Reg.Cr4, CR4_PAE);
  pc.processors[0].vp.set(Reg.Efer, EFER);
  assertMatch(
    await target.monitor("linux", 0),
    /^This is not Linux: .* 0xffffffff80000000 [^]*\nBooted was k\.elf: ELF\.$/m,
  );
  // Older kernels begin with the whole area mapped.
  put(toy.platform.memory, 0x9100, BANNER);
  assertMatch(
    await target.monitor("linux", 0),
    /^Linux version .*\nIt is too early/,
  );
});
