// Conditions that the platform judges by itself: as the debugger would have.

import { assert, assertEquals } from "@std/assert";
import { DebugAccess, DebugSpace } from "../../ffi/debug_points.ts";
import { Reg } from "../../ffi/registers.ts";
import { allRegisters } from "../../src/debug/guest/registers.ts";
import {
  type AgentContext,
  AgentError,
  AgentExpression,
} from "../../src/debug/breakpoints/agent.ts";
import { openSoft, Partition } from "../../mod.ts";
import { numbers } from "../util/numbers.ts";

const PROGRAMS = 1500;
/** Interesting values, as a condition has them. */
const VALUES = [0n, 1n, 2n, 7n, 63n, 64n, 65n, 0x80n, 0x7fn, 0xffn, 0x8000n]
  .concat([0x7fffffffn, 0x80000000n, 0xffffffffn, 1n << 63n, (1n << 63n) - 1n])
  .concat([0xffffffffffffffffn, 0xfffffffffffffffen, 0x123456789abcdef0n]);

/** The bytecode of an expression that leaves one value. */
function expression(
  random: (below: number) => number,
  depth: number,
): number[] {
  const of = () => expression(random, depth - 1);
  const pick = <T>(from: readonly T[]) => from[random(from.length)];
  if (depth === 0 || random(6) === 0) {
    return random(2) === 0
      ? [0x26, 0, random(16)]
      : [0x25, ...bigEndian(pick(VALUES))];
  }
  switch (random(6)) {
    case 0: // ref of an address in memory, or anywhere
      return [
        ...(random(8) > 0 ? [0x24, 0, 0, 0x0f, random(256)] : of()),
        0x17 + random(4),
      ];
    case 1: // ext, zero_ext
      return [...of(), pick([0x16, 0x2a]), 1 + random(64)];
    case 2: // log_not, bit_not
      return [...of(), pick([0x0e, 0x12])];
    case 3: { // as gdb makes && and ||: if_goto, goto
      const [by, yes, no] = [of(), of(), of()];
      return [IF, ...by, THEN, ...no, ELSE, ...yes, FI];
    }
    default: {
      // also division, which the platform leaves to the debugger
      const ops = [2, 3, 4, 9, 10, 11, 15, 16, 17, 19, 20, 21];
      return [...of(), ...of(), random(20) === 0 ? 5 + random(4) : pick(ops)];
    }
  }
}

// Marks in place of jumps whose targets are known at the end.
const IF = 256, THEN = 257, ELSE = 258, FI = 259;

/** With the marks made jumps, and the end. */
function assembled(code: readonly number[]): Uint8Array {
  const bytes: number[] = [];
  /** Where the targets go of jumps that lead to what comes yet. */
  const open: number[] = [];
  for (let at = 0; at < code.length;) {
    const op = code[at];
    if (op < IF) {
      const length = 1 + (OPERANDS[op] ?? 0);
      bytes.push(...code.slice(at, at + length));
      at += length;
      continue;
    }
    at++;
    if (op === IF) continue;
    if (op !== FI) bytes.push(op === THEN ? 0x20 : 0x21, 0, 0);
    if (op !== THEN) {
      const target = open.pop()!;
      bytes[target] = bytes.length >> 8;
      bytes[target + 1] = bytes.length & 255;
    }
    if (op !== FI) open.push(bytes.length - 2);
  }
  return Uint8Array.from([...bytes, 0x27]);
}
const OPERANDS: Record<number, number> = {
  0x16: 1,
  0x2a: 1,
  0x24: 4,
  0x25: 8,
  0x26: 2,
};

function bigEndian(value: bigint): number[] {
  return Array.from(
    { length: 8 },
    (_, i) => Number(value >> BigInt(56 - 8 * i) & 255n),
  );
}

Deno.test("a condition stops where the debugger would have stopped", async () => {
  const platform = await openSoft({ memoryBytes: 0x10000 });
  const partition = Partition.create(platform);
  partition.setProcessorCount(1);
  partition.setup();
  platform.guestMemory.set([0x90, 0xe6, 0x80], 0xfff0); // nop; out 0x80, al
  partition.mapGpaRange(platform.guestMemory, 0, 7);
  partition.mapGpaRange(platform.guestMemory, 0xffff0000, 7);
  const vp = partition.createVirtualProcessor(0);
  const random = numbers(0x1ceb);
  platform.guestMemory.forEach((_, i, memory) => {
    if (i >= 0xf00 && i < 0x1100) memory[i] = random(256);
  });
  const point = {
    identifier: 3,
    access: DebugAccess.Execute,
    space: DebugSpace.All,
    address: 0xfffffff0n,
    length: 1n,
    cr3: 0n,
  };
  const asked: number[] = [];
  const callback = partition.setDebugPointFilter((_, id) => {
    asked.push(id);
    return 1;
  });
  const context: AgentContext = {
    register: (number) => vp.get(allRegisters[number].source),
    memory(address, into) {
      // Without paging there are 32 bits of address; memory is at both ends of them.
      return into.every((_, i) => {
        const at = Number(BigInt.asUintN(32, address + BigInt(i)));
        into[i] = platform.guestMemory[at & 0xffff];
        return at < 0x10000 || at >= 0xffff0000;
      });
    },
  };
  const made = { judged: 0, left: 0, held: 0, failed: 0 };
  for (let n = 0; n < PROGRAMS; n++) {
    for (let r = 0; r < 16; r++) {
      vp.set(Reg.Rax + r, VALUES[random(VALUES.length)]);
    }
    const condition = new AgentExpression(assembled(expression(random, 5)));
    let holds: boolean;
    try {
      holds = condition.evaluate(context) !== 0n;
    } catch (error) {
      assert(error instanceof AgentError);
      // The user sees where.
      holds = true;
      made.failed++;
    }
    const bytes: number[] = [];
    const whole = (number: number) => ({
      source: allRegisters[number].source,
      bytes: 8,
    });
    if (!condition.encode(bytes, whole)) {
      made.left++;
      continue;
    }
    made.judged++;
    if (holds) made.held++;
    partition.setDebugPoint(point);
    assert(partition.setDebugPointCondition(3, Uint8Array.from(bytes)));
    vp.set(Reg.Rip, 0xfff0n);
    const exit = await vp.run();
    const what = `program ${n}: ${condition.bytes.toHex()}`;
    assertEquals(exit.reason, holds ? "debugPoint" : "ioPort", what);
    assertEquals(asked.splice(0), holds ? [3] : [], what);
  }
  assert(made.judged > PROGRAMS / 2 && made.left > 0, JSON.stringify(made));
  assert(
    made.held > 100 && made.judged - made.held > 100,
    JSON.stringify(made),
  );
  assert(made.failed > 10, JSON.stringify(made));
  callback();
  partition.delete();
});

Deno.test("what is no condition is refused, and the point has none", async () => {
  const platform = await openSoft({ memoryBytes: 0x10000 });
  const partition = Partition.create(platform);
  partition.setProcessorCount(1);
  partition.setup();
  partition.setDebugPoint({
    identifier: 1,
    access: DebugAccess.Execute,
    space: DebugSpace.All,
    address: 0n,
    length: 1n,
    cr3: 0n,
  });
  const tells = (...bytes: number[]) =>
    partition.setDebugPointCondition(1, Uint8Array.from(bytes));
  assert(tells());
  assert(tells(1, 0, 0, 0, 0)); // RAX
  assert(!tells(1, 0, 0, 0)); // cut off
  assert(!tells(1, 0, 0, 0, 0, 0)); // something behind it
  assert(!tells(7, 1, 0, 0, 0, 0)); // one operand of two
  assert(!tells(2, 3, 1, 0, 0, 0, 0)); // 3 bytes
  assert(!tells(200));
  assert(!tells(1, 16, 0, 0, 0)); // RIP
  assert(!tells(...Array<number>(5000).fill(5), 1, 0, 0, 0, 0));
  partition.delete();
});
