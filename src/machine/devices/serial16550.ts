/**
 * 16550A UART (National Semiconductor PC16550D datasheet): registers, FIFOs,
 * interrupt identification, modem control with loopback. Sending takes no time:
 * a byte leaves as it is written, so the transmitter is always empty. Receiving
 * keeps the datasheet's limits: bytes the guest has no room for wait outside.
 */
import type { Clock, IrqLine, PortDevice } from "../device.ts";
import type { Timer, Timers } from "../timers.ts";
import { flag, integer, queue, record, type ValueOf } from "../state.ts";
import type { Declaration } from "./declaration.ts";
import { StatefulDevice } from "./stateful.ts";
import type { Part } from "./wiring.ts";

/** Register offsets; RBR/THR/IER share theirs with DLL/DLM while DLAB is set. */
const RBR_THR = 0, IER = 1, IIR_FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6;
const SCR = 7;

const Ier = { RDA: 1, THRE: 2, RLS: 4, MS: 8, mask: 0x0f } as const;
const Iir = {
  none: 0x01,
  MS: 0x00,
  THRE: 0x02,
  RDA: 0x04,
  RLS: 0x06,
  CTI: 0x0c,
  fifos: 0xc0,
} as const;
const Fcr = { enable: 1, clearRx: 2, clearTx: 4, kept: 0xc9 } as const;
const Lcr = { break: 0x40, DLAB: 0x80 } as const;
const Mcr = {
  DTR: 1,
  RTS: 2,
  OUT1: 4,
  OUT2: 8,
  loop: 0x10,
  mask: 0x1f,
} as const;
const Lsr = {
  DR: 1,
  OE: 2,
  BI: 0x10,
  THRE: 0x20,
  TEMT: 0x40,
  FIFOERR: 0x80,
} as const;
const Msr = {
  DCTS: 1,
  DDSR: 2,
  TERI: 4,
  DDCD: 8,
  CTS: 0x10,
  DSR: 0x20,
  RI: 0x40,
  DCD: 0x80,
} as const;

/** What is on the other end of the line is there, and ready. */
const LEVELS = Msr.CTS | Msr.DSR | Msr.DCD;

const FIFO_DEPTH = 16;
const TRIGGER_LEVELS = [1, 4, 8, 14];
/** Input clock / 16: the baud rate at divisor 1. */
const BAUD_BASE = 115200;
/** Set in a receive FIFO entry for a character that is a break. */
const BREAK_ENTRY = 0x100;

const STATE = record({
  /** Received characters, oldest first; BREAK_ENTRY marks a break. */
  rx: queue(integer(0)),
  /** Bytes the line holds until the receiver has room. */
  waiting: queue(integer(0)),
  divisor: integer(1),
  ier: integer(0),
  fcr: integer(0),
  lcr: integer(0),
  mcr: integer(0),
  msrDelta: integer(0),
  msrLevels: integer(LEVELS),
  scr: integer(0),
  overrun: flag(false),
  breakSeen: flag(false),
  /** THR became empty and IIR has not been read since. */
  thrEmptied: flag(false),
  /** The character timeout passed and the FIFO has not been read since. */
  timedOut: flag(false),
});

/** Where a UART is wired to. */
export interface SerialWiring {
  irq: IrqLine;
  clock: Clock;
  timers: Timers;
  /** Takes what the guest sends; the array is used again for the next byte. */
  transmit(bytes: Uint8Array): void;
}

/** COM1. */
export const COM1 = {
  name: "serial0",
  ports: [[0x3f8, 8]],
  irq: 4,
  acpi: { name: "COM1", id: "PNP0501", uid: 0 },
  make: ({ irq, clock, timers, serialOut }): Serial16550 =>
    new Serial16550(COM1, {
      irq: irq(),
      clock,
      timers,
      transmit: serialOut,
    }),
} as const satisfies Part;

/** What a UART declares: its ports, in one range. */
interface SerialDeclaration extends Declaration {
  readonly ports: readonly [readonly [base: number, count: 8]];
}

/** One 16550A. */
export class Serial16550 extends StatefulDevice<ValueOf<typeof STATE>>
  implements PortDevice {
  readonly #base: number;
  readonly #wiring: SerialWiring;
  readonly #timeout: Timer;
  readonly #sent = new Uint8Array(1);

  constructor(declaration: SerialDeclaration, wiring: SerialWiring) {
    super(declaration, STATE);
    this.#base = declaration.ports[0][0];
    this.#wiring = wiring;
    this.#timeout = wiring.timers.create(
      declaration.name,
      () => this.#onTimeout(),
    );
    this.rewire();
  }

  /** Bytes arriving on the line, in order. Never lost: they wait for room. */
  receive(bytes: Uint8Array): void {
    const s = this.state;
    for (const byte of bytes) s.waiting.push(byte);
    this.#takeWaiting();
    this.#update();
  }

  /** True while the receiver has not taken everything from the line. */
  get inputWaiting(): boolean {
    return this.state.waiting.length > 0;
  }

  readPort(port: number, size: 1 | 2 | 4): number {
    let value = 0;
    for (let i = 0; i < size; i++) {
      const offset = port - this.#base + i;
      value += (offset <= SCR ? this.#read(offset) : 0xff) * 2 ** (8 * i);
    }
    return value;
  }

  writePort(port: number, size: 1 | 2 | 4, value: number): void {
    for (let i = 0; i < size; i++) {
      const offset = port - this.#base + i;
      if (offset <= SCR) this.#write(offset, (value >>> (8 * i)) & 0xff);
    }
  }

  #read(offset: number): number {
    const s = this.state;
    switch (offset) {
      case RBR_THR:
        if (s.lcr & Lcr.DLAB) return s.divisor & 0xff;
        return this.#readRbr();
      case IER:
        return s.lcr & Lcr.DLAB ? s.divisor >> 8 : s.ier;
      case IIR_FCR: {
        const source = this.#source();
        if (source === Iir.THRE) {
          s.thrEmptied = false;
          this.#update();
        }
        return source | (s.fcr & Fcr.enable ? Iir.fifos : 0);
      }
      case LCR:
        return s.lcr;
      case MCR:
        return s.mcr;
      case LSR: {
        const value = this.#lsr();
        s.overrun = false;
        s.breakSeen = false;
        this.#update();
        return value;
      }
      case MSR: {
        const value = s.msrDelta | s.msrLevels;
        s.msrDelta = 0;
        this.#update();
        return value;
      }
      default:
        return s.scr;
    }
  }

  #write(offset: number, value: number): void {
    const s = this.state;
    switch (offset) {
      case RBR_THR:
        if (s.lcr & Lcr.DLAB) s.divisor = (s.divisor & 0xff00) | value;
        else this.#send(value);
        break;
      case IER:
        if (s.lcr & Lcr.DLAB) {
          s.divisor = (s.divisor & 0xff) | (value << 8);
        } else {
          // Enabling ETBEI while THR is empty raises the interrupt at once.
          if (~s.ier & value & Ier.THRE) s.thrEmptied = true;
          s.ier = value & Ier.mask;
        }
        break;
      case IIR_FCR:
        this.#writeFcr(value);
        break;
      case LCR: {
        const breakStarts = ~s.lcr & value & Lcr.break;
        s.lcr = value;
        if (breakStarts && s.mcr & Mcr.loop) this.#arrive(BREAK_ENTRY);
        break;
      }
      case MCR:
        s.mcr = value & Mcr.mask;
        this.#setModemLines();
        this.#takeWaiting();
        break;
      case SCR:
        s.scr = value;
        break;
      default: // LSR and MSR are read-only here; the datasheet reserves writes.
        break;
    }
    this.#update();
  }

  #readRbr(): number {
    const s = this.state;
    const entry = s.rx.shift();
    s.timedOut = false;
    this.#takeWaiting();
    this.#restartTimeout();
    this.#noteFront();
    this.#update();
    return (entry ?? 0) & 0xff;
  }

  #send(byte: number): void {
    const s = this.state;
    // THR is full for a moment: the line falls and rises, which is an edge.
    s.thrEmptied = false;
    this.#update();
    s.thrEmptied = true;
    if (s.mcr & Mcr.loop) {
      this.#arrive(byte);
    } else {
      this.#sent[0] = byte;
      this.#wiring.transmit(this.#sent);
    }
  }

  #writeFcr(value: number): void {
    const s = this.state;
    if ((value ^ s.fcr) & Fcr.enable || value & Fcr.clearRx) {
      s.rx.length = 0;
      s.timedOut = false;
      this.#restartTimeout();
    }
    // The transmit FIFO is always empty: clearing it changes nothing.
    s.fcr = value & Fcr.enable ? value & Fcr.kept : 0;
    this.#takeWaiting();
  }

  get #capacity(): number {
    return this.state.fcr & Fcr.enable ? FIFO_DEPTH : 1;
  }

  /** Moves waiting input into the receiver as far as it has room. */
  #takeWaiting(): void {
    const s = this.state;
    if (s.mcr & Mcr.loop) return; // the receiver is cut off from the line
    while (s.waiting.length > 0 && s.rx.length < this.#capacity) {
      this.#arrive(s.waiting.shift()!);
    }
  }

  /** A character completes in the receiver; without room it is an overrun. */
  #arrive(entry: number): void {
    const s = this.state;
    if (s.rx.length >= this.#capacity) {
      s.overrun = true;
      // Without FIFOs the new character takes RBR's place.
      if (!(s.fcr & Fcr.enable)) s.rx[0] = entry;
    } else {
      s.rx.push(entry);
    }
    if (s.rx.length === 1) this.#noteFront();
    this.#restartTimeout();
  }

  /** BI shows when the break character reaches the front of the FIFO. */
  #noteFront(): void {
    if (this.state.rx[0] & BREAK_ENTRY) this.state.breakSeen = true;
  }

  #lsr(): number {
    const s = this.state;
    return Lsr.THRE | Lsr.TEMT |
      (s.rx.length > 0 ? Lsr.DR : 0) |
      (s.overrun ? Lsr.OE : 0) |
      (s.breakSeen ? Lsr.BI : 0) |
      (s.fcr & Fcr.enable && s.rx.some((entry) => entry & BREAK_ENTRY)
        ? Lsr.FIFOERR
        : 0);
  }

  #setModemLines(): void {
    const s = this.state;
    const levels = s.mcr & Mcr.loop
      ? (s.mcr & Mcr.RTS ? Msr.CTS : 0) | (s.mcr & Mcr.DTR ? Msr.DSR : 0) |
        (s.mcr & Mcr.OUT1 ? Msr.RI : 0) | (s.mcr & Mcr.OUT2 ? Msr.DCD : 0)
      : LEVELS;
    const changed = levels ^ s.msrLevels;
    if (changed & Msr.CTS) s.msrDelta |= Msr.DCTS;
    if (changed & Msr.DSR) s.msrDelta |= Msr.DDSR;
    if (changed & Msr.DCD) s.msrDelta |= Msr.DDCD;
    // Only the end of a ring counts.
    if (changed & ~levels & Msr.RI) s.msrDelta |= Msr.TERI;
    s.msrLevels = levels;
  }

  /** The interrupt of highest priority that is pending and enabled. */
  #source(): number {
    const s = this.state;
    if (s.ier & Ier.RLS && (s.overrun || s.breakSeen)) return Iir.RLS;
    if (s.ier & Ier.RDA) {
      const trigger = s.fcr & Fcr.enable ? TRIGGER_LEVELS[s.fcr >> 6] : 1;
      if (s.rx.length >= trigger) return Iir.RDA;
      if (s.timedOut) return Iir.CTI;
    }
    if (s.ier & Ier.THRE && s.thrEmptied) return Iir.THRE;
    if (s.ier & Ier.MS && s.msrDelta) return Iir.MS;
    return Iir.none;
  }

  #update(): void {
    // A PC's OUT2 gates the line; virtual PCs have no such gate, and guests
    // that were written on them leave OUT2 at 0.
    this.#wiring.irq.set(this.#source() !== Iir.none);
  }

  /** Four character times after the last arrival or read, with data left. */
  #restartTimeout(): void {
    const s = this.state;
    if (s.rx.length === 0 || !(s.fcr & Fcr.enable)) {
      this.#timeout.disarm();
      return;
    }
    const bits = 1 + 5 + (s.lcr & 3) + (s.lcr & 8 ? 1 : 0) +
      (s.lcr & 4 ? 2 : 1);
    const bitNs = Math.round(1e9 * (s.divisor || 0x10000) / BAUD_BASE);
    this.#timeout.arm(this.#wiring.clock.now() + BigInt(4 * bits * bitNs));
  }

  #onTimeout(): void {
    this.state.timedOut = this.state.rx.length > 0;
    this.#update();
  }

  protected override rewire(): void {
    this.#timeout.disarm();
    this.#update();
  }
}
