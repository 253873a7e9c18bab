// One x87 operation on one case, for selftest.ts.
import {
  bcdHi,
  bcdLo,
  f80FromBcd,
  f80FromF32,
  f80FromF64,
  f80FromI64,
  f80OperandF32,
  f80OperandF64,
  f80RoundToInt,
  f80ToBcd,
  f80ToF32,
  f80ToF64,
  f80ToInt,
} from "./f80_convert";
import { f80Exp2Minus1, f80YLog2X, f80YLog2XPlus1 } from "./f80_log";
import {
  cosineM,
  cosineSe,
  f80Atan2,
  f80Cos,
  f80Sin,
  f80SinCos,
  f80Tan,
  trigOutOfRange,
} from "./f80_trig";
import {
  classify,
  EQUAL,
  f80Add,
  f80Compare,
  f80Div,
  f80Mul,
  f80Sqrt,
  f80Sub,
  LESS,
  QNAN,
  UNORDERED,
} from "./f80";
import {
  f80Extract,
  f80Rem,
  f80Scale,
  remPartial,
  remQuotient,
  significandM,
  significandSe,
} from "./f80_scale";
import { f80M, f80Se } from "./round";
import {
  flags,
  IE,
  masks,
  OE,
  roundedUp,
  UE,
  x87Begin,
  x87Stores,
} from "./state";

/** C3, C2, C0 of a comparison's result. */
function conditionBits(compared: i32): u32 {
  if (compared == EQUAL) return 0x4000;
  if (compared == LESS) return 0x0100;
  return compared == UNORDERED ? 0x4500 : 0;
}

function loadResult(o: usize, a: usize): void {
  if (x87Stores()) {
    store<u64>(o, f80M);
    store<u16>(o + 8, u16(f80Se));
  } else {
    store<u64>(o, load<u64>(a));
    store<u16>(o + 8, load<u16>(a + 8));
  }
}

/** FPTAN and FSINCOS: the result below what was pushed: (se, m), or 1.0. */
function pushed(o: usize, c: usize, se: u32, m: u64, value: bool): void {
  if (x87Stores() && !trigOutOfRange) {
    store<u64>(o, value ? m : 0x8000000000000000);
    store<u16>(o + 8, u16(value ? se : 0x3fff));
    store<u64>(o + 16, f80M);
    store<u16>(o + 24, u16(f80Se));
  } else {
    memory.copy(o, c + 8, 10);
    memory.copy(o + 16, c + 24, 10);
  }
  const c2: u32 = trigOutOfRange ? 0x400 : 0;
  store<u32>(o + 12, flags | (roundedUp ? 0x200 : 0) | c2);
}

function untouched(o: usize): void {
  store<u64>(o, 0xcccccccccccccccc);
  store<u16>(o + 8, 0xcccc);
}

/** Runs x87 operation `op` on the case at `c`, the result to `o`. */
export function runX87(op: i32, c: usize, o: usize): void {
  x87Begin(load<u32>(c));
  const a = c + 8;
  const ma = load<u64>(c + 8), sa = u32(load<u16>(c + 16));
  const mb = load<u64>(c + 24), sb = u32(load<u16>(c + 32));
  const b32 = load<u32>(c + 24);
  let status: u32 = 0;
  let compared: i32 = -1;
  switch (op) {
    case 0:
      f80Add(sa, ma, sb, mb);
      break;
    case 1:
      f80Sub(sa, ma, sb, mb);
      break;
    case 2:
      f80Mul(sa, ma, sb, mb);
      break;
    case 3:
      f80Div(sa, ma, sb, mb);
      break;
    case 4:
      f80Sqrt(sa, ma);
      break;
    case 5:
    case 6:
      f80Rem(sa, ma, sb, mb, op == 6);
      status = ((remQuotient & 4) << 6) | ((remQuotient & 2) << 13) |
        ((remQuotient & 1) << 9) | (remPartial ? 0x400 : 0);
      break;
    case 7:
      f80Scale(sa, ma, sb, mb);
      break;
    case 8:
      f80RoundToInt(sa, ma);
      break;
    case 9:
      f80Extract(sa, ma);
      loadResult(o, a);
      if (x87Stores()) {
        store<u64>(o + 16, f80M);
        store<u16>(o + 24, u16(f80Se));
        store<u64>(o, significandM);
        store<u16>(o + 8, u16(significandSe));
      } else {
        store<u64>(o + 16, mb);
        store<u16>(o + 24, u16(sb));
      }
      store<u32>(o + 12, flags | (roundedUp ? 0x200 : 0));
      return;
    case 10:
    case 11:
    case 12:
    case 13:
      compared = f80Compare(sa, ma, sb, mb, (op & 1) != 0);
      break;
    case 14:
      f80OperandF32(b32);
      f80Add(sa, ma, f80Se, f80M);
      break;
    case 15:
      f80OperandF64(mb);
      f80Sub(sa, ma, f80Se, f80M);
      break;
    case 16:
      f80OperandF32(b32);
      f80Mul(sa, ma, f80Se, f80M);
      break;
    case 17:
      f80OperandF64(mb);
      f80Div(sa, ma, f80Se, f80M);
      break;
    case 18:
      f80OperandF32(b32);
      f80Div(f80Se, f80M, sa, ma);
      break;
    case 19:
      f80OperandF64(mb);
      f80Sub(f80Se, f80M, sa, ma);
      break;
    case 20:
      f80OperandF32(b32);
      compared = f80Compare(sa, ma, f80Se, f80M, false);
      break;
    case 21:
      f80OperandF64(mb);
      compared = f80Compare(sa, ma, f80Se, f80M, false);
      break;
    case 22:
      f80FromF32(b32);
      break;
    case 23:
      f80FromF64(mb);
      break;
    case 24:
      f80FromI64(i64(i16(b32)));
      break;
    case 25:
      f80FromI64(i64(i32(b32)));
      break;
    case 26:
      f80FromI64(i64(mb));
      break;
    case 27:
      f80FromBcd(mb, sb);
      break;
    case 28:
      f80FromI64(i64(i16(b32)));
      f80Add(sa, ma, f80Se, f80M);
      break;
    case 29:
      f80FromI64(i64(i32(b32)));
      f80Div(f80Se, f80M, sa, ma);
      break;
    case 39:
      f80Exp2Minus1(sa, ma);
      break;
    case 40:
      f80YLog2X(sa, ma, sb, mb);
      break;
    case 41:
      f80YLog2XPlus1(sa, ma, sb, mb);
      break;
    case 42:
      f80Tan(sa, ma);
      pushed(o, c, f80Se, f80M, classify(f80Se, f80M) >= QNAN);
      return;
    case 43:
      f80Atan2(sb, mb, sa, ma);
      break;
    case 44:
      f80Sin(sa, ma);
      if (trigOutOfRange) status = 0x400;
      break;
    case 45:
      f80Cos(sa, ma);
      if (trigOutOfRange) status = 0x400;
      break;
    case 46:
      f80SinCos(sa, ma);
      pushed(o, c, cosineSe, cosineM, true);
      return;
    case 47:
      compared = f80Compare(sa, ma, 0, 0, false);
      break;
  }
  if (op >= 30 && op <= 38) {
    untouched(o);
    let v: u64 = 0;
    let bytes: i32 = 8;
    if (op == 30) {
      v = f80ToF32(sa, ma);
      bytes = 4;
    } else if (op == 31) v = f80ToF64(sa, ma);
    else if (op == 38) f80ToBcd(sa, ma);
    else {
      const i = (op - 32) % 3;
      bytes = 2 << i;
      v = f80ToInt(sa, ma, 16 << i, op >= 35);
    }
    if (x87Stores() && (flags & (OE | UE) & ~masks) == 0) {
      if (op == 38) {
        store<u64>(o, bcdLo);
        store<u16>(o + 8, u16(bcdHi));
      } else if (bytes == 2) store<u16>(o, u16(v));
      else if (bytes == 4) store<u32>(o, u32(v));
      else store<u64>(o, v);
    }
  } else if (compared >= 0) {
    x87Stores();
    store<u64>(o, ma);
    store<u16>(o + 8, u16(sa));
    const bits = conditionBits(compared);
    status = op == 12 || op == 13 ? (bits & 0x4500) << 8 : bits;
  } else if (op == 22 || op == 23) {
    // FLD replaced what the test expects on the stack top only if it pushed.
    const pushed = (flags & IE & ~masks) == 0;
    store<u64>(o, pushed ? f80M : ma);
    store<u16>(o + 8, u16(pushed ? f80Se : sa));
  } else loadResult(o, a);
  store<u32>(o + 12, status | flags | (roundedUp ? 0x200 : 0));
}
