// What firmware leaves behind, in every loader's image but Linux'.
import { assertEquals } from "@std/assert";
import type { BootRequest } from "../../src/boot/image.ts";
import { loadGuest } from "../../src/boot/load.ts";
import {
  elf,
  GuestView,
  MIB,
  multibootHeader,
  pattern,
  request,
} from "./images.ts";

const sector = pattern(512);
sector.set([0x55, 0xaa], 510);
const multiboot = Uint8Array.from([...multibootHeader(0), ...pattern(100)]);
const GUESTS: Record<string, [Uint8Array, Partial<BootRequest>?]> = {
  "boot sector": [sector],
  "flat 16": [pattern(100), { flat: { address: 0x7c00, mode: 16 } }],
  "flat 32": [pattern(100), { flat: { address: MIB, mode: 32 } }],
  "flat 64": [pattern(100), { flat: { address: MIB, mode: 64 } }],
  "multiboot": [elf(32, MIB, [{ vaddr: MIB, bytes: multiboot }])],
  "ELF32": [elf(32, MIB, [{ vaddr: MIB, bytes: pattern(100) }])],
  "ELF64": [elf(64, MIB, [{ vaddr: MIB, bytes: pattern(100) }])],
};

const sum = (bytes: Uint8Array) => bytes.reduce((a, b) => a + b, 0) & 0xff;

for (const [name, [image, changes]] of Object.entries(GUESTS)) {
  Deno.test(`${name}: vectors, BIOS data, MP tables, PICs`, () => {
    const boot = loadGuest(request(image, { cpus: 3, ...changes }));
    const memory = new GuestView(boot);
    const stubs = new Set<number>();
    for (let vector = 0; vector < 256; vector++) {
      const pointer = memory.u32(4 * vector);
      const stub = (pointer >>> 16) * 16 + (pointer & 0xffff);
      // OUT of what the machine tells by, IRET
      assertEquals([...memory.bytes(stub, 3)], [0xe6, 0xea, 0xcf]);
      stubs.add(stub);
    }
    assertEquals(stubs.size, 256);
    const word = (at: number) => memory.u32(at) & 0xffff;
    assertEquals([word(0x40e), word(0x413), word(0x463)], [
      0x9fc0,
      639,
      0x3d4,
    ]);
    assertEquals(memory.bytes(0x9fc00, 1)[0], 1);
    // The floating pointer is found on a 16-byte boundary of the BIOS' area.
    let at = 0xf0000;
    while (memory.u32(at) !== 0x5f504d5f) at += 16; // _MP_
    assertEquals(sum(memory.bytes(at, 16)), 0);
    const table = memory.u32(at + 4);
    const length = word(table + 4);
    assertEquals(memory.u32(table), 0x504d4350); // PCMP
    assertEquals(sum(memory.bytes(table, length)), 0);
    assertEquals(memory.u32(table + 36), 0xfee00000);
    const kinds = new Map<number, Uint8Array[]>();
    let entry = table + 44, count = 0;
    for (; entry < table + length; count++) {
      const kind = memory.bytes(entry, 1)[0];
      const bytes = memory.bytes(entry, kind === 0 ? 20 : 8);
      kinds.set(kind, [...kinds.get(kind) ?? [], bytes]);
      entry += bytes.length;
    }
    assertEquals([count, entry], [word(table + 34), table + length]);
    assertEquals(kinds.get(0)!.map((e) => [e[1], e[3]]), [[0, 3], [1, 1], [
      2,
      1,
    ]]);
    assertEquals(kinds.get(2)!.map((e) => [...e]), [
      [2, 0, 0x11, 1, 0, 0, 0xc0, 0xfe],
    ]);
    assertEquals(kinds.get(3)!.length, 15);
    assertEquals(kinds.get(3)![0][7], 2); // the timer
    assertEquals(kinds.get(4)!.map((e) => [e[1], e[7]]), [[3, 0], [1, 1]]);
    const written = boot.ports!.map(({ port, value }) => [port, value]);
    assertEquals([written[1], written[6]], [[0x21, 8], [0xa1, 0x70]]);
  });
}

Deno.test("an image stays whole where firmware's leftovers would be", () => {
  const image = pattern(0x20000);
  const flat = { address: 0xe0000, mode: 16, entry: 0xffff0 } as const;
  const rom = loadGuest(request(image, { flat }));
  assertEquals(new GuestView(rom).bytes(0xe0000, 0x20000), image);
  assertEquals(new GuestView(rom).u32(0x413) & 0xffff, 639);
  const low = loadGuest(
    request(pattern(0x1000), { flat: { address: 0, mode: 32 } }),
  );
  assertEquals(new GuestView(low).bytes(0, 0x1000), pattern(0x1000));
});
