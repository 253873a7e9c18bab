// SSE and x87 instructions: their handlers', which leave general registers and flags
// alone, so that a region calls them at less cost than others.

import { OF, OF38, OF3A, on, ONE, WIDE } from "./encodings.ts";
import type { Emitter } from "./generator.ts";

const floating: Emitter = (g, i) => g.callFloating(i);
/** Prefixes make other instructions of the kind, or mean nothing. */
const SSE = { anyPrefix: true, anySize: true, prefixes: [0, 1, 2, 3] };
const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, n) => from + n);
for (
  const opcode of [
    ...range(0x10, 0x17),
    ...range(0x28, 0x2b),
    ...range(0x51, 0x6f),
    0x70,
    ...range(0x74, 0x76),
    0x7f,
    0xc2,
    0xc4,
    0xc6,
    ...range(0xd1, 0xd6),
    ...range(0xd8, 0xfe),
  ]
) on(OF, opcode, -1, WIDE, floating, SSE);
// but for CRC32, MOVBE, PTEST and what writes general registers
const SSE4 = { ...SSE, prefixes: [0, 1] };
for (
  const opcode of [
    ...range(0x00, 0x0b),
    0x10,
    0x14,
    0x15,
    ...range(0x1c, 0x1e),
    ...range(0x20, 0x25),
    ...range(0x28, 0x2b),
    ...range(0x30, 0x35),
    ...range(0x37, 0x41),
  ]
) on(OF38, opcode, -1, WIDE, floating, SSE4);
for (
  const opcode of [
    ...range(0x08, 0x0f),
    ...range(0x20, 0x22),
    ...range(0x40, 0x42),
  ]
) {
  on(OF3A, opcode, -1, WIDE, floating, SSE4);
}
for (const opcode of range(0x71, 0x73)) {
  for (const digit of range(0, 7)) on(OF, opcode, digit, WIDE, floating, SSE);
}
for (const opcode of range(0xd8, 0xdf)) {
  for (const digit of range(0, 7)) {
    // FCMOVcc, FCOMI and its like, FNSTSW AX
    const registers = !([0xda, 0xdb].includes(opcode) && digit < 4) &&
      !([0xdb, 0xdf].includes(opcode) && digit > 3);
    const forms = registers ? "both" : "memory";
    on(ONE, opcode, digit, WIDE, floating, {
      anyPrefix: true,
      anySize: true,
      forms,
    });
  }
}
