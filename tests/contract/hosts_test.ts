// WHP.md, "Learnt since, from programs that run on real hosts": what documentation
// leaves open or has otherwise.

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  InterruptDestinationMode,
  InterruptTriggerMode,
  InterruptType,
  LocalApicEmulationMode,
  MemoryAccessType,
  PendingEvent,
  ProcessorCounterSet,
} from "../../ffi/enums.ts";
import { ExtendedVmExits } from "../../ffi/flags.ts";
import { HResult } from "../../ffi/hresult.ts";
import { Reg } from "../../ffi/registers.ts";
import {
  WHV_INTERNAL_ACTIVITY_REGISTER as ACTIVITY,
  WHV_X64_PENDING_EXT_INT_EVENT as EXT_INT_EVENT,
} from "../../ffi/values.ts";
import {
  WHV_PROCESSOR_INTERCEPT_COUNTER,
  WHV_PROCESSOR_RUNTIME_COUNTERS,
} from "../../ffi/counters.ts";
import { PlatformError } from "../../src/platform/mod.ts";
import {
  CODE,
  contract,
  DATA,
  expectExit,
  expectVector,
  type Guest,
  IF,
  turns,
} from "./guest.ts";

/** Results of the hypervisor itself: an invalid parameter, access or operation denied. */
const HV_INVALID_PARAMETER = 0xc0350005;
const HV_ACCESS_DENIED = 0xc0350006;
const HV_OPERATION_DENIED = 0xc0350008;

/** The HRESULT that a call fails with. */
function refusal(call: () => unknown): number {
  return assertThrows(call, PlatformError).hresult >>> 0;
}

contract("with X64MsrExit and no bitmap an MSR nobody has exits", {
  extendedVmExits: ExtendedVmExits.X64MsrExit,
  code: "b9 45 23 01 00 0f 32 0f 30 e6 80 # rdmsr, wrmsr 0x12345",
}, async (guest) => {
  const read = expectExit(await guest.run(), "msr");
  assertEquals([read.isWrite, read.msr], [false, 0x12345]);
  guest.skip(2);
  const write = expectExit(await guest.run(), "msr");
  assertEquals([write.isWrite, write.msr], [true, 0x12345]);
  guest.skip(2);
  expectExit(await guest.run(), "ioPort");
});

function fixed(vector: number) {
  return {
    type: InterruptType.Fixed,
    destinationMode: InterruptDestinationMode.Physical,
    triggerMode: InterruptTriggerMode.Edge,
    destination: 0,
    vector,
  };
}

contract("without the platform's APIC an interrupt request is denied", {}, ({
  partition,
}) => {
  const hresult = refusal(() => partition.requestInterrupt(fixed(0x51)));
  assertEquals(hresult, HV_OPERATION_DENIED);
});

const XAPIC = { apic: LocalApicEmulationMode.XApic };
const ENABLE = "bb 00 00 e0 fe c7 83 f0 00 00 00 ff 01 00 00 # SVR = 0x1ff\n";

contract("a request with vector 0 is an invalid parameter", XAPIC, ({
  partition,
}) => {
  assertEquals(
    refusal(() => partition.requestInterrupt(fixed(0))),
    HV_INVALID_PARAMETER,
  );
});

contract("a request for an APIC that software has disabled is lost", {
  ...XAPIC,
  code: "fb e6 80" + ENABLE + "90 90 e6 81 eb fe # sti; out; enable; out",
}, async (guest) => {
  expectExit(await guest.run(), "ioPort");
  guest.partition.requestInterrupt(fixed(0x51));
  guest.skip(2);
  assertEquals(expectExit(await guest.run(), "ioPort").port, 0x81);
  // Enabled, it takes another one.
  guest.skip(2);
  guest.partition.requestInterrupt(fixed(0x52));
  expectVector(await guest.run(), 0x52);
});

function extInt(guest: Guest, vector: number): void {
  const view = new DataView(new ArrayBuffer(16));
  EXT_INT_EVENT.EventPending.set(view, 1);
  EXT_INT_EVENT.EventType.set(view, PendingEvent.ExtInt);
  EXT_INT_EVENT.Vector.set(view, vector);
  guest.vp.set128(Reg.PendingEvent, view.getBigUint64(0, true));
}

contract("an ExtInt does not wake a halted processor: who injects it does", {
  ...XAPIC,
  code: "fb f4 e6 80 # sti; hlt; out",
}, async (guest) => {
  const { vp } = guest;
  const halted = guest.run();
  await turns();
  vp.cancel();
  expectExit(await halted, "canceled");
  extInt(guest, 0x58);
  let exited = false;
  const waiting = guest.run().finally(() => exited = true);
  await turns();
  assert(!exited, "the event woke it");
  vp.cancel();
  expectExit(await waiting, "canceled");
  vp.set(Reg.InternalActivityState, 0n);
  expectVector(await guest.run(), 0x58);
});

contract("an ExtInt waits until interrupts are on", {
  ...XAPIC,
  code: "e6 80 fb 90 e6 81 # out; sti; nop; out",
}, async (guest) => {
  extInt(guest, 0x59);
  expectExit(await guest.run(), "ioPort");
  guest.skip(2);
  expectVector(await guest.run(), 0x59);
});

contract("without the platform's APIC an ExtInt is a state that cannot run", {
  code: "e6 80",
}, async (guest) => {
  guest.setFlags(IF);
  extInt(guest, 0x58);
  expectExit(await guest.run(), "invalidState");
  guest.vp.set128(Reg.PendingEvent, 0n);
  expectExit(await guest.run(), "ioPort");
});

contract("without the platform's APIC a processor's activity is not set", {
  code: "e6 80",
}, async (guest) => {
  const set = () => guest.vp.set(Reg.InternalActivityState, 0n);
  assertEquals(refusal(set), HV_ACCESS_DENIED);
  // In a batch, too, and then nothing of the batch is set.
  const names = Uint32Array.of(Reg.Rbx, Reg.InternalActivityState);
  const batch = () => guest.vp.setRegisters(names, new Uint8Array(32).fill(1));
  assertEquals(refusal(batch), HV_ACCESS_DENIED);
  assertEquals(guest.vp.get(Reg.Rbx), 0n);
  expectExit(await guest.run(), "ioPort");
});

contract("with the platform's APIC a processor's activity is set", {
  ...XAPIC,
  code: "e6 80",
}, async (guest) => {
  const view = new DataView(new ArrayBuffer(16));
  ACTIVITY.HaltSuspend.set(view, 1);
  const halted = view.getBigUint64(0, true);
  guest.vp.set(Reg.InternalActivityState, halted);
  assertEquals(guest.vp.get(Reg.InternalActivityState), halted);
  guest.vp.set(Reg.InternalActivityState, 0n);
  expectExit(await guest.run(), "ioPort");
});

contract(
  "a write to a page without Write: neither length nor bytes, not unmapped",
  { code: "c6 04 25 04 00 00 40 5a # mov byte [0x40000004], 0x5a" },
  async (guest) => {
    const page = guest.memory.subarray(DATA, DATA + 4096);
    guest.partition.mapGpaRange(page, 0x4000_0000, 1 | 4);
    const exit = expectExit(await guest.run(), "memory");
    assertEquals(
      [exit.gpa, exit.access, exit.gpaUnmapped],
      [0x4000_0004n, MemoryAccessType.Write, false],
    );
    assertEquals([exit.instructionLength, exit.instructionByteCount], [0, 0]);
    assertEquals([exit.rip, page[4]], [BigInt(CODE), 0]);
  },
);

const HYPERVISOR = `
  b8 01 00 00 00 0f a2 91 e6 80         # cpuid(1); xchg eax, ecx; out
  b8 00 00 00 40 0f a2 e6 81            # cpuid(0x40000000); out
  b8 01 00 00 40 31 c9 0f a2 e6 82      # cpuid(0x40000001); out`;

contract("CPUID tells of no hypervisor unless it is asked to", {
  code: HYPERVISOR,
}, async (guest) => {
  const features = expectExit(await guest.run(), "ioPort");
  assertEquals(features.eax >>> 31, 0);
  guest.skip(2);
  for (const port of [0x81, 0x82]) {
    const exit = expectExit(await guest.run(), "ioPort");
    assertEquals([exit.port, exit.eax], [port, 0]);
    for (const name of [Reg.Rbx, Reg.Rcx, Reg.Rdx]) {
      assertEquals(guest.vp.get(name), 0n);
    }
    guest.skip(2);
  }
});

contract("CPUID tells of a hypervisor that the caller made up", {
  code: HYPERVISOR,
  configure: (partition) => {
    const zero = { eax: 0, ebx: 0, ecx: 0, edx: 0 };
    partition.setCpuidResultList([
      { ...zero, leaf: 1, ecx: 0x8000_0000 },
      { ...zero, leaf: 0x4000_0000, eax: 0x4000_0000, ebx: 0x62656369 },
    ]);
  },
}, async (guest) => {
  assertEquals(expectExit(await guest.run(), "ioPort").eax >>> 31, 1);
  guest.skip(2);
  assertEquals(expectExit(await guest.run(), "ioPort").eax, 0x4000_0000);
  assertEquals(guest.vp.get(Reg.Rbx), 0x62656369n);
});

for (const name of ["ApicTpr", "MsrMtrrCap"] as const) {
  contract(`${name} is read or refused, and nothing else`, XAPIC, ({ vp }) => {
    try {
      // Just made, no priority; a processor has some MTRRs.
      assertEquals(vp.get(Reg[name]) === 0n, name === "ApicTpr");
    } catch (error) {
      assert(error instanceof PlatformError);
      assert(
        error.hresult === HResult.WHV_E_INVALID_VP_REGISTER_NAME ||
          (error.hresult >>> 16) === 0xc035,
        error.message,
      );
    }
  });
}

contract("counters of runtime go up, the hypervisor's part with exits", {
  code: "e6 80 e6 80 e6 80",
}, async (guest) => {
  const get = guest.provider.platform.WHvGetVirtualProcessorCounters;
  if (get === null) return;
  const bytes = new Uint8Array(224);
  const view = new DataView(bytes.buffer);
  const read = (set: number) =>
    assertEquals(
      get(guest.partition.handle, 0, set, bytes, 224, new Uint32Array(1)),
      HResult.S_OK,
    );
  const { TotalRuntime100ns, HypervisorRuntime100ns } =
    WHV_PROCESSOR_RUNTIME_COUNTERS;
  let last = [0n, 0n];
  for (let exit = 0; exit < 3; exit++) {
    expectExit(await guest.run(), "ioPort");
    guest.skip(2);
    read(ProcessorCounterSet.Runtime);
    const now = [TotalRuntime100ns.get(view), HypervisorRuntime100ns.get(view)];
    assert(now[0] > last[0], `${now} after ${last}`);
    assert(now[1] > last[1] && now[1] <= now[0], `${now} after ${last}`);
    last = now;
  }
  read(ProcessorCounterSet.Intercepts);
  const port = 2 * WHV_PROCESSOR_INTERCEPT_COUNTER.size;
  assert(WHV_PROCESSOR_INTERCEPT_COUNTER.Time100ns.get(view, port) > 0n);
});
