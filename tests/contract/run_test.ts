// WHP.md, "Running": every exit reason with what it carries, and how its
// instruction is completed.

import { assert, assertEquals } from "@std/assert";
import { LocalApicEmulationMode, MemoryAccessType } from "../../ffi/enums.ts";
import { ExtendedVmExits, X64MsrExitBitmap } from "../../ffi/flags.ts";
import { Reg } from "../../ffi/registers.ts";
import { PlatformError } from "../../src/platform/mod.ts";
import {
  CODE,
  contract,
  expectExit,
  expectVector,
  hex,
  IDT,
  PD,
  turns,
} from "./guest.ts";

contract("OUT exits with port, size and value, and goes on after it", {
  code: `
    66 ba f8 03          # mov dx, 0x3f8
    b8 44 33 22 11       # mov eax, 0x11223344
    ee                   # out dx, al
    66 ef                # out dx, ax
    ef                   # out dx, eax
    e6 80                # out 0x80, al
  `,
}, async (guest) => {
  for (const [size, length] of [[1, 1], [2, 2], [4, 1]]) {
    const exit = expectExit(await guest.run(), "ioPort");
    assertEquals(
      [exit.port, exit.size, exit.isWrite, exit.isString, exit.isRep],
      [0x3f8, size, true, false, false],
    );
    assertEquals(exit.rax, 0x11223344n);
    assertEquals(exit.instructionLength, length);
    guest.skip(exit.instructionLength);
  }
  const last = expectExit(await guest.run(), "ioPort");
  assertEquals([last.port, last.instructionLength], [0x80, 2]);
  assertEquals(last.rip, BigInt(CODE + 13));
  assertEquals(last.cs.selector, 8);
  assertEquals(last.cs.attributes & 0xff, 0x9b);
  assertEquals([last.cpl, last.cr0Pe, last.eferLma], [0, true, true]);
});

contract("IN is completed by RAX and RIP", {
  code: "e5 60 e6 80 # in eax, 0x60; out 0x80, al",
}, async (guest) => {
  const exit = expectExit(await guest.run(), "ioPort");
  assertEquals([exit.port, exit.size, exit.isWrite], [0x60, 4, false]);
  guest.vp.set(Reg.Rax, 0xabcdn);
  guest.skip(exit.instructionLength);
  assertEquals(expectExit(await guest.run(), "ioPort").eax, 0xabcd);
});

contract("running again without completing repeats the exit", {
  code: "e6 80",
}, async (guest) => {
  for (let turn = 0; turn < 3; turn++) {
    assertEquals(expectExit(await guest.run(), "ioPort").rip, BigInt(CODE));
  }
});

contract("string and repeated I/O are told as such", {
  code: `
    66 ba 00 03          # mov dx, 0x300
    be 00 00 05 00       # mov esi, 0x50000
    bf 00 10 05 00       # mov edi, 0x51000
    b9 03 00 00 00       # mov ecx, 3
    f3 6f                # rep outsd
    6c                   # insb
  `,
}, async (guest) => {
  const out = expectExit(await guest.run(), "ioPort");
  assertEquals(
    [out.isString, out.isRep, out.isWrite, out.size],
    [true, true, true, 4],
  );
  assertEquals([out.rcx, out.rsi], [3n, 0x50000n]);
  assertEquals(out.ds.selector, 0x10);
  guest.vp.set(Reg.Rip, out.rip + 2n);
  const input = expectExit(await guest.run(), "ioPort");
  assertEquals(
    [input.isString, input.isRep, input.isWrite, input.size],
    [true, false, false, 1],
  );
  assertEquals([input.rdi, input.es.selector], [0x51000n, 0x10]);
});

contract("a read of unmapped memory exits with its address", {
  code: "bb 10 00 00 e0 8b 43 04 # mov ebx, 0xe0000010; mov eax, [rbx+4]",
}, async (guest) => {
  const exit = expectExit(await guest.run(), "memory");
  assertEquals(exit.gpa, 0xe0000014n);
  assertEquals(exit.access, MemoryAccessType.Read);
  assert(exit.gpaUnmapped);
  if (exit.gvaValid) assertEquals(exit.gva, 0xe0000014n);
  assertEquals(exit.rip, BigInt(CODE + 5));
  if (exit.instructionByteCount > 0) {
    assertEquals([...exit.instructionBytes.subarray(0, 3)], [0x8b, 0x43, 4]);
  }
  assert(!exit.interruptionPending);
});

contract("a write to unmapped memory exits and changes nothing", {
  code: "bb 00 00 00 e0 01 03 # mov ebx, 0xe0000000; add [rbx], eax",
}, async (guest) => {
  guest.vp.set(Reg.Rflags, 2n | 0x41n);
  const exit = expectExit(await guest.run(), "memory");
  assertEquals([exit.gpa, exit.rip], [0xe0000000n, BigInt(CODE + 5)]);
  assertEquals(exit.rflags & 0x41n, 0x41n);
});

contract("a jump to unmapped memory exits for execution", {
  code: "b8 00 00 00 e0 ff e0",
}, async (guest) => {
  const exit = expectExit(await guest.run(), "memory");
  assertEquals(exit.access, MemoryAccessType.Execute);
  assertEquals([exit.gpa, exit.rip], [0xe0000000n, 0xe0000000n]);
});

contract("an unmapped page table exits, with its own address", {
  code: "a1 00 00 20 00 00 00 00 00 # mov eax, [0x200000]",
}, async (guest) => {
  // The directory's entry points to a page table where no memory is.
  guest.view.setBigUint64(PD + 8, 0xe000_0003n, true);
  const exit = expectExit(await guest.run(), "memory");
  assertEquals(exit.gpa & ~0xfffn, 0xe000_0000n);
  assertEquals(exit.rip, BigInt(CODE));
});

contract("an event that cannot be delivered says that one is pending", {
  code: "cc # int3",
}, async (guest) => {
  // The descriptor table is where no memory is.
  guest.vp.setTable(Reg.Idtr, { base: 0xe000_0000n, limit: 0xfff });
  const exit = expectExit(await guest.run(), "memory");
  assertEquals(exit.gpa & ~0xfffn, 0xe000_0000n);
  assert(exit.interruptionPending);
});

contract("CPUID exits for the leaves in the list only", {
  code: `
    b8 00 00 00 00 0f a2          # cpuid(0)
    b8 01 00 00 00 b9 07 00 00 00 # eax 1, ecx 7
    0f a2                         # cpuid
    e6 80
  `,
  extendedVmExits: ExtendedVmExits.X64CpuidExit,
  cpuidExits: [1],
}, async (guest) => {
  const exit = expectExit(await guest.run(), "cpuid");
  assertEquals([exit.leaf, exit.subleaf], [1, 7]);
  assertEquals(exit.rip, BigInt(CODE + 17));
  assertEquals(exit.instructionLength, 2);
  // The default answer is a processor's: a family, and long mode's needs.
  assert(exit.defaultRax !== 0n);
  assert(exit.defaultRdx & (1n << 6n), "PAE");
  guest.vp.set(Reg.Rax, 0x1234n);
  guest.skip(2);
  assertEquals(expectExit(await guest.run(), "ioPort").eax, 0x1234);
});

contract("CPUID's answers can be given beforehand", {
  code: "b8 01 00 00 00 0f a2 e6 80 93 e6 80 # ...; xchg eax, ebx; out",
  configure: (partition) =>
    partition.setCpuidResultList([
      { leaf: 1, eax: 0x11, ebx: 0x22, ecx: 0x33, edx: 0x44 },
    ]),
}, async (guest) => {
  assertEquals(expectExit(await guest.run(), "ioPort").eax, 0x11);
  guest.skip(2);
  assertEquals(expectExit(await guest.run(), "ioPort").eax, 0x22);
  assertEquals(guest.vp.get(Reg.Rcx), 0x33n);
  assertEquals(guest.vp.get(Reg.Rdx), 0x44n);
});

const MSRS = {
  extendedVmExits: ExtendedVmExits.X64MsrExit,
  msrExitBitmap: X64MsrExitBitmap.UnhandledMsrs,
};

contract("an MSR that the platform does not have exits", {
  ...MSRS,
  code: `
    b9 45 23 01 00       # mov ecx, 0x12345
    ba 02 00 00 00       # mov edx, 2
    b8 01 00 00 80       # mov eax, 0x80000001
    0f 30                # wrmsr
    0f 32                # rdmsr
    e6 80
  `,
}, async (guest) => {
  const write = expectExit(await guest.run(), "msr");
  assertEquals([write.isWrite, write.msr], [true, 0x12345]);
  assertEquals(write.value, 0x2_8000_0001n);
  assertEquals(write.instructionLength, 2);
  guest.skip(2);
  const read = expectExit(await guest.run(), "msr");
  assertEquals([read.isWrite, read.msr], [false, 0x12345]);
  guest.vp.set(Reg.Rax, 0x77n);
  guest.vp.set(Reg.Rdx, 0n);
  guest.skip(2);
  assertEquals(expectExit(await guest.run(), "ioPort").eax, 0x77);
});

contract("an MSR that the platform has does not exit", {
  ...MSRS,
  code: "b9 80 00 00 c0 0f 32 e6 80 # EFER",
}, async (guest) => {
  assertEquals(expectExit(await guest.run(), "ioPort").eax, 0xd01);
});

contract("without the exit, an unknown MSR is #GP", {
  code: "b9 45 23 01 00 0f 32",
}, async (guest) => {
  expectVector(await guest.run(), 13);
});

const EXCEPTIONS = { extendedVmExits: ExtendedVmExits.ExceptionExit };

contract("an exception in the bitmap exits at its instruction", {
  ...EXCEPTIONS,
  exceptionExitBitmap: 1n << 6n,
  code: "0f 0b # ud2",
}, async (guest) => {
  const exit = expectExit(await guest.run(), "exception");
  assertEquals([exit.vector, exit.rip], [6, BigInt(CODE)]);
  assertEquals([exit.errorCodeValid, exit.softwareException], [false, false]);
  if (exit.instructionByteCount > 0) {
    assertEquals([...exit.instructionBytes.subarray(0, 2)], [0x0f, 0x0b]);
  }
});

contract("a page fault exits with its error code and address", {
  ...EXCEPTIONS,
  exceptionExitBitmap: 1n << 14n,
  code: "c6 04 25 34 12 20 00 00 # mov byte [0x201234], 0",
}, async (guest) => {
  guest.view.setBigUint64(PD + 8, 0n, true);
  guest.vp.set(Reg.Cr2, 0x5555n);
  const exit = expectExit(await guest.run(), "exception");
  assertEquals([exit.vector, exit.parameter], [14, 0x201234n]);
  assertEquals([exit.errorCodeValid, exit.errorCode], [true, 2]);
  assertEquals(exit.rip, BigInt(CODE));
  // The guest has not had it: CR2 is as it was.
  assertEquals(guest.vp.get(Reg.Cr2), 0x5555n);
});

contract("an exception not in the bitmap is the guest's", {
  ...EXCEPTIONS,
  exceptionExitBitmap: 1n << 14n,
  code: "0f 0b",
}, async (guest) => {
  expectVector(await guest.run(), 6);
});

contract("the bitmap needs ExceptionExit", {
  code: "0f 0b",
  exceptionExitBitmap: 1n << 6n,
}, async (guest) => {
  expectVector(await guest.run(), 6);
});

for (
  const [name, byte, vector] of [["INT3", "cc", 3], ["INT1", "f1", 1]] as const
) {
  contract(`an intercepted ${name} exits before it is past`, {
    ...EXCEPTIONS,
    exceptionExitBitmap: 1n << BigInt(vector),
    code: `90 ${byte} e6 80`,
  }, async (guest) => {
    const exit = expectExit(await guest.run(), "exception");
    assertEquals([exit.vector, exit.rip], [vector, BigInt(CODE + 1)]);
    guest.skip(1);
    assertEquals(expectExit(await guest.run(), "ioPort").port, 0x80);
  });
}

contract("HLT exits when the platform has no APIC", {
  code: "f4 e6 80",
}, async (guest) => {
  const exit = expectExit(await guest.run(), "halt");
  // Some hosts report the address of HLT, others the one after it.
  const at = Number(exit.rip) - CODE;
  assert(at === 0 || at === 1, `${at}`);
  guest.vp.set(Reg.Rip, BigInt(CODE + 1));
  expectExit(await guest.run(), "ioPort");
});

contract("HLT waits inside when the platform has the APIC", {
  code: "f4",
  apic: LocalApicEmulationMode.XApic,
}, async (guest) => {
  let exited = false;
  const running = guest.run().finally(() => exited = true);
  await turns();
  assert(!exited);
  guest.vp.cancel();
  expectExit(await running, "canceled");
});

contract(
  "a triple fault is unrecoverable",
  { code: "0f 0b" },
  async (guest) => {
    guest.vp.setTable(Reg.Idtr, { base: BigInt(IDT), limit: 0 });
    expectExit(await guest.run(), "unrecoverable");
  },
);

contract("state that no processor can run with is found out", {
  code: "90",
}, async (guest) => {
  // Long mode active without paging: refused when set, or when run.
  try {
    guest.vp.set(Reg.Cr0, 0x33n);
    guest.vp.set(Reg.Rflags, 0x2n | 0x20000n); // VM in long mode
  } catch (error) {
    assert(error instanceof PlatformError);
    return;
  }
  expectExit(await guest.run(), "invalidState");
});

contract("cancel ends a run", { code: "eb fe" }, async (guest) => {
  const running = guest.run();
  await turns();
  guest.vp.cancel();
  const exit = expectExit(await running, "canceled");
  assertEquals([exit.cancelReason, exit.rip], [0, BigInt(CODE)]);
});

contract("a cancel without a run ends the next one, and only that", {
  code: "e6 80",
}, async (guest) => {
  guest.vp.cancel();
  const exit = expectExit(await guest.run(), "canceled");
  assertEquals(exit.rip, BigInt(CODE));
  expectExit(await guest.run(), "ioPort");
});

contract("two cancels are as one", { code: "e6 80" }, async (guest) => {
  guest.vp.cancel();
  guest.vp.cancel();
  expectExit(await guest.run(), "canceled");
  expectExit(await guest.run(), "ioPort");
});

contract("a cancel is for one processor", {
  cpus: 2,
  code: "eb fe",
}, async (guest) => {
  guest.write(CODE + 0x100, hex("e6 80"));
  guest.start(guest.vps[1], CODE + 0x100);
  guest.vps[0].cancel();
  expectExit(await guest.vps[1].run(), "ioPort");
  expectExit(await guest.vps[0].run(), "canceled");
});

contract("RDTSC exits if asked for", {
  code: "0f 31 e6 80",
  extendedVmExits: ExtendedVmExits.X64RdtscExit,
}, async (guest) => {
  const exit = expectExit(await guest.run(), "rdtsc");
  assertEquals([exit.isRdtscp, exit.rip], [false, BigInt(CODE)]);
  guest.vp.set(Reg.Rax, 0x99n);
  guest.skip(2);
  assertEquals(expectExit(await guest.run(), "ioPort").eax, 0x99);
});

contract("code written by the host between runs is what runs", {
  code: "e6 80",
}, async (guest) => {
  assertEquals(expectExit(await guest.run(), "ioPort").port, 0x80);
  guest.write(CODE, hex("e6 81"));
  assertEquals(expectExit(await guest.run(), "ioPort").port, 0x81);
});
