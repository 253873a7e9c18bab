// ELF files entered directly and by their PVH note, flat images, boot sectors.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { BootError } from "../../src/boot/image.ts";
import { loadGuest } from "../../src/boot/load.ts";
import { ByteWriter } from "../../src/boot/writer.ts";
import { elf, GuestView, MIB, pattern, request } from "./images.ts";

Deno.test("ELF64 starts in 64-bit mode in the documented state", () => {
  const file = elf(64, MIB + 16, [{ vaddr: MIB, bytes: pattern(64) }]);
  const image = loadGuest(request(file, { commandLine: "x" }));
  assertEquals(image.kind, "elf64");
  const r = image.registers;
  assertEquals([r.rip, r.cs.attributes], [BigInt(MIB + 16), 0xa09b]);
  assertEquals([r.cr0, r.cr4, r.efer], [0x80000033n, 0x620n, 0x500n]);
  assertEquals([r.gpr.rsi, r.gpr.rsp! % 16n], [0x2badb002n, 0n]);
  const memory = new GuestView(image);
  for (const gva of [0n, 0x12345n, BigInt(MIB), 0xfee00020n, 0xffffffffn]) {
    assertEquals(memory.walk(gva), Number(gva));
  }
  assertEquals(memory.walk(1n << 32n), null);
  const commandLine = memory.u32(Number(r.gpr.rdi) + 16);
  assertEquals(memory.text(commandLine), "guest x");
});

Deno.test("ELF64 segments linked high are mapped where they are linked", () => {
  const high = 0xffffffff80100000n;
  const file = elf(64, high + 4n, [
    { vaddr: high, paddr: MIB, bytes: pattern(64), memsz: 0x2800 },
    { vaddr: 0x5001234n, paddr: 0x301234n, bytes: pattern(16) },
  ]);
  const image = loadGuest(request(file));
  const memory = new GuestView(image);
  assertEquals(image.registers.rip, high + 4n);
  assertEquals(memory.walk(high + 0x27ffn), MIB + 0x27ff);
  assertEquals(memory.walk(high + 0x3000n), null);
  assertEquals(memory.walk(0x5001234n), 0x301234);
  // The rest of the 2 MiB page that was split is still itself.
  assertEquals(memory.walk(0x5002000n), 0x5002000);
});

Deno.test("PVH: start information, modules, entry from the note", () => {
  const note = new ByteWriter().u32(4).u32(4).u32(18).text("Xen").u8(0)
    .u32(MIB + 32).done();
  const file = elf(64, 0xffffffff81000000n, [
    { vaddr: 0xffffffff80100000n, paddr: MIB, bytes: pattern(64) },
    { vaddr: 0, bytes: note, type: 4 },
  ]);
  const initrd = Uint8Array.from([1, 2, 3, 4, 5]);
  const image = loadGuest(
    request(file, {
      commandLine: "console=ttyS0",
      initrd: { bytes: initrd, text: "rd" },
    }),
  );
  assertEquals([image.kind, image.registers.rip], ["pvh", BigInt(MIB + 32)]);
  assertEquals(image.registers.cr0, 0x11n);
  const memory = new GuestView(image);
  const start = Number(image.registers.gpr.rbx);
  assertEquals([0, 4, 12].map((at) => memory.u32(start + at)), [
    0x336ec578,
    1,
    1,
  ]);
  assertEquals(memory.text(memory.u64(start + 24)), "console=ttyS0");
  assertEquals(memory.text(memory.u64(start + 32)).slice(0, 8), "RSD PTR ");
  const module = memory.u64(start + 16);
  assertEquals(memory.bytes(memory.u64(module), 5), initrd);
  assertEquals(memory.u64(module + 8), 5);
  assertEquals(memory.u32(start + 48), 4);
  assertEquals(memory.u64(memory.u64(start + 40) + 3 * 24), MIB);
});

Deno.test("torn, huge, overlapping and foreign ELF files", () => {
  const good = elf(64, MIB, [{ vaddr: MIB, bytes: pattern(64) }]);
  const refused = (file: Uint8Array, message: string) => {
    const error = assertThrows(
      () => loadGuest(request(file)),
      BootError,
      message,
    );
    assert(!error.message.includes("\n"), error.message);
  };
  refused(good.subarray(0, good.length - 1), "segment 0 lies beyond its end");
  refused(good.subarray(0, 100), "table of program headers");
  refused(good.subarray(0, 30), "the header");
  refused(good.subarray(0, 5), "the header");
  refused(
    elf(64, 0, [{ vaddr: MIB, bytes: pattern(4), memsz: 1n << 60n }]),
    "segment 0 at 0x100000 ends at 0x1000000000100000, and no guest has memory",
  );
  refused(
    elf(64, 0, [{ vaddr: 0xffffffff80000000n, bytes: pattern(4) }]),
    "at 0xffffffff80000000 ends at 0xffffffff80000004, and no guest has memory",
  );
  refused(
    elf(64, 0, [{ vaddr: 128 * MIB, bytes: pattern(4) }]),
    "needs memory up to 0x8000004, the guest has 64 MiB (0x4000000): --memory",
  );
  for (const bits of [32, 64] as const) {
    const parts = [{ vaddr: MIB, bytes: pattern(8) }];
    refused(
      elf(bits, 2 * MIB, parts),
      "entry point 0x200000 lies in no segment",
    );
  }
  refused(
    elf(64, 0x8000_0000_0000n, [{ vaddr: MIB, bytes: pattern(8) }]),
    "entry point 0x800000000000 is no canonical address",
  );
  refused(
    elf(64, MIB, [{ vaddr: 1n << 47n, paddr: MIB, bytes: pattern(8) }]),
    "segment 0 is linked to 0x800000000000, no canonical address",
  );
  refused(
    elf(64, 0, [{ vaddr: MIB, bytes: pattern(8), memsz: 4 }]),
    "0x8 bytes for 0x4 of memory",
  );
  refused(elf(64, 0, []), "nothing to load");
  refused(elf(64, 0, [{ vaddr: MIB, bytes: pattern(8) }], 183), "AArch64");
  refused(elf(32, 0, [{ vaddr: MIB, bytes: pattern(8) }], 40), "for ARM");
  refused(elf(32, 0, [{ vaddr: MIB, bytes: pattern(8) }], 999), "machine 999");
  const changed = (at: number, value: number) => {
    const file = good.slice();
    file[at] = value;
    return file;
  };
  refused(changed(4, 7), "unknown class 7");
  refused(changed(5, 2), "big-endian");
  refused(changed(16, 1), "was it linked?");
  refused(changed(54, 8), "program headers of 8 bytes");
});

Deno.test("a damaged file is refused or loaded inside memory, never else", () => {
  const good = elf(64, MIB, [
    { vaddr: MIB, bytes: pattern(64), memsz: 0x4000 },
    { vaddr: 0, bytes: pattern(32), type: 4 },
  ]);
  let seed = 12345;
  const random = (n: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % n;
  };
  let loaded = 0;
  for (let round = 0; round < 2000; round++) {
    let file = good.slice();
    for (let i = random(4); i >= 0; i--) file[random(180)] = random(256);
    if (random(4) === 0) file = file.subarray(0, random(file.length) + 1);
    try {
      const image = loadGuest(request(file, { ramBytes: 16 * MIB }));
      for (const { gpa, bytes } of image.segments) {
        assert(gpa >= 0 && gpa + bytes.length <= 16 * MIB);
      }
      loaded++;
    } catch (error) {
      assert(error instanceof BootError, String(error));
    }
  }
  assert(loaded > 100 && loaded < 2000, `${loaded} loaded`);
});

Deno.test("files of other kinds are named", () => {
  const refused = (text: string, message: string) =>
    assertThrows(
      () => loadGuest(request(Uint8Array.from(text, (c) => c.charCodeAt(0)))),
      BootError,
      message,
    );
  refused("", "empty file");
  refused("\x1f\x8b\x08\0\0", "gzip data");
  refused("#!/bin/sh\n", "a script");
  refused("MZ\x90\0", "EFI program");
  refused("070701000", "--initrd");
  refused("MZ" + "\0".repeat(0x36) + "ARMd", "AArch64");
  refused("hello", "--flat");
  const at = (...marks: [number, string][]) => {
    let text = "";
    for (const [offset, mark] of marks) text = text.padEnd(offset, "\0") + mark;
    return text.padEnd(0x9000, "\0");
  };
  refused(at([0x1fe, "\x55\xaa"]), "a disk image with a boot sector: there");
  refused(at([0x1fe, "\x55\xaa"], [0x200, "EFI PART"]), "a disk image (GPT)");
  refused(at([0x1fe, "\x55\xaa"], [0x8001, "CD001"]), "a CD image");
  refused(at([0x438, "\x53\xef"]), "ext4 file system");
});

Deno.test("a boot sector is entered at 0000:7C00 with the drive in DL", () => {
  const sector = pattern(512);
  sector[510] = 0x55;
  sector[511] = 0xaa;
  const image = loadGuest(request(sector));
  const r = image.registers;
  assertEquals([image.kind, r.rip, r.cs.base], ["boot-sector", 0x7c00n, 0]);
  assertEquals([r.cr0, r.gpr.rdx, r.cs.attributes], [0x10n, 0x80n, 0x9b]);
  const memory = new GuestView(image);
  assertEquals(memory.bytes(0x7c00, 512), sector);
  const vector = memory.u32(0x10 * 4);
  assertEquals(
    memory.bytes((vector >>> 16) * 16 + (vector & 0xffff), 3)[2],
    0xcf,
  );
  assertThrows(() => loadGuest(request(sector.subarray(1))), BootError);
});

Deno.test("flat images in each mode", () => {
  const load = (address: number, mode: 16 | 32 | 64) =>
    loadGuest(request(pattern(100), { flat: { address, mode } }));
  const real = load(0x12345, 16).registers;
  assertEquals([real.cs.base + Number(real.rip), real.cs.selector], [
    0x12345,
    0x1234,
  ]);
  assertEquals(load(0x7c00, 16).registers.cs.selector, 0);
  const flat = load(2 * MIB, 32);
  assertEquals(flat.registers.rip, BigInt(2 * MIB));
  assertEquals(new GuestView(flat).bytes(2 * MIB, 100), pattern(100));
  const long = load(2 * MIB, 64);
  assertEquals(long.registers.efer, 0x500n);
  assertEquals(new GuestView(long).walk(BigInt(2 * MIB)), 2 * MIB);
  assertThrows(() => load(MIB, 16), BootError, "real mode cannot reach");
  assertThrows(() => load(64 * MIB - 50, 32), BootError, "needs memory up to");
});
