// What WHP.md leaves to the host: questions that only a platform itself answers.
// Each runs a guest of a few instructions and says what came of it.

import { LocalApicEmulationMode } from "../../ffi/enums.ts";
import { Reg } from "../../ffi/registers.ts";
import {
  WHV_X64_PENDING_INTERRUPTION_REGISTER as PENDING_INTERRUPTION,
} from "../../ffi/values.ts";
import { injectException, injectExtInt } from "../../src/machine/events.ts";
import { Partition, readCapabilities } from "../../src/platform/mod.ts";
import { expectExit, TF } from "../contract/guest.ts";
import { DEBUG_QUESTIONS } from "./debug_questions.ts";
import { HOST_QUESTIONS } from "./host_questions.ts";
import {
  attempt,
  codeOf,
  describe,
  factsOnly,
  hex,
  next,
  type Question,
  question,
  request,
  sleep,
} from "./question.ts";

const SOFTWARE_EXCEPTION = 6;

/** Every question, in the order of WHP.md. */
export const QUESTIONS: readonly Question[] = [
  question(
    "Which exceptions can exit? The capability, and what the property takes",
    {},
    (guest) => {
      const { exceptionExitBitmap } = readCapabilities(guest.provider);
      const taken = Array.from({ length: 32 }, (_, vector) => vector)
        .filter((vector) =>
          attempt(() =>
            guest.partition.setExceptionExitBitmap(1n << BigInt(vector))
          ) === "accepted"
        );
      return {
        text: `capability ${hex(exceptionExitBitmap)}; property takes ` +
          `vectors ${taken.join(" ") || "none"}`,
        facts: { exceptionCapability: exceptionExitBitmap !== 0n },
      };
    },
  ),
  {
    about: "The state of a processor that was just created",
    ask({ platform }) {
      const partition = Partition.create(platform);
      try {
        partition.setProcessorCount(1);
        partition.setLocalApicEmulationMode(LocalApicEmulationMode.XApic);
        partition.setup();
        const vp = partition.createVirtualProcessor(0);
        const cs = vp.getSegment(Reg.Cs);
        const names = {
          RIP: Reg.Rip,
          RFLAGS: Reg.Rflags,
          RDX: Reg.Rdx,
          CR0: Reg.Cr0,
          DR6: Reg.Dr6,
          DR7: Reg.Dr7,
          EFER: Reg.Efer,
          PAT: Reg.Pat,
          TSC: Reg.Tsc,
          APIC_BASE: Reg.ApicBase,
          "initial APIC id": Reg.InitialApicId,
        };
        const values = Object.entries(names).map(([name, register]) => {
          let value = "";
          const said = attempt(() => value = hex(vp.get(register)));
          return `${name} ${said === "accepted" ? value : said}`;
        });
        vp.delete();
        return Promise.resolve({
          text: `CS ${hex(cs.selector)} base ${hex(cs.base)} limit ` +
            `${hex(cs.limit)} attributes ${hex(cs.attributes)}; ` +
            values.join(", "),
          facts: { csBase: hex(cs.base) },
        });
      } finally {
        partition.delete();
      }
    },
  },
  question(
    "A read of unmapped memory: the instruction's length and bytes",
    { code: "8b 04 25 00 00 00 40" },
    async (guest) => {
      const exit = expectExit(await guest.run(), "memory");
      return {
        text: describe(exit),
        facts: {
          memoryExitLength: exit.instructionLength,
          memoryExitBytes: exit.instructionByteCount,
        },
      };
    },
  ),
  question(
    "A write to unmapped memory by an instruction with a prefix",
    { code: "66 c7 04 25 00 00 00 40 34 12" },
    next,
  ),
  question(
    "Segment limits of 4 GiB: what is read back",
    {},
    (guest) => {
      const ds = guest.vp.getSegment(Reg.Ds);
      return {
        text: `limit ${hex(ds.limit)}, attributes ${hex(ds.attributes)} ` +
          "(0xffffffff, 0xc093 were written)",
        facts: { segmentG: ds.attributes >> 15 },
      };
    },
  ),
  question(
    "All 80 bits of an x87 register, by FpMmx0 with CR4.OSXSAVE clear",
    {},
    (guest) => {
      const pi = 0x4000c90fdaa22168c235n;
      const said = attempt(() => guest.vp.set128(Reg.FpMmx0, pi));
      return `${said}; read back ${hex(guest.vp.get128(Reg.FpMmx0))} of ` +
        hex(pi);
    },
  ),
  question(
    "FpMmx0-7 are ST(0)-ST(7), or physical registers?",
    { code: "db e3 d9 eb d9 e8 e6 80 # fninit; fldpi; fld1; out" },
    async (guest) => {
      expectExit(await guest.run(), "ioPort");
      const one = 0x3fff8000000000000000n;
      const value = (i: number) => guest.vp.get128(Reg.FpMmx0 + i);
      if (value(0) === one) return "FpMmx0 is ST(0)";
      if (value(6) === one) return "FpMmx6, the physical register, is ST(0)";
      const all = Array.from({ length: 8 }, (_, i) => hex(value(i)));
      return `neither: ${all.join(" ")}`;
    },
  ),
  ...DEBUG_QUESTIONS,
  question(
    "A step by TF with an interrupt shadow",
    { code: "90 90", exceptionExitBitmap: 1n << 1n },
    async (guest) => {
      guest.setFlags(TF);
      guest.vp.set(Reg.InterruptState, 1n);
      const exit = await next(guest);
      return `${exit}; then RFLAGS ${hex(guest.vp.get(Reg.Rflags))}, DR6 ` +
        `${hex(guest.vp.get(Reg.Dr6))}, shadow ` +
        `${hex(guest.vp.get(Reg.InterruptState))}, pending debug exception ` +
        hex(guest.vp.get(Reg.PendingDebugException));
    },
  ),
  question(
    "CPUID with TF, completed by the caller: does the trap come at once?",
    {
      code: "0f a2 90 90",
      exceptionExitBitmap: 1n << 1n,
      cpuidExits: [0],
    },
    async (guest) => {
      guest.setFlags(TF);
      const first = await guest.run();
      if (first.reason !== "cpuid") return `no exit, but ${describe(first)}`;
      guest.skip(2);
      return `then ${await next(guest)}`;
    },
  ),
  question(
    "A cancel before the run",
    { code: "eb fe" },
    async (guest) => {
      guest.vp.cancel();
      return `the run: ${await next(guest)}`;
    },
  ),
  question(
    "HLT without the platform's APIC",
    { code: "fb f4" },
    next,
  ),
  question(
    "HLT with the platform's APIC",
    { code: "fb f4", apic: LocalApicEmulationMode.XApic },
    next,
  ),
  question(
    "INT3 given to the guest as a software exception (pending interruption, type 6)",
    { code: "cc" },
    async (guest) => {
      const bytes = new DataView(new ArrayBuffer(16));
      PENDING_INTERRUPTION.InterruptionPending.set(bytes, 1);
      PENDING_INTERRUPTION.InterruptionType.set(bytes, SOFTWARE_EXCEPTION);
      PENDING_INTERRUPTION.InterruptionVector.set(bytes, 3);
      PENDING_INTERRUPTION.InstructionLength.set(bytes, 1);
      const said = attempt(() =>
        guest.vp.set(Reg.PendingInterruption, bytes.getBigUint64(0, true))
      );
      return said === "accepted" ? await next(guest) : said;
    },
  ),
  question(
    "A page fault given to the guest as an event: is CR2 loaded from it?",
    { code: "90 90" },
    async (guest) => {
      injectException(guest.vp, 14, 2, 0x12345000n);
      // icebp sets it, too.
      guest.vp.set(Reg.Cr2, 0n);
      const exit = await next(guest);
      return `${exit}; CR2 ${hex(guest.vp.get(Reg.Cr2))}`;
    },
  ),
  question(
    "The PIC's interrupt as an event, with the platform's APIC",
    { code: "fb 90 eb fe", apic: LocalApicEmulationMode.XApic },
    async (guest) => {
      guest.setFlags(0x200n);
      injectExtInt(guest.vp, 0x30);
      return await next(guest);
    },
  ),
  question(
    "An interrupt request with vector 0",
    { code: "90", apic: LocalApicEmulationMode.XApic },
    (guest) => factsOnly({ vector0: codeOf(() => request(guest, 0)) }),
  ),
  question(
    "The TSC while partition time is suspended for 50 ms",
    { code: "0f 31 e6 80 eb fa # rdtsc; out; jmp" },
    async (guest) => {
      const tsc = async () => {
        const exit = expectExit(await guest.run(), "ioPort");
        guest.vp.set(Reg.Rip, exit.rip + 2n);
        return guest.vp.get(Reg.Rdx) << 32n | guest.vp.get(Reg.Rax);
      };
      const before = await tsc();
      guest.partition.suspendTime();
      await sleep(50);
      guest.partition.resumeTime();
      const suspended = await tsc() - before;
      await sleep(50);
      return `went on by ${suspended}; running for 50 ms, by ` +
        `${await tsc() - before - suspended}`;
    },
  ),
  question(
    "From exit to exit (OUT), microseconds: median, 90th and 99th percentile",
    { code: "e6 80 eb fc" },
    async (guest) => {
      const times: number[] = [];
      for (let i = 0; i < 2000; i++) {
        const start = performance.now();
        const exit = expectExit(await guest.run(), "ioPort");
        guest.vp.set(Reg.Rip, exit.rip + 2n);
        times.push((performance.now() - start) * 1000);
      }
      times.sort((a, b) => a - b);
      return [0.5, 0.9, 0.99].map((part) =>
        times[Math.floor(times.length * part)].toFixed(1)
      ).join(", ");
    },
  ),
  ...HOST_QUESTIONS,
];
