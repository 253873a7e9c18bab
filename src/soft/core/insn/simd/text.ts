// SSE4.2 string compares: PCMPESTRM PCMPESTRI PCMPISTRM PCMPISTRI. Source: SDM
// vol. 2, section "Imm8 Control Byte Operation for PCMPESTRI / ...".
import { setArith } from "../../cpu/flags";
import { RAX, RCX, RDX, XMM } from "../../layout";
import { all, def, IMM_B, M_0F3A, MODRM, P_66 } from "../../code/optable";
import { REC, RF_REXW, rFlags, rImm8, rOpcode } from "../../code/record";
import { source16u, sseReady, xmmReg } from "./operands";
import { RFLAGS_CF, RFLAGS_OF, RFLAGS_SF, RFLAGS_ZF } from "../../x86/flags";

function element(at: usize, i: u32, imm: u32): i32 {
  switch (imm & 3) {
    case 0:
      return load<u8>(at + i);
    case 1:
      return load<u16>(at + (i << 1));
    case 2:
      return load<i8>(at + i);
    default:
      return load<i16>(at + (i << 1));
  }
}

/** Length from EAX/EDX (RAX/RDX with REX.W): its magnitude, at most n. */
function explicit(cell: usize, wide: bool, n: u32): u32 {
  const v = wide ? load<i64>(cell) : <i64> load<i32>(cell);
  if (v == i64.MIN_VALUE) return n;
  const m = v < 0 ? -v : v;
  return m > <i64> n ? n : <u32> m;
}

/** Length up to the first zero element. */
function implicit(at: usize, n: u32, imm: u32): u32 {
  for (let i: u32 = 0; i < n; i++) if (element(at, i, imm) == 0) return i;
  return n;
}

function compare(p: usize): usize {
  if (!sseReady()) return 0;
  const s = source16u(p);
  if (s == 0) return 0;
  const d = xmmReg(p);
  const imm = rImm8(p);
  const op = rOpcode(p);
  const n: u32 = imm & 1 ? 8 : 16;
  const wide = (rFlags(p) & RF_REXW) != 0;
  const ld = op <= 0x61 ? explicit(RAX, wide, n) : implicit(d, n, imm);
  const ls = op <= 0x61 ? explicit(RDX, wide, n) : implicit(s, n, imm);
  let r: u32 = 0;
  const mode = (imm >> 2) & 3;
  for (let j: u32 = 0; j < n; j++) {
    let bit = false;
    if (mode == 0) { // equal any
      if (j < ls) {
        for (let i: u32 = 0; i < ld; i++) {
          if (element(d, i, imm) == element(s, j, imm)) bit = true;
        }
      }
    } else if (mode == 1) { // ranges
      if (j < ls) {
        const c = element(s, j, imm);
        for (let i: u32 = 0; i + 1 < ld; i += 2) {
          if (element(d, i, imm) <= c && c <= element(d, i + 1, imm)) {
            bit = true;
          }
        }
      }
    } else if (mode == 2) { // equal each
      bit = j < ls && j < ld
        ? element(d, j, imm) == element(s, j, imm)
        : j >= ls && j >= ld;
    } else { // equal ordered: d occurs in s at j
      bit = true;
      for (let i: u32 = 0; i < ld && i + j < n; i++) {
        if (i + j >= ls || element(d, i, imm) != element(s, i + j, imm)) {
          bit = false;
          break;
        }
      }
    }
    if (bit) r |= 1 << j;
  }
  const all_: u32 = (1 << n) - 1;
  if (imm & 0x10) {
    if (imm & 0x20) r ^= (1 << ls) - 1; // only valid elements of the source
    else r ^= all_;
  }
  r &= all_;
  if (op & 1) { // index to ECX
    const i = r == 0 ? n : imm & 0x40 ? 31 - clz(r) : ctz(r);
    store<u64>(RCX, <u64> i);
  } else if (imm & 0x40) {
    for (let i: u32 = 0; i < n; i++) {
      if (n == 16) store<u8>(XMM + i, (r >> i) & 1 ? 0xff : 0);
      else store<u16>(XMM + (i << 1), (r >> i) & 1 ? 0xffff : 0);
    }
  } else {
    store<u64>(XMM, <u64> r);
    store<u64>(XMM, 0, 8);
  }
  setArith(
    (r ? RFLAGS_CF : 0) | (ls < n ? RFLAGS_ZF : 0) | (ld < n ? RFLAGS_SF : 0) |
      (r & 1 ? RFLAGS_OF : 0),
  );
  return p + REC;
}

export function registerSimdText(): void {
  for (let op: u32 = 0x60; op <= 0x63; op++) {
    def(M_0F3A, op, MODRM | IMM_B | P_66);
    all((p) => compare(p));
  }
}
