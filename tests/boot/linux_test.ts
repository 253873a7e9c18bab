import { assertEquals, assertThrows } from "@std/assert";
import { gzipSync } from "node:zlib";
import { BootError } from "../../src/boot/image.ts";
import { loadGuest } from "../../src/boot/load.ts";
import { checkInitrd } from "../../src/boot/initrd.ts";
import { GuestView, MIB, pattern, request } from "./images.ts";

interface Changes {
  version?: number;
  xloadflags?: number;
  loadflags?: number;
  prefAddress?: number;
  initSize?: number;
  initrdMax?: number;
}

/** A bzImage with a 4-sector setup part and 0x800 bytes of kernel. */
function bzImage(changes: Changes = {}): Uint8Array {
  const setup = 5 * 512;
  const file = new Uint8Array(setup + 0x800);
  const data = new DataView(file.buffer);
  file.set(pattern(0x800, 5), setup);
  file[0x1f1] = 4;
  data.setUint32(0x1f4, 0x80, true);
  data.setUint16(0x1fe, 0xaa55, true);
  file[0x200] = 0xeb;
  file[0x201] = 0x66;
  data.setUint32(0x202, 0x53726448, true);
  data.setUint16(0x206, changes.version ?? 0x20f, true);
  data.setUint16(0x20e, 0x300, true);
  file.set(new TextEncoder().encode("6.1.0-test (x)\0"), 0x500);
  file[0x211] = changes.loadflags ?? 1;
  data.setUint32(0x214, MIB, true);
  data.setUint32(0x22c, changes.initrdMax ?? 0x7fffffff, true);
  data.setUint16(0x236, changes.xloadflags ?? 1, true);
  data.setUint32(0x238, 100, true);
  data.setBigUint64(0x258, BigInt(changes.prefAddress ?? 16 * MIB), true);
  data.setUint32(0x260, changes.initSize ?? 8 * MIB, true);
  return file;
}

Deno.test("a bzImage is entered at its 64-bit entry point", () => {
  const image = loadGuest(request(bzImage(), { commandLine: "quiet" }));
  const r = image.registers;
  assertEquals([image.kind, r.rip], ["linux", BigInt(16 * MIB + 0x200)]);
  assertEquals([r.cs.selector, r.ds.selector], [0x10, 0x18]);
  const memory = new GuestView(image);
  assertEquals(memory.bytes(16 * MIB, 0x800), pattern(0x800, 5));
  assertEquals(memory.walk(BigInt(16 * MIB)), 16 * MIB);
  const params = Number(r.gpr.rsi);
  assertEquals(
    memory.bytes(params + 0x202, 4),
    bzImage().subarray(0x202, 0x206),
  );
  assertEquals(memory.bytes(params + 0x210, 1)[0], 0xff);
  assertEquals(memory.text(memory.u32(params + 0x228)), "quiet");
  assertEquals(memory.bytes(params + 0x1e8, 1)[0], 4);
  assertEquals(memory.u64(params + 0x2d0 + 60), MIB);
  assertEquals(memory.u64(params + 0x2d0 + 68), 63 * MIB);
  assertEquals(memory.text(memory.u64(params + 0x70)).slice(0, 8), "RSD PTR ");
  assertEquals(image.describe.includes("6.1.0-test"), true);
});

Deno.test("Linux is told the TSC's frequency unless the user names one", () => {
  const lineOf = (commandLine: string, tscKhz?: number) => {
    const image = loadGuest(request(bzImage(), { commandLine, tscKhz }));
    const memory = new GuestView(image);
    const params = Number(image.registers.gpr.rsi);
    return memory.text(memory.u32(params + 0x228));
  };
  const told = "tsc_early_khz=2994375";
  assertEquals(lineOf("quiet", 2_994_375), `${told} quiet`);
  assertEquals(lineOf("", 2_994_375), told);
  assertEquals(lineOf("quiet"), "quiet");
  const own = "quiet tsc_early_khz=5";
  assertEquals(lineOf(own, 2_994_375), own);
  const inits = "quiet -- tsc_early_khz=5";
  assertEquals(lineOf(inits, 2_994_375), `${told} ${inits}`);
  const full = "x".repeat(100);
  assertEquals(lineOf(full, 2_994_375), full, "no room for it");
});

Deno.test("the last paragraph need not be full, and no more is missing", () => {
  const file = bzImage();
  for (const missing of [1, 15]) {
    const image = loadGuest(request(file.subarray(0, file.length - missing)));
    assertEquals(
      new GuestView(image).bytes(16 * MIB, 0x800 - missing),
      pattern(0x800 - missing, 5),
    );
  }
  const error = assertThrows(
    () => loadGuest(request(file.subarray(0, file.length - 16))),
    BootError,
  );
  assertEquals(error.message, "guest: torn Linux image: 4592 of 4608 bytes");
});

Deno.test("a program that borrows Linux' header and needs a BIOS is named", () => {
  const file = bzImage();
  new DataView(file.buffer).setUint32(0x214, 0, true);
  assertThrows(() => loadGuest(request(file)), BootError, "real mode");
});

Deno.test("a 32-bit kernel is entered in protected mode", () => {
  const r = loadGuest(request(bzImage({ xloadflags: 0 }))).registers;
  assertEquals([r.rip, r.cr0, r.cs.attributes], [
    BigInt(16 * MIB),
    0x11n,
    0xc09b,
  ]);
});

Deno.test("the initrd goes high, below the kernel's limit", () => {
  const bytes = new Uint8Array(5000).fill(0x42);
  const place = (initrdMax: number) => {
    const image = loadGuest(
      request(bzImage({ initrdMax }), { initrd: { bytes, text: "rd" } }),
    );
    const memory = new GuestView(image);
    const params = Number(image.registers.gpr.rsi);
    const at = memory.u32(params + 0x218);
    assertEquals(memory.u32(params + 0x21c), 5000);
    assertEquals(memory.bytes(at, 5000), bytes);
    return at;
  };
  assertEquals(place(0x7fffffff), 64 * MIB - 8192);
  assertEquals(place(32 * MIB - 1), 32 * MIB - 8192);
});

Deno.test("what cannot boot is refused with one line", () => {
  const refused = (
    file: Uint8Array,
    message: string,
    changes: Parameters<typeof request>[1] = {},
  ) => {
    assertThrows(
      () => loadGuest(request(file, changes)),
      BootError,
      message,
    );
  };
  refused(bzImage(), "needs 24 MiB of memory, the guest has 16 MiB", {
    ramBytes: 16 * MIB,
  });
  refused(bzImage().subarray(0, 4000), "torn Linux image");
  refused(bzImage().subarray(0, 0x240), "torn Linux image");
  refused(bzImage({ version: 0x204 }), "2.4 is too old");
  refused(bzImage({ loadflags: 0 }), "zImage");
  refused(bzImage(), "command line has 101 bytes, the kernel takes 100", {
    commandLine: "x".repeat(101),
  });
  refused(bzImage(), "no modules", {
    modules: [{ bytes: pattern(1), text: "m" }],
  });
  refused(bzImage(), "no room for initrd rd (60 MiB)", {
    initrd: { bytes: new Uint8Array(60 * MIB).fill(1), text: "rd" },
  });
  refused(bzImage(), "initrd rd: empty file", {
    initrd: { bytes: new Uint8Array(), text: "rd" },
  });
});

/** One newc archive with these files. */
function cpio(files: Record<string, string>): Uint8Array {
  let out = "";
  const pad = () => out += "\0".repeat(-out.length & 3);
  for (
    const [name, content] of [...Object.entries(files), ["TRAILER!!!", ""]]
  ) {
    const fields = new Array(13).fill(0);
    fields[6] = content.length;
    fields[11] = name.length + 1;
    out += "070701" +
      fields.map((n) => n.toString(16).padStart(8, "0")).join("") + name + "\0";
    pad();
    out += content;
    pad();
  }
  return new TextEncoder().encode(out);
}

Deno.test("whole archives pass, torn ones are told", () => {
  const check = (bytes: Uint8Array) => checkInitrd({ bytes, text: "rd" });
  const plain = cpio({ init: "#!/bin/sh\n", "bin/x": "y".repeat(1001) });
  const zipped = new Uint8Array(gzipSync(plain));
  const both = new Uint8Array(
    512 + Math.ceil(plain.length / 512) * 512 + zipped.length,
  );
  both.set(plain);
  both.set(zipped, both.length - zipped.length);
  for (const good of [plain, zipped, both, Uint8Array.of(0xfd, 0x37)]) {
    check(good);
  }
  for (let cut = 1; cut < plain.length - 4; cut += 50) {
    assertThrows(
      () => check(plain.subarray(0, cut + 6)),
      BootError,
      "torn cpio",
    );
  }
  assertThrows(
    () => check(zipped.subarray(0, zipped.length - 5)),
    BootError,
    "torn gzip",
  );
  assertThrows(
    () => check(both.subarray(0, both.length - 5)),
    BootError,
    "torn gzip",
  );
});
