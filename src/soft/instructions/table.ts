// The instructions that the interpreter's inner loop and the translator share: how they
// are encoded, what their operands are, and what they mean (SDM vol. 2).

import {
  A,
  arithmeticForms,
  BYTE,
  byteAndWide,
  E,
  Eb,
  Ed,
  Ew,
  type Form,
  form,
  G,
  HALF_A,
  I,
  J,
  O,
  OF,
  ONE,
  type Operand,
  registers,
  shiftForms,
  WIDE,
  Z,
} from "./forms.ts";
import type { Machine, Operator, Shift } from "./machine.ts";

/** What an instruction does with its operands. */
export type Meaning = <V>(
  m: Machine<V>,
  first: Operand,
  second: Operand,
) => void;

/** What a row may say besides. */
export interface RowOptions {
  /** REP and REPNE mean nothing. */
  readonly anyPrefix?: boolean;
  /** It moves the stack by the operand size, which most often is the stack's own. */
  readonly stack?: boolean;
  /** The second operand is a shift's count. */
  readonly counts?: boolean;
}

export interface Row extends RowOptions {
  readonly name: string;
  readonly forms: readonly Form[];
  readonly meaning: Meaning;
}

export const TABLE: Row[] = [];

function row(
  name: string,
  forms: readonly Form[],
  meaning: Meaning,
  options: RowOptions = {},
): void {
  TABLE.push({ name, forms, meaning, ...options });
}

// --- moves

const move: Meaning = (m, to, from) => m.write(to, m.read(from));
const moveSigned: Meaning = (m, to, from) => m.write(to, m.readSigned(from));

row("MOV", [
  ...byteAndWide(ONE, 0x88, -1, E, G),
  ...byteAndWide(ONE, 0x8a, -1, G, E),
  ...registers(ONE, 0xb0, BYTE, Z, I),
  ...registers(ONE, 0xb8, WIDE, Z, J),
  ...byteAndWide(ONE, 0xc6, 0, E, I),
  ...byteAndWide(ONE, 0xa0, -1, A, O),
  ...byteAndWide(ONE, 0xa2, -1, O, A),
], move);
row("MOVZX", [
  form(OF, 0xb6, -1, WIDE, G, Eb),
  form(OF, 0xb7, -1, WIDE, G, Ew),
], move);
row("MOVSX", [
  form(OF, 0xbe, -1, WIDE, G, Eb),
  form(OF, 0xbf, -1, WIDE, G, Ew),
], moveSigned);
row("MOVSXD", [form(ONE, 0x63, -1, [3], G, Ed)], moveSigned);
// and CBW, CWDE
row("CDQE", [form(ONE, 0x98, -1, WIDE, A, HALF_A)], moveSigned);
row(
  "LEA",
  [form(ONE, 0x8d, -1, WIDE, G, E)],
  (m, to) => m.write(to, m.address()),
);
row("NOP", [form(OF, 0x1f, -1, WIDE, E)], () => {});

// --- arithmetic and logic

const operate = (operator: Operator): Meaning => (m, to, from) =>
  m.write(to, m.operate(operator, m.modify(to), m.read(from)));
const compare = (operator: Operator): Meaning => (m, to, from) => {
  m.operate(operator, m.read(to), m.read(from));
};
const step = (by: 1 | -1): Meaning => (m, to) =>
  m.write(to, m.step(m.modify(to), by));

row("ADD", arithmeticForms(0), operate("+"));
row("OR", arithmeticForms(1), operate("|"));
row("AND", arithmeticForms(4), operate("&"));
row("SUB", arithmeticForms(5), operate("-"));
row("XOR", arithmeticForms(6), operate("^"));
row("CMP", arithmeticForms(7), compare("-"));
row("TEST", [
  ...byteAndWide(ONE, 0x84, -1, E, G),
  ...byteAndWide(ONE, 0xa8, -1, A, I),
  ...byteAndWide(ONE, 0xf6, 0, E, I),
  ...byteAndWide(ONE, 0xf6, 1, E, I),
], compare("&"));
row("INC", [
  ...byteAndWide(ONE, 0xfe, 0, E),
  ...registers(ONE, 0x40, [1, 2], Z),
], step(1));
row("DEC", [
  ...byteAndWide(ONE, 0xfe, 1, E),
  ...registers(ONE, 0x48, [1, 2], Z),
], step(-1));

// --- shifts

function shift(
  direction: Shift,
  overflow: <V>(m: Machine<V>, result: V, carry: V) => V,
): Meaning {
  return (m, to, by) => {
    const n = m.count(by);
    const { result, out } = m.shift(direction, m.modify(to), n);
    m.write(to, result);
    m.setFlags(n, result, out, (carry) => overflow(m, result, carry));
  };
}

row(
  "SHL",
  [...shiftForms(4), ...shiftForms(6)],
  shift("<<", (m, result, carry) => m.differ(m.bit(result, 0), carry)),
  { counts: true },
);
row(
  "SHR",
  shiftForms(5),
  shift(">>>", (m, result) => m.differ(m.bit(result, 0), m.bit(result, 1))),
  { counts: true },
);
row("SAR", shiftForms(7), shift(">>", (m) => m.clear()), { counts: true });

// --- jumps

for (let cc = 0; cc < 16; cc++) {
  row(
    `J${cc.toString(16).toUpperCase()}`,
    [form(ONE, 0x70 + cc, -1, WIDE), form(OF, 0x80 + cc, -1, WIDE)],
    (m) => m.when(cc, () => m.branch()),
    { anyPrefix: true },
  );
}
row(
  "JMP",
  [form(ONE, 0xeb, -1, WIDE), form(ONE, 0xe9, -1, WIDE)],
  (m) => m.branch(),
  { anyPrefix: true },
);
row("CALL", [form(ONE, 0xe8, -1, WIDE)], (m) => {
  const to = m.target();
  m.push(m.next());
  m.jump(to);
}, { anyPrefix: true, stack: true });
row("JMP to a value", [form(ONE, 0xff, 4, WIDE, E)], (m, address) => {
  m.jump(m.lookUp(m.read(address)));
}, { anyPrefix: true, stack: true });
row("CALL of a value", [form(ONE, 0xff, 2, WIDE, E)], (m, address) => {
  const to = m.lookUp(m.read(address));
  m.push(m.next());
  m.jump(to);
}, { anyPrefix: true, stack: true });
row(
  "RET",
  [form(ONE, 0xc3, -1, WIDE)],
  (m) => m.return(),
  { anyPrefix: true, stack: true },
);

// --- the stack

row(
  "PUSH",
  [
    ...registers(ONE, 0x50, WIDE, Z),
    form(ONE, 0x68, -1, WIDE, I),
    form(ONE, 0x6a, -1, WIDE, I),
  ],
  (m, from) => m.push(m.read(from)),
  { stack: true },
);
row(
  "PUSH of a value",
  [form(ONE, 0xff, 6, WIDE, E)],
  (m, from) => m.push(m.let(m.read(from))),
  { stack: true },
);
row("POP", registers(ONE, 0x58, WIDE, Z), (m, to) => {
  const value = m.let(m.top());
  m.pop();
  m.write(to, value);
}, { stack: true });
