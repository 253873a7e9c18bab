/**
 * Page tables for guests entered in 64-bit mode (Intel SDM vol. 3, 4.5): the
 * first 4 GiB mapped onto themselves with 2 MiB pages, and what an image is
 * linked to elsewhere mapped where it is linked, with 4 KiB pages.
 */
import {
  ENTRY,
  LARGE_PAGE_BYTES,
  PAGE_BYTES,
  TABLE_ENTRIES,
} from "../x86/paging.ts";
import type { Placement } from "./placement.ts";

const PAGE = BigInt(PAGE_BYTES), LARGE = BigInt(LARGE_PAGE_BYTES);
const PRESENT_WRITABLE = BigInt(ENTRY.Present | ENTRY.Write);
const LARGE_ENTRY = BigInt(ENTRY.Large);
const IDENTITY_BYTES = 4n << 30n;

interface Table {
  readonly entries: BigUint64Array;
  readonly children: Map<number, Table>;
}

const newTable = (): Table => ({
  entries: new BigUint64Array(TABLE_ENTRIES),
  children: new Map(),
});

/** A range of addresses that an image is linked to. */
export interface Mapping {
  readonly gva: bigint;
  readonly gpa: bigint;
  readonly length: bigint;
}

/** Builds the tables, puts them into memory and returns the value for CR3. */
export function placePageTables(
  placement: Placement,
  mappings: readonly Mapping[],
): number {
  const root = newTable();
  for (let gpa = 0n; gpa < IDENTITY_BYTES; gpa += LARGE) {
    map(root, gpa, gpa, 1);
  }
  for (const { gva, gpa, length } of mappings) {
    const offset = gva - gpa;
    const last = (gpa + length - 1n) & ~(PAGE - 1n);
    for (let page = gpa & ~(PAGE - 1n); page <= last; page += PAGE) {
      map(root, BigInt.asUintN(48, page + offset), page, 0);
    }
  }
  const tables = collect(root);
  const base = placement.allocate(tables.length * Number(PAGE), "page tables", {
    from: 0xa000,
  });
  const addresses = new Map(
    tables.map((table, i) => [table, BigInt(base) + BigInt(i) * PAGE]),
  );
  const bytes = new Uint8Array(tables.length * Number(PAGE));
  tables.forEach((table, i) => {
    for (const [index, child] of table.children) {
      table.entries[index] = addresses.get(child)! | PRESENT_WRITABLE;
    }
    bytes.set(new Uint8Array(table.entries.buffer), i * Number(PAGE));
  });
  placement.fill(base, bytes);
  return base;
}

/** Maps one page: of 4 KiB at level 0, of 2 MiB at level 1. */
function map(root: Table, gva: bigint, gpa: bigint, leaf: 0 | 1): void {
  let table = root;
  for (let level = 3; level > leaf; level--) {
    const index = indexAt(gva, level);
    let child = table.children.get(index);
    if (child === undefined) {
      child = newTable();
      const large = table.entries[index];
      // A 2 MiB page that is split keeps its other 511 pages.
      if (large & LARGE_ENTRY) splitLarge(child, large);
      table.children.set(index, child);
    }
    table = child;
  }
  table.entries[indexAt(gva, leaf)] = gpa | PRESENT_WRITABLE |
    (leaf === 1 ? LARGE_ENTRY : 0n);
}

function indexAt(gva: bigint, level: number): number {
  return Number((gva >> BigInt(12 + 9 * level)) & 511n);
}

function splitLarge(child: Table, large: bigint): void {
  const base = large & ~(LARGE - 1n);
  for (let i = 0; i < TABLE_ENTRIES; i++) {
    child.entries[i] = (base + BigInt(i) * PAGE) | PRESENT_WRITABLE;
  }
}

function collect(table: Table): Table[] {
  return [table, ...[...table.children.values()].flatMap(collect)];
}
