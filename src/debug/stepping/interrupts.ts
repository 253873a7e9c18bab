/**
 * Which interrupt a processor takes before its next instruction: for steps that
 * let interrupts come.
 *
 * Source of facts: Intel SDM 3, 10.8.3 (priorities), 10.8.4 (acceptance).
 */
import { APIC_STATE } from "../../../ffi/apic.ts";
import { INTERRUPT_SHADOW } from "../../../ffi/values.ts";
import { TIMER_GSI } from "../../machine/devices/board.ts";
import { PIT } from "../../machine/devices/i8254.ts";
import { RTC } from "../../machine/devices/rtc.ts";
import type { Machine } from "../../machine/machine.ts";
import { PlatformError } from "../../platform/errors.ts";
import { RFLAGS_IF } from "../../x86/flags.ts";
import { Lvt, Svr } from "../../x86/lapic.ts";
import type { Vcpu } from "../guest/vcpu.ts";

/** Where the PIT and the RTC are at the PICs, and at the IOAPIC. */
const TIMER_IRQS: readonly number[] = [PIT.irq, RTC.irq];
const TIMER_PINS: readonly number[] = [TIMER_GSI, RTC.irq];
const CLASS = 0xf0;

/** Whether a processor (read) takes interrupts now. */
export function takesInterrupts(v: Vcpu): boolean {
  return (v.rflags & RFLAGS_IF) !== 0n &&
    (v.interruptState & INTERRUPT_SHADOW) === 0n &&
    v.pendingVector < 0 && !v.waitsForSipi;
}

/** The vector that a processor's local APIC is about to deliver; -1 if none, and
 * where the platform keeps its local APICs to itself. */
export function apicVector(v: Vcpu): number {
  let state: Uint8Array;
  try {
    state = v.getLapic();
  } catch (error) {
    if (error instanceof PlatformError) return -1;
    throw error;
  }
  const view = new DataView(state.buffer, state.byteOffset, state.byteLength);
  if ((APIC_STATE.Svr.get(view) & Svr.Enabled) === 0) return -1;
  const asked = highest(view, APIC_STATE.Irr0.offset);
  const served = highest(view, APIC_STATE.Isr0.offset);
  const priority = Math.max(
    APIC_STATE.Tpr.get(view) & CLASS,
    served < 0 ? 0 : served & CLASS,
  );
  return asked >= 0 && (asked & CLASS) > priority ? asked : -1;
}

/** Whether the next interrupt of a processor is a timer's: its local APIC's, the PIT's or
 * the RTC's. */
export function timerAsks({ board }: Machine, v: Vcpu): boolean {
  if (v.index === 0 && TIMER_IRQS.includes(board.pic.asking)) return true;
  const vector = apicVector(v);
  if (vector < 0) return false;
  const state = v.getLapic();
  const lvt = APIC_STATE.LvtTimer.get(new DataView(state.buffer));
  return (lvt & Lvt.Masked) === 0 && (lvt & 0xff) === vector ||
    TIMER_PINS.some((pin) => {
      const entry = board.ioapic.shown.low[pin];
      return (entry & Lvt.Masked) === 0 && (entry & 0xff) === vector;
    });
}

/** The highest of 256 bits in eight words, 16 bytes apart; -1 if none is set. */
function highest(view: DataView, at: number): number {
  for (let word = 7; word >= 0; word--) {
    const bits = view.getUint32(at + 16 * word, true);
    if (bits !== 0) return 32 * word + 31 - Math.clz32(bits);
  }
  return -1;
}
