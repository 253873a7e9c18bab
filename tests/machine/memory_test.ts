import { assertEquals, assertThrows } from "@std/assert";
import {
  GuestMemory,
  HIGH_START,
  HOLE_START,
} from "../../src/machine/memory.ts";

Deno.test("RAM that does not fit below the hole goes on at 4 GiB", () => {
  // A view of the right size that has no bytes behind it: only the map counts.
  const ram = HOLE_START + 0x200000;
  const view = { byteLength: ram } as Uint8Array;
  const memory = new GuestMemory(view, ram);
  assertEquals(memory.regions, [
    { gpa: 0, bytes: HOLE_START, offset: 0, kind: "ram" },
    { gpa: HIGH_START, bytes: 0x200000, offset: HOLE_START, kind: "ram" },
  ]);
  assertEquals(memory.offsetOf(HOLE_START - 1), HOLE_START - 1);
  assertEquals(memory.offsetOf(HOLE_START), -1);
  assertEquals(memory.offsetOf(HIGH_START + 5), HOLE_START + 5);
  assertEquals(memory.offsetOf(HIGH_START + 0x200000), -1);
});

Deno.test("the host's writes reach RAM and ROM and are told once a piece", () => {
  const view = new Uint8Array(0x4000);
  const memory = new GuestMemory(view, 0x2000);
  const told: number[][] = [];
  memory.onHostWrite.subscribe((...what) => told.push(what));
  const rom = memory.addRom(0xfffff000, new Uint8Array([1, 2, 3]));
  assertEquals(rom, {
    gpa: 0xfffff000,
    bytes: 0x1000,
    offset: 0x2000,
    kind: "rom",
  });
  assertEquals(told, [[0xfffff000, 3, 0x2000]]);
  told.length = 0;
  assertEquals(memory.write(0x1ffe, new Uint8Array([7, 8, 9])), 2);
  assertEquals([...view.subarray(0x1ffe, 0x2001)], [7, 8, 1]);
  assertEquals(told, [[0x1ffe, 2, 0x1ffe]]);
  assertEquals(memory.kindOf(0xfffff123), "rom");
  assertEquals(memory.kindOf(0x2000), null);
  assertEquals(memory.writeByte(0xfffff001, 0xaa), true);
  assertEquals(memory.readByte(0xfffff001), 0xaa);
  assertEquals(memory.writeByte(0x5000, 1), false);
  assertEquals(memory.readByte(0x5000), -1);
  const into = new Uint8Array(4);
  assertEquals(memory.read(0x1ffd, into), 3);
  assertEquals([...into], [0, 7, 8, 0]);
  assertEquals(memory.slice(0x1ffd, 4), null);
});

Deno.test("memory that cannot be is refused", () => {
  assertThrows(() => new GuestMemory(new Uint8Array(8192), 4097), RangeError);
  assertThrows(() => new GuestMemory(new Uint8Array(4096), 8192), RangeError);
  const memory = new GuestMemory(new Uint8Array(0x2000), 0x1000);
  assertThrows(() => memory.addRom(0, new Uint8Array(1)), RangeError);
  assertThrows(
    () => memory.addRom(0x80000, new Uint8Array(0x1001)),
    RangeError,
  );
});
