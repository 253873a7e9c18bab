/**
 * `info registers` of QEMU's monitor.
 * Source of facts: QEMU 7.2's monitor, asked; Intel SDM 3, tables 3-1 and 3-2 for
 * the types of segments.
 */
import { Reg } from "../../../../ffi/registers.ts";
import { INTERRUPT_SHADOW } from "../../../../ffi/values.ts";
import type { MonitorContext } from "../command.ts";
import { registerNumber } from "../../guest/registers.ts";
import type { Vcpu } from "../../guest/vcpu.ts";
import type { GuestState } from "../../guest/state.ts";
import {
  ACCESSED,
  BIG,
  CODE,
  CODE_OR_DATA,
  codeBitsOf,
  CONFORMING_OR_DOWN,
  dplOf,
  encodeDescriptor,
  PRESENT,
  READ_OR_WRITE,
  type Segment,
} from "../../../x86/segments.ts";
import { RFLAGS_FIELDS } from "../../../x86/flags.ts";

const FLAGS: readonly (readonly [string, number])[] = [
  ["D", RFLAGS_FIELDS.DF],
  ["O", RFLAGS_FIELDS.OF],
  ["S", RFLAGS_FIELDS.SF],
  ["Z", RFLAGS_FIELDS.ZF],
  ["A", RFLAGS_FIELDS.AF],
  ["P", RFLAGS_FIELDS.PF],
  ["C", RFLAGS_FIELDS.CF],
];
const SYSTEM32 =
  "Reserved TSS16-avl LDT TSS16-busy CallGate16 TaskGate IntGate16 TrapGate16 " +
  "Reserved TSS32-avl Reserved TSS32-busy CallGate32 Reserved IntGate32 TrapGate32";
const SYSTEM64 =
  "<hiword> Reserved LDT Reserved Reserved Reserved Reserved Reserved " +
  "Reserved TSS64-avl Reserved TSS64-busy CallGate64 Reserved IntGate64 TrapGate64";

const hex = (value: bigint | number, digits: number) =>
  value.toString(16).padStart(digits, "0");
/** As wide as the mode shows it. */
const address = (value: bigint, wide: boolean) =>
  wide ? hex(value, 16) : hex(value & 0xffffffffn, 8);

/** One processor, or (`-a`) all of them. */
export function showRegisters(
  target: MonitorContext,
  processors: readonly number[],
): string {
  target.course.needStopped();
  return processors.map((processor) => {
    const v = target.guest.vcpus[processor];
    v.read();
    return `\nCPU#${processor}\n` + general(v) + system(v) +
      floating(target.state, v);
  }).join("");
}

function general(v: Vcpu): string {
  const wide = v.codeBits === 64;
  const names = wide
    ? [
      ..."RAX RBX RCX RDX RSI RDI RBP RSP".split(" "),
      ..."R8 R9 R10 R11 R12 R13 R14 R15".split(" "),
    ]
    : "EAX EBX ECX EDX ESI EDI EBP ESP".split(" ");
  const of = (name: string) =>
    v.get(name[0] === "E" ? Reg.Rax + ORDER[name.slice(1)] : numberOf(name));
  let text = "";
  names.forEach((name, i) => {
    const value = of(name);
    text += `${name.padEnd(3)}=${address(value, wide)}${
      i % 4 === 3 ? "\n" : " "
    }`;
  });
  const flags = FLAGS.map(([letter, bit]) =>
    v.rflags >> BigInt(bit) & 1n ? letter : "-"
  ).join("");
  const shadow = (v.interruptState & INTERRUPT_SHADOW) === 0n ? 0 : 1;
  return text +
    `${wide ? "R" : "E"}IP=${address(v.rip, wide)} ` +
    `${wide ? "R" : "E"}FL=${
      hex(v.rflags, 8)
    } [${flags}] CPL=${v.cpl} II=${shadow} A20=1 SMM=0 ` +
    `HLT=${v.halted || v.waitsForSipi ? 1 : 0}\n`;
}

/** Numbers of the eight oldest registers. */
const ORDER: Readonly<Record<string, number>> = {
  AX: 0,
  CX: 1,
  DX: 2,
  BX: 3,
  SP: 4,
  BP: 5,
  SI: 6,
  DI: 7,
};

function numberOf(name: string): number {
  const old = ORDER[name.slice(1)];
  return Reg.Rax + (old ?? Number(name.slice(1)));
}

function system(v: Vcpu): string {
  const wide = v.longMode;
  let text = "";
  const segments = "ES CS SS DS FS GS LDT TR".split(" ");
  const at = [
    ...[Reg.Es, Reg.Cs, Reg.Ss, Reg.Ds, Reg.Fs, Reg.Gs],
    ...[Reg.Ldtr, Reg.Tr],
  ];
  segments.forEach((name, i) => {
    text += segment(v, name, v.getSegment(at[i]));
  });
  for (
    const [name, register] of [["GDT", Reg.Gdtr], ["IDT", Reg.Idtr]] as const
  ) {
    const { base, limit } = v.getTable(register);
    text += `${name}=     ${address(base, wide)} ${hex(limit, 8)}\n`;
  }
  text += `CR0=${hex(v.cr0, 8)} CR2=${address(v.get(Reg.Cr2), wide)} ` +
    `CR3=${address(v.cr3, wide)} CR4=${hex(v.cr4, 8)}\n`;
  const debug = (name: number) => hex(v.get(name), 16);
  for (let i = 0; i < 4; i++) text += `DR${i}=${debug(Reg.Dr0 + i)} `;
  return `${text}\nDR6=${debug(Reg.Dr6)} DR7=${debug(Reg.Dr7)}\n` +
    `EFER=${hex(v.efer, 16)}\n`;
}

function segment(v: Vcpu, name: string, s: Segment): string {
  const { attributes } = s;
  const usable = (attributes & PRESENT) !== 0;
  // As in a descriptor's second word.
  const [, flags] = encodeDescriptor({ ...s, base: 0 });
  const text = `${name.padEnd(3)}=${hex(s.selector, 4)} ` +
    `${address(s.base, v.codeBits === 64)} ${hex(s.limit, 8)} ` +
    hex(flags, 8);
  if (!v.protectedMode || !usable) return `${text}\n`;
  return `${text} DPL=${dplOf(attributes)} ${kind(v, attributes)}\n`;
}

function kind(v: Vcpu, attributes: number): string {
  const letter = (bit: number, shown: string) =>
    (attributes & bit) === 0 ? "-" : shown;
  if ((attributes & CODE_OR_DATA) === 0) {
    return (v.longMode ? SYSTEM64 : SYSTEM32).split(" ")[attributes & 15];
  }
  const last = letter(ACCESSED, "A");
  if ((attributes & CODE) !== 0) {
    return `CS${codeBitsOf(attributes, true)} [${
      letter(CONFORMING_OR_DOWN, "C")
    }` +
      `${letter(READ_OR_WRITE, "R")}${last}]`;
  }
  const name = (attributes & BIG) !== 0 || v.longMode ? "DS  " : "DS16";
  return `${name} [${letter(CONFORMING_OR_DOWN, "E")}` +
    `${letter(READ_OR_WRITE, "W")}${last}]`;
}

const FCTRL = registerNumber("fctrl"), FSTAT = registerNumber("fstat");
const FTAG = registerNumber("ftag"), MXCSR = registerNumber("mxcsr");
const ST0 = registerNumber("st0"), XMM0 = registerNumber("xmm0");

/** The x87's registers are shown in their places, not from the top. */
function floating(state: GuestState, v: Vcpu): string {
  const bytes = new Uint8Array(16);
  const read = (number: number) => {
    state.readRegisters(v.index, number, 1, bytes);
    return new DataView(bytes.buffer);
  };
  const status = read(FSTAT).getUint16(0, true);
  const top = status >> 11 & 7;
  const tags = read(FTAG).getUint16(0, true);
  let full = 0;
  for (let i = 0; i < 8; i++) if ((tags >> 2 * i & 3) !== 3) full |= 1 << i;
  let text = `FCW=${hex(read(FCTRL).getUint16(0, true), 4)} ` +
    `FSW=${hex(status, 4)} [ST=${top}] FTW=${hex(full, 2)} ` +
    `MXCSR=${hex(read(MXCSR).getUint32(0, true), 8)}\n`;
  for (let i = 0; i < 8; i++) {
    const value = read(ST0 + (i - top & 7));
    text += `FPR${i}=${hex(value.getBigUint64(0, true), 16)} ` +
      `${hex(value.getUint16(8, true), 4)}${i % 2 === 1 ? "\n" : " "}`;
  }
  const count = v.codeBits === 64 ? 16 : 8;
  for (let i = 0; i < count; i++) {
    const value = read(XMM0 + i);
    text += `XMM${String(i).padStart(2, "0")}=` +
      `${hex(value.getBigUint64(8, true), 16)} ` +
      `${hex(value.getBigUint64(0, true), 16)}${i % 2 === 1 ? "\n" : " "}`;
  }
  return text;
}
