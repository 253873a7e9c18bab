// Partitions and virtual processors over a provider that does nothing: what is
// passed on, what comes back, and what a failure says.

import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  CapabilityCode,
  ExitReason,
  MapGpaRangeFlag,
  PartitionPropertyCode,
} from "../../ffi/enums.ts";
import { WHV_RUN_VP_EXIT_CONTEXT } from "../../ffi/exits.ts";
import { HResult } from "../../ffi/hresult.ts";
import { Reg } from "../../ffi/registers.ts";
import {
  getCapability,
  Partition,
  PlatformError,
  readCapabilities,
} from "../../src/platform/mod.ts";
import { FakePlatform, PARTITION } from "./fake.ts";

function exitOf(reason: number): Uint8Array {
  const bytes = new Uint8Array(WHV_RUN_VP_EXIT_CONTEXT.size);
  WHV_RUN_VP_EXIT_CONTEXT.ExitReason.set(new DataView(bytes.buffer), reason);
  return bytes;
}

function ready() {
  const fake = new FakePlatform();
  const partition = Partition.create(fake);
  return { fake, partition, vp: partition.createVirtualProcessor(0) };
}

Deno.test("a failing call names itself, the code, its meaning and a remedy", () => {
  const fake = new FakePlatform();
  fake.results.set(
    "WHvCreatePartition",
    HResult.WHV_E_UNSUPPORTED_HYPERVISOR_CONFIG,
  );
  const error = assertThrows(() => Partition.create(fake), PlatformError);
  assertEquals(error.call, "WHvCreatePartition");
  assertEquals(error.hresult, 0x80370303 | 0);
  assertEquals(error.hresultName, "WHV_E_UNSUPPORTED_HYPERVISOR_CONFIG");
  assertStringIncludes(
    error.message,
    "WHvCreatePartition: WHV_E_UNSUPPORTED_HYPERVISOR_CONFIG: ",
  );
  assertStringIncludes(error.message, "does not support partitions");
  assertStringIncludes(
    error.message,
    "enable 'Windows Hypervisor Platform' in Windows features",
  );
  assertStringIncludes(error.remedy, "--platform soft");
});

Deno.test("a failure says what the call was about", () => {
  const { fake, partition, vp } = ready();
  const fails = (name: string, code: number, fn: () => unknown) => {
    fake.results.set(name, code);
    return assertThrows(fn, PlatformError).message;
  };
  assertStringIncludes(
    fails(
      "WHvMapGpaRange",
      HResult.E_INVALIDARG,
      () => partition.mapGpaRange(new Uint8Array(4096), 0x12345, 1),
    ),
    "WHvMapGpaRange (gpa 0x12345, 0x1000 bytes): E_INVALIDARG: " +
      "a parameter is not valid",
  );
  assertStringIncludes(
    fails(
      "WHvUnmapGpaRange",
      HResult.WHV_E_GPA_RANGE_NOT_FOUND,
      () => partition.unmapGpaRange(0n, 4096n),
    ),
    "WHV_E_GPA_RANGE_NOT_FOUND: the guest-physical range is not mapped: map",
  );
  assertStringIncludes(
    fails(
      "WHvGetVirtualProcessorRegisters",
      HResult.WHV_E_INVALID_VP_REGISTER_NAME,
      () => vp.get(0x1234),
    ),
    "(VP 0): WHV_E_INVALID_VP_REGISTER_NAME",
  );
  assertStringIncludes(
    fails(
      "WHvSetPartitionProperty",
      HResult.WHV_E_UNKNOWN_PROPERTY,
      () => partition.setProcessorCount(1),
    ),
    "WHvSetPartitionProperty (ProcessorCount): WHV_E_UNKNOWN_PROPERTY",
  );
  assertStringIncludes(
    fails("WHvSetupPartition", 0x8037ffff | 0, () => partition.setup()),
    "WHvSetupPartition: HRESULT 0x8037ffff",
  );
});

Deno.test("properties arrive as the bytes the platform expects", () => {
  const { fake, partition } = ready();
  const property = (code: number) => [...fake.properties.get(code)!];
  partition.setProcessorCount(3);
  assertEquals(property(PartitionPropertyCode.ProcessorCount), [3, 0, 0, 0]);
  partition.setLocalApicEmulationMode(1);
  assertEquals(
    property(PartitionPropertyCode.LocalApicEmulationMode),
    [1, 0, 0, 0],
  );
  partition.setExtendedVmExits(7n);
  assertEquals(
    property(PartitionPropertyCode.ExtendedVmExits),
    [7, 0, 0, 0, 0, 0, 0, 0],
  );
  partition.setExceptionExitBitmap(0x8000_0000_0000_0002n);
  assertEquals(
    property(PartitionPropertyCode.ExceptionExitBitmap),
    [2, 0, 0, 0, 0, 0, 0, 0x80],
  );
  partition.setX64MsrExitBitmap(1n);
  assertEquals(
    property(PartitionPropertyCode.X64MsrExitBitmap),
    [1, 0, 0, 0, 0, 0, 0, 0],
  );
  partition.setCpuidExitList([1, 0x80000001]);
  assertEquals(
    property(PartitionPropertyCode.CpuidExitList),
    [1, 0, 0, 0, 1, 0, 0, 0x80],
  );
  partition.setCpuidResultList([
    { leaf: 1, eax: 2, ebx: 3, ecx: 4, edx: 5 },
    { leaf: 6, eax: 7, ebx: 8, ecx: 9, edx: 0xffffffff },
  ]);
  const list = fake.properties.get(PartitionPropertyCode.CpuidResultList)!;
  assertEquals(
    [...new Uint32Array(list.slice().buffer)],
    [1, 0, 0, 0, 2, 3, 4, 5, 6, 0, 0, 0, 7, 8, 9, 0xffffffff],
  );
  partition.setCpuidResultList2([
    { leaf: 1, output: [2, 3, 4, 5], mask: [6, 7, 8, 0xffffffff] },
  ]);
  const masked = fake.properties.get(PartitionPropertyCode.CpuidResultList2)!;
  assertEquals(
    [...new Uint32Array(masked.slice().buffer)],
    [1, 0, 0, 0, 2, 3, 4, 5, 6, 7, 8, 0xffffffff],
  );
  const back = new Uint8Array(8);
  assertEquals(partition.getProperty("ProcessorCount", back), 4);
  assertEquals(back[0], 3);
});

Deno.test("memory is mapped from where it is", () => {
  const { fake, partition } = ready();
  const memory = new Uint8Array(new ArrayBuffer(16384), 4096, 8192);
  const { Read, Write } = MapGpaRangeFlag;
  partition.mapGpaRange(memory, 0x100000, Read | Write);
  const [map] = fake.maps;
  assertStrictEquals(map.source.buffer, memory.buffer);
  assertEquals(map.source.byteOffset, 4096);
  assertEquals([map.gpa, map.bytes, map.flags], [0x100000n, 8192n, 3]);
});

Deno.test("a dirty bitmap has a bit for every page", () => {
  const { fake, partition } = ready();
  assertStringIncludes(
    assertThrows(
      () => partition.queryGpaRangeDirtyBitmap(0, 4096),
      PlatformError,
    ).message,
    "lacks the function; without it dirty pages cannot be told",
  );
  fake.present.add("WHvQueryGpaRangeDirtyBitmap");
  fake.dirty = (1n << 64n) | 5n;
  assertEquals(
    [...partition.queryGpaRangeDirtyBitmap(0n, 65 * 4096)],
    [5n, 1n],
  );
});

Deno.test("an interrupt is requested as its structure", () => {
  const { fake, partition } = ready();
  const request = {
    type: 1,
    destinationMode: 1,
    triggerMode: 1,
    destination: 2,
    vector: 0x41,
  };
  assertThrows(
    () => partition.requestInterrupt(request),
    PlatformError,
    "E_NOTIMPL",
  );
  fake.present.add("WHvRequestInterrupt");
  partition.requestInterrupt(request);
  assertEquals(
    [...fake.interrupt],
    [1, 0x11, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0x41, 0, 0, 0],
  );
});

Deno.test("time is suspended where the platform can, else it runs on", () => {
  const { fake, partition } = ready();
  partition.suspendTime();
  partition.resumeTime();
  assert(!fake.calls.includes("WHvSuspendPartitionTime"));
  fake.present.add("WHvSuspendPartitionTime").add("WHvResumePartitionTime");
  partition.suspendTime();
  partition.resumeTime();
  assertEquals(fake.calls.slice(-2), [
    "WHvSuspendPartitionTime",
    "WHvResumePartitionTime",
  ]);
});

Deno.test("registers go in one call, however many", () => {
  const { fake, vp } = ready();
  const names = Uint32Array.of(Reg.Rax, Reg.Xmm3, Reg.Cs);
  const values = Uint8Array.from({ length: 48 }, (_, i) => i);
  fake.calls.length = 0;
  vp.setRegisters(names, values);
  const back = new Uint8Array(48);
  vp.getRegisters(names, back);
  assertEquals(back, values);
  assertEquals(fake.calls, [
    "WHvSetVirtualProcessorRegisters",
    "WHvGetVirtualProcessorRegisters",
  ]);
});

Deno.test("a buffer too short for the registers never reaches the platform", () => {
  const { fake, vp } = ready();
  fake.calls.length = 0;
  const names = Uint32Array.of(Reg.Rax, Reg.Rcx);
  assertThrows(
    () => vp.getRegisters(names, new Uint8Array(31)),
    PlatformError,
    "31 bytes for 2 registers",
  );
  assertThrows(
    () => vp.setRegisters(names, new Uint8Array(16)),
    PlatformError,
    "E_INVALIDARG",
  );
  assertEquals(fake.calls, []);
});

Deno.test("one register at a time: 64 and 128 bits, segments, tables", () => {
  const { fake, vp } = ready();
  vp.set128(Reg.Xmm0, 0x0123456789abcdef_fedcba9876543210n);
  assertEquals(vp.get128(Reg.Xmm0), 0x0123456789abcdef_fedcba9876543210n);
  assertEquals(vp.get(Reg.Xmm0), 0xfedcba9876543210n);
  vp.set(Reg.Xmm0, 1n);
  assertEquals(vp.get128(Reg.Xmm0), 1n);
  const cs = {
    base: 0xffff0000n,
    limit: 0xffff,
    selector: 0xf000,
    attributes: 0x9b,
  };
  vp.setSegment(Reg.Cs, cs);
  assertEquals(vp.getSegment(Reg.Cs), cs);
  vp.setTable(Reg.Idtr, { base: 0xffff_8000_0000_0000n, limit: 0xfff });
  assertEquals(vp.getTable(Reg.Idtr), {
    base: 0xffff_8000_0000_0000n,
    limit: 0xfff,
  });
  // The padding in front of a table's limit is zero.
  assertEquals([...fake.registers.get(Reg.Idtr)!.slice(0, 8)], [
    0,
    0,
    0,
    0,
    0,
    0,
    0xff,
    0x0f,
  ]);
});

Deno.test("a translation gives its code and address", () => {
  const { fake, vp } = ready();
  fake.translation = { code: 2, gpa: 0n };
  assertEquals(vp.translateGva(0x1000n, 1), { code: 2, gpa: 0n });
  fake.translation = { code: 0, gpa: 0x12_3456_7000n };
  assertEquals(vp.translateGva(0x1000n, 1).gpa, 0x12_3456_7000n);
});

Deno.test("APIC state uses the newer function where there is one", () => {
  const { fake, vp } = ready();
  assertThrows(() => vp.getLapic(), PlatformError, "cannot be read");
  fake.present.add("WHvGetVirtualProcessorInterruptControllerState2");
  fake.present.add("WHvGetVirtualProcessorInterruptControllerState");
  fake.present.add("WHvSetVirtualProcessorInterruptControllerState");
  fake.lapic[0x20] = 9;
  // The version: how the older function has it is told from where that is.
  fake.lapic.set([0x14, 0, 5], 0x30);
  const state = vp.getLapic();
  assertEquals([state.length, state[0x20]], [4096, 9]);
  state[0x80] = 0x40;
  vp.setLapic(state);
  assertEquals(fake.lapic[0x80], 0x40);
});

Deno.test("XSAVE state is passed in page-aligned memory and copied out", () => {
  const { fake, vp } = ready();
  assertThrows(() => vp.getXsave(), PlatformError, "by register only");
  fake.present.add("WHvGetVirtualProcessorXsaveState");
  fake.present.add("WHvSetVirtualProcessorXsaveState");
  fake.xsave = new Uint8Array(832).fill(7);
  const state = vp.getXsave();
  assertEquals(fake.xsaveAlignment, 0);
  assertEquals(state, new Uint8Array(832).fill(7));
  state[0] = 1;
  vp.setXsave(state);
  assertEquals(fake.xsave, state);
  // A later call does not change what an earlier one gave.
  fake.xsave = new Uint8Array(832).fill(8);
  vp.getXsave();
  assertEquals(state[1], 7);
});

Deno.test("a run fills the processor's one context and reuses its exits", async () => {
  const { fake, vp } = ready();
  const reasons = [
    ExitReason.X64IoPortAccess,
    ExitReason.MemoryAccess,
    ExitReason.X64MsrAccess,
    ExitReason.X64Halt,
  ];
  for (let i = 0; i < 3; i++) fake.exits.push(...reasons.map(exitOf));
  const first = [];
  for (const _ of reasons) first.push(await vp.run());
  for (let turn = 0; turn < 2; turn++) {
    for (const exit of first) assertStrictEquals(await vp.run(), exit);
  }
  assertEquals(new Set(first).size, reasons.length);
  assertEquals(fake.contexts.size, 1);
});

Deno.test("a failing run is an error, and the processor can run again", async () => {
  const { fake, vp } = ready();
  fake.exits.push(exitOf(ExitReason.X64Halt), exitOf(ExitReason.X64Halt));
  fake.results.set("WHvRunVirtualProcessor", HResult.WHV_E_INVALID_VP_STATE);
  await assertRejects(
    () => vp.run(),
    PlatformError,
    "WHvRunVirtualProcessor (VP 0): WHV_E_INVALID_VP_STATE",
  );
  assertEquals(vp.running, false);
  fake.results.clear();
  assertEquals((await vp.run()).reason, "halt");
});

Deno.test("a second run of a running processor is refused", async () => {
  const { fake, vp } = ready();
  const running = vp.run();
  assert(vp.running);
  await assertRejects(() => vp.run(), PlatformError, "VP 0 is running");
  assert(vp.running);
  fake.pending[0].resolve(0);
  await running;
  assertEquals(vp.running, false);
});

Deno.test("cancel and delete are passed on", () => {
  const { fake, partition, vp } = ready();
  vp.cancel();
  vp.delete();
  partition.setup();
  partition.delete();
  assertEquals(fake.calls.slice(-4), [
    "WHvCancelRunVirtualProcessor",
    "WHvDeleteVirtualProcessor",
    "WHvSetupPartition",
    "WHvDeletePartition",
  ]);
  assertEquals(partition.handle, PARTITION);
});

Deno.test("capabilities that a platform does not know are told from zero", () => {
  const fake = new FakePlatform();
  fake.capabilities.set(CapabilityCode.HypervisorPresent, 1n);
  fake.capabilities.set(CapabilityCode.ExtendedVmExits, 7n);
  fake.capabilities.set(CapabilityCode.ProcessorClockFrequency, 3_000_000_000n);
  const found = readCapabilities(fake);
  assertEquals(found.hypervisorPresent, true);
  assertEquals(found.extendedVmExits, 7n);
  assertEquals(found.processorClockFrequency, 3_000_000_000n);
  assertEquals(found.interruptClockFrequency, null);
  assertEquals(getCapability(fake, "ProcessorVendor", new Uint8Array(4)), null);
  fake.results.set("WHvGetCapability", HResult.WHV_E_INSUFFICIENT_BUFFER);
  assertThrows(
    () => readCapabilities(fake),
    PlatformError,
    "HypervisorPresent",
  );
});
