// What hosts are known to differ in, or nobody has said: for the profile (profile.ts).

import {
  LocalApicEmulationMode,
  PendingEvent,
  ProcessorCounterSet,
} from "../../ffi/enums.ts";
import { WHV_PROCESSOR_RUNTIME_COUNTERS } from "../../ffi/counters.ts";
import { Reg } from "../../ffi/registers.ts";
import {
  WHV_X64_DELIVERABILITY_NOTIFICATIONS_REGISTER as NOTIFICATIONS,
  WHV_X64_PENDING_EXT_INT_EVENT as EXT_INT_EVENT,
} from "../../ffi/values.ts";
import {
  APIC_PACKED_STATE,
  APIC_STATE,
  APIC_STATE_SIZE,
} from "../../ffi/apic.ts";
import { alignedBytes, viewOf } from "../../src/platform/aligned.ts";
import { Emulator, PlatformError } from "../../src/platform/mod.ts";
import {
  CODE,
  DATA,
  expectExit,
  type Guest,
  IF,
  RAM_BYTES,
} from "../contract/guest.ts";
import { DONE } from "./profile.ts";
import {
  codeOf,
  describe,
  factsOnly,
  hex,
  nextExit,
  type Question,
  question,
  request,
  sleep,
  withGuest,
} from "./question.ts";

const XAPIC = { apic: LocalApicEmulationMode.XApic };
const CPUID = "0f a2 e6 80 # cpuid; out";
const HYPERVISOR_LEAF = 0x40000000;

/** What the guest gets of CPUID: EAX, EBX, ECX, EDX. */
async function cpuid(guest: Guest, leaf: number): Promise<number[]> {
  const { vp } = guest;
  vp.set(Reg.Rip, BigInt(CODE));
  vp.set(Reg.Rax, BigInt(leaf));
  vp.set(Reg.Rcx, 0n);
  expectExit(await guest.run(), "ioPort");
  return [Reg.Rax, Reg.Rbx, Reg.Rcx, Reg.Rdx].map((name) =>
    Number(vp.get(name))
  );
}

/** A register's 64 bits, written member by member. */
function bits(write: (view: DataView) => void): bigint {
  const view = new DataView(new ArrayBuffer(16));
  write(view);
  return view.getBigUint64(0, true);
}

function armWindow(guest: Guest): void {
  guest.vp.set(
    Reg.DeliverabilityNotifications,
    bits((view) => NOTIFICATIONS.InterruptNotification.set(view, 1)),
  );
}

/** Has the guest halt, with interrupts on; false if it does not stay so. */
async function halt(guest: Guest): Promise<boolean> {
  return await nextExit(guest) === null;
}

/** The most processors that a partition has: as many may wait at once. */
const PROCESSORS = 64;
/** In ms: by then every run that has a thread has begun. */
const ALL_BEGUN = 500;
const TIMEOUTS = 21;

/** The processor's name, and what the leaves say that not every host has. */
const processor = question(
  "CPUID: the processor, leaves 0x15, 0x16, 0x40000000",
  { code: CPUID },
  async (guest) => {
    const leaf = async (number: number) =>
      (await cpuid(guest, number)).map((value) => hex(value)).join(" ");
    const name = new DataView(new ArrayBuffer(48));
    for (let i = 0; i < 3; i++) {
      const words = await cpuid(guest, 0x80000002 + i);
      words.forEach((word, k) => name.setUint32(i * 16 + k * 4, word, true));
    }
    const text = new TextDecoder().decode(name).replace(/\0.*$/s, "").trim();
    const [, , features] = await cpuid(guest, 1);
    const [, b, c, d] = await cpuid(guest, 0);
    const vendor = new TextDecoder().decode(Uint32Array.of(b, d, c));
    return factsOnly({
      processor: text,
      vendor,
      hypervisorBit: features >>> 31 === 1,
      cpuid15: await leaf(0x15),
      cpuid16: await leaf(0x16),
      cpuid40000000: await leaf(HYPERVISOR_LEAF),
    });
  },
);

const tscDistance = question(
  "TSCs of two processors, in ticks: as made, and set to one value",
  { cpus: 2, ...XAPIC },
  (guest) => {
    const [first, second] = guest.vps;
    const distance = () => Number(second.get(Reg.Tsc) - first.get(Reg.Tsc));
    const facts: Record<string, number | string> = {};
    facts.suspendTime = codeOf(() => guest.partition.suspendTime());
    facts.tscDistance = distance();
    for (const vp of guest.vps) vp.set(Reg.Tsc, 1_000_000n);
    facts.tscDistanceWhenSet = distance();
    facts.resumeTime = codeOf(() => guest.partition.resumeTime());
    return factsOnly(facts);
  },
);

const timers: Question = {
  about: "A timer of 1 ms on this host: the median in ms",
  async ask() {
    const times: number[] = [];
    for (let i = 0; i < TIMEOUTS; i++) {
      const start = performance.now();
      await sleep(1);
      times.push(performance.now() - start);
    }
    times.sort((a, b) => a - b);
    return factsOnly({
      timerMs: Number(times[TIMEOUTS >> 1].toFixed(1)),
    });
  },
};

const pool = question(
  `Of ${PROCESSORS} processors that run at once, how many get a thread`,
  { cpus: PROCESSORS, code: "f0 ff 04 25 00 00 05 00 eb fe # inc; jmp ." },
  async (guest) => {
    const runs = guest.vps.map((vp) => {
      guest.start(vp);
      return vp.run();
    });
    let begun = -1;
    // Until no more of them begin.
    while (guest.view.getUint32(DATA, true) !== begun) {
      begun = guest.view.getUint32(DATA, true);
      await sleep(ALL_BEGUN);
    }
    for (const vp of guest.vps) vp.cancel();
    await Promise.all(runs);
    return factsOnly({ runsAtOnce: begun });
  },
);

const results2: Question = {
  about: "CpuidResultList2: taken, through set-up, and in the guest",
  async ask(opened) {
    const given = [1, 2, 3, 4] as const;
    const all = [~0 >>> 0, ~0 >>> 0, ~0 >>> 0, ~0 >>> 0] as const;
    let taken = "";
    try {
      return await withGuest(opened, {
        code: CPUID,
        configure: (partition) =>
          taken = codeOf(() =>
            partition.setCpuidResultList2([
              { leaf: HYPERVISOR_LEAF, output: given, mask: all },
            ])
          ),
      }, async (guest) =>
        factsOnly({
          results2: taken,
          results2Seen: (await cpuid(guest, HYPERVISOR_LEAF))
            .every((value, i) => value === given[i]),
        }));
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      return factsOnly({ results2: taken, results2SetUp: error.hresultName });
    }
  },
};

const withoutApic = question(
  "Without the platform's APIC: activity written, an interrupt requested",
  {},
  (guest) =>
    factsOnly({
      activityWithoutApic: codeOf(() =>
        guest.vp.set(Reg.InternalActivityState, 0n)
      ),
      requestWithoutApic: codeOf(() => request(guest, 0x51)),
    }),
);

const single = question(
  "With it: ApicBase and activity written, ApicTpr and MsrMtrrCap read, each alone",
  XAPIC,
  ({ vp }) =>
    factsOnly({
      apicBase: codeOf(() => vp.set(Reg.ApicBase, vp.get(Reg.ApicBase))),
      activity: codeOf(() => vp.set(Reg.InternalActivityState, 0n)),
      apicTpr: codeOf(() => vp.get(Reg.ApicTpr)),
      mtrrCap: codeOf(() => vp.get(Reg.MsrMtrrCap)),
    }),
);

const disabledApic = question(
  "An interrupt requested while the APIC is disabled by software",
  { ...XAPIC, code: "fb eb fe # sti; jmp ." },
  async (guest) => {
    const disabledRequest = codeOf(() => request(guest, 0x51));
    return factsOnly({
      disabledRequest,
      disabledDelivers: await nextExit(guest) !== null,
    });
  },
);

const haltedWindow = question(
  "An interrupt window on a halted processor",
  { ...XAPIC, code: "fb f4 # sti; hlt" },
  async (guest) => {
    if (!await halt(guest)) return "it does not stay halted";
    armWindow(guest);
    const exit = await nextExit(guest);
    return factsOnly({ windowOnHalt: exit?.reason === "interruptWindow" });
  },
);

const keptWindow = question(
  "An interrupt window asked for before another exit",
  { ...XAPIC, code: "e6 80 fb 90 e6 81 # out; sti; nop; out" },
  async (guest) => {
    armWindow(guest);
    expectExit(await guest.run(), "ioPort");
    guest.skip(2);
    const exit = await guest.run();
    return factsOnly({ windowKept: exit.reason === "interruptWindow" });
  },
);

const haltedExtInt = question(
  "The PIC's interrupt as an event for a halted processor",
  { ...XAPIC, code: "fb f4 # sti; hlt" },
  async (guest) => {
    if (!await halt(guest)) return "it does not stay halted";
    guest.vp.set128(
      Reg.PendingEvent,
      bits((view) => {
        EXT_INT_EVENT.EventPending.set(view, 1);
        EXT_INT_EVENT.EventType.set(view, PendingEvent.ExtInt);
        EXT_INT_EVENT.Vector.set(view, 0x30);
      }),
    );
    const extIntWakes = await nextExit(guest) !== null;
    if (extIntWakes) return factsOnly({ extIntWakes });
    const woken = codeOf(() => guest.vp.set(Reg.InternalActivityState, 0n));
    return factsOnly({
      extIntWakes,
      extIntWhenWoken: woken === DONE ? await nextExit(guest) !== null : woken,
    });
  },
);

const extIntWithoutApic = question(
  "The same event without the platform's APIC",
  { code: "90 eb fe" },
  async (guest) => {
    guest.setFlags(IF);
    const written = codeOf(() =>
      guest.vp.set128(
        Reg.PendingEvent,
        bits((view) => {
          EXT_INT_EVENT.EventPending.set(view, 1);
          EXT_INT_EVENT.EventType.set(view, PendingEvent.ExtInt);
          EXT_INT_EVENT.Vector.set(view, 0x30);
        }),
      )
    );
    const exit = await nextExit(guest);
    return factsOnly({
      extIntWithoutApic: written,
      extIntWithoutApicExit: exit === null ? "none" : exit.reason,
    });
  },
);

const romWrite = question(
  "A write to a page that can be read and executed",
  { code: "c6 04 25 04 00 00 40 5a # mov byte [0x40000004], 0x5a" },
  async (guest) => {
    const page = guest.memory.subarray(RAM_BYTES, RAM_BYTES + 4096);
    guest.partition.mapGpaRange(page, 0x4000_0000, 1 | 4);
    const exit = expectExit(await guest.run(), "memory");
    return {
      text: describe(exit),
      facts: {
        romWriteLength: exit.instructionLength,
        romWriteBytes: exit.instructionByteCount,
        romWriteUnmapped: exit.gpaUnmapped,
      },
    };
  },
);

const unknownMsr = question(
  "An MSR that nobody has, with X64MsrExit and no bitmap",
  { code: "b9 45 23 01 00 0f 32 # rdmsr 0x12345" },
  async (guest) => {
    const exit = await guest.run();
    return {
      text: describe(exit),
      facts: { unknownMsr: exit.reason === "msr" ? "exits" : "#GP" },
    };
  },
);

const sseMmio = question(
  "A device's memory written from an SSE register, emulated",
  { code: "0f 11 04 25 00 00 00 40 # movups [0x40000000], xmm0" },
  async (guest) => {
    const sizes: number[] = [];
    const emulator = new Emulator(guest.provider, {
      ioPort: () => {},
      memory({ gpa, size, data }) {
        const at = Number(gpa);
        // The instruction's bytes, where the exit did not have them.
        if (at < RAM_BYTES) data.set(guest.memory.subarray(at, at + size));
        else sizes.push(size);
      },
    });
    try {
      emulator.tryMmio(guest.vp, expectExit(await guest.run(), "memory"));
      return {
        text: `works, in accesses of ${sizes.join(" and ")} bytes`,
        facts: { sseMmio: "works" },
      };
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      return { text: error.message, facts: { sseMmio: "fails" } };
    } finally {
      emulator.close();
    }
  },
);

const runtime = question(
  "Counters of runtime after 100 exits",
  { code: "e6 80 eb fc" },
  async (guest) => {
    const get = guest.provider.platform.WHvGetVirtualProcessorCounters;
    if (get === null) return "the function is missing";
    for (let i = 0; i < 100; i++) {
      guest.vp.set(Reg.Rip, BigInt(CODE));
      expectExit(await guest.run(), "ioPort");
    }
    const { size, TotalRuntime100ns, HypervisorRuntime100ns } =
      WHV_PROCESSOR_RUNTIME_COUNTERS;
    const view = new DataView(new ArrayBuffer(size));
    const hresult = get(
      guest.partition.handle,
      0,
      ProcessorCounterSet.Runtime,
      new Uint8Array(view.buffer),
      size,
      new Uint32Array(1),
    );
    if (hresult < 0) return `refused: ${hex(hresult >>> 0)}`;
    const total = TotalRuntime100ns.get(view);
    return {
      text: `${total} x 100 ns, the hypervisor's ` +
        `${HypervisorRuntime100ns.get(view)}`,
      facts: { runtimeCounted: total > 0n },
    };
  },
);

const oldApic = question(
  "The local APIC's state by the first release's call: bytes, and its form",
  { ...XAPIC },
  ({ vp, provider, partition }) => {
    const call = "WHvGetVirtualProcessorInterruptControllerState";
    const get = provider.platform[call];
    if (get === null) return "the function is missing";
    const state = alignedBytes(APIC_STATE_SIZE);
    const written = new Uint32Array(1);
    const { handle } = partition;
    const hresult = get(handle, vp.index, state, state.length, written);
    if (hresult < 0) return `refused: ${hex(hresult >>> 0)}`;
    const view = viewOf(state);
    // The version, beyond a vector: where it is tells the form.
    const packed = APIC_PACKED_STATE.Version.get(view);
    const paged = APIC_STATE.Version.get(view);
    return {
      text: `${written[0]} bytes; at the packed version's place ` +
        `${hex(packed)}, at the page's ${hex(paged)}`,
      facts: {
        oldApicState: packed !== 0 ? "packed" : paged !== 0 ? "page" : "other",
        oldApicBytes: written[0],
      },
    };
  },
);

const xsave = question(
  "How much XSAVE state a processor has, by a call without a buffer",
  {},
  ({ vp, provider, partition }) => {
    const get = provider.platform.WHvGetVirtualProcessorXsaveState;
    if (get === null) return "the function is missing";
    const written = new Uint32Array(1);
    const asked = get(partition.handle, vp.index, null, 0, written);
    const said = written[0];
    const { length } = vp.getXsave();
    return {
      text: `${hex(asked >>> 0)}, ${said} bytes asked for, ${length} read`,
      facts: { xsaveAsked: said, xsaveBytes: length },
    };
  },
);

/** Asked after the others. */
export const HOST_QUESTIONS: readonly Question[] = [
  processor,
  tscDistance,
  timers,
  pool,
  results2,
  withoutApic,
  single,
  disabledApic,
  haltedWindow,
  keptWindow,
  haltedExtInt,
  extIntWithoutApic,
  romWrite,
  unknownMsr,
  sseMmio,
  runtime,
  oldApic,
  xsave,
];
