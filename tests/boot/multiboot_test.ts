import { assertEquals, assertThrows } from "@std/assert";
import { BootError } from "../../src/boot/image.ts";
import { loadGuest } from "../../src/boot/load.ts";
import {
  elf,
  GuestView,
  MIB,
  multibootHeader,
  pattern,
  request,
} from "./images.ts";

const code = (flags = 0) =>
  Uint8Array.from([...multibootHeader(flags), ...pattern(100)]);

function info(memory: GuestView, at: number) {
  return (offset: number) => memory.u32(at + offset);
}

Deno.test("ELF32 and ELF64 are loaded and entered in protected mode", () => {
  for (const bits of [32, 64] as const) {
    const bytes = code();
    const file = elf(bits, MIB + 12, [
      { vaddr: MIB, bytes, memsz: 0x3000 },
      { vaddr: 2 * MIB, bytes: pattern(50, 9) },
    ]);
    const image = loadGuest(request(file));
    assertEquals(image.kind, "multiboot");
    const { registers: r } = image;
    assertEquals([r.rip, r.gpr.rax], [BigInt(MIB + 12), 0x2badb002n]);
    assertEquals([r.cr0, r.cr4, r.efer, r.rflags], [0x11n, 0n, 0n, 2n]);
    assertEquals([r.cs.attributes, r.ss.attributes], [0xc09b, 0xc093]);
    assertEquals([r.cs.base, r.cs.limit], [0, 0xffffffff]);
    const memory = new GuestView(image);
    assertEquals(memory.bytes(MIB, bytes.length), bytes);
    assertEquals(memory.bytes(2 * MIB, 50), pattern(50, 9));
  }
});

Deno.test("the GDT at entry holds what the segment registers hold", () => {
  const image = loadGuest(
    request(elf(32, MIB, [{ vaddr: MIB, bytes: code() }])),
  );
  const memory = new GuestView(image);
  const { gdtr, cs, ds } = image.registers;
  assertEquals(gdtr.limit, 23);
  const descriptor = (selector: number) => [
    memory.u32(gdtr.base + selector),
    memory.u32(gdtr.base + selector + 4),
  ];
  assertEquals(descriptor(cs.selector), [0x0000ffff, 0x00cf9b00]);
  assertEquals(descriptor(ds.selector), [0x0000ffff, 0x00cf9300]);
});

Deno.test("a virtual entry point is translated, a physical one is not", () => {
  const high = 0xc0000000;
  const parts = [{ vaddr: high + MIB, paddr: MIB, bytes: code() }];
  const entry = (at: number) =>
    loadGuest(request(elf(32, at, parts))).registers.rip;
  assertEquals(entry(high + MIB + 12), BigInt(MIB + 12));
  assertEquals(entry(MIB + 12), BigInt(MIB + 12));
});

Deno.test("command line, modules and their strings, memory map", () => {
  const file = elf(32, MIB, [{ vaddr: MIB, bytes: code() }]);
  const modules = [
    { bytes: pattern(5000, 2), text: "mod one=1" },
    { bytes: pattern(10, 3), text: "/path/two" },
  ];
  const image = loadGuest(request(file, {
    name: "dir/kernel.elf",
    commandLine: "a=1 b",
    initrd: { bytes: pattern(4096, 1), text: "initrd.img" },
    modules,
  }));
  const memory = new GuestView(image);
  const field = info(memory, Number(image.registers.gpr.rbx));
  assertEquals(field(0) & 0x24f, 0x24f);
  assertEquals([field(4), field(8)], [639, 63 * 1024]);
  assertEquals(memory.text(field(16)), "dir/kernel.elf a=1 b");
  assertEquals(memory.text(field(64)), "icebp");
  assertEquals(field(20), 3);
  const found = [0, 1, 2].map((i) => {
    const at = field(24) + 16 * i;
    const [start, end] = [memory.u32(at), memory.u32(at + 4)];
    assertEquals(start % 4096, 0);
    return [memory.bytes(start, end - start), memory.text(memory.u32(at + 8))];
  });
  assertEquals(found, [
    [pattern(4096, 1), "initrd.img"],
    [pattern(5000, 2), "mod one=1"],
    [pattern(10, 3), "/path/two"],
  ]);
  const map: number[][] = [];
  for (let at = field(48); at < field(48) + field(44);) {
    map.push([memory.u64(at + 4), memory.u64(at + 12), memory.u32(at + 20)]);
    at += memory.u32(at) + 4;
  }
  assertEquals(map, [
    [0, 0x9fc00, 1],
    [0x9fc00, 0x400, 2],
    [0xe0000, 0x20000, 2],
    [MIB, 63 * MIB, 1],
  ]);
});

Deno.test("without text the command line is the image's name alone", () => {
  const image = loadGuest(
    request(elf(32, MIB, [{ vaddr: MIB, bytes: code() }])),
  );
  const memory = new GuestView(image);
  const field = info(memory, Number(image.registers.gpr.rbx));
  assertEquals(memory.text(field(16)), "guest");
  assertEquals([field(0) & 8, field(20)], [0, 0]);
});

Deno.test("address fields: offset, load end, bss, whole file", () => {
  const header = multibootHeader(0x10000, [MIB + 64, MIB + 32, 0, 0, MIB + 96]);
  const file = new Uint8Array(300);
  file.set(pattern(300));
  file.set(header, 64);
  const image = loadGuest(request(file));
  assertEquals(image.registers.rip, BigInt(MIB + 96));
  const memory = new GuestView(image);
  assertEquals(memory.bytes(MIB + 32, 268), file.subarray(32));
  // With a load end only that much is loaded, and bss counts as taken.
  const cut = multibootHeader(0x10000, [
    MIB + 64,
    MIB,
    MIB + 128,
    3 * MIB,
    MIB + 96,
  ]);
  file.set(cut, 64);
  const other = loadGuest(request(file, {
    modules: [{ bytes: pattern(16), text: "m" }],
  }));
  const view = new GuestView(other);
  assertEquals(view.bytes(MIB, 128), file.subarray(0, 128));
  assertEquals(view.bytes(MIB + 128, 10), new Uint8Array(10));
  const list = view.u32(Number(other.registers.gpr.rbx) + 24);
  assertEquals(view.u32(list), 3 * MIB);
});

Deno.test("header flags: known and optional ones are taken, others refused", () => {
  const load = (flags: number) =>
    loadGuest(request(elf(32, MIB, [{ vaddr: MIB, bytes: code(flags) }])));
  for (const flags of [0, 1, 3, 7, 0xfffe0000]) {
    assertEquals(load(flags).kind, "multiboot");
  }
  for (const bit of [8, 0x8000]) {
    assertThrows(() => load(bit | 3), BootError, `flags 0x${bit.toString(16)}`);
  }
});

Deno.test("the header must be aligned, summed and within 8 KiB", () => {
  const at = (offset: number, header = multibootHeader(0)) => {
    const bytes = new Uint8Array(offset + 64);
    bytes.set(header, offset);
    return loadGuest(
      request(elf(32, MIB, [{ vaddr: MIB, bytes }])),
    ).kind;
  };
  // The segment begins at file offset 84.
  assertEquals(at(0), "multiboot");
  assertEquals(at(2), "elf32");
  assertEquals(at(8192 - 84 - 12), "multiboot");
  assertEquals(at(8192 - 84 - 8), "elf32");
  const wrong = multibootHeader(0);
  wrong[8] ^= 1;
  assertEquals(at(0, wrong), "elf32");
});

Deno.test("an image in low memory moves the tables, not itself", () => {
  const bytes = new Uint8Array(0x90000);
  bytes.set(code());
  const image = loadGuest(request(elf(32, 0x1000, [{ vaddr: 0x1000, bytes }])));
  assertEquals(Number(image.registers.gpr.rbx) >= 0x91000, true);
  assertEquals(new GuestView(image).bytes(0x1000, 112), code());
});

Deno.test("wrong images get one line that says what is wrong", () => {
  const refused = (file: Uint8Array, message: string, ramBytes = 64 * MIB) => {
    const error = assertThrows(
      () => loadGuest(request(file, { ramBytes })),
      BootError,
      message,
    );
    assertEquals(error.message.includes("\n"), false);
  };
  const kludge = (...fields: number[]) => {
    const file = new Uint8Array(256);
    file.set(multibootHeader(0x10000, fields));
    return file;
  };
  refused(kludge(MIB, MIB + 4, 0, 0, MIB), "begins before the file");
  refused(
    kludge(MIB, MIB, MIB + 128, MIB + 64, MIB),
    "bss end 0x100040 is below its load end 0x100080",
  );
  const sum = kludge(MIB, MIB, 0, 0, MIB);
  sum[8] ^= 1;
  refused(sum, "the multiboot header at offset 0x0 has a wrong checksum");
  const two = new Uint8Array(64);
  new Uint32Array(two.buffer).set([0xe85250d6, 0, 16, -(0xe85250d6 + 16)]);
  refused(two, "a multiboot 2 image");
  for (const bits of [32, 64] as const) {
    // On a boundary of 8 bytes in the file: ELF32's segment begins at 84.
    const bytes = new Uint8Array([
      ...new Uint8Array(bits === 32 ? 4 : 0),
      ...two,
    ]);
    refused(elf(bits, MIB, [{ vaddr: MIB, bytes }]), "a multiboot 2 image");
  }
  refused(kludge(MIB, MIB, MIB - 4, 0, MIB), "below its start");
  refused(kludge(MIB, MIB, MIB + 4096, 0, MIB), "3840 bytes are missing");
  refused(kludge(MIB, MIB, 0, 100 * MIB, MIB), "needs memory up to 0x6400000");
  refused(kludge(MIB, MIB, 0, 0, 0xfffffff0), "outside the image");
  refused(kludge(MIB).subarray(0, 20), "torn multiboot header");
  refused(
    elf(32, MIB, [
      { vaddr: MIB, bytes: code(), memsz: 0x2000 },
      { vaddr: MIB + 0x1000, bytes: pattern(10) },
    ]),
    "segment 1 at 0x101000 overlaps guest: segment 0 at 0x100000",
  );
  refused(
    elf(32, MIB, [{ vaddr: MIB, bytes: code() }]),
    "too few",
    MIB,
  );
});
