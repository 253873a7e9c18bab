/**
 * A virtio console with one port (Virtual I/O Device specification 1.2, 5.3). It has
 * the size of the terminal that it is shown on, if it is on one.
 */
import {
  integer,
  type Kind,
  optional,
  queue,
  record,
  type ValueOf,
} from "../../state.ts";
import type { VirtioFunction } from "./mmio.ts";
import type { Virtqueue } from "./queue.ts";

const RECEIVE = 0, TRANSMIT = 1;
const F_SIZE = 1n << 0n;
const CONFIG_BYTES = 12;

const WINDOW_SIZE = record({ columns: integer(0), rows: integer(0) });

/** Of a terminal, in characters. */
export type WindowSize = Readonly<ValueOf<typeof WINDOW_SIZE>>;

interface ConsoleState {
  /** Typed and not yet taken by the driver. */
  waiting: number[];
  /** The driver's terminal; null where it is told of none. */
  size: WindowSize | null;
}

/** The console behind a transport. */
export class VirtioConsole implements VirtioFunction<ConsoleState> {
  readonly name = "virtio-console";
  readonly id = 3;
  readonly queues = 2;
  readonly kept: Kind<ConsoleState>;
  state: ConsoleState;
  readonly #output: (bytes: Uint8Array) => void;

  /** `output` takes what the guest prints; `size` is null where there is none. */
  constructor(
    output: (bytes: Uint8Array) => void,
    size: WindowSize | null = null,
  ) {
    this.#output = output;
    this.state = { waiting: [], size };
    this.kept = record({
      waiting: queue(integer(0)),
      // A reset leaves it: a run that is repeated has that of then.
      size: optional(WINDOW_SIZE, () => this.state.size),
    });
  }

  get features(): bigint {
    return this.state.size === null ? 0n : F_SIZE;
  }

  /** Linux takes the size only when it is told of it. */
  get tellsConfig(): boolean {
    return this.state.size !== null;
  }

  get config(): Uint8Array {
    const config = new DataView(new ArrayBuffer(CONFIG_BYTES));
    const { size } = this.state;
    if (size !== null) {
      config.setUint16(0, size.columns, true);
      config.setUint16(2, size.rows, true);
    }
    return new Uint8Array(config.buffer);
  }

  /** The terminal has another size now, which the transport is to tell the driver; false
   * where the driver has it already, or was not told that there is a terminal. */
  setSize(size: WindowSize): boolean {
    const told = this.state.size;
    if (
      told === null || told.columns === size.columns && told.rows === size.rows
    ) return false;
    this.state.size = size;
    return true;
  }

  notified(index: number, queues: readonly Virtqueue[]): boolean {
    return index === TRANSMIT
      ? this.#transmit(queues[TRANSMIT])
      : this.deliver(queues);
  }

  #transmit(ring: Virtqueue): boolean {
    let interrupt = false;
    for (;;) {
      const chain = ring.take();
      if (chain === null) return interrupt;
      this.#output(chain.read());
      if (ring.give(chain)) interrupt = true;
    }
  }

  /** Keeps typed bytes until the driver has buffers for them. */
  type(bytes: Uint8Array): void {
    for (const byte of bytes) this.state.waiting.push(byte);
  }

  /** Moves what was typed into the driver's buffers; true to interrupt. */
  deliver(queues: readonly Virtqueue[]): boolean {
    const ring = queues[RECEIVE];
    const { waiting } = this.state;
    let interrupt = false;
    while (waiting.length > 0) {
      const chain = ring.take();
      if (chain === null) break;
      chain.write(Uint8Array.from(waiting.splice(0, chain.writableBytes)));
      if (ring.give(chain)) interrupt = true;
    }
    return interrupt;
  }
}
