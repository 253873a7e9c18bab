// The x87 transcendentals against 320-bit integer arithmetic: every result is
// the correctly rounded one, but for ties that 128 bits cannot tell (none in
// these cases).

import { assertEquals } from "@std/assert";
import { buildSoftware, CASE_BYTES, Random, RESULT_BYTES } from "./harness.ts";
import { number80 } from "./operands.ts";

/** Fraction bits of the reference's fixed point. */
const P = 320n;
const ONE = 1n << P;

function mul(a: bigint, b: bigint): bigint {
  return (a * b) >> P;
}

function div(a: bigint, b: bigint): bigint {
  return (a << P) / b;
}

/** Sum of terms, each the one before times `factor(n)`. */
function sum(first: bigint, next: (term: bigint, n: bigint) => bigint): bigint {
  let total = 0n;
  let term = first;
  for (let n = 1n; term !== 0n && term !== -1n; n++) {
    total += term;
    term = next(term, n);
  }
  return total;
}

/** x (1 -+ x^2 / 3 + x^4 / 5 ...) for a small x: sign -1 atan, 1 atanh. */
function arc(x: bigint, sign: bigint): bigint {
  const square = mul(x, x);
  let power = x;
  let total = 0n;
  for (let n = 1n; power !== 0n && power !== -1n; n += 2n) {
    total += power / n;
    power = sign * mul(power, square);
  }
  return total;
}

const LN2 = 2n * arc(ONE / 3n, 1n);
const PI = 4n * (4n * arc(ONE / 5n, -1n) - arc(ONE / 239n, -1n));
/** The hardware's pi / 2. */
const HALF_PI = (0x3243f6a8885a308d3n << (P - 64n)) >> 1n;

function exp2Minus1(x: bigint): bigint {
  const y = mul(x, LN2);
  return sum(y, (term, n) => mul(term, y) / (n + 1n));
}

function log2(x: bigint): bigint {
  let k = 0n;
  while (x >= 2n * ONE) {
    x >>= 1n;
    k++;
  }
  while (x < ONE) {
    x <<= 1n;
    k--;
  }
  return k * ONE + div(2n * arc(div(x - ONE, x + ONE), 1n), LN2);
}

function squareRoot(x: bigint): bigint {
  let r = ONE;
  for (let i = 0; i < 200; i++) {
    const next = (r + div(x, r)) >> 1n;
    if (next === r || next === r + 1n) break;
    r = next;
  }
  return r;
}

/** atan of 0 <= x <= 1. */
function atan(x: bigint): bigint {
  let halvings = 0n;
  while (x > ONE >> 4n) {
    x = div(x, ONE + squareRoot(ONE + mul(x, x)));
    halvings++;
  }
  return arc(x, -1n) << halvings;
}

function atan2(y: bigint, x: bigint): bigint {
  const ay = y < 0n ? -y : y, ax = x < 0n ? -x : x;
  let angle = ay <= ax ? atan(div(ay, ax)) : PI / 2n - atan(div(ax, ay));
  if (x < 0n) angle = PI - angle;
  return y < 0n ? -angle : angle;
}

function sinCos(x: bigint): [bigint, bigint] {
  let n = x / HALF_PI;
  let r = x - n * HALF_PI;
  if (2n * r > HALF_PI) {
    r -= HALF_PI;
    n++;
  } else if (2n * r < -HALF_PI) {
    r += HALF_PI;
    n--;
  }
  const square = mul(r, r);
  const sin = sum(r, (t, i) => -mul(t, square) / (2n * i * (2n * i + 1n)));
  const cos = sum(ONE, (t, i) => -mul(t, square) / (2n * i * (2n * i - 1n)));
  switch (((n % 4n) + 4n) % 4n) {
    case 0n:
      return [sin, cos];
    case 1n:
      return [cos, -sin];
    case 2n:
      return [-sin, -cos];
    default:
      return [-cos, sin];
  }
}

/** The 80-bit number nearest to a value: sign and exponent, significand. */
function round(v: bigint): [number, bigint] {
  const negative = v < 0n;
  if (negative) v = -v;
  const bits = BigInt(v.toString(2).length);
  const shift = bits - 64n;
  let m = v >> shift;
  if ((v >> (shift - 1n)) & 1n) m++;
  let e = Number(bits - 1n - P);
  if (m === 1n << 64n) {
    m >>= 1n;
    e++;
  }
  return [e + 16383 + (negative ? 0x8000 : 0), m];
}

const operations: {
  op: number;
  name: string;
  centreA: number;
  spreadA: number;
  positive?: boolean;
  of(a: bigint, b: bigint): bigint;
}[] = [
  { op: 39, name: "F2XM1", centreA: -8, spreadA: 7, of: (a) => exp2Minus1(a) },
  {
    op: 40,
    name: "FYL2X",
    centreA: 0,
    spreadA: 3,
    positive: true,
    of: (a, b) => mul(b, log2(a)),
  },
  {
    op: 41,
    name: "FYL2XP1",
    centreA: -8,
    spreadA: 5,
    of: (a, b) => mul(b, log2(ONE + a)),
  },
  {
    op: 42,
    name: "FPTAN",
    centreA: 10,
    spreadA: 20,
    of: (a) => {
      const [sin, cos] = sinCos(a);
      return div(sin, cos);
    },
  },
  {
    op: 43,
    name: "FPATAN",
    centreA: 0,
    spreadA: 6,
    of: (a, b) => atan2(b, a),
  },
  { op: 44, name: "FSIN", centreA: 10, spreadA: 20, of: (a) => sinCos(a)[0] },
  { op: 45, name: "FCOS", centreA: 10, spreadA: 20, of: (a) => sinCos(a)[1] },
];

const CASES = 300;

Deno.test({
  name: "x87 transcendentals are correctly rounded",
  async fn(t) {
    const software = await buildSoftware();
    const buffer = software.memory.buffer as ArrayBuffer;
    const view = new DataView(buffer, software.input(), CASES * CASE_BYTES);
    const result = new DataView(
      buffer,
      software.output(),
      CASES * RESULT_BYTES,
    );
    const fixed = (at: number) => {
      const se = view.getUint16(at + 8, true);
      const m = view.getBigUint64(at, true);
      const shift = P + BigInt((se & 0x7fff) - 16383 - 63);
      return (se & 0x8000 ? -m : m) << shift;
    };
    for (const { op, name, centreA, spreadA, positive, of } of operations) {
      await t.step(name, () => {
        const random = new Random(op);
        for (let i = 0; i < CASES; i++) {
          const at = i * CASE_BYTES;
          view.setUint32(at, 0x37f, true);
          number80(random, view, at + 8, 16383 + centreA, spreadA);
          number80(random, view, at + 24, 16383, 3);
          if (positive) view.setUint8(at + 17, view.getUint8(at + 17) & 0x7f);
        }
        software.run(op, CASES);
        const wrong: string[] = [];
        for (let i = 0; i < CASES; i++) {
          const at = i * CASE_BYTES;
          const a = fixed(at + 8), b = fixed(at + 24);
          const exact = of(a, b);
          if (exact === 0n) continue;
          const [se, m] = round(exact);
          // FPTAN's result is below the 1.0 it pushed.
          const o = i * RESULT_BYTES + (op === 42 ? 16 : 0);
          const got = `${result.getUint16(o + 8, true).toString(16)}:` +
            result.getBigUint64(o, true).toString(16);
          const want = `${se.toString(16)}:${m.toString(16)}`;
          if (got !== want) {
            wrong.push(`case ${i}: got ${got}, want ${want}`);
          }
        }
        assertEquals(wrong, []);
      });
    }
  },
});
