/**
 * Keyboard controller Intel 8042 as the PC uses it (IBM AT technical reference,
 * section "Keyboard Controller"): ports 0x60 and 0x64, a keyboard that answers
 * its commands but on which nobody types, no mouse. Its output port resets the
 * machine and gates A20; the gate is kept and shown, but memory is never wrapped.
 */
import type { IrqLine, PortDevice } from "../device.ts";
import { flag, integer, queue, record, type ValueOf } from "../state.ts";
import { StatefulDevice } from "./stateful.ts";
import type { Part } from "./wiring.ts";

const DATA = 0x60;
const Status = {
  OBF: 0x01,
  system: 0x04,
  command: 0x08,
  unlocked: 0x10,
  aux: 0x20,
} as const;
const Config = {
  kbdInterrupt: 0x01,
  system: 0x04,
  kbdDisabled: 0x10,
  auxDisabled: 0x20,
} as const;
const Output = { notReset: 0x01, A20: 0x02, OBF: 0x10 } as const;
/** Controller commands, port 0x64. */
const Command = {
  readConfig: 0x20,
  writeConfig: 0x60,
  disableAux: 0xa7,
  enableAux: 0xa8,
  testAux: 0xa9,
  selfTest: 0xaa,
  testKbd: 0xab,
  disableKbd: 0xad,
  enableKbd: 0xae,
  readInput: 0xc0,
  readOutput: 0xd0,
  writeOutput: 0xd1,
  writeKbdBuffer: 0xd2,
  writeAuxBuffer: 0xd3,
  writeAux: 0xd4,
  disableA20: 0xdd,
  enableA20: 0xdf,
  pulse: 0xf0,
} as const;
const ACK = 0xfa, RESEND = 0xfe;
/** A clock or data line error: what a port without a device answers. */
const AUX_ABSENT = 0x01;

const STATE = record({
  /** Bytes for port 0x60; the first is in the output buffer. */
  queue: queue(integer(0)),
  config: integer(Config.kbdInterrupt | Config.system | Config.auxDisabled),
  output: integer(Output.notReset | Output.A20),
  /** A controller command that waits for its data byte; 0 when none. */
  awaiting: integer(0),
  /** A keyboard command that waits for its argument; 0 when none. */
  kbdAwaiting: integer(0),
  lastWasCommand: flag(false),
  scanCodeSet: integer(2),
});

/** Data, and status or command. */
export const KEYBOARD = {
  name: "i8042",
  ports: [[0x60, 1], [0x64, 1]],
  irq: 1,
  acpi: { name: "KBD", id: "PNP0303" },
  make: ({ irq, power }) =>
    new KeyboardController(irq(), () => power({ kind: "reset" })),
} as const satisfies Part;

/** The keyboard controller. */
export class KeyboardController extends StatefulDevice<ValueOf<typeof STATE>>
  implements PortDevice {
  readonly #irq1: IrqLine;
  readonly #resetMachine: () => void;

  constructor(irq1: IrqLine, resetMachine: () => void) {
    super(KEYBOARD, STATE);
    this.#irq1 = irq1;
    this.#resetMachine = resetMachine;
    this.rewire();
  }

  /** The A20 gate, shared with port 0x92. */
  get a20(): boolean {
    return (this.state.output & Output.A20) !== 0;
  }
  set a20(on: boolean) {
    if (on) this.state.output |= Output.A20;
    else this.state.output &= ~Output.A20;
  }

  readPort(port: number): number {
    const s = this.state;
    if (port === DATA) {
      const byte = s.queue.shift() ?? 0;
      // Each byte is its own interrupt: the line drops in between.
      this.#irq1.set(false);
      this.rewire();
      return byte;
    }
    return Status.unlocked | (s.queue.length > 0 ? Status.OBF : 0) |
      (s.config & Config.system ? Status.system : 0) |
      (s.lastWasCommand ? Status.command : 0);
  }

  writePort(port: number, _size: 1 | 2 | 4, value: number): void {
    value &= 0xff;
    this.state.lastWasCommand = port !== DATA;
    if (port === DATA) this.#writeData(value);
    else this.#command(value);
    this.rewire();
  }

  #answer(...bytes: number[]): void {
    this.state.queue.push(...bytes);
  }

  #command(value: number): void {
    const s = this.state;
    s.awaiting = 0;
    if (value >= Command.pulse) {
      // Pulses the output port lines whose bits are 0; line 0 is reset.
      if (!(value & Output.notReset)) this.#resetMachine();
      return;
    }
    switch (value) {
      case Command.readConfig:
        return this.#answer(s.config);
      case Command.disableAux:
        s.config |= Config.auxDisabled;
        return;
      case Command.enableAux:
        s.config &= ~Config.auxDisabled;
        return;
      case Command.testAux:
        return this.#answer(AUX_ABSENT);
      case Command.selfTest:
        s.config |= Config.system;
        return this.#answer(0x55);
      case Command.testKbd:
        return this.#answer(0);
      case Command.disableKbd:
        s.config |= Config.kbdDisabled;
        return;
      case Command.enableKbd:
        s.config &= ~Config.kbdDisabled;
        return;
      case Command.readInput:
        return this.#answer(0x80); // keyboard not inhibited
      case Command.readOutput:
        return this.#answer(
          s.output | (s.queue.length > 0 ? Output.OBF : 0),
        );
      case Command.writeConfig:
      case Command.writeOutput:
      case Command.writeKbdBuffer:
      case Command.writeAuxBuffer:
      case Command.writeAux:
        s.awaiting = value;
        return;
      case Command.disableA20:
        this.a20 = false;
        return;
      case Command.enableA20:
        this.a20 = true;
        return;
      default: // commands of other makers' controllers
        return;
    }
  }

  #writeData(value: number): void {
    const s = this.state;
    const command = s.awaiting;
    s.awaiting = 0;
    switch (command) {
      case 0:
        return this.#keyboard(value);
      case Command.writeConfig:
        s.config = value & 0x7f;
        return;
      case Command.writeOutput:
        s.output = value & ~Output.OBF;
        if (!(value & Output.notReset)) this.#resetMachine();
        return;
      case Command.writeKbdBuffer:
        return this.#answer(value);
      default: // to the mouse that is not there
        return;
    }
  }

  /** A byte sent to the keyboard: a command or the argument of one. */
  #keyboard(value: number): void {
    const s = this.state;
    s.config &= ~Config.kbdDisabled; // the clock line is released
    const command = s.kbdAwaiting;
    s.kbdAwaiting = 0;
    if (command === 0xf0) {
      if (value === 0) this.#answer(ACK, s.scanCodeSet);
      else {
        s.scanCodeSet = value;
        this.#answer(ACK);
      }
      return;
    }
    if (command !== 0) return this.#answer(ACK);
    switch (value) {
      case 0xed: // lights
      case 0xf0: // scan code set
      case 0xf3: // repeat rate
        s.kbdAwaiting = value;
        return this.#answer(ACK);
      case 0xee: // echo
        return this.#answer(0xee);
      case 0xf2: // identify: MF2 keyboard
        return this.#answer(ACK, 0xab, 0x83);
      case 0xff: // reset, self-test passed
        s.queue.length = 0;
        s.scanCodeSet = 2;
        return this.#answer(ACK, 0xaa);
      case 0xf4: // enable
      case 0xf5: // disable
      case 0xf6: // defaults
        return this.#answer(ACK);
      default:
        return this.#answer(RESEND);
    }
  }

  protected override rewire(): void {
    const s = this.state;
    this.#irq1.set(
      s.queue.length > 0 && (s.config & Config.kbdInterrupt) !== 0,
    );
  }
}
