/**
 * Ports on which firmware and kernels talk to whoever develops them: debug
 * consoles (Bochs' 0xE9, firmware's 0x402), whose lines go to the log, and POST
 * codes (0x80, 0x190); and the index and data ports of a CRT controller, which
 * hold what is written: there is no display, but software reads them back.
 */
import { getLogger } from "@logtape/logtape";
import type { PortDevice } from "../device.ts";
import { bytes, integer, queue, record, type ValueOf } from "../state.ts";
import { StatefulDevice } from "./stateful.ts";
import type { BoardDevice, Part } from "./wiring.ts";

const log = getLogger(["icebp", "machine"]);

/** What a device with a single port declares. */
export interface OnePort extends Part {
  readonly ports: readonly [readonly [first: number, count: 1]];
}

/** Several alike, each with a port of its own. */
function onePort(
  kind: string,
  ports: readonly number[],
  make: (declaration: OnePort) => BoardDevice,
): readonly OnePort[] {
  return ports.map((port) => {
    const part: OnePort = {
      name: `${kind}-${port.toString(16)}`,
      ports: [[port, 1]],
      make: () => make(part),
    };
    return part;
  });
}

/** Bochs' and that of firmware. */
export const DEBUG_CONSOLES = onePort(
  "debug-console",
  [0xe9, 0x402],
  (part) => new DebugConsole(part),
);
/** A PC's, and that of newer ones. */
export const POST_CODES = onePort(
  "post-code",
  [0x80, 0x190],
  (part) => new PostCode(part),
);
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
  implements PortDevice {
  readonly #port: string;

  constructor(declaration: OnePort) {
    super(declaration, record({ line: queue(integer(0)) }));
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
}

/** One POST code register; changes are logged as "debug". */
export class PostCode extends StatefulDevice<{ code: number }>
  implements PortDevice {
  readonly #port: string;

  constructor(declaration: OnePort) {
    super(declaration, record({ code: integer(0) }));
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
}

/** Index and data. */
export const CRTC = {
  name: "crtc",
  ports: [[CRTC_PORT, 2]],
  make: () => new Crtc(),
} as const satisfies Part;

const CRTC_STATE = record({ index: integer(0), registers: bytes(256) });

/** The CRT controller's registers. Nothing is displayed. */
export class Crtc extends StatefulDevice<ValueOf<typeof CRTC_STATE>>
  implements PortDevice {
  constructor() {
    super(CRTC, CRTC_STATE);
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
}
