// Bit tests (BT BTS BTR BTC), bit scans and counts (BSF BSR TZCNT LZCNT
// POPCNT), CRC32, ADCX and ADOX (SDM vol. 2). A bit index in a register reaches
// beyond the memory operand: it selects the operand-sized word around the
// address.
import { getCF, getOF, setArith, setCF, setCFOF, setZF } from "../../cpu/flags";
import { FAULT } from "../../layout";
import { rd, rw } from "../../memory/access";
import {
  def,
  grp,
  hx,
  IMM_B,
  LOCKOK,
  M_0F,
  M_0F38,
  MODRM,
  P_66,
  P_F2,
  P_F3,
  RM8,
  SZ_B,
  SZ_V,
  SZ_Y,
  v3,
  v3m,
  v3r,
} from "../../code/optable";
import {
  addrMask,
  REC,
  RF_LOCK,
  rFlags,
  rImm8,
  rReg,
  rRm,
  rSeg,
  setReg,
} from "../../code/record";
import { spin } from "../../cpu/spin";
import { N0, N1, N2, N3, num } from "../number";
import { rmwFailed } from "../rmw";
import { eaSum, ldRM, linear } from "../../code/operand";

const BT: u32 = 0;
const BTS: u32 = 1;
const BTR: u32 = 2;

@inline
function changed<T>(k: u32, a: T, i: u32): T {
  const m = <T> ((<u64> 1) << i);
  if (k == BTS) return <T> (a | m);
  if (k == BTR) return <T> (a & ~m);
  return <T> (a ^ m);
}

@inline
function btR<T>(p: usize, k: u32, index: u32): usize {
  const i = index & (sizeof<T>() * 8 - 1);
  const a = load<T>(rRm(p));
  if (k != BT) setReg<T>(rRm(p), changed<T>(k, a, i));
  setCF((<u64> a >> i) & 1);
  return p + REC;
}

/**
 * Linear address of the word that holds bit `index` (signed) of the bit string.
 */
function bitWord(p: usize, index: i64, log: u32, write: bool): u64 {
  const delta = (index >> (log + 3)) << log;
  return linear(
    rSeg(p),
    (eaSum(p) + delta) & addrMask(p),
    (<u32> 1) << log,
    write,
  );
}

function btM<T, K>(p: usize, index: i64): usize {
  const k = num<K>();
  const log: u32 = sizeof<T>() == 2 ? 1 : sizeof<T>() == 4 ? 2 : 3;
  const at = bitWord(p, index, log, k != BT);
  if (load<u32>(FAULT)) return 0;
  const i = <u32> index & (sizeof<T>() * 8 - 1);
  let a: T;
  if (k == BT) {
    a = rd<T>(at);
    if (load<u32>(FAULT)) return 0;
  } else {
    const h = rw<T>(at);
    if (!h) return 0;
    a = load<T>(h);
    store<T>(h, changed<T>(k, a, i));
    if (rmwFailed()) return 0;
  }
  const set = (<u64> a >> i) & 1;
  setCF(set);
  return k == BTS && set && rFlags(p) & RF_LOCK ? spin(p) : p + REC;
}

/** The immediate form stays inside the operand. */
function btMI<T, K>(p: usize): usize {
  return btM<T, K>(p, rImm8(p) & (sizeof<T>() * 8 - 1));
}

function registerBt<K>(): void {
  const k = num<K>();
  const lock: u32 = k == BT ? 0 : LOCKOK;
  def(M_0F, 0xa3 + (k << 3), MODRM | SZ_V | lock);
  v3r(
    (p) => btR<u16>(p, num<K>(), load<u32>(rReg(p))),
    (p) => btR<u32>(p, num<K>(), load<u32>(rReg(p))),
    (p) => btR<u64>(p, num<K>(), load<u32>(rReg(p))),
  );
  v3m(
    (p) => btM<u16, K>(p, load<i16>(rReg(p))),
    (p) => btM<u32, K>(p, load<i32>(rReg(p))),
    (p) => btM<u64, K>(p, load<i64>(rReg(p))),
  );
  grp(M_0F, 0xba, 4 + k, SZ_V | IMM_B | lock);
  v3r(
    (p) => btR<u16>(p, num<K>(), rImm8(p)),
    (p) => btR<u32>(p, num<K>(), rImm8(p)),
    (p) => btR<u64>(p, num<K>(), rImm8(p)),
  );
  v3m(
    (p) => btMI<u16, K>(p),
    (p) => btMI<u32, K>(p),
    (p) => btMI<u64, K>(p),
  );
}

// --- scans and counts

/** BSF and BSR of 0 leave the destination as it is. */
@inline
function scan<T>(p: usize, reverse: bool): usize {
  const v = ldRM<T>(p);
  if (load<u32>(FAULT)) return 0;
  if (v != 0) {
    setReg<T>(
      rReg(p),
      <T> (reverse ? 63 - clz<u64>(<u64> v) : ctz<u64>(<u64> v)),
    );
  }
  setZF(v == 0);
  return p + REC;
}

@inline
function count<T>(p: usize, leading: bool): usize {
  const v = ldRM<T>(p);
  if (load<u32>(FAULT)) return 0;
  const w: u32 = sizeof<T>() * 8;
  const n: u32 = leading
    ? <u32> clz<u64>(<u64> v) - (64 - w)
    : v == 0
    ? w
    : <u32> ctz<u64>(<u64> v);
  setReg<T>(rReg(p), <T> n);
  setArith((v == 0 ? 1 : 0) | (n == 0 ? 0x40 : 0));
  return p + REC;
}

@inline
function popcnt_<T>(p: usize): usize {
  const v = ldRM<T>(p);
  if (load<u32>(FAULT)) return 0;
  setReg<T>(rReg(p), <T> popcnt<u64>(<u64> v));
  setArith(v == 0 ? 0x40 : 0);
  return p + REC;
}

// --- CRC32: the Castagnoli polynomial, bits reflected

function crc(c: u32, v: u64, bytes: u32): u64 {
  for (let i: u32 = 0; i < bytes; i++) {
    c ^= <u32> v & 0xff;
    v >>= 8;
    for (let b = 0; b < 8; b++) c = (c >> 1) ^ (c & 1 ? 0x82f63b78 : 0);
  }
  return c;
}

@inline
function crc32<T>(p: usize): usize {
  const v = ldRM<T>(p);
  if (load<u32>(FAULT)) return 0;
  store<u64>(rReg(p), crc(load<u32>(rReg(p)), <u64> v, sizeof<T>()));
  return p + REC;
}

// --- ADCX (through CF) and ADOX (through OF)

@inline
function adx<T>(p: usize, overflow: bool): usize {
  const b = ldRM<T>(p);
  if (load<u32>(FAULT)) return 0;
  const a = load<T>(rReg(p));
  const c = overflow ? <u64> getOF() : getCF();
  const r = <T> (a + b + <T> c);
  const out: u64 = c ? <u64> (r <= a) : <u64> (r < a);
  setReg<T>(rReg(p), r);
  if (overflow) setCFOF(getCF(), out);
  else setCF(out);
  return p + REC;
}

export function registerBits(): void {
  registerBt<N0>();
  registerBt<N1>();
  registerBt<N2>();
  registerBt<N3>();
  def(M_0F, 0xbc, MODRM | SZ_V);
  v3(
    (p) => scan<u16>(p, false),
    (p) => scan<u32>(p, false),
    (p) => scan<u64>(p, false),
  );
  def(M_0F, 0xbd, MODRM | SZ_V);
  v3(
    (p) => scan<u16>(p, true),
    (p) => scan<u32>(p, true),
    (p) => scan<u64>(p, true),
  );
  def(M_0F, 0xbc, MODRM | SZ_V | P_F3);
  v3(
    (p) => count<u16>(p, false),
    (p) => count<u32>(p, false),
    (p) => count<u64>(p, false),
  );
  def(M_0F, 0xbd, MODRM | SZ_V | P_F3);
  v3(
    (p) => count<u16>(p, true),
    (p) => count<u32>(p, true),
    (p) => count<u64>(p, true),
  );
  def(M_0F, 0xb8, MODRM | SZ_V | P_F3);
  v3(
    (p) => popcnt_<u16>(p),
    (p) => popcnt_<u32>(p),
    (p) => popcnt_<u64>(p),
  );
  def(M_0F38, 0xf0, MODRM | SZ_B | RM8 | P_F2);
  hx(0, (p) => crc32<u8>(p));
  def(M_0F38, 0xf1, MODRM | SZ_V | P_F2);
  v3((p) => crc32<u16>(p), (p) => crc32<u32>(p), (p) => crc32<u64>(p));
  def(M_0F38, 0xf6, MODRM | SZ_Y | P_66);
  hx(2, (p) => adx<u32>(p, false));
  hx(3, (p) => adx<u64>(p, false));
  def(M_0F38, 0xf6, MODRM | SZ_Y | P_F3);
  hx(2, (p) => adx<u32>(p, true));
  hx(3, (p) => adx<u64>(p, true));
}
