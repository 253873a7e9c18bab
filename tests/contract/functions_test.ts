// The functions that later Windows added, and the lists a partition takes: each is
// tested where it exists.

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  AdviseGpaRangeCode,
  LocalApicEmulationMode,
  MapGpaRangeFlag,
  MsrAction,
  PartitionCounterSet,
  ProcessorCounterSet,
  TranslateGvaFlag,
  TranslateGvaResult,
  VirtualProcessorStateType,
} from "../../ffi/enums.ts";
import { ExtendedVmExits } from "../../ffi/flags.ts";
import { HResult } from "../../ffi/hresult.ts";
import { Reg } from "../../ffi/registers.ts";
import {
  WHV_MSR_ACTION_ENTRY,
  WHV_X64_CPUID_RESULT2,
} from "../../ffi/structures.ts";
import {
  WHV_PROCESSOR_ACTIVITY_COUNTERS,
  WHV_PROCESSOR_INTERCEPT_COUNTER,
} from "../../ffi/counters.ts";
import { XSAVE_FORMAT, XSAVE_HEADER_OFFSET } from "../../ffi/xsave.ts";
import { Partition, PlatformError } from "../../src/platform/mod.ts";
import { openSoft } from "../../src/soft/mod.ts";
import {
  CODE,
  contract,
  DATA,
  expectExit,
  expectVector,
  Guest,
  hex,
  PD,
  PDPT,
  RAM_BYTES,
  RWX,
} from "./guest.ts";

const PAGE = 4096;
/** A guest physical address without memory. */
const NOWHERE = 0xe000_0000n;

contract("a masked CPUID result changes the masked bits only", {
  code: "b8 01 00 00 00 31 c9 0f a2 e6 80",
  configure: (partition) => {
    const bytes = new Uint8Array(WHV_X64_CPUID_RESULT2.size);
    const view = new DataView(bytes.buffer);
    WHV_X64_CPUID_RESULT2.Function.set(view, 1);
    const [eax, ebx, mask] = [16, 20, 16];
    view.setUint32(eax, 0xffff_ffff, true);
    view.setUint32(eax + mask, 0xf000_0000, true);
    view.setUint32(ebx, 0x1234_5678, true);
    view.setUint32(ebx + mask, 0xffff_ffff, true);
    try {
      partition.setProperty("CpuidResultList2", bytes);
    } catch (error) {
      // an older Windows does not know it
      assert(error instanceof PlatformError);
    }
  },
}, async (guest) => {
  const exit = expectExit(await guest.run(), "ioPort");
  const known = new Uint8Array(48);
  try {
    guest.partition.getProperty("CpuidResultList2", known);
  } catch (error) {
    assert(error instanceof PlatformError);
    return;
  }
  assertEquals(exit.eax >>> 28, 15);
  assert((exit.eax & 0x0fff_ffff) !== 0x0fff_ffff, "the rest is a processor's");
  assertEquals(guest.vp.get(Reg.Rbx), 0x1234_5678n);
});

/** MSRs 0x12345 (ignored) and 0x12346 (exits), and what any other does. */
function msrActions(partition: Partition): void {
  const { size, Index, ReadAction, WriteAction } = WHV_MSR_ACTION_ENTRY;
  const list = new Uint8Array(2 * size);
  const view = new DataView(list.buffer);
  [MsrAction.IgnoreWriteReadZero, MsrAction.Exit].forEach((action, i) => {
    Index.set(view, 0x12345 + i, i * size);
    ReadAction.set(view, action, i * size);
    WriteAction.set(view, action, i * size);
  });
  partition.setProperty("MsrActionList", list);
}

Deno.test("soft: what becomes of single MSRs can be said", async () => {
  const platform = await openSoft({ memoryBytes: 8 << 20 });
  const guest = new Guest({
    platform,
    memory: platform.guestMemory,
    wrote: (offset, bytes) => platform.hostWrote(offset, bytes),
  }, {
    extendedVmExits: ExtendedVmExits.X64MsrExit,
    msrExitBitmap: 0n,
    configure: msrActions,
    code: `
      b8 01 00 00 00 b9 45 23 01 00 0f 30 0f 32 e6 80 # wrmsr, rdmsr 0x12345
      ff c1 0f 32                                     # rdmsr 0x12346
      ff c1 0f 32                                     # rdmsr 0x12347`,
  });
  assertEquals(expectExit(await guest.run(), "ioPort").eax, 0);
  guest.skip(2);
  assertEquals(expectExit(await guest.run(), "msr").msr, 0x12346);
  guest.skip(2);
  expectVector(await guest.run(), 13);
  guest.delete();
  platform.close();
});

contract("counters count exits and mapped pages", {
  code: "e6 80 e6 80 0f a2 e6 80",
  extendedVmExits: ExtendedVmExits.X64CpuidExit,
  cpuidExits: [0],
}, async (guest) => {
  const { WHvGetVirtualProcessorCounters, WHvGetPartitionCounters } =
    guest.provider.platform;
  if (!WHvGetVirtualProcessorCounters || !WHvGetPartitionCounters) return;
  const { handle } = guest.partition;
  const bytes = new Uint8Array(224);
  const view = new DataView(bytes.buffer);
  const written = new Uint32Array(1);
  const counters = () =>
    WHvGetVirtualProcessorCounters(
      handle,
      0,
      ProcessorCounterSet.Intercepts,
      bytes,
      bytes.length,
      written,
    );
  assertEquals(counters(), HResult.S_OK);
  const count = (offset: number) =>
    WHV_PROCESSOR_INTERCEPT_COUNTER.Count.get(view, offset);
  const { IoInstructions, CpuidInstructions } = WHV_PROCESSOR_ACTIVITY_COUNTERS;
  const before = [
    count(IoInstructions.offset),
    count(CpuidInstructions.offset),
  ];
  for (const reason of ["ioPort", "ioPort", "cpuid", "ioPort"] as const) {
    expectExit(await guest.run(), reason);
    guest.skip(2);
  }
  assertEquals(counters(), HResult.S_OK);
  assertEquals(written[0], WHV_PROCESSOR_ACTIVITY_COUNTERS.size);
  assertEquals(count(IoInstructions.offset) - before[0], 3n);
  assertEquals(count(CpuidInstructions.offset) - before[1], 1n);
  assertEquals(
    WHvGetVirtualProcessorCounters(handle, 0, 99, bytes, 224, written) < 0,
    true,
  );
  const pages = new BigUint64Array(3);
  assertEquals(
    WHvGetPartitionCounters(
      handle,
      PartitionCounterSet.Memory,
      pages,
      24,
      written,
    ),
    HResult.S_OK,
  );
  assertEquals(
    pages[0] + pages[1] * 512n + pages[2] * 262144n,
    BigInt(RAM_BYTES / PAGE),
  );
});

contract("advice is for mapped memory", {}, (guest) => {
  const { WHvAdviseGpaRange: advise } = guest.provider.platform;
  if (advise === null) return;
  const { handle } = guest.partition;
  const populate = new Uint8Array(8);
  const at = (gpa: bigint, bytes: bigint) =>
    advise(
      handle,
      BigUint64Array.of(gpa, bytes),
      1,
      AdviseGpaRangeCode.Populate,
      populate,
      populate.length,
    );
  assertEquals(at(0n, BigInt(RAM_BYTES)), HResult.S_OK);
  assert(at(NOWHERE, BigInt(PAGE)) < 0);
  assert(at(1n, BigInt(PAGE)) < 0);
});

contract("small reads and writes respect what is mapped how", {
  code: "e6 80",
}, async (guest) => {
  const { WHvReadGpaRange: read, WHvWriteGpaRange: write } =
    guest.provider.platform;
  if (read === null || write === null) return;
  const { handle } = guest.partition;
  const rom = 0x4000_0000;
  guest.partition.mapGpaRange(
    guest.memory.subarray(DATA, DATA + PAGE),
    rom,
    MapGpaRangeFlag.Read,
  );
  guest.memory[DATA] = 7;
  const byte = new Uint8Array(1);
  assertEquals(read(handle, 0, BigInt(rom), 0n, byte, 1), HResult.S_OK);
  assertEquals(byte[0], 7);
  assert(write(handle, 0, BigInt(rom), 0n, byte, 1) < 0);
  assert(read(handle, 0, NOWHERE, 0n, byte, 1) < 0);
  // code written is what runs
  assertEquals(expectExit(await guest.run(), "ioPort").port, 0x80);
  byte[0] = 0x81;
  assertEquals(write(handle, 0, BigInt(CODE + 1), 0n, byte, 1), HResult.S_OK);
  assertEquals(expectExit(await guest.run(), "ioPort").port, 0x81);
});

contract(
  "state by type is the same state",
  {},
  ({ vp, partition, provider }) => {
    const {
      WHvGetVirtualProcessorState: get,
      WHvSetVirtualProcessorState: set,
      WHvGetVirtualProcessorXsaveState,
    } = provider.platform;
    if (!get || !set || !WHvGetVirtualProcessorXsaveState) return;
    const { handle } = partition;
    const page = new Uint8Array(
      new WebAssembly.Memory({ initial: 1, maximum: 1 }).buffer,
      0,
      PAGE,
    );
    const written = new Uint32Array(1);
    const type = VirtualProcessorStateType.XsaveState;
    vp.set128(Reg.Xmm5, 0x1234n << 64n);
    assertEquals(get(handle, 0, type, page, PAGE, written), HResult.S_OK);
    const state = vp.getXsave();
    assertEquals(page.subarray(0, written[0]), state);
    XSAVE_FORMAT.XmmRegisters.get(new DataView(page.buffer)).fill(1, 80, 96);
    assertEquals(set(handle, 0, type, page, written[0]), HResult.S_OK);
    assertEquals(vp.get(Reg.Xmm5), 0x0101_0101_0101_0101n);
    assert(set(handle, 0, 0x7777, page, PAGE) < 0);
  },
);

contract("XSAVE state that is none is refused, and nothing is set", {}, (
  { vp, provider },
) => {
  if (provider.platform.WHvSetVirtualProcessorXsaveState === null) return;
  vp.set128(Reg.Xmm0, 5n);
  const state = vp.getXsave();
  state.fill(0xff, XSAVE_HEADER_OFFSET, XSAVE_HEADER_OFFSET + 16);
  state.fill(0x77, 160, 176);
  assertThrows(() => vp.setXsave(state), PlatformError);
  assertEquals(vp.get128(Reg.Xmm0), 5n);
});

Deno.test("soft: the x87 error summary follows what is unmasked", async () => {
  const platform = await openSoft({ memoryBytes: 8 << 20 });
  const partition = Partition.create(platform);
  partition.setProcessorCount(1);
  partition.setup();
  const vp = partition.createVirtualProcessor(0);
  // IE and ZE are set: masked both, then ZE is not
  vp.set128(Reg.FpControlStatus, 0x037fn | (0x0085n << 16n));
  assertEquals((vp.get128(Reg.FpControlStatus) >> 16n) & 0xffffn, 0x0005n);
  vp.set128(Reg.FpControlStatus, 0x037bn | (0x0005n << 16n));
  assertEquals((vp.get128(Reg.FpControlStatus) >> 16n) & 0xffffn, 0x8085n);
  assertThrows(() => vp.set(Reg.XCr0, 7n), PlatformError);
  vp.delete();
  partition.delete();
  platform.close();
});

contract(
  "translation tells bad tables from absent ones",
  {},
  ({ vp, view }) => {
    const { ValidateRead } = TranslateGvaFlag;
    const code = (gva: bigint) => vp.translateGva(gva, ValidateRead).code;
    view.setBigUint64(PD + 8, 0x20_0087n | (1n << 51n), true); // reserved
    assertEquals(code(0x200000n), TranslateGvaResult.InvalidPageTableFlags);
    view.setBigUint64(PDPT + 8, NOWHERE | 7n, true);
    assertEquals(code(0x4000_0000n), TranslateGvaResult.GpaUnmapped);
    // where there is no memory may be a device
    assertEquals(vp.translateGva(NOWHERE, ValidateRead), {
      code: TranslateGvaResult.Success,
      gpa: NOWHERE,
    });
  },
);

contract("a processor can be made with properties", {}, (guest) => {
  const { WHvCreateVirtualProcessor2: create } = guest.provider.platform;
  if (create === null) return;
  const { handle } = guest.partition;
  guest.vp.delete();
  const bad = new Uint8Array(16).fill(0xff);
  assert(create(handle, 0, bad, 1) < 0);
  // Only of a JavaScript function's buffer the size is known.
  if (guest.provider.name === "soft") {
    assert(create(handle, 0, new Uint8Array(3), 1) < 0);
  }
  assertEquals(create(handle, 0, null, 0), HResult.S_OK);
  assertEquals(create(handle, 0, null, 0), HResult.WHV_E_VP_ALREADY_EXISTS);
});

Deno.test("soft: dirty pages of a large range in one query", async () => {
  const bytes = 256 << 20;
  const platform = await openSoft({ memoryBytes: bytes });
  const partition = Partition.create(platform);
  partition.setProcessorCount(1);
  partition.setup();
  const memory = platform.guestMemory.subarray(0, bytes);
  partition.mapGpaRange(memory, 0, RWX | MapGpaRangeFlag.TrackDirtyPages);
  partition.createVirtualProcessor(0);
  const write = platform.platform.WHvWriteGpaRange!;
  for (const page of [3, 49151, 49152, 65535]) {
    const gpa = BigInt(page * PAGE);
    assertEquals(
      write(partition.handle, 0, gpa, 0n, hex("aa"), 1),
      HResult.S_OK,
    );
  }
  const found = partition.queryGpaRangeDirtyBitmap(0, bytes);
  const dirty: number[] = [];
  found.forEach((word, i) => {
    for (let bit = 0; bit < 64; bit++) {
      if ((word >> BigInt(bit)) & 1n) dirty.push(i * 64 + bit);
    }
  });
  assertEquals(dirty, [3, 49151, 49152, 65535]);
  const again = partition.queryGpaRangeDirtyBitmap(0, bytes);
  assertEquals(again.some((word) => word !== 0n), false);
  platform.close();
});

Deno.test("soft: the APIC's mode is set from any to any, within reason", async () => {
  const platform = await openSoft({ memoryBytes: 8 << 20 });
  const partition = Partition.create(platform);
  partition.setProcessorCount(1);
  partition.setLocalApicEmulationMode(LocalApicEmulationMode.X2Apic);
  partition.setup();
  const vp = partition.createVirtualProcessor(0);
  const base = 0xfee0_0100n;
  for (const mode of [0x800n, 0xc00n, 0x800n, 0n, 0xc00n, 0n]) {
    vp.set(Reg.ApicBase, base | mode);
    assertEquals(vp.get(Reg.ApicBase), base | mode);
  }
  for (const bad of [0x400n, 0x801n, 1n << 60n]) {
    assertThrows(() => vp.set(Reg.ApicBase, base | bad), PlatformError);
  }
  vp.delete();
  partition.delete();
  platform.close();
});
