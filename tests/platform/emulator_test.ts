// The emulator's callbacks, called as the platform would.

import { assertEquals, assertThrows } from "@std/assert";
import {
  WHV_EMULATOR_IO_ACCESS_INFO as IO,
  WHV_EMULATOR_MEMORY_ACCESS_INFO as MEMORY,
} from "../../ffi/emulator.ts";
import { ExitReason } from "../../ffi/enums.ts";
import { WHV_RUN_VP_EXIT_CONTEXT } from "../../ffi/exits.ts";
import { HResult } from "../../ffi/hresult.ts";
import { Reg } from "../../ffi/registers.ts";
import {
  type EmulatedIo,
  type EmulatedMemory,
  Emulator,
  type IoPortExit,
  type MemoryExit,
  Partition,
  PlatformError,
} from "../../src/platform/mod.ts";
import { FakePlatform } from "./fake.ts";

const unexpected = () => {
  throw new Error("not expected");
};

async function stopped(reason: number) {
  const fake = new FakePlatform();
  const vp = Partition.create(fake).createVirtualProcessor(2);
  const bytes = new Uint8Array(WHV_RUN_VP_EXIT_CONTEXT.size);
  WHV_RUN_VP_EXIT_CONTEXT.ExitReason.set(new DataView(bytes.buffer), reason);
  fake.exits.push(bytes);
  return { fake, vp, exit: await vp.run() };
}

Deno.test("string output reaches the port handler, with the VP's registers", async () => {
  const { fake, vp, exit } = await stopped(ExitReason.X64IoPortAccess);
  const seen: unknown[] = [];
  const emulator = new Emulator(fake, {
    ioPort(access: EmulatedIo) {
      seen.push([access.vp.index, access.port, access.size, access.isWrite]);
      seen.push(access.data);
      access.data = 0x55;
    },
    memory: unexpected,
  });
  vp.set(Reg.Rsi, 0x1234n);
  fake.translation = { code: 0, gpa: 0x8000n };
  fake.emulate = (call, context) => {
    assertEquals(context, 2n);
    const names = new Uint8Array(Uint32Array.of(Reg.Rsi, Reg.Rcx).buffer);
    const values = new Uint8Array(32);
    assertEquals(call.getRegisters(context, names, 2, values), HResult.S_OK);
    assertEquals([values[0], values[1], values[16]], [0x34, 0x12, 0]);
    const code = new Uint8Array(4).fill(9);
    const gpa = new Uint8Array(8);
    assertEquals(
      call.translateGvaPage(context, 0x1000n, 1, code, gpa),
      HResult.S_OK,
    );
    assertEquals([[...code], gpa[1]], [[0, 0, 0, 0], 0x80]);
    const io = new DataView(new ArrayBuffer(IO.size));
    IO.Direction.set(io, 1);
    IO.Port.set(io, 0x3f8);
    IO.AccessSize.set(io, 2);
    IO.Data.set(io, 0x4142);
    assertEquals(
      call.ioPort(context, new Uint8Array(io.buffer)),
      HResult.S_OK,
    );
    assertEquals(IO.Data.get(io), 0x55);
    values[0] = 0x36;
    assertEquals(call.setRegisters(context, names, 2, values), HResult.S_OK);
    return 1;
  };
  emulator.tryIo(vp, exit as IoPortExit);
  assertEquals(seen, [[2, 0x3f8, 2, true], 0x4142]);
  assertEquals(vp.get(Reg.Rsi), 0x1236n);
  emulator.close();
  assertEquals(fake.openCallbacks, 0);
});

Deno.test("a memory read is filled by its handler", async () => {
  const { fake, vp, exit } = await stopped(ExitReason.MemoryAccess);
  const emulator = new Emulator(fake, {
    ioPort: unexpected,
    memory(access: EmulatedMemory) {
      assertEquals(
        [access.gpa, access.size, access.isWrite, access.data.length],
        [0xfec00010n, 4, false, 4],
      );
      access.data.set([1, 2, 3, 4]);
    },
  });
  fake.emulate = (call, context) => {
    const memory = new DataView(new ArrayBuffer(MEMORY.size));
    MEMORY.GpaAddress.set(memory, 0xfec00010n);
    MEMORY.AccessSize.set(memory, 4);
    call.memory(context, new Uint8Array(memory.buffer));
    assertEquals(
      [...MEMORY.Data.get(memory)],
      [1, 2, 3, 4, 0, 0, 0, 0],
    );
    return 1;
  };
  emulator.tryMmio(vp, exit as MemoryExit);
  emulator.close();
});

Deno.test("what a handler throws comes out, not the emulator's own failure", async () => {
  const { fake, vp, exit } = await stopped(ExitReason.X64IoPortAccess);
  const emulator = new Emulator(fake, {
    ioPort() {
      throw new RangeError("no such port");
    },
    memory: unexpected,
  });
  fake.emulate = (call, context) => {
    const result = call.ioPort(context, new Uint8Array(IO.size));
    assertEquals(result, HResult.E_FAIL);
    return 4;
  };
  assertThrows(
    () => emulator.tryIo(vp, exit as IoPortExit),
    RangeError,
    "no such port",
  );
  // The error is not kept for the next instruction.
  fake.emulate = () => 1;
  emulator.tryIo(vp, exit as IoPortExit);
  emulator.close();
});

Deno.test("an instruction that is not emulated says why", async () => {
  const { fake, vp, exit } = await stopped(ExitReason.MemoryAccess);
  const emulator = new Emulator(fake, {
    ioPort: unexpected,
    memory: unexpected,
  });
  fake.emulate = () => 0x202;
  assertThrows(
    () => emulator.tryMmio(vp, exit as MemoryExit),
    PlatformError,
    "not emulated: InternalEmulationFailure, GuestCannotBeFaulted",
  );
  emulator.close();
});

Deno.test("an emulator that cannot be made leaves no callback", () => {
  const fake = new FakePlatform();
  fake.results.set("WHvEmulatorCreateEmulator", HResult.E_OUTOFMEMORY);
  assertThrows(
    () => new Emulator(fake, { ioPort: unexpected, memory: unexpected }),
    PlatformError,
    "WHvEmulatorCreateEmulator: E_OUTOFMEMORY",
  );
  assertEquals(fake.openCallbacks, 0);
});
