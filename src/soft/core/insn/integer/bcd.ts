// Decimal adjustments, outside 64-bit code only: DAA DAS AAA AAS AAM AAD (SDM
// vol. 2). Flags the manual leaves undefined are 0, except where the result
// defines them.
import { raise } from "../../cpu/fault";
import { flagsLogic, getAF, getCF, setArith } from "../../cpu/flags";
import { RAX } from "../../layout";
import { def, hr, IMM_B, INV64, M_ONE, SZ_B } from "../../code/optable";
import { REC, rImm8 } from "../../code/record";
import { Vector } from "../../x86/vectors";
import { RFLAGS_AF, RFLAGS_CF, RFLAGS_SF, RFLAGS_ZF } from "../../x86/flags";

/** Sets ZF, SF and PF from al, with AF and CF as given. */
function adjusted(al: u32, af: bool, cf: bool): void {
  al &= 0xff;
  setArith(
    (al == 0 ? RFLAGS_ZF : 0) | (al & 0x80 ? RFLAGS_SF : 0) |
      (popcnt<u32>(al) & 1 ? 0 : 4) | (af ? RFLAGS_AF : 0) |
      (cf ? RFLAGS_CF : 0),
  );
}

function daa(p: usize): usize {
  const old: u32 = load<u8>(RAX);
  const carry = getCF() != 0;
  let al = old;
  const low = (old & 15) > 9 || getAF();
  if (low) al += 6;
  const high = old > 0x99 || carry;
  if (high) al += 0x60;
  store<u8>(RAX, <u8> al);
  adjusted(al, low, high);
  return p + REC;
}

function das(p: usize): usize {
  const old: u32 = load<u8>(RAX);
  let carry = getCF() != 0;
  const high = old > 0x99 || carry;
  let al = old;
  const low = (old & 15) > 9 || getAF();
  if (low) {
    carry = carry || old < 6;
    al -= 6;
  }
  if (high) {
    al -= 0x60;
    carry = true;
  }
  store<u8>(RAX, <u8> al);
  adjusted(al, low, carry);
  return p + REC;
}

function aaa(p: usize): usize {
  const adjust = (load<u8>(RAX) & 15) > 9 || getAF();
  if (adjust) store<u16>(RAX, load<u16>(RAX) + 0x106);
  store<u8>(RAX, load<u8>(RAX) & 15);
  adjusted(load<u8>(RAX), adjust, adjust);
  return p + REC;
}

function aas(p: usize): usize {
  const adjust = (load<u8>(RAX) & 15) > 9 || getAF();
  if (adjust) store<u16>(RAX, load<u16>(RAX) - 0x106);
  store<u8>(RAX, load<u8>(RAX) & 15);
  adjusted(load<u8>(RAX), adjust, adjust);
  return p + REC;
}

function aam(p: usize): usize {
  const base = rImm8(p);
  if (base == 0) return raise(Vector.DE);
  const al: u32 = load<u8>(RAX);
  store<u8>(RAX, <u8> (al / base), 1);
  store<u8>(RAX, <u8> (al % base));
  flagsLogic<u8>(load<u8>(RAX));
  return p + REC;
}

function aad(p: usize): usize {
  const al: u32 = load<u8>(RAX) + load<u8>(RAX, 1) * rImm8(p);
  store<u16>(RAX, <u16> (al & 0xff));
  flagsLogic<u8>(<u8> al);
  return p + REC;
}

export function registerBcd(): void {
  def(M_ONE, 0x27, SZ_B | INV64);
  hr(0, daa);
  def(M_ONE, 0x2f, SZ_B | INV64);
  hr(0, das);
  def(M_ONE, 0x37, SZ_B | INV64);
  hr(0, aaa);
  def(M_ONE, 0x3f, SZ_B | INV64);
  hr(0, aas);
  def(M_ONE, 0xd4, SZ_B | IMM_B | INV64);
  hr(0, aam);
  def(M_ONE, 0xd5, SZ_B | IMM_B | INV64);
  hr(0, aad);
}
