// XADD, CMPXCHG, CMPXCHG8B, CMPXCHG16B (SDM vol. 2). A compare-exchange writes
// its destination whatever the outcome, so it always needs write permission.
import { flagsAdd, flagsSub, setZF } from "../../cpu/flags";
import { FAULT, RAX, RBX, RCX, RDX } from "../../layout";
import { rd, wr128, writable } from "../../memory/access";
import {
  def,
  grp,
  hm,
  hr,
  LOCKOK,
  M_0F,
  MEMONLY,
  MODRM,
  REG8,
  RM8,
  SZ_B,
  SZ_V,
  SZ_Y,
  v3m,
  v3r,
} from "../../code/optable";
import { REC, rReg, rRm, setReg } from "../../code/record";
import { spin } from "../../cpu/spin";
import { rmwFailed } from "../rmw";
import { eaLinear, rwm } from "../../code/operand";
import { gp0 } from "../../cpu/fault";

@inline
function xaddR<T>(p: usize): usize {
  const to = rRm(p);
  const a = load<T>(to);
  const b = load<T>(rReg(p));
  const r = <T> (a + b);
  setReg<T>(rReg(p), a);
  setReg<T>(to, r);
  flagsAdd<T>(a, b, r);
  return p + REC;
}

@inline
function xaddM<T>(p: usize): usize {
  const h = rwm<T>(p);
  if (!h) return 0;
  const a = load<T>(h);
  const b = load<T>(rReg(p));
  const r = <T> (a + b);
  store<T>(h, r);
  if (rmwFailed()) return 0;
  setReg<T>(rReg(p), a);
  flagsAdd<T>(a, b, r);
  return p + REC;
}

@inline
function cmpxchgR<T>(p: usize): usize {
  const to = rRm(p);
  const acc = load<T>(RAX);
  const a = load<T>(to);
  if (acc == a) setReg<T>(to, load<T>(rReg(p)));
  else setReg<T>(RAX, a);
  flagsSub<T>(acc, a, <T> (acc - a));
  return p + REC;
}

@inline
function cmpxchgM<T>(p: usize): usize {
  const h = rwm<T>(p);
  if (!h) return 0;
  const acc = load<T>(RAX);
  const a = load<T>(h);
  if (acc == a) store<T>(h, load<T>(rReg(p)));
  if (rmwFailed()) return 0;
  if (acc != a) setReg<T>(RAX, a);
  flagsSub<T>(acc, a, <T> (acc - a));
  return acc != a ? spin(p) : p + REC;
}

function cmpxchg8b(p: usize): usize {
  const h = rwm<u64>(p);
  if (!h) return 0;
  const a = load<u64>(h);
  const acc = <u64> load<u32>(RAX) | (<u64> load<u32>(RDX) << 32);
  const equal = a == acc;
  if (equal) {
    store<u64>(h, <u64> load<u32>(RBX) | (<u64> load<u32>(RCX) << 32));
  }
  if (rmwFailed()) return 0;
  if (!equal) {
    store<u64>(RAX, a & 0xffffffff);
    store<u64>(RDX, a >> 32);
  }
  setZF(equal);
  return equal ? p + REC : spin(p);
}

function cmpxchg16b(p: usize): usize {
  const at = eaLinear(p, 16, true);
  if (load<u32>(FAULT)) return 0;
  if (at & 15) return gp0();
  // write permission first: what the access lacks is reported as of a write
  if (!writable(at, 16)) return 0;
  const low = rd<u64>(at);
  if (load<u32>(FAULT)) return 0;
  const high = rd<u64>(at + 8);
  if (load<u32>(FAULT)) return 0;
  const equal = low == load<u64>(RAX) && high == load<u64>(RDX);
  if (equal) wr128(at, load<u64>(RBX), load<u64>(RCX));
  else wr128(at, low, high);
  if (load<u32>(FAULT)) return 0;
  if (!equal) {
    store<u64>(RAX, low);
    store<u64>(RDX, high);
  }
  setZF(equal);
  return equal ? p + REC : spin(p);
}

export function registerAtomic(): void {
  def(M_0F, 0xc0, MODRM | SZ_B | REG8 | RM8 | LOCKOK);
  hr(0, (p) => xaddR<u8>(p));
  hm(0, (p) => xaddM<u8>(p));
  def(M_0F, 0xc1, MODRM | SZ_V | LOCKOK);
  v3r((p) => xaddR<u16>(p), (p) => xaddR<u32>(p), (p) => xaddR<u64>(p));
  v3m((p) => xaddM<u16>(p), (p) => xaddM<u32>(p), (p) => xaddM<u64>(p));
  def(M_0F, 0xb0, MODRM | SZ_B | REG8 | RM8 | LOCKOK);
  hr(0, (p) => cmpxchgR<u8>(p));
  hm(0, (p) => cmpxchgM<u8>(p));
  def(M_0F, 0xb1, MODRM | SZ_V | LOCKOK);
  v3r(
    (p) => cmpxchgR<u16>(p),
    (p) => cmpxchgR<u32>(p),
    (p) => cmpxchgR<u64>(p),
  );
  v3m(
    (p) => cmpxchgM<u16>(p),
    (p) => cmpxchgM<u32>(p),
    (p) => cmpxchgM<u64>(p),
  );
  grp(M_0F, 0xc7, 1, SZ_Y | MEMONLY | LOCKOK);
  hm(2, cmpxchg8b);
  hm(3, cmpxchg16b);
}
