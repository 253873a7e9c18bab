// Native libraries, made here with the C compiler: opening, calling, being
// called, and what is said when a library is not there or not whole.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { ExtendedVmExits } from "../../ffi/flags.ts";
import { Reg } from "../../ffi/registers.ts";
import { winhvplatform } from "../../ffi/winhvplatform.ts";
import {
  Emulator,
  type IoPortExit,
  openNative,
  Partition,
  PlatformError,
  readCapabilities,
} from "../../src/platform/mod.ts";
import {
  EMULATION,
  ignore,
  inFolder,
  library,
  PLATFORM,
} from "./tiny_library.ts";

Deno.test({
  name: "one library with all functions: run, registers, memory, callbacks",
  ignore,
  fn: inFolder(async (folder) => {
    const native = openNative(
      library(`${folder}/both.so`, PLATFORM + EMULATION),
    );
    assertEquals(native.name, `${folder}/both.so`);
    const { extendedVmExits } = readCapabilities(native);
    assert(extendedVmExits & ExtendedVmExits.ExceptionExit);
    const partition = Partition.create(native);
    assertEquals(partition.handle, 0xfedcba9876543210n);
    partition.setProcessorCount(1);
    partition.setup();
    const memory = new Uint8Array(8192);
    partition.mapGpaRange(memory, 0x7000, 5);
    assertEquals([memory[0], memory[8191]], [7, 5]);
    assertThrows(
      () => partition.unmapGpaRange(0, 4096),
      PlatformError,
      "WHV_E_GPA_RANGE_NOT_FOUND",
    );
    const vp = partition.createVirtualProcessor(0);
    vp.set128(Reg.Rcx, (5n << 64n) | 21n);
    assertEquals(vp.get128(Reg.Rcx), (5n << 64n) | 21n);
    assertEquals(vp.translateGva(0xfffn, 2), { code: 2, gpa: 0x1000n });
    const exit = await vp.run() as IoPortExit;
    assertEquals(
      [exit.reason, exit.port, exit.size, exit.isWrite, exit.eax],
      ["ioPort", 0x80, 1, true, 0x78],
    );
    const writes: unknown[] = [];
    const emulator = new Emulator(native, {
      ioPort: (io) => void (io.data = io.port === 0x80 ? 0x40 : 0),
      memory: ({ gpa, size, isWrite, data }) =>
        void writes.push([gpa, size, isWrite, ...data]),
    });
    emulator.tryIo(vp, exit);
    emulator.close();
    assertEquals(writes, [[0x1234567890n, 2, true, 0xaa, 0xbb]]);
    assertEquals(vp.get(Reg.Rcx), 42n);
    // Port 0x40, code 3; the address is not written unless the code is 0.
    assertEquals(vp.get(Reg.Rax), 0x43n);
    vp.delete();
    partition.delete();
    native.close();
  }),
});

Deno.test({
  name: "functions that a library lacks are null",
  ignore,
  fn: inFolder((folder) => {
    const native = openNative(
      library(`${folder}/both.so`, PLATFORM + EMULATION),
    );
    for (const [name, definition] of Object.entries(winhvplatform)) {
      const fn = native.platform[name as keyof typeof native.platform];
      assertEquals(fn === null, "optional" in definition, name);
    }
    native.close();
  }),
});

Deno.test({
  name: "the emulator may be in a library beside the platform's",
  ignore,
  fn: inFolder((folder) => {
    library(`${folder}/libWinHvEmulation.so`, EMULATION);
    openNative(library(`${folder}/libWinHvPlatform.so`, PLATFORM)).close();
  }),
});

Deno.test({
  name: "a library without the functions says which is missing",
  ignore,
  fn: inFolder((folder) => {
    const error = assertThrows(
      () => openNative(library(`${folder}/half.so`, PLATFORM)),
      PlatformError,
      "WHvEmulator",
    );
    assertEquals(error.call, "dlopen");
    assert(error.message.includes("winhvemulation.h"), error.message);
  }),
});

Deno.test({
  name: "a platform that is switched off says how to switch it on",
  ignore,
  fn: inFolder((folder) => {
    const error = assertThrows(
      () => openNative(library(`${folder}/off.so`, PLATFORM + EMULATION, 0)),
      PlatformError,
      "no hypervisor is running",
    );
    assert(error.message.includes("enable 'Windows Hypervisor Platform'"));
  }),
});

Deno.test("a missing library says what to do", () => {
  const error = assertThrows(
    () => openNative("./no-such-library.so"),
    PlatformError,
    "no-such-library.so",
  );
  assert(error.message.includes("check the path"), error.message);
  if (Deno.build.os === "windows") return;
  assertThrows(
    () => openNative("whp"),
    PlatformError,
    "enable 'Windows Hypervisor Platform' in Windows features",
  );
});

Deno.test("Windows' platform on another architecture is one clear line", () => {
  const error = assertThrows(() => openNative("whp", "aarch64"), PlatformError);
  assertEquals(
    error.message,
    "dlopen (WinHvPlatform.dll): E_NOTIMPL: this host is aarch64, its platform " +
      "runs no x86-64 guests: use --platform soft",
  );
});
