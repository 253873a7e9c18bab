import { assertEquals } from "@std/assert";
import {
  PageWalker,
  type Paging,
  pagingMode,
} from "../../src/debug/paging/walk.ts";
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

/** Whether the page found can be written to, and reached by programs. */
const rights = (walker: PageWalker) =>
  (walker.pageWritable ? 2 : 0) | (walker.pageUser ? 4 : 0);

Deno.test("what all entries allow is allowed, in every mode", () => {
  const { walker, put32, put64 } = setUp();
  const none: Paging = { cr0: 1n, cr3: 0n, cr4: 0n, efer: 0n };
  walker.translate(none, 0x1000n);
  assertEquals(rights(walker), 2, "without paging everything can be written");
  // Levels of the mode: top entry first, the last one a page or a large one.
  for (const top of [3, 5, 7]) {
    for (const last of [1, 3, 5, 7]) {
      const both = top & last & 6;
      const mode32: Paging = { cr0: CR0, cr3: 0x1000n, cr4: 0x10n, efer: 0n };
      put32(0x1000, 0x2000 | top);
      put32(0x2000, 0x7000 | last);
      put32(0x1004, 0x400080 | last);
      assertEquals(walker.translate(mode32, 0n), 0x7000);
      assertEquals(rights(walker), both, `32-bit ${top} ${last}`);
      assertEquals(walker.translate(mode32, 0x400000n), 0x400000);
      assertEquals(rights(walker), last & 6, `32-bit, 4 MiB ${last}`);

      const pae: Paging = { cr0: CR0, cr3: 0x1000n, cr4: PAE, efer: 0n };
      put64(0x1000, 0x2001n);
      put64(0x2000, BigInt(0x3000 | top));
      put64(0x3000, BigInt(0x7000 | last));
      put64(0x2008, BigInt(0x200080 | last));
      assertEquals(walker.translate(pae, 0n), 0x7000);
      assertEquals(rights(walker), both, `PAE ${top} ${last}`);
      assertEquals(walker.translate(pae, 0x200000n), 0x200000);
      assertEquals(rights(walker), last & 6, `PAE, 2 MiB ${last}`);

      for (const levels of [4, 5]) {
        const long: Paging = {
          cr0: CR0,
          cr3: 0x1000n,
          cr4: PAE | (levels === 5 ? 0x1000n : 0n),
          efer: EFER_LMA,
        };
        for (let level = 0; level < levels; level++) {
          const at = 0x1000 + level * 0x1000;
          const down = level < levels - 1;
          put64(at, BigInt(down ? (at + 0x1000) | top : 0x7000 | last));
        }
        assertEquals(walker.translate(long, 0n), 0x7000);
        assertEquals(rights(walker), both, `${levels}-level ${top} ${last}`);
      }
    }
  }
  const nothing: Paging = { cr0: CR0, cr3: 0x1000n, cr4: 0n, efer: 0n };
  put32(0x1000, 0);
  assertEquals(walker.translate(nothing, 0n), -1);
  assertEquals(rights(walker), 0);
});
