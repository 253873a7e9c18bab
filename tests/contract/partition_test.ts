// WHP.md, "Life of a partition": capabilities, properties, memory, processors.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { MemoryAccessType } from "../../ffi/enums.ts";
import { CapabilityFeatures, ExtendedVmExits } from "../../ffi/flags.ts";
import { HResult } from "../../ffi/hresult.ts";
import { Reg } from "../../ffi/registers.ts";
import { winhvplatform } from "../../ffi/winhvplatform.ts";
import {
  getCapability,
  Partition,
  PlatformError,
  readCapabilities,
} from "../../src/platform/mod.ts";
import {
  CODE,
  contract,
  contractRaw,
  DATA,
  expectExit,
  hex,
  RAM_BYTES,
  RWX,
  TEST_PORT,
  turns,
} from "./guest.ts";

const PAGE = 4096;

function fails(fn: () => unknown): string {
  return assertThrows(fn, PlatformError).hresultName;
}

contractRaw("capabilities say what there is", ({ platform }) => {
  const found = readCapabilities(platform);
  assert(found.hypervisorPresent);
  assert(found.features & CapabilityFeatures.LocalApicEmulation);
  for (const exit of ["X64CpuidExit", "X64MsrExit", "ExceptionExit"] as const) {
    assert(found.extendedVmExits & ExtendedVmExits[exit], exit);
  }
});

contractRaw("an unknown capability is called so", ({ platform }) => {
  const written = new Uint32Array(1);
  assertEquals(
    platform.platform.WHvGetCapability(0x7777, new Uint8Array(64), 64, written),
    HResult.WHV_E_UNKNOWN_CAPABILITY,
  );
});

contractRaw("a short buffer for a capability is refused", ({ platform }) => {
  const bytes = new Uint8Array(8).fill(0xaa);
  assertEquals(
    platform.platform.WHvGetCapability(1, bytes, 4, new Uint32Array(1)),
    HResult.WHV_E_INSUFFICIENT_BUFFER,
  );
  assertEquals(bytes, new Uint8Array(8).fill(0xaa));
  assertEquals(getCapability(platform, "Features", bytes), 8);
});

contractRaw("setup needs ProcessorCount", ({ platform }) => {
  const partition = Partition.create(platform);
  assertEquals(
    fails(() => partition.setup()),
    "WHV_E_INVALID_PARTITION_CONFIG",
  );
  // The failure has changed nothing: with the count it works.
  partition.setProcessorCount(1);
  partition.setup();
  partition.delete();
});

contractRaw("processors and memory come after setup", (opened) => {
  const partition = Partition.create(opened.platform);
  partition.setProcessorCount(1);
  fails(() => partition.createVirtualProcessor(0));
  fails(() => partition.mapGpaRange(opened.memory.subarray(0, PAGE), 0, RWX));
  fails(() => partition.unmapGpaRange(0, PAGE));
  partition.setup();
  partition.mapGpaRange(opened.memory.subarray(0, PAGE), 0, RWX);
  partition.createVirtualProcessor(0).delete();
  partition.delete();
});

contractRaw("a partition can be made again after it is deleted", (opened) => {
  for (let turn = 0; turn < 3; turn++) {
    const partition = Partition.create(opened.platform);
    partition.setProcessorCount(1);
    partition.setup();
    partition.mapGpaRange(opened.memory.subarray(0, PAGE), 0, RWX);
    const vp = partition.createVirtualProcessor(0);
    vp.set(Reg.Rax, 1n);
    vp.delete();
    partition.delete();
  }
});

contractRaw("a property's bytes come back", ({ platform }) => {
  const partition = Partition.create(platform);
  partition.setProcessorCount(3);
  const bytes = new Uint8Array(8);
  assertEquals(partition.getProperty("ProcessorCount", bytes), 4);
  assertEquals(bytes[0], 3);
  partition.delete();
});

contractRaw("unknown and wrongly sized properties are refused", (opened) => {
  const { WHvSetPartitionProperty } = opened.platform.platform;
  const partition = Partition.create(opened.platform);
  assertEquals(
    WHvSetPartitionProperty(partition.handle, 0x7777, new Uint8Array(8), 8),
    HResult.WHV_E_UNKNOWN_PROPERTY,
  );
  assert(fails(() => partition.setProperty("ProcessorCount", hex("01"))));
  assert(fails(() => partition.setProcessorCount(0)));
  assert(fails(() => partition.setLocalApicEmulationMode(7)));
  partition.delete();
});

contract("after setup only four properties may change", {}, ({ partition }) => {
  partition.setExtendedVmExits(ExtendedVmExits.X64CpuidExit);
  partition.setExceptionExitBitmap(2n);
  partition.setX64MsrExitBitmap(1n);
  partition.setCpuidExitList([1]);
  assert(fails(() => partition.setProcessorCount(2)));
  assert(fails(() => partition.setLocalApicEmulationMode(1)));
  assert(
    fails(() =>
      partition.setCpuidResultList([{
        leaf: 1,
        eax: 0,
        ebx: 0,
        ecx: 0,
        edx: 0,
      }])
    ),
  );
  assert(fails(() => partition.setup()));
});

contract(
  "the exception exit bitmap changes only while no processor runs",
  { code: "eb fe # jmp ." },
  async ({ vp, partition }) => {
    const running = vp.run();
    // A native run begins when its thread does; not before is it refused.
    let refused = false;
    for (let wait = 0; wait < 1000 && !refused; wait++) {
      try {
        partition.setExceptionExitBitmap(2n);
        await turns(1);
      } catch (error) {
        refused = error instanceof PlatformError;
      }
    }
    vp.cancel();
    assert(refused);
    expectExit(await running, "canceled");
    partition.setExceptionExitBitmap(2n);
  },
);

contract("mappings are page aligned", {}, ({ partition, memory }) => {
  const page = memory.subarray(DATA, DATA + PAGE);
  const far = 0x4000_0000;
  assertEquals(
    fails(() => partition.mapGpaRange(page, far + 8, RWX)),
    "E_INVALIDARG",
  );
  assertEquals(
    fails(() => partition.mapGpaRange(page.subarray(0, 100), far, RWX)),
    "E_INVALIDARG",
  );
  assertEquals(
    fails(() =>
      partition.mapGpaRange(
        memory.subarray(DATA + 16, DATA + 16 + PAGE),
        far,
        RWX,
      )
    ),
    "E_INVALIDARG",
  );
  assertEquals(
    fails(() => partition.mapGpaRange(page.subarray(0, 0), far, RWX)),
    "E_INVALIDARG",
  );
  assertEquals(
    fails(() => partition.unmapGpaRange(0x10, PAGE)),
    "E_INVALIDARG",
  );
});

const READ_FAR = `
  a1 00 00 00 40 00 00 00 00  # mov eax, [0x40000000]
  e6 80                       # out 0x80, al
  f4
`;

contract(
  "a later mapping replaces an earlier one, in part",
  { code: READ_FAR.repeat(2) },
  async ({ vp, partition, memory }) => {
    const far = 0x4000_0000;
    memory.fill(0x11, DATA, DATA + 2 * PAGE);
    memory.fill(0x22, DATA + 2 * PAGE, DATA + 3 * PAGE);
    partition.mapGpaRange(memory.subarray(DATA, DATA + 2 * PAGE), far, RWX);
    assertEquals(expectExit(await vp.run(), "ioPort").eax, 0x11111111);
    partition.mapGpaRange(
      memory.subarray(DATA + 2 * PAGE, DATA + 3 * PAGE),
      far,
      RWX,
    );
    vp.set(Reg.Rip, BigInt(CODE));
    assertEquals(expectExit(await vp.run(), "ioPort").eax, 0x22222222);
    // The second page of the first mapping is still there.
    const second = "a1 00 10 00 40 00 00 00 00 e6 80";
    memory.set(hex(second), CODE + 0x100);
    vp.set(Reg.Rip, BigInt(CODE + 0x100));
    assertEquals(expectExit(await vp.run(), "ioPort").eax, 0x11111111);
  },
);

contract(
  "an unmapped range exits, and is mapped again",
  { code: READ_FAR },
  async ({ vp, partition, memory }) => {
    const far = 0x4000_0000;
    const page = memory.subarray(DATA, DATA + PAGE);
    partition.mapGpaRange(page, far, RWX);
    partition.unmapGpaRange(far, PAGE);
    const exit = expectExit(await vp.run(), "memory");
    assertEquals(exit.gpa, BigInt(far));
    assert(exit.gpaUnmapped);
    page.fill(0x33);
    partition.mapGpaRange(page, far, RWX);
    assertEquals(expectExit(await vp.run(), "ioPort").eax, 0x33333333);
  },
);

contract(
  "a read-only mapping is read, and a write to it exits",
  { code: READ_FAR + "c6 04 25 04 00 00 40 5a # mov byte [0x40000004], 0x5a" },
  async (guest) => {
    const { vp, partition, memory } = guest;
    const page = memory.subarray(DATA, DATA + PAGE);
    page.fill(0x44);
    partition.mapGpaRange(page, 0x4000_0000, 1 | 4);
    const read = expectExit(await vp.run(), "ioPort");
    assertEquals(read.eax, 0x44444444);
    vp.set(Reg.Rip, read.rip + 3n); // past OUT and HLT
    const exit = expectExit(await vp.run(), "memory");
    assertEquals(exit.gpa, 0x4000_0004n);
    assertEquals(exit.access, MemoryAccessType.Write);
    assertEquals(exit.gpaUnmapped, false);
    assertEquals(page[4], 0x44);
  },
);

contract(
  "an instruction fetch from a mapping without Execute exits",
  { code: "b8 00 00 00 40 ff e0 # mov eax, 0x40000000; jmp rax" },
  async ({ vp, partition, memory }) => {
    const page = memory.subarray(DATA, DATA + PAGE);
    page.fill(0x90);
    partition.mapGpaRange(page, 0x4000_0000, 1 | 2);
    const exit = expectExit(await vp.run(), "memory");
    assertEquals(exit.access, MemoryAccessType.Execute);
    assertEquals(exit.gpa, 0x4000_0000n);
    assertEquals(exit.rip, 0x4000_0000n);
  },
);

contract(
  "dirty pages are tracked, and a query clears them",
  { code: "c6 04 25 00 10 00 40 01 c6 04 25 ff 3f 00 40 01 e6 80 eb ec" },
  async ({ vp, partition, memory }) => {
    const far = 0x4000_0000;
    partition.mapGpaRange(
      memory.subarray(DATA, DATA + 5 * PAGE),
      far,
      RWX | 8,
    );
    assertEquals([...partition.queryGpaRangeDirtyBitmap(far, 5 * PAGE)], [0n]);
    expectExit(await vp.run(), "ioPort");
    assertEquals(
      [...partition.queryGpaRangeDirtyBitmap(far, 5 * PAGE)],
      [0b01010n],
    );
    assertEquals([...partition.queryGpaRangeDirtyBitmap(far, 5 * PAGE)], [0n]);
    // What was found once is found again after another write.
    vp.set(Reg.Rip, BigInt(CODE));
    expectExit(await vp.run(), "ioPort");
    assertEquals(
      [...partition.queryGpaRangeDirtyBitmap(far + PAGE, PAGE)],
      [1n],
    );
  },
);

contract(
  "two guest addresses can be the same memory",
  {
    code: `
    c6 04 25 00 00 00 40 77   # mov byte [0x40000000], 0x77
    8a 04 25 00 00 05 00      # mov al, [0x50000]
    e6 80`,
  },
  async ({ vp, partition, memory }) => {
    partition.mapGpaRange(memory.subarray(DATA, DATA + PAGE), 0x4000_0000, RWX);
    const exit = expectExit(await vp.run(), "ioPort");
    assertEquals([exit.port, exit.eax & 0xff], [TEST_PORT, 0x77]);
    assertEquals(memory[DATA], 0x77);
  },
);

contract("virtual processors are made once, within the count", {
  cpus: 2,
}, ({ partition, vps }) => {
  assertEquals(
    fails(() => partition.createVirtualProcessor(1)),
    "WHV_E_VP_ALREADY_EXISTS",
  );
  assertEquals(
    fails(() => partition.createVirtualProcessor(2)),
    "E_INVALIDARG",
  );
  vps[1].set(Reg.Rbx, 5n);
  assertEquals(vps[0].get(Reg.Rbx), 0n);
  vps[1].delete();
  assertEquals(fails(() => vps[1].get(Reg.Rbx)), "WHV_E_VP_DOES_NOT_EXIST");
  assertEquals(fails(() => vps[1].cancel()), "WHV_E_VP_DOES_NOT_EXIST");
  partition.createVirtualProcessor(1);
});

contract(
  "what does not exist cannot be run, and says so",
  {},
  async ({ provider, partition }) => {
    assertEquals(
      await provider.platform.WHvRunVirtualProcessor(
        partition.handle,
        1,
        new Uint8Array(224),
        224,
      ),
      HResult.WHV_E_VP_DOES_NOT_EXIST,
    );
  },
);

contract("64 processors run side by side", { cpus: 64 }, async (guest) => {
  guest.write(CODE, hex("ff c0 e6 80 eb fa # l: inc eax; out 0x80, al; jmp l"));
  for (const vp of guest.vps) {
    guest.start(vp);
    vp.set(Reg.Rax, BigInt(vp.index));
  }
  for (let turn = 1; turn <= 3; turn++) {
    const exits = await Promise.all(guest.vps.map((vp) => vp.run()));
    exits.forEach((exit, index) => {
      assertEquals(expectExit(exit, "ioPort").eax, index + turn);
      guest.skip(2, guest.vps[index]);
    });
  }
});

contractRaw("optional functions are there or null", ({ platform }) => {
  for (const [name, definition] of Object.entries(winhvplatform)) {
    const fn = platform.platform[name as keyof typeof winhvplatform];
    if ("optional" in definition && fn === null) continue;
    assertEquals(typeof fn, "function", name);
  }
});

contract("memory beyond the mapping is not memory", {
  code: `a1 00 00 10 00 00 00 00 00 # mov eax, [RAM_BYTES]`,
}, async ({ vp }) => {
  const exit = expectExit(await vp.run(), "memory");
  assertEquals(exit.gpa, BigInt(RAM_BYTES));
  assertEquals(exit.access, MemoryAccessType.Read);
});
