/**
 * Ports on which firmware and kernels talk to whoever develops them: debug
 * consoles (Bochs' 0xE9, firmware's 0x402), whose lines go to the log, and POST
 * codes (0x80, 0x190); and the index and data ports of a CRT controller, which
 * hold what is written: there is no display, but software reads them back.
 */
import { getLogger } from "@logtape/logtape";
import type { PortDevice } from "../device.ts";
import type { Declaration, Declared } from "./declaration.ts";
import { StatefulDevice } from "./stateful.ts";

const log = getLogger(["icebp", "machine"]);

/** A port of its own for each of several alike. */
const onePort = (kind: string) => (port: number): OnePort => ({
  name: `${kind}-${port.toString(16)}`,
  ports: [[port, 1]],
});

/** The declaration of a device with a single port. */
export interface OnePort extends Declaration {
  readonly ports: readonly [readonly [first: number, count: 1]];
}

/** Bochs' and that of firmware. */
export const DEBUG_CONSOLES = [0xe9, 0x402].map(onePort("debug-console"));
/** A PC's, and that of newer ones. */
export const POST_CODES = [0x80, 0x190].map(onePort("post-code"));
/** The colour CRT controller's index register; data is next to it. */
const CRTC_PORT = 0x3d4;

/** For messages. */
const portOf = ({ ports: [[port]] }: OnePort) => `0x${port.toString(16)}`;

/** What a debug console reads as: it is there (Bochs, QEMU). */
const PRESENT = 0xe9;
const LINE_FEED = 10, CARRIAGE_RETURN = 13;
/** A line that is longer is logged in parts. */
const LINE_BYTES = 256;

/** One debug console; its lines are logged as "info". */
export class DebugConsole extends StatefulDevice<{ line: number[] }>
  implements Declared, PortDevice {
  readonly declaration: OnePort;
  readonly name: string;
  readonly #port: string;

  constructor(declaration: OnePort) {
    super(() => ({ line: [] }));
    this.declaration = declaration;
    this.name = declaration.name;
    this.#port = portOf(declaration);
  }

  readPort(): number {
    return PRESENT;
  }

  writePort(_port: number, _size: 1 | 2 | 4, value: number): void {
    const { line } = this.state;
    const byte = value & 0xff;
    if (byte === LINE_FEED) this.#say();
    else if (byte !== CARRIAGE_RETURN) line.push(byte);
    if (line.length === LINE_BYTES) this.#say();
  }

  /** Logs what has no line end yet. */
  flush(): void {
    if (this.state.line.length > 0) this.#say();
  }

  #say(): void {
    const bytes = Uint8Array.from(this.state.line.splice(0));
    const text = new TextDecoder().decode(bytes)
      // deno-lint-ignore no-control-regex
      .replace(/[\x00-\x08\x0b-\x1f\x7f]/g, "\ufffd");
    log.info("port {port}: {text}", { port: this.#port, text });
  }

  override reset(): void {
    this.flush();
    super.reset();
  }

  protected rewire(): void {
    // Nothing hangs on the line.
  }
}

/** One POST code register; changes are logged as "debug". */
export class PostCode extends StatefulDevice<{ code: number }>
  implements Declared, PortDevice {
  readonly declaration: OnePort;
  readonly name: string;
  readonly #port: string;

  constructor(declaration: OnePort) {
    super(() => ({ code: 0 }));
    this.declaration = declaration;
    this.name = declaration.name;
    this.#port = portOf(declaration);
  }

  readPort(): number {
    return this.state.code;
  }

  writePort(_port: number, _size: 1 | 2 | 4, value: number): void {
    const code = value & 0xff;
    // Kernels write here to wait a little, the same value again and again.
    if (code === this.state.code) return;
    this.state.code = code;
    log.debug("POST code {code} (port {port})", {
      code: `0x${code.toString(16).padStart(2, "0")}`,
      port: this.#port,
    });
  }

  protected rewire(): void {
    // Nothing hangs on the code.
  }
}

/** Index and data. */
export const CRTC = {
  name: "crtc",
  ports: [[CRTC_PORT, 2]],
} as const satisfies Declaration;

/** The CRT controller's registers. */
export class Crtc
  extends StatefulDevice<{ index: number; registers: Uint8Array }>
  implements PortDevice {
  readonly declaration = CRTC;
  readonly name = CRTC.name;

  constructor() {
    super(() => ({ index: 0, registers: new Uint8Array(256) }));
  }

  readPort(port: number, size: 1 | 2 | 4): number {
    const { index, registers } = this.state;
    if (port !== CRTC_PORT) return registers[index];
    return size === 1 ? index : index | registers[index] << 8;
  }

  /** A word at the index port is index and data. */
  writePort(port: number, size: 1 | 2 | 4, value: number): void {
    const s = this.state;
    if (port !== CRTC_PORT) s.registers[s.index] = value;
    else {
      s.index = value & 0xff;
      if (size > 1) s.registers[s.index] = value >> 8;
    }
  }

  protected rewire(): void {
    // Nothing is displayed.
  }
}
