import { assertEquals } from "@std/assert";
import { PageWalker, type Paging, pagingMode } from "../../src/debug/walk.ts";
import { GuestMemory } from "../../src/machine/memory.ts";

const CR0 = 0x80000011n;
const EFER_LMA = 0x500n;
const PAE = 0x20n;

function setUp() {
  const view = new Uint8Array(0x20000);
  const data = new DataView(view.buffer);
  const memory = new GuestMemory(view, view.length);
  return {
    walker: new PageWalker(memory),
    put32: (at: number, v: number) => data.setUint32(at, v, true),
    put64: (at: number, v: bigint) => data.setBigUint64(at, v, true),
  };
}

Deno.test("without paging an address is itself, cut to 32 bits", () => {
  const { walker } = setUp();
  const p: Paging = { cr0: 1n, cr3: 0n, cr4: 0n, efer: 0n };
  assertEquals(pagingMode(p), "none");
  assertEquals(walker.translate(p, 0x1_2345_6789n), 0x23456789);
});

Deno.test("32-bit paging: pages, large pages, and their absence", () => {
  const { walker, put32 } = setUp();
  const p: Paging = { cr0: CR0, cr3: 0x1000n, cr4: 0x10n, efer: 0n };
  put32(0x1000 + 4 * 1, 0x2003);
  put32(0x2000 + 4 * 2, 0x7003);
  put32(0x1000 + 4 * 0x300, 0x80000083); // and far above 2^31
  assertEquals(walker.translate(p, 0x00402abcn), 0x7abc);
  assertEquals(walker.translate(p, 0x00403000n), -1);
  assertEquals(walker.translate(p, 0xc0123456n), 0x80123456);
  assertEquals(walker.pageBytes, 0x400000);
  put32(0x1000 + 4 * 3, 0x99000003);
  assertEquals(walker.translate(p, 0x00c00000n), -1, "table is no memory");
});

Deno.test("PAE: the four top entries, 2 MiB pages", () => {
  const { walker, put64 } = setUp();
  const p: Paging = { cr0: CR0, cr3: 0x1020n, cr4: PAE, efer: 0n };
  put64(0x1020 + 8 * 3, 0x2001n);
  put64(0x2000 + 8 * 0x1ff, 0x3003n);
  put64(0x3000 + 8 * 0x1ff, 0x8000000000005003n);
  put64(0x2000, 0x00200083n);
  assertEquals(walker.translate(p, 0xfffff123n), 0x5123);
  assertEquals(walker.translate(p, 0xc0012345n), 0x212345);
  assertEquals(walker.translate(p, 0x12345n), -1);
});

Deno.test("4-level: every size, PCID and NX bits ignored, canonical only", () => {
  const { walker, put64 } = setUp();
  const p: Paging = { cr0: CR0, cr3: 0x1fffn, cr4: PAE, efer: EFER_LMA };
  put64(0x1000 + 8 * 0x1ff, 0x2003n);
  put64(0x2000 + 8 * 0x1fe, 0x8000000000003003n);
  put64(0x3000 + 8 * 1, 0x4003n);
  put64(0x4000 + 8 * 5, 0x8000000000006003n);
  put64(0x3000 + 8 * 2, 0xa00083n);
  put64(0x2000 + 8 * 0x1ff, 0x40000083n);
  assertEquals(walker.translate(p, 0xffffffff80205678n), 0x6678);
  assertEquals(walker.pageBytes, 0x1000);
  assertEquals(walker.translate(p, 0xffffffff80412345n), 0xa12345);
  assertEquals(walker.pageBytes, 0x200000);
  assertEquals(walker.translate(p, 0xffffffffc0000042n), 0x40000042);
  assertEquals(walker.pageBytes, 0x40000000);
  assertEquals(walker.translate(p, 0x0000ffff80205678n), -1);
  const { gpa, entries } = walker.walk(p, 0xffffffff80205678n);
  assertEquals(gpa, 0x6678);
  assertEquals(entries.map((e) => e.level), ["PML4E", "PDPTE", "PDE", "PTE"]);
  assertEquals(entries[3], {
    level: "PTE",
    address: 0x4028,
    value: 0x8000000000006003n,
  });
});

Deno.test("5-level paging has a level more and 57 bits", () => {
  const { walker, put64 } = setUp();
  const p: Paging = {
    cr0: CR0,
    cr3: 0x1000n,
    cr4: PAE | 0x1000n,
    efer: EFER_LMA,
  };
  assertEquals(pagingMode(p), "5-level");
  put64(0x1000 + 8 * 0x1, 0x2003n);
  put64(0x2000, 0x3003n);
  put64(0x3000, 0x4003n);
  put64(0x4000, 0x83n);
  assertEquals(walker.translate(p, 0x1000000001234n), 0x1234);
  assertEquals(walker.translate(p, 0x0100000000001234n), -1);
});
