// Every exit reason, decoded from the bytes that a platform writes.

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { ExitReason } from "../../ffi/enums.ts";
import { WHV_RUN_VP_EXIT_CONTEXT as CONTEXT } from "../../ffi/exits.ts";
import { type Exit, ExitDecoder } from "../../src/platform/exits.ts";

/** A context, and what decodes it after `write` has filled it. */
function decode(reason: number, write: (view: DataView) => void): Exit {
  const bytes = new Uint8Array(CONTEXT.size);
  const view = new DataView(bytes.buffer);
  const decoder = new ExitDecoder(bytes);
  CONTEXT.ExitReason.set(view, reason);
  write(view);
  return decoder.decode();
}

/** Narrows an exit to a reason. */
function as<R extends Exit["reason"]>(
  exit: Exit,
  reason: R,
): Extract<Exit, { reason: R }> {
  assertEquals(exit.reason, reason);
  return exit as Extract<Exit, { reason: R }>;
}

Deno.test("every exit carries where the processor stopped", () => {
  for (const [name, reason] of Object.entries(ExitReason)) {
    const exit = decode(reason, (view) => {
      const { VpContext } = CONTEXT;
      VpContext.Rip.set(view, 0xffff_8000_1234_5678n);
      VpContext.Rflags.set(view, 0x246n);
      VpContext.InstructionLength.set(view, 7);
      VpContext.Cr8.set(view, 9);
      VpContext.Cs.Base.set(view, 0x10n);
      VpContext.Cs.Limit.set(view, 0xffffffff);
      VpContext.Cs.Selector.set(view, 0x33);
      VpContext.Cs.Attributes.set(view, 0xa0fb);
      VpContext.ExecutionState.AsUINT16.set(view, 0x1053);
    });
    assertEquals(exit.rip, 0xffff_8000_1234_5678n, name);
    assertEquals(exit.rflags, 0x246n);
    assertEquals(exit.instructionLength, 7);
    assertEquals(exit.cr8, 9);
    assertEquals(exit.cs.base, 0x10n);
    assertEquals(exit.cs.limit, 0xffffffff);
    assertEquals(exit.cs.selector, 0x33);
    assertEquals(exit.cs.attributes, 0xa0fb);
    assertEquals(exit.executionState, 0x1053);
    assertEquals(exit.cpl, 3);
    assertEquals(exit.cr0Pe, false);
    assertEquals(exit.cr0Am, false);
    assertEquals(exit.eferLma, true);
    assertEquals(exit.debugActive, false);
    assertEquals(exit.interruptionPending, true);
    assertEquals(exit.interruptShadow, true);
  }
});

Deno.test("each reason has its own kind of exit", () => {
  const kinds: Record<keyof typeof ExitReason, Exit["reason"]> = {
    None: "unknown",
    MemoryAccess: "memory",
    X64IoPortAccess: "ioPort",
    UnrecoverableException: "unrecoverable",
    InvalidVpRegisterValue: "invalidState",
    UnsupportedFeature: "unsupportedFeature",
    X64InterruptWindow: "interruptWindow",
    X64Halt: "halt",
    X64ApicEoi: "apicEoi",
    SynicSintDeliverable: "synic",
    X64MsrAccess: "msr",
    X64Cpuid: "cpuid",
    Exception: "exception",
    X64Rdtsc: "rdtsc",
    X64ApicSmiTrap: "smi",
    Hypercall: "hypercall",
    X64ApicInitSipiTrap: "initSipi",
    X64ApicWriteTrap: "apicWrite",
    Canceled: "canceled",
  };
  for (const [name, kind] of Object.entries(kinds)) {
    const code = ExitReason[name as keyof typeof ExitReason];
    assertEquals(decode(code, () => {}).reason, kind, name);
  }
});

Deno.test("a port access", () => {
  const { IoPortAccess } = CONTEXT;
  const exit = as(
    decode(ExitReason.X64IoPortAccess, (view) => {
      IoPortAccess.InstructionByteCount.set(view, 2);
      IoPortAccess.InstructionBytes.set(view, Uint8Array.of(0xf3, 0x6e));
      IoPortAccess.AccessInfo.IsWrite.set(view, 1);
      IoPortAccess.AccessInfo.AccessSize.set(view, 4);
      IoPortAccess.AccessInfo.StringOp.set(view, 1);
      IoPortAccess.PortNumber.set(view, 0x3f8);
      IoPortAccess.Rax.set(view, 0x1111_2222_8765_4321n);
      IoPortAccess.Rcx.set(view, 2n);
      IoPortAccess.Rsi.set(view, 3n);
      IoPortAccess.Rdi.set(view, 4n);
      IoPortAccess.Ds.Base.set(view, 5n);
      IoPortAccess.Es.Selector.set(view, 6);
    }),
    "ioPort",
  );
  assertEquals(exit.instructionByteCount, 2);
  assertEquals([...exit.instructionBytes.subarray(0, 2)], [0xf3, 0x6e]);
  assertEquals([exit.port, exit.size], [0x3f8, 4]);
  assertEquals([exit.isWrite, exit.isString, exit.isRep], [true, true, false]);
  assertEquals(exit.rax, 0x1111_2222_8765_4321n);
  assertEquals(exit.eax, 0x8765_4321);
  assertEquals([exit.rcx, exit.rsi, exit.rdi], [2n, 3n, 4n]);
  assertEquals([exit.ds.base, exit.es.selector], [5n, 6]);
});

Deno.test("a memory access", () => {
  const { MemoryAccess } = CONTEXT;
  const exit = as(
    decode(ExitReason.MemoryAccess, (view) => {
      MemoryAccess.InstructionByteCount.set(view, 3);
      MemoryAccess.InstructionBytes.set(view, Uint8Array.of(0x48, 0x8b, 3));
      MemoryAccess.AccessInfo.AccessType.set(view, 2);
      MemoryAccess.AccessInfo.GpaUnmapped.set(view, 1);
      MemoryAccess.Gpa.set(view, 0x1f_fee0_0300n);
      MemoryAccess.Gva.set(view, 0xffff_ffff_fee0_0300n);
    }),
    "memory",
  );
  assertEquals(exit.instructionByteCount, 3);
  assertEquals(exit.instructionBytes.length, 16);
  assertEquals(exit.instructionBytes[1], 0x8b);
  assertEquals(exit.access, 2);
  assertEquals([exit.gpaUnmapped, exit.gvaValid], [true, false]);
  assertEquals(exit.gpa, 0x1f_fee0_0300n);
  assertEquals(exit.gpaNumber, 0x1f_fee0_0300);
  assertEquals(exit.gva, 0xffff_ffff_fee0_0300n);
});

Deno.test("an MSR access", () => {
  const exit = as(
    decode(ExitReason.X64MsrAccess, (view) => {
      CONTEXT.MsrAccess.AccessInfo.IsWrite.set(view, 1);
      CONTEXT.MsrAccess.MsrNumber.set(view, 0xc0000080);
      CONTEXT.MsrAccess.Rax.set(view, 0xdddd_dddd_8000_0001n);
      CONTEXT.MsrAccess.Rdx.set(view, 0xeeee_eeee_9000_0002n);
    }),
    "msr",
  );
  assertEquals([exit.isWrite, exit.msr], [true, 0xc0000080]);
  assertEquals(exit.rax, 0xdddd_dddd_8000_0001n);
  assertEquals(exit.rdx, 0xeeee_eeee_9000_0002n);
  assertEquals(exit.value, 0x9000_0002_8000_0001n);
});

Deno.test("CPUID with the default answer", () => {
  const { CpuidAccess } = CONTEXT;
  const exit = as(
    decode(ExitReason.X64Cpuid, (view) => {
      CpuidAccess.Rax.set(view, 0x8000_0001n);
      CpuidAccess.Rcx.set(view, 2n);
      CpuidAccess.Rdx.set(view, 3n);
      CpuidAccess.Rbx.set(view, 4n);
      CpuidAccess.DefaultResultRax.set(view, 5n);
      CpuidAccess.DefaultResultRcx.set(view, 6n);
      CpuidAccess.DefaultResultRdx.set(view, 7n);
      CpuidAccess.DefaultResultRbx.set(view, 8n);
    }),
    "cpuid",
  );
  assertEquals([exit.leaf, exit.subleaf], [0x80000001, 2]);
  assertEquals(
    [exit.rax, exit.rcx, exit.rdx, exit.rbx],
    [0x8000_0001n, 2n, 3n, 4n],
  );
  assertEquals(
    [exit.defaultRax, exit.defaultRcx, exit.defaultRdx, exit.defaultRbx],
    [5n, 6n, 7n, 8n],
  );
});

Deno.test("an exception", () => {
  const { VpException } = CONTEXT;
  const exit = as(
    decode(ExitReason.Exception, (view) => {
      VpException.InstructionByteCount.set(view, 1);
      VpException.InstructionBytes.set(view, Uint8Array.of(0xf1));
      VpException.ExceptionInfo.ErrorCodeValid.set(view, 1);
      VpException.ExceptionType.set(view, 14);
      VpException.ErrorCode.set(view, 0x80000007);
      VpException.ExceptionParameter.set(view, 0xdead_beef_0000n);
    }),
    "exception",
  );
  assertEquals([exit.instructionByteCount, exit.instructionBytes[0]], [
    1,
    0xf1,
  ]);
  assertEquals(exit.vector, 14);
  assertEquals([exit.errorCodeValid, exit.softwareException], [true, false]);
  assertEquals(exit.errorCode, 0x80000007);
  assertEquals(exit.parameter, 0xdead_beef_0000n);
});

Deno.test("a hypercall", () => {
  const { Hypercall } = CONTEXT;
  const exit = as(
    decode(ExitReason.Hypercall, (view) => {
      const { Rax, Rbx, Rcx, Rdx, R8, Rsi, Rdi } = Hypercall;
      [Rax, Rbx, Rcx, Rdx, R8, Rsi, Rdi].forEach((member, i) =>
        member.set(view, BigInt(i))
      );
      Hypercall.XmmRegisters.set(view, new Uint8Array(96).fill(0xaa));
    }),
    "hypercall",
  );
  const { rax, rbx, rcx, rdx, r8, rsi, rdi } = exit;
  assertEquals([rax, rbx, rcx, rdx, r8, rsi, rdi], [
    0n,
    1n,
    2n,
    3n,
    4n,
    5n,
    6n,
  ]);
  assertEquals(exit.xmm, new Uint8Array(96).fill(0xaa));
});

Deno.test("the time stamp", () => {
  const { ReadTsc } = CONTEXT;
  const exit = as(
    decode(ExitReason.X64Rdtsc, (view) => {
      ReadTsc.RdtscInfo.IsRdtscp.set(view, 1);
      ReadTsc.Tsc.set(view, 1n);
      ReadTsc.TscAux.set(view, 2n);
      ReadTsc.VirtualOffset.set(view, 3n);
      ReadTsc.ReferenceTime.set(view, 4n);
    }),
    "rdtsc",
  );
  assert(exit.isRdtscp);
  assertEquals(
    [exit.tsc, exit.tscAux, exit.virtualOffset, exit.referenceTime],
    [1n, 2n, 3n, 4n],
  );
});

Deno.test("exits with one or two numbers", () => {
  assertEquals(
    as(
      decode(
        ExitReason.X64InterruptWindow,
        (view) => CONTEXT.InterruptWindow.DeliverableType.set(view, 2),
      ),
      "interruptWindow",
    ).deliverableType,
    2,
  );
  assertEquals(
    as(
      decode(
        ExitReason.X64ApicEoi,
        (view) => CONTEXT.ApicEoi.InterruptVector.set(view, 0x31),
      ),
      "apicEoi",
    ).vector,
    0x31,
  );
  assertEquals(
    as(
      decode(
        ExitReason.Canceled,
        (view) => CONTEXT.CancelReason.CancelReason.set(view, 1),
      ),
      "canceled",
    ).cancelReason,
    1,
  );
  const unsupported = as(
    decode(ExitReason.UnsupportedFeature, (view) => {
      CONTEXT.UnsupportedFeature.FeatureCode.set(view, 2);
      CONTEXT.UnsupportedFeature.FeatureParameter.set(view, 9n);
    }),
    "unsupportedFeature",
  );
  assertEquals([unsupported.feature, unsupported.parameter], [2, 9n]);
  assertEquals(
    as(
      decode(
        ExitReason.X64ApicInitSipiTrap,
        (view) => CONTEXT.ApicInitSipi.ApicIcr.set(view, 0x4608n),
      ),
      "initSipi",
    ).icr,
    0x4608n,
  );
  assertEquals(
    as(
      decode(
        ExitReason.X64ApicSmiTrap,
        (view) => CONTEXT.ApicSmi.ApicIcr.set(view, 0x200n),
      ),
      "smi",
    ).icr,
    0x200n,
  );
  const write = as(
    decode(ExitReason.X64ApicWriteTrap, (view) => {
      CONTEXT.ApicWrite.Type.set(view, 0xf0);
      CONTEXT.ApicWrite.WriteValue.set(view, 0x1ffn);
    }),
    "apicWrite",
  );
  assertEquals([write.type, write.value], [0xf0, 0x1ffn]);
  assertEquals(
    as(
      decode(
        ExitReason.SynicSintDeliverable,
        (view) =>
          CONTEXT.SynicSintDeliverable.DeliverableSints.set(view, 0x8001),
      ),
      "synic",
    ).deliverableSints,
    0x8001,
  );
  assertEquals(as(decode(0x7777, () => {}), "unknown").code, 0x7777);
});

Deno.test("an exit reads the context as it is when asked", () => {
  const bytes = new Uint8Array(CONTEXT.size);
  const view = new DataView(bytes.buffer);
  const decoder = new ExitDecoder(bytes);
  CONTEXT.ExitReason.set(view, ExitReason.X64IoPortAccess);
  CONTEXT.IoPortAccess.PortNumber.set(view, 0x60);
  const first = as(decoder.decode(), "ioPort");
  const { cs, instructionBytes } = first;
  CONTEXT.IoPortAccess.PortNumber.set(view, 0x64);
  CONTEXT.IoPortAccess.InstructionBytes.set(view, Uint8Array.of(0xec));
  const second = as(decoder.decode(), "ioPort");
  assertStrictEquals(second, first);
  assertStrictEquals(second.cs, cs);
  assertEquals(second.port, 0x64);
  assertEquals(instructionBytes[0], 0xec);
});
