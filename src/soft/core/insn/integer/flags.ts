// Instructions that set single flags: CLC STC CMC CLD STD LAHF SAHF, and CLI
// STI with their IOPL, virtual-8086 (VME) and protected-mode virtual interrupt
// (PVI) rules (SDM vol. 2; vol. 3, "Virtual Interrupts").
import { arithFlags, getCF, setArith, setCF } from "../../cpu/flags";
import { CPL, EFL, RAX, SHADOWNEW } from "../../layout";
import { virtualInterrupts } from "../../cpu/mode";
import { def, hr, M_ONE, SZ_B } from "../../code/optable";
import { REC } from "../../code/record";
import { leave } from "../../code/ip";
import { wantInterrupts } from "../../cpu/recheck";
import { gp0 } from "../../cpu/fault";
import {
  RFLAGS_ARITHMETIC,
  RFLAGS_CLEAR,
  RFLAGS_DF,
  RFLAGS_IF,
  RFLAGS_IOPL,
  RFLAGS_OF,
  RFLAGS_VIF,
  RFLAGS_VIP,
} from "../../x86/flags";

/** Whether IF itself may change at this privilege. */
function mayChangeIf(): bool {
  return load<u8>(CPL) <= (load<u32>(EFL) & RFLAGS_IOPL) >> 12;
}

function cli(p: usize): usize {
  const f = load<u32>(EFL);
  if (mayChangeIf()) store<u32>(EFL, f & ~RFLAGS_IF);
  else if (virtualInterrupts()) store<u32>(EFL, f & ~RFLAGS_VIF);
  else return gp0();
  return p + REC;
}

function sti(p: usize): usize {
  const f = load<u32>(EFL);
  if (mayChangeIf()) {
    if (f & RFLAGS_IF) return p + REC;
    store<u32>(EFL, f | RFLAGS_IF);
    store<u8>(SHADOWNEW, 1);
    wantInterrupts();
    return leave(p);
  }
  if (!virtualInterrupts() || f & RFLAGS_VIP) return gp0();
  store<u32>(EFL, f | RFLAGS_VIF);
  return p + REC;
}

export function registerFlags(): void {
  def(M_ONE, 0xf8, SZ_B);
  hr(0, (p) => {
    setCF(0);
    return p + REC;
  });
  def(M_ONE, 0xf9, SZ_B);
  hr(0, (p) => {
    setCF(1);
    return p + REC;
  });
  def(M_ONE, 0xf5, SZ_B);
  hr(0, (p) => {
    setCF(getCF() ^ 1);
    return p + REC;
  });
  def(M_ONE, 0xfc, SZ_B);
  hr(0, (p) => {
    store<u32>(EFL, load<u32>(EFL) & ~RFLAGS_DF);
    return p + REC;
  });
  def(M_ONE, 0xfd, SZ_B);
  hr(0, (p) => {
    store<u32>(EFL, load<u32>(EFL) | RFLAGS_DF);
    return p + REC;
  });
  def(M_ONE, 0x9f, SZ_B);
  hr(0, (p) => {
    store<u8>(RAX, <u8> (arithFlags() | RFLAGS_CLEAR), 1);
    return p + REC;
  });
  def(M_ONE, 0x9e, SZ_B);
  hr(0, (p) => {
    setArith(
      (arithFlags() & RFLAGS_OF) | (load<u8>(RAX, 1) & <u8> RFLAGS_ARITHMETIC),
    );
    return p + REC;
  });
  def(M_ONE, 0xfa, SZ_B);
  hr(0, cli);
  def(M_ONE, 0xfb, SZ_B);
  hr(0, sti);
}
