/**
 * The I/O interrupt controller Intel 82093AA (datasheet 290566): 24 redirection
 * entries, edge and level triggered, remote IRR cleared by the local APICs' EOI.
 * Wires carry "asserted", so the polarity bit is kept but changes nothing.
 */
import type { EoiListener, InterruptRequest, MmioDevice } from "../device.ts";
import { integer, record, several, type ValueOf } from "../state.ts";
import { StatefulDevice } from "./stateful.ts";
import { DeliveryMode } from "../../x86/lapic.ts";
import { PIC } from "./i8259.ts";
import type { Part } from "./wiring.ts";

/** Guest physical address of the register window. */
export const IOAPIC_BASE = 0xfec00000;
/** Bytes the window covers. */
export const IOAPIC_SIZE = 0x1000;
/** Redirection entries, one for each input. */
export const IOAPIC_INPUTS = 24;
/** As the guest reads it. */
export const IOAPIC_VERSION = 0x11;

const IOREGSEL = 0x00, IOWIN = 0x10;
const IOAPICID = 0, IOAPICVER = 1, IOAPICARB = 2, IOREDTBL = 0x10;

/** Low half of a redirection entry. */
export const Redir = {
  vector: 0xff,
  modeShift: 8,
  logical: 1 << 11,
  pending: 1 << 12,
  activeLow: 1 << 13,
  remoteIrr: 1 << 14,
  level: 1 << 15,
  mask: 1 << 16,
  writable: 0x1afff,
} as const;

const STATE = record({
  select: integer(0),
  id: integer(0),
  /** Asserted inputs. Input 2, the timer's, is high from power-on. */
  lines: integer(1 << 2),
  low: several(IOAPIC_INPUTS, integer(Redir.mask)),
  high: several(IOAPIC_INPUTS, integer(0)),
});

/** What the IOAPIC is wired to. */
export interface IoApicWiring {
  requestInterrupt(request: InterruptRequest): void;
  /** The INTA cycle of an entry in ExtINT mode: the PIC's vector. */
  extIntVector(): number;
}

/** Its registers are in one page. */
export const IOAPIC = {
  name: "ioapic",
  memory: [IOAPIC_BASE, IOAPIC_SIZE],
  make: ({ requestInterrupt, device }) =>
    new IoApic({
      requestInterrupt,
      extIntVector: () => device(PIC).acknowledge(),
    }),
} as const satisfies Part;

/** The IOAPIC. Messages leave when a wire changes: nothing is wired to its state. */
export class IoApic extends StatefulDevice<ValueOf<typeof STATE>>
  implements MmioDevice, EoiListener {
  readonly #wiring: IoApicWiring;

  constructor(wiring: IoApicWiring) {
    super(IOAPIC, STATE);
    this.#wiring = wiring;
  }

  /** Drives input `pin`, 0-23; `level` means asserted. */
  setInput(pin: number, level: boolean): void {
    const s = this.state;
    const bit = 1 << pin;
    const was = (s.lines & bit) !== 0;
    if (level === was) return;
    s.lines = level ? s.lines | bit : s.lines & ~bit;
    // An edge on a masked input is lost: the datasheet says so.
    if (level && !(s.low[pin] & Redir.mask)) this.#deliver(pin);
  }

  /** Whether some input can reach a processor that takes no interrupts. */
  get reachesDeaf(): boolean {
    return this.state.low.some((entry) => {
      const mode = (entry >> Redir.modeShift) & 7;
      return !(entry & Redir.mask) &&
        (mode === DeliveryMode.Nmi || mode === DeliveryMode.Init ||
          mode === DeliveryMode.Smi);
    });
  }

  endOfInterrupt(vector: number): void {
    const s = this.state;
    for (let pin = 0; pin < IOAPIC_INPUTS; pin++) {
      if (
        (s.low[pin] & Redir.vector) !== vector ||
        !(s.low[pin] & Redir.remoteIrr)
      ) continue;
      s.low[pin] &= ~Redir.remoteIrr;
      this.#redeliver(pin);
    }
  }

  readMmio(offset: number, size: number): bigint {
    const register = offset & ~3;
    let value = 0;
    if (register === IOREGSEL) value = this.state.select;
    else if (register === IOWIN) value = this.#read(this.state.select);
    const shifted = value >>> (8 * (offset & 3));
    return BigInt(size < 4 ? shifted & ((1 << (8 * size)) - 1) : shifted);
  }

  /** No register changes by being read. */
  peekMmio(offset: number): number {
    return Number(this.readMmio(offset, 4));
  }

  writeMmio(offset: number, _size: number, value: bigint): void {
    if (offset === IOREGSEL) this.state.select = Number(value & 0xffn);
    else if (offset === IOWIN) {
      this.#write(this.state.select, Number(value & 0xffff_ffffn));
    }
  }

  #read(index: number): number {
    const s = this.state;
    if (index === IOAPICID || index === IOAPICARB) return s.id << 24;
    if (index === IOAPICVER) {
      return IOAPIC_VERSION | ((IOAPIC_INPUTS - 1) << 16);
    }
    const pin = (index - IOREDTBL) >> 1;
    if (pin < 0 || pin >= IOAPIC_INPUTS) return 0;
    return index & 1 ? s.high[pin] : s.low[pin];
  }

  #write(index: number, value: number): void {
    const s = this.state;
    if (index === IOAPICID) {
      s.id = (value >>> 24) & 0x0f;
      return;
    }
    const pin = (index - IOREDTBL) >> 1;
    if (pin < 0 || pin >= IOAPIC_INPUTS) return;
    if (index & 1) {
      s.high[pin] = value >>> 0;
      return;
    }
    s.low[pin] = (value & Redir.writable) | (s.low[pin] & Redir.remoteIrr);
    // Software without an EOI register clears remote IRR this way.
    if (!(value & Redir.level)) s.low[pin] &= ~Redir.remoteIrr;
    this.#redeliver(pin);
  }

  /** A level that is still asserted asks again. */
  #redeliver(pin: number): void {
    const s = this.state;
    const entry = s.low[pin];
    if (
      s.lines & (1 << pin) && entry & Redir.level && !(entry & Redir.mask)
    ) this.#deliver(pin);
  }

  #deliver(pin: number): void {
    const s = this.state;
    const entry = s.low[pin];
    let type = (entry >> Redir.modeShift) & 7;
    let vector = entry & Redir.vector;
    let level = (entry & Redir.level) !== 0;
    if (type === DeliveryMode.ExtInt) {
      type = DeliveryMode.Fixed;
      vector = this.#wiring.extIntVector();
      level = false;
    } else if (type === DeliveryMode.Nmi || type === DeliveryMode.Init) {
      level = false; // these are always edges
    } else if (
      type !== DeliveryMode.Fixed && type !== DeliveryMode.LowestPriority
    ) {
      return; // SMI and reserved modes reach nobody
    } else {
      if (vector < 16) return; // the local APIC takes no such vector
      if (level) {
        if (entry & Redir.remoteIrr) return;
        s.low[pin] |= Redir.remoteIrr;
      }
    }
    this.#wiring.requestInterrupt({
      type,
      destinationMode: entry & Redir.logical ? 1 : 0,
      triggerMode: level ? 1 : 0,
      destination: s.high[pin] >>> 24,
      vector,
    });
  }
}
