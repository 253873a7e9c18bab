/**
 * One counter of the Intel 8254 (datasheet 231164): what OUT and the count are
 * after so many clock pulses, in each of the six modes. Nothing counts here: the
 * state says when the count was loaded, the rest is arithmetic, so a counter
 * costs nothing while nobody looks. All times are in input clocks ("ticks") since
 * power-on.
 */
import { flag, integer, record, type ValueOf } from "../state.ts";

/** Bits of the control word and of the status byte. */
export const Control = {
  bcd: 0x01,
  modeShift: 1,
  rwShift: 4,
  nullCount: 0x40,
  out: 0x80,
} as const;

/** What RW in the control word says about the order of bytes. */
export const Rw = { latch: 0, low: 1, high: 2, both: 3 } as const;

/** The state of one counter; after power-on no control word has come. */
export const channel = (gate: boolean) =>
  record({
    // OUT is high in mode 3: no edge until the guest asks for one.
    mode: integer(3),
    bcd: flag(false),
    rw: integer(Rw.both),
    gate: flag(gate),
    /** The count in use: 1-65536 (10000 in BCD); 0 when none was written. */
    reload: integer(0),
    /** A count written in mode 2 or 3, used from tick `nextAt` on; else 0. */
    next: integer(0),
    nextAt: integer(0),
    /** A count written and waiting for a trigger (modes 1 and 5); else 0. */
    armed: integer(0),
    /** Whether a count is being counted: loaded and, in 1 and 5, triggered. */
    loaded: flag(false),
    /** Tick of the load; while the gate holds the counter, ticks done by then. */
    start: integer(0),
    /** Cycles that were over by `start`, in modes 2 and 3. */
    cycles: integer(0),
    held: flag(false),
    /** First of two bytes written, -1 when none. */
    firstByte: integer(-1),
    readHigh: flag(false),
    latchedCount: integer(-1),
    latchedHigh: flag(false),
    latchedStatus: integer(-1),
  });

/** A counter's state. */
export type Channel = ValueOf<ReturnType<typeof channel>>;

/** Takes the pending count of modes 2 and 3 over once its time has come. */
export function settle(c: Channel, now: number): void {
  if (c.next > 0 && c.loaded && !c.held && now >= c.nextAt) {
    c.cycles += (c.nextAt - c.start) / c.reload;
    c.reload = c.next;
    c.start = c.nextAt;
    c.next = 0;
  }
}

/** Ticks counted since the load; negative in the tick before it. */
function elapsed(c: Channel, now: number): number {
  return c.held ? c.start : now - c.start;
}

/** The OUT pin at tick `now`. */
export function out(c: Channel, now: number): boolean {
  settle(c, now);
  if (!c.loaded) return c.mode !== 0;
  const e = elapsed(c, now);
  switch (c.mode) {
    case 0:
    case 1:
      return e >= c.reload;
    case 2:
      return !c.gate || e < 0 || e % c.reload !== c.reload - 1;
    case 3:
      return !c.gate || e < 0 || e % c.reload < Math.ceil(c.reload / 2);
    default: // 4, 5: low for the one tick at which the count expires
      return e !== c.reload;
  }
}

/** Whether OUT rises again and again. */
export function isPeriodic(c: Channel): boolean {
  return (c.mode === 2 || c.mode === 3) && c.loaded && !c.held;
}

/** How often OUT of a periodic counter has risen by tick `now`: at each cycle's end. */
export function rises(c: Channel, now: number): number {
  settle(c, now);
  return c.cycles + Math.floor(Math.max(0, now - c.start) / c.reload);
}

/** The tick after `now` at which OUT of a periodic counter rises. */
export function nextRise(c: Channel, now: number): number {
  const risen = rises(c, now) - c.cycles;
  return c.start + (risen + 1) * c.reload;
}

/** The next tick after `now` at which OUT changes, or null. */
export function nextChange(c: Channel, now: number): number | null {
  settle(c, now);
  if (!c.loaded || c.held) return null;
  const e = elapsed(c, now);
  const cycle = Math.max(0, Math.floor(e / c.reload)) * c.reload;
  switch (c.mode) {
    case 0:
    case 1:
      return e < c.reload ? c.start + c.reload : null;
    case 2: {
      const low = cycle + c.reload - 1;
      return c.start + (e < low ? low : low + 1);
    }
    case 3: {
      const half = cycle + Math.ceil(c.reload / 2);
      return c.start + (e < half ? half : cycle + c.reload);
    }
    default:
      if (e < c.reload) return c.start + c.reload;
      return e === c.reload ? c.start + c.reload + 1 : null;
  }
}

/** The counting element as the guest reads it (BCD where that is chosen). */
export function count(c: Channel, now: number): number {
  settle(c, now);
  const modulus = c.bcd ? 10000 : 0x10000;
  const e = Math.max(0, elapsed(c, now));
  let value = c.reload;
  if (c.loaded) {
    if (c.mode === 2) value = c.reload - e % c.reload;
    else if (c.mode === 3) {
      // Counts by two, from an even number, once for each half cycle.
      const high = Math.ceil(c.reload / 2);
      const phase = e % c.reload;
      const inHalf = phase < high ? phase : phase - high;
      value = (c.reload & ~1) - 2 * inHalf;
    } else {
      value = c.reload - e;
    }
  }
  value = ((value % modulus) + modulus) % modulus;
  return c.bcd ? toBcd(value) : value;
}

/** The status byte of the read-back command. */
export function status(c: Channel, now: number): number {
  settle(c, now);
  const nullCount = c.reload === 0 || c.next > 0 || c.armed > 0 ||
    (c.loaded && !c.held && now < c.start);
  return (out(c, now) ? Control.out : 0) |
    (nullCount ? Control.nullCount : 0) |
    (c.rw << Control.rwShift) | (c.mode << Control.modeShift) |
    (c.bcd ? Control.bcd : 0);
}

/** A control word for this counter (not a latch command). */
export function program(c: Channel, control: number): void {
  const mode = (control >> Control.modeShift) & 7;
  Object.assign(c, channel(c.gate).initial(), {
    mode: mode > 5 ? mode - 4 : mode, // bit 2 is "don't care" in modes 2 and 3
    bcd: (control & Control.bcd) !== 0,
    rw: (control >> Control.rwShift) & 3,
  });
}

/** A byte of the count is written. */
export function writeByte(c: Channel, byte: number, now: number): void {
  if (c.rw === Rw.both && c.firstByte < 0) {
    c.firstByte = byte;
    if (c.mode === 0) c.loaded = false; // the first byte stops the counting
    return;
  }
  const raw = c.rw === Rw.low
    ? byte
    : c.rw === Rw.high
    ? byte << 8
    : c.firstByte | (byte << 8);
  c.firstByte = -1;
  const value = c.bcd ? fromBcd(raw) : raw;
  loadCount(c, value || (c.bcd ? 10000 : 0x10000), now);
}

function loadCount(c: Channel, value: number, now: number): void {
  settle(c, now);
  if (c.mode === 1 || c.mode === 5) {
    c.armed = value;
    if (c.reload === 0) c.reload = value;
    return;
  }
  if ((c.mode === 2 || c.mode === 3) && c.loaded && !c.held) {
    // The cycle under way is finished with the old count.
    const cycles = Math.floor(Math.max(0, now - c.start) / c.reload) + 1;
    c.next = value;
    c.nextAt = c.start + cycles * c.reload;
    return;
  }
  c.reload = value;
  c.next = 0;
  c.loaded = true;
  c.held = !c.gate;
  c.start = c.held ? 0 : now + 1; // the count is taken at the next clock
}

/** The GATE pin changes. */
export function setGate(c: Channel, gate: boolean, now: number): void {
  if (c.gate === gate) return;
  settle(c, now);
  const triggered = c.mode === 1 || c.mode === 5;
  if (gate && triggered && (c.armed > 0 || c.loaded)) {
    if (c.armed > 0) c.reload = c.armed;
    c.armed = 0;
    c.loaded = true;
    c.start = now + 1;
  } else if (c.loaded && !triggered) {
    if (!gate) {
      c.start = Math.max(0, now - c.start);
      c.held = true;
    } else {
      // Modes 0 and 4 go on where they were; 2 and 3 begin anew.
      if (c.mode === 2 || c.mode === 3) {
        if (c.next > 0) c.reload = c.next;
        c.next = 0;
        c.start = now + 1;
      } else {
        c.start = now - c.start;
      }
      c.held = false;
    }
  }
  c.gate = gate;
}

function toBcd(value: number): number {
  return (value % 10) | (Math.floor(value / 10) % 10) << 4 |
    (Math.floor(value / 100) % 10) << 8 | (Math.floor(value / 1000) % 10) << 12;
}

function fromBcd(raw: number): number {
  return (raw & 15) + 10 * ((raw >> 4) & 15) + 100 * ((raw >> 8) & 15) +
    1000 * ((raw >> 12) & 15);
}
