/**
 * The small ports with which a guest ends or restarts the machine: the debug
 * exit, the reset control register 0xCF9, system port A (0x92), and the power-off
 * ports of Bochs. (The ACPI ones are in acpi_pm.ts.)
 */
import type { PortDevice, PowerSink } from "../device.ts";
import { integer, record, type ValueOf } from "../state.ts";
import { KEYBOARD } from "./i8042.ts";
import { StatefulDevice } from "./stateful.ts";
import type { Part } from "./wiring.ts";

/** Four ports, for accesses of any width. */
export const DEBUG_EXIT = {
  name: "debug-exit",
  ports: [[0xf4, 4]],
  make: ({ power }) => new DebugExit(power),
} as const satisfies Part;

/** QEMU's isa-debug-exit: exit code (value << 1) | 1. */
export class DebugExit extends StatefulDevice<Record<never, never>>
  implements PortDevice {
  readonly #power: PowerSink;

  constructor(power: PowerSink) {
    super(DEBUG_EXIT, record({}));
    this.#power = power;
  }

  readPort(): number {
    return 0;
  }

  writePort(_port: number, _size: 1 | 2 | 4, value: number): void {
    this.#power({ kind: "exit", code: ((value << 1) | 1) >>> 0 });
  }
}

/** Bits of the reset control register (Intel PIIX3 datasheet). */
const Rcr = { system: 0x02, now: 0x04, kept: 0x06 } as const;

/** Inside of the PCI host bridge's doubleword; the FADT names it. */
export const RESET_CONTROL = {
  name: "reset-control",
  ports: [[0xcf9, 1]],
  make: ({ power }) => new ResetControl(power),
} as const satisfies Part;

/** The reset control register. */
export class ResetControl extends StatefulDevice<{ rcr: number }>
  implements PortDevice {
  readonly #power: PowerSink;

  constructor(power: PowerSink) {
    super(RESET_CONTROL, record({ rcr: integer(0) }));
    this.#power = power;
  }

  readPort(): number {
    return this.state.rcr;
  }

  writePort(_port: number, _size: 1 | 2 | 4, value: number): void {
    const s = this.state;
    const rises = ~s.rcr & value & Rcr.now;
    s.rcr = value & Rcr.kept;
    if (rises) this.#power({ kind: "reset" });
  }
}

/** Bits of system control port A. */
const PortA = { reset: 0x01, A20: 0x02 } as const;

/** Where port A's A20 bit lives: one gate, two ways to it. */
export interface A20Gate {
  a20: boolean;
}

/** PS/2's. */
export const PORT_A = {
  name: "port92",
  ports: [[0x92, 1]],
  make: ({ device, power }) => new SystemPortA(device(KEYBOARD), power),
} as const satisfies Part;

/** System control port A. The gate keeps its own state. */
export class SystemPortA extends StatefulDevice<{ value: number }>
  implements PortDevice {
  readonly #gate: A20Gate;
  readonly #power: PowerSink;

  constructor(gate: A20Gate, power: PowerSink) {
    super(PORT_A, record({ value: integer(0) }));
    this.#gate = gate;
    this.#power = power;
  }

  readPort(): number {
    return (this.state.value & ~PortA.A20) | (this.#gate.a20 ? PortA.A20 : 0);
  }

  writePort(_port: number, _size: 1 | 2 | 4, value: number): void {
    const rises = ~this.state.value & value & PortA.reset;
    this.state.value = value & 0xff & ~PortA.A20;
    this.#gate.a20 = (value & PortA.A20) !== 0;
    if (rises) this.#power({ kind: "reset" });
  }
}

/** Bochs' power-off port: this text, a character a write. */
const SHUTDOWN = "Shutdown";
/** Old Bochs and QEMU power off on this word at 0xB004. */
const BOCHS_SLEEP = 0x2000;
const BOCHS_SHUTDOWN_PORT = 0x8900, BOCHS_ACPI_PORT = 0xb004;

/** The newer port, and the older ones. */
export const BOCHS_POWER = {
  name: "bochs-power",
  ports: [[BOCHS_SHUTDOWN_PORT, 1], [BOCHS_ACPI_PORT, 2]],
  make: ({ power }) => new BochsPower(power),
} as const satisfies Part;

const BOCHS_STATE = record({
  /** Characters of the text that have come. */
  matched: integer(0),
  control: integer(0),
});

/** Bochs' two ways to power off. The older one is
 * where a PIIX4 has its PM1 control: what is written is kept, so that software
 * that changes one bit of it (OVMF sets SCI_EN) does not write SLP_EN besides. */
export class BochsPower extends StatefulDevice<ValueOf<typeof BOCHS_STATE>>
  implements PortDevice {
  readonly #power: PowerSink;

  constructor(power: PowerSink) {
    super(BOCHS_POWER, BOCHS_STATE);
    this.#power = power;
  }

  readPort(port: number, size: 1 | 2 | 4): number {
    if (port < BOCHS_ACPI_PORT) {
      return size === 1 ? 0xff : size === 2 ? 0xffff : 0xffffffff;
    }
    const value = this.state.control >> (8 * (port - BOCHS_ACPI_PORT));
    return size === 1 ? value & 0xff : value;
  }

  writePort(port: number, size: 1 | 2 | 4, value: number): void {
    const s = this.state;
    if (port >= BOCHS_ACPI_PORT) {
      const shift = 8 * (port - BOCHS_ACPI_PORT);
      const mask = (size === 1 ? 0xff : 0xffff) << shift & 0xffff;
      const written = value << shift & mask;
      s.control = s.control & ~mask | written & ~BOCHS_SLEEP;
      if (written & BOCHS_SLEEP) this.#power({ kind: "power-off" });
      return;
    }
    // String output may come a few characters at a time.
    for (let i = 0; i < size; i++) {
      const letter = String.fromCharCode((value >>> (8 * i)) & 0xff);
      if (letter !== SHUTDOWN[s.matched]) s.matched = 0;
      if (letter === SHUTDOWN[s.matched]) s.matched++;
    }
    if (s.matched === SHUTDOWN.length) {
      s.matched = 0;
      this.#power({ kind: "power-off" });
    }
  }
}
