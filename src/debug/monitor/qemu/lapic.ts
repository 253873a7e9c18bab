/**
 * `info lapic` of QEMU's monitor.
 * Source of facts: QEMU 7.2's monitor, asked; Intel SDM 3, chapter 10 for the
 * registers.
 */
import { APIC_STATE } from "../../../../ffi/apic.ts";
import { Reg } from "../../../../ffi/registers.ts";
import { PlatformError } from "../../../platform/errors.ts";
import type { MonitorContext } from "../command.ts";
import { TargetError } from "../../target.ts";
import { APIC_BASE_X2 } from "../../../x86/apic_base.ts";

const Lvt = {
  vector: 0xff,
  pending: 1 << 12,
  low: 1 << 13,
  level: 1 << 15,
  masked: 1 << 16,
  periodic: 1 << 17,
  deadline: 1 << 18,
} as const;
const Icr = { logical: 1 << 11, assert: 1 << 14, level: 1 << 15 } as const;
const Svr = { enabled: 1 << 8, focusOff: 1 << 9 } as const;
const NMI = 4;
/** Of the destination format: every processor has a bit of its own. */
const FLAT = 15;
const MODES = ["Fixed", "...", "SMI", "...", "NMI", "INIT", "...", "ExtINT"];
const SHORTHANDS = ["no-shorthand", "self", "all-self", "all"];

const LVTS = [
  ["LVT0", APIC_STATE.LvtLint0],
  ["LVT1", APIC_STATE.LvtLint1],
  ["LVTPC", APIC_STATE.LvtPerfmon],
  ["LVTERR", APIC_STATE.LvtError],
  ["LVTTHMR", APIC_STATE.LvtThermal],
  ["LVTT", APIC_STATE.LvtTimer],
] as const;

const hex = (value: number, digits: number) =>
  value.toString(16).padStart(digits, "0");

/** `info lapic [APIC-ID]` */
export function showLapic(target: MonitorContext, processor: number): string {
  target.course.needStopped();
  const v = target.guest.vcpus[processor];
  let state: Uint8Array;
  try {
    state = v.getLapic();
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    throw new TargetError("the platform keeps its local APICs to itself");
  }
  const view = new DataView(state.buffer, state.byteOffset, state.byteLength);
  const x2apic = (v.get(Reg.ApicBase) & APIC_BASE_X2) !== 0n;
  const get = (field: { get(view: DataView): number }) => field.get(view);
  const divider = get(APIC_STATE.DivideConfiguration);
  const svr = get(APIC_STATE.Svr);
  const flat = get(APIC_STATE.Dfr) >>> 28;
  const ldr = get(APIC_STATE.Ldr);
  const id = x2apic ? ldr : ldr >>> 24;
  return `dumping local APIC state for CPU ${String(processor).padEnd(2)}\n\n` +
    LVTS.map(([name, field]) => lvt(name, get(field))).join("") +
    `Timer\t DCR=0x${hex(divider, 1)} (divide by ${divisor(divider)}) ` +
    `initial_count = ${get(APIC_STATE.InitialCount)} ` +
    `current_count = ${get(APIC_STATE.CurrentCount)}\n` +
    `SPIV\t 0x${hex(svr, 8)} APIC ${
      svr & Svr.enabled ? "enabled" : "disabled"
    }, focus=${svr & Svr.focusOff ? "on" : "off"}, spurious vec ` +
    `${svr & Lvt.vector}\n` +
    icr(
      get(APIC_STATE.IcrLow),
      get(APIC_STATE.IcrHigh),
      flat === FLAT,
      x2apic,
    ) +
    `ESR\t 0x${hex(get(APIC_STATE.Esr), 8)}\n` +
    `ISR\t ${vectors(view, APIC_STATE.Isr0.offset)}\n` +
    `IRR\t ${vectors(view, APIC_STATE.Irr0.offset)}\n\n` +
    `APR 0x${hex(get(APIC_STATE.Apr), 2)} ` +
    `TPR 0x${hex(get(APIC_STATE.Tpr), 2)} DFR 0x${hex(flat, 2)} ` +
    `LDR 0x${hex(id, 2)}${
      flat === FLAT || x2apic ? "" : `(cluster ${id >> 4}: id ${id & 15})`
    } ` +
    `PPR 0x${hex(get(APIC_STATE.Ppr), 2)}\n`;
}

function lvt(name: string, value: number): string {
  const mode = value >> 8 & 7;
  const timer = name !== "LVTT"
    ? ""
    : value & Lvt.periodic
    ? "periodic"
    : value & Lvt.deadline
    ? "tsc-deadline"
    : "one-shot";
  return `${name}\t 0x${hex(value, 8)} ` + [
    value & Lvt.low ? "active-lo" : "active-hi",
    (value & Lvt.level ? "level" : "edge").padEnd(5),
    (value & Lvt.masked ? "masked" : "").padEnd(6),
    (value & Lvt.pending ? "pending" : "").padEnd(7),
    timer.padEnd(12),
    MODES[mode].padEnd(6),
  ].join(" ") + (mode === NMI ? "\n" : ` (vec ${value & Lvt.vector})\n`);
}

/** What the divide configuration divides the clock by. */
function divisor(value: number): number {
  return 1 << ((value & 3 | value >> 1 & 4) + 1 & 7);
}

function icr(
  low: number,
  high: number,
  flat: boolean,
  x2apic: boolean,
): string {
  const logical = (low & Icr.logical) !== 0;
  const shorthand = low >> 18 & 3;
  const text = `ICR\t 0x${hex(low, 8)} ${logical ? "logical" : "physical"} ` +
    `${low & Icr.level ? "level" : "edge"} ` +
    `${low & Icr.assert ? "assert" : "de-assert"} ${SHORTHANDS[shorthand]}\n` +
    `ICR2\t 0x${hex(high, 8)}`;
  if (shorthand !== 0) return `${text}\n`;
  const kind = x2apic ? "X2APIC ID" : "APIC ID";
  const destination = x2apic ? high : high >>> 24;
  if (!logical) return `${text} cpu ${destination} (${kind})\n`;
  const mask = (bits: number) =>
    (destination & (2 ** bits - 1)).toString(2).padStart(bits, "0");
  if (x2apic) {
    return `${text} cluster ${destination >>> 16} mask ${mask(16)} (${kind})\n`;
  }
  return flat
    ? `${text} mask ${mask(8)} (${kind})\n`
    : `${text} cluster ${destination >>> 4} mask ${mask(4)} (${kind})\n`;
}

/** The vectors that are set in eight words, 16 bytes apart. Those of level-triggered
 * interrupts are told from the trigger mode register. */
function vectors(view: DataView, at: number): string {
  const bit = (from: number, vector: number) =>
    view.getUint32(from + (vector >> 5) * 16, true) >>> (vector & 31) & 1;
  let text = "";
  for (let vector = 0; vector < 256; vector++) {
    if (!bit(at, vector)) continue;
    const level = bit(APIC_STATE.Tmr0.offset, vector);
    text += `${vector}${level ? "(level)" : ""} `;
  }
  return text === "" ? "(none)" : text;
}
