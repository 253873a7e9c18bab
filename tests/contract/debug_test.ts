// WHP.md, "Debugging on it": stepping, debug registers, breakpoints, time.

import { assert, assertEquals } from "@std/assert";
import { ExtendedVmExits } from "../../ffi/flags.ts";
import { Reg } from "../../ffi/registers.ts";
import {
  CODE,
  contract,
  DATA,
  expectExit,
  expectVector,
  type Guest,
  TF,
} from "./guest.ts";

const DB = {
  extendedVmExits: ExtendedVmExits.ExceptionExit,
  exceptionExitBitmap: 1n << 1n,
};
const BS = 1n << 14n;

/** One step as a debugger takes it; returns where it led. */
async function step(guest: Guest): Promise<bigint> {
  guest.setFlags(TF);
  guest.vp.set(
    Reg.InterruptState,
    guest.vp.get(Reg.InterruptState) | 1n,
  );
  const exit = expectExit(await guest.run(), "exception");
  assertEquals(exit.vector, 1);
  return exit.rip;
}

contract("TF stops after one instruction", {
  ...DB,
  code: "90 b8 01 00 00 00 50 58 eb f7 # nop; mov; push; pop; jmp mov",
}, async (guest) => {
  const seen: number[] = [];
  for (let i = 0; i < 6; i++) seen.push(Number(await step(guest)) - CODE);
  assertEquals(seen, [1, 6, 7, 8, 1, 6]);
});

contract("TF is not cleared by an intercepted step, and is the caller's", {
  ...DB,
  code: "90 90 e6 80",
}, async (guest) => {
  await step(guest);
  assertEquals(guest.vp.get(Reg.Rflags) & TF, TF);
  guest.vp.set(Reg.Rflags, guest.vp.get(Reg.Rflags) & ~TF);
  guest.vp.set(Reg.PendingDebugException, 0n);
  assertEquals(expectExit(await guest.run(), "ioPort").port, 0x80);
});

contract("DR6 or the exit tells a step from other debug exceptions", {
  ...DB,
  code: "90 90",
}, async (guest) => {
  guest.vp.set(Reg.Dr6, 0xffff0ff0n);
  guest.setFlags(TF);
  const exit = expectExit(await guest.run(), "exception");
  assert((guest.vp.get(Reg.Dr6) | exit.parameter) & BS);
});

contract("an instruction that exits raises no debug exception of its own", {
  ...DB,
  code: "e6 80 90 90",
}, async (guest) => {
  guest.setFlags(TF);
  assertEquals(expectExit(await guest.run(), "ioPort").rip, BigInt(CODE));
  // Completed by the caller; running on steps over the next one.
  guest.skip(2);
  const exit = expectExit(await guest.run(), "exception");
  assertEquals(exit.rip, BigInt(CODE + 3));
});

contract("a step without interception is the guest's debug exception", {
  code: "90 90",
}, async (guest) => {
  guest.setFlags(TF);
  expectVector(await guest.run(), 1);
});

contract("a pending single step is raised before the next instruction", {
  ...DB,
  code: "90 90",
}, async (guest) => {
  guest.vp.set(Reg.PendingDebugException, 1n << 4n);
  const exit = expectExit(await guest.run(), "exception");
  assertEquals([exit.vector, exit.rip], [1, BigInt(CODE)]);
});

contract("an execution breakpoint stops before its instruction", {
  ...DB,
  code: "90 90 e6 80",
}, async (guest) => {
  guest.vp.set(Reg.Dr0, BigInt(CODE + 1));
  guest.vp.set(Reg.Dr7, 0x402n);
  const exit = expectExit(await guest.run(), "exception");
  assertEquals([exit.vector, exit.rip], [1, BigInt(CODE + 1)]);
  assert((guest.vp.get(Reg.Dr6) | exit.parameter) & 1n);
  // RF lets the instruction go.
  guest.setFlags(1n << 16n);
  assertEquals(expectExit(await guest.run(), "ioPort").port, 0x80);
});

contract("a data breakpoint stops after the access", {
  ...DB,
  code: `
    c6 04 25 03 00 05 00 01   # mov byte [0x50003], 1
    c6 04 25 04 00 05 00 01   # mov byte [0x50004], 1
    e6 80`,
}, async (guest) => {
  guest.vp.set(Reg.Dr1, BigInt(DATA + 4));
  guest.vp.set(Reg.Dr7, (0x4n) | (1n << 20n) | (3n << 22n) | 0x400n);
  const exit = expectExit(await guest.run(), "exception");
  assertEquals(exit.rip, BigInt(CODE + 16));
  assertEquals(guest.memory[DATA + 4], 1);
  assert((guest.vp.get(Reg.Dr6) | exit.parameter) & 2n);
});

contract("a port breakpoint stops after the caller completed the access", {
  ...DB,
  code: "e6 81 e6 80 90 90",
}, async (guest) => {
  guest.vp.set(Reg.Cr4, guest.vp.get(Reg.Cr4) | 8n); // DE
  guest.vp.set(Reg.Dr2, 0x80n);
  guest.vp.set(Reg.Dr7, (1n << 4n) | (2n << 24n) | 0x400n);
  for (const port of [0x81, 0x80]) {
    const exit = expectExit(await guest.run(), "ioPort");
    assertEquals(exit.port, port);
    guest.vp.set(Reg.Rip, exit.rip + 2n);
  }
  const exit = expectExit(await guest.run(), "exception");
  assertEquals([exit.vector, exit.rip], [1, BigInt(CODE + 4)]);
  assert((guest.vp.get(Reg.Dr6) | exit.parameter) & 4n);
});

contract("an INT1 that is not intercepted is the guest's", {
  code: "f1",
}, async (guest) => {
  expectVector(await guest.run(), 1);
  assertEquals(
    guest.view.getBigUint64(0x20000 - 40, true),
    BigInt(CODE + 1),
  );
});

contract("the bitmap may change between runs", {
  extendedVmExits: ExtendedVmExits.ExceptionExit,
  code: "f1",
}, async (guest) => {
  guest.partition.setExceptionExitBitmap(2n);
  expectExit(await guest.run(), "exception");
  guest.partition.setExceptionExitBitmap(0n);
  expectVector(await guest.run(), 1);
});

contract("suspended time stands still", {
  code: "0f 31 e6 80 0f 31 e6 80 # rdtsc; out; rdtsc; out",
}, async (guest) => {
  const { partition, vp } = guest;
  if (guest.provider.platform.WHvSuspendPartitionTime === null) return;
  expectExit(await guest.run(), "ioPort");
  partition.suspendTime();
  const then = vp.get(Reg.Tsc);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assertEquals(vp.get(Reg.Tsc), then);
  partition.resumeTime();
  guest.skip(2);
  expectExit(await guest.run(), "ioPort");
  assert(vp.get(Reg.Tsc) > then);
});

contract("a run resumes suspended time by itself", {
  code: "0f 31 e6 80 eb fa # rdtsc; out; jmp",
}, async (guest) => {
  const { partition, vp } = guest;
  if (guest.provider.platform.WHvSuspendPartitionTime === null) return;
  expectExit(await guest.run(), "ioPort");
  partition.suspendTime();
  const then = vp.get(Reg.Tsc);
  for (let i = 0; i < 2; i++) {
    guest.skip(2);
    expectExit(await guest.run(), "ioPort");
  }
  assert(vp.get(Reg.Tsc) > then);
  const later = vp.get(Reg.Tsc);
  partition.resumeTime();
  assert(vp.get(Reg.Tsc) >= later);
});

contract("the time stamp can be set while time is suspended", {
  code: "0f 31 e6 80",
}, async (guest) => {
  guest.partition.suspendTime();
  guest.vp.set(Reg.Tsc, 0x1_0000_0000_0000n);
  guest.partition.resumeTime();
  expectExit(await guest.run(), "ioPort");
  assertEquals(guest.vp.get(Reg.Rdx), 0x1_0000n);
});
