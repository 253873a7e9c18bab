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
import { DeliveryMode, Icr, Lvt, Svr } from "../../../x86/lapic.ts";

const VECTOR = 0xff;
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
      svr & Svr.Enabled ? "enabled" : "disabled"
    }, focus=${svr & Svr.FocusOff ? "on" : "off"}, spurious vec ` +
    `${svr & VECTOR}\n` +
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
    : value & Lvt.Periodic
    ? "periodic"
    : value & Lvt.TscDeadline
    ? "tsc-deadline"
    : "one-shot";
  return `${name}\t 0x${hex(value, 8)} ` + [
    value & Lvt.ActiveLow ? "active-lo" : "active-hi",
    (value & Lvt.Level ? "level" : "edge").padEnd(5),
    (value & Lvt.Masked ? "masked" : "").padEnd(6),
    (value & Lvt.Pending ? "pending" : "").padEnd(7),
    timer.padEnd(12),
    MODES[mode].padEnd(6),
  ].join(" ") +
    (mode === DeliveryMode.Nmi ? "\n" : ` (vec ${value & VECTOR})\n`);
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
  const logical = (low & Icr.Logical) !== 0;
  const shorthand = low >> 18 & 3;
  const text = `ICR\t 0x${hex(low, 8)} ${logical ? "logical" : "physical"} ` +
    `${low & Icr.Level ? "level" : "edge"} ` +
    `${low & Icr.Assert ? "assert" : "de-assert"} ${SHORTHANDS[shorthand]}\n` +
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
