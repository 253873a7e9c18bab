import { assertEquals, assertThrows } from "@std/assert";
import {
  type AgentContext,
  AgentError,
  AgentExpression,
  conditionsHold,
} from "../../src/debug/breakpoints/agent.ts";

const context: AgentContext = {
  register: (n) => n === 5 ? 0xffff_ffff_ffff_fffen : BigInt(n),
  memory: (address, into) => {
    if (address !== 0x1000n) return false;
    into.set([1, 2, 3, 4, 5, 6, 7, 8].slice(0, into.length));
    return true;
  },
};

function run(...code: number[]): bigint {
  return new AgentExpression(Uint8Array.from(code)).evaluate(context);
}

const M = 0xffff_ffff_ffff_ffffn;
const END = 0x27;
/** Pushes a number from 0 to 255, or its negative. */
const c = (v: number) => v < 0 ? [0x22, -v, 0x22, 0, 0x2b, 0x03] : [0x22, v];

Deno.test("constants are big-endian and not sign extended", () => {
  assertEquals(run(0x22, 0xfe, END), 0xfen);
  assertEquals(run(0x23, 0xfe, 0x01, END), 0xfe01n);
  assertEquals(run(0x24, 0xff, 1, 2, 3, END), 0xff010203n);
  assertEquals(run(0x25, 0xff, 1, 2, 3, 4, 5, 6, 7, END), 0xff01020304050607n);
});

Deno.test("arithmetic wraps at 64 bits", () => {
  assertEquals(run(...c(1), ...c(2), 0x03, END), M);
  assertEquals(run(...c(-1), ...c(2), 0x02, END), 1n);
  assertEquals(run(...c(-3), ...c(5), 0x04, END), M - 14n);
  assertEquals(run(...c(-7), ...c(2), 0x05, END), M - 2n);
  assertEquals(run(...c(-7), ...c(2), 0x06, END), (M - 6n) / 2n);
  assertEquals(run(...c(-7), ...c(2), 0x07, END), M);
  assertEquals(run(...c(7), ...c(4), 0x08, END), 3n);
});

Deno.test("shifts by a register's width and more are defined", () => {
  assertEquals(run(...c(1), ...c(63), 0x09, END), 1n << 63n);
  assertEquals(run(...c(1), ...c(64), 0x09, END), 0n);
  assertEquals(run(...c(-8), ...c(1), 0x0a, END), M - 3n);
  assertEquals(run(...c(-8), ...c(200), 0x0a, END), M);
  assertEquals(run(...c(-8), ...c(60), 0x0b, END), 15n);
  assertEquals(run(...c(-8), ...c(64), 0x0b, END), 0n);
});

Deno.test("logic and comparisons", () => {
  assertEquals(run(...c(0), 0x0e, END), 1n);
  assertEquals(run(...c(9), 0x0e, END), 0n);
  assertEquals(run(...c(12), ...c(10), 0x0f, END), 8n);
  assertEquals(run(...c(12), ...c(10), 0x10, END), 14n);
  assertEquals(run(...c(12), ...c(10), 0x11, END), 6n);
  assertEquals(run(...c(0), 0x12, END), M);
  assertEquals(run(...c(4), ...c(4), 0x13, END), 1n);
  assertEquals(run(...c(-1), ...c(4), 0x14, END), 1n);
  assertEquals(run(...c(-1), ...c(4), 0x15, END), 0n);
  assertEquals(run(...c(3), ...c(4), 0x15, END), 1n);
});

Deno.test("extension to and from a number of bits", () => {
  assertEquals(run(...c(0x80), 0x16, 8, END), M - 0x7fn);
  assertEquals(run(...c(0x7f), 0x16, 8, END), 0x7fn);
  assertEquals(run(...c(-1), 0x2a, 12, END), 0xfffn);
});

Deno.test("registers and memory of every width", () => {
  assertEquals(run(0x26, 0, 5, END), M - 1n);
  const load = (op: number) => run(0x23, 0x10, 0, op, END);
  assertEquals(load(0x17), 0x01n);
  assertEquals(load(0x18), 0x0201n);
  assertEquals(load(0x19), 0x04030201n);
  assertEquals(load(0x1a), 0x0807060504030201n);
  assertThrows(() => run(0x22, 1, 0x17, END), AgentError, "no memory at 0x1");
});

Deno.test("the stack's own instructions", () => {
  assertEquals(run(...c(3), 0x28, 0x02, END), 6n);
  assertEquals(run(...c(3), ...c(4), 0x29, END), 3n);
  assertEquals(run(...c(3), ...c(4), 0x2b, END), 3n);
  assertEquals(run(...c(3), ...c(4), 0x32, 1, END), 3n);
  // a b c -> c a b
  assertEquals(run(...c(1), ...c(2), ...c(3), 0x33, END), 2n);
  assertEquals(run(...c(1), ...c(2), ...c(3), 0x33, 0x29, END), 1n);
  assertEquals(run(...c(1), ...c(2), ...c(3), 0x33, 0x29, 0x29, END), 3n);
});

Deno.test("jumps: what gdb makes of `a && b`", () => {
  // 0: const8 a; 2: if_goto 8; 5: const8 0; 7: end; 8: const8 9; 10: end
  const either = (a: number) =>
    run(0x22, a, 0x20, 0, 8, 0x22, 0, END, 0x22, 9, END);
  assertEquals(either(1), 9n);
  assertEquals(either(0), 0n);
  assertEquals(run(0x21, 0, 4, END, 0x22, 5, END), 5n);
});

Deno.test("what cannot be an expression is refused at once", () => {
  for (
    const code of [
      [],
      [0x22, 1],
      [0x22],
      [0x25, 1, 2, 3],
      [0x01, END],
      [0xff, END],
      [0x21, 0, 9, END],
      // Into the middle of an instruction.
      [0x21, 0, 1, END],
      // Nothing on the stack, on one way of two.
      [0x26, 0, 5, 0x20, 0, 9, ...c(1), END, END],
      // A loop that ends by what a register holds.
      [0x26, 0, 5, 0x20, 0, 0, ...c(1), END],
    ]
  ) {
    assertThrows(
      () => new AgentExpression(Uint8Array.from(code)),
      AgentError,
    );
  }
});

Deno.test("what goes wrong while evaluating is an error, never a hang", () => {
  assertThrows(() => run(END), AgentError, "underflow");
  assertThrows(() => run(0x02, END), AgentError, "underflow");
  assertThrows(() => run(0x32, 3, END), AgentError, "underflow");
  assertThrows(() => run(...c(1), ...c(0), 0x05, END), AgentError, "zero");
  assertThrows(() => run(0x21, 0, 0), AgentError, "does not end");
  assertThrows(() => run(0x22, 1, 0x21, 0, 0), AgentError, "overflow");
});

Deno.test("the registers it needs are known without running it", () => {
  const code = [0x26, 0, 7, 0x26, 0, 5, 0x02, 0x26, 0, 7, 0x02, END];
  const expression = new AgentExpression(Uint8Array.from(code));
  assertEquals(expression.registers, [7, 5]);
});

Deno.test("a breakpoint stops if a condition holds or cannot be judged", () => {
  const make = (...code: number[]) =>
    new AgentExpression(Uint8Array.from(code));
  const no = make(...c(0), END), yes = make(...c(1), END);
  const bad = make(...c(1), 0x17, END);
  assertEquals(conditionsHold([], context), true);
  assertEquals(conditionsHold([no], context), false);
  assertEquals(conditionsHold([no, yes], context), true);
  assertEquals(conditionsHold([bad], context), true);
});
