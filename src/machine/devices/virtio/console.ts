/**
 * A virtio console with one port (Virtual I/O Device specification 1.2, 5.3). It has
 * the size of the terminal that it is shown on, if it is on one.
 */
import type { StateValue } from "../../device.ts";
import type { VirtioFunction } from "./mmio.ts";
import type { Virtqueue } from "./queue.ts";

const RECEIVE = 0, TRANSMIT = 1;
const F_SIZE = 1n << 0n;

/** Of a terminal, in characters. */
export interface WindowSize {
  readonly columns: number;
  readonly rows: number;
}

/** The console behind a transport. */
export class VirtioConsole implements VirtioFunction {
  readonly name = "virtio-console";
  readonly id = 3;
  readonly queues = 2;
  readonly features: bigint;
  readonly config = new Uint8Array(12);
  /** Linux takes the size only when it is told of it. */
  readonly tellsConfig: boolean;
  readonly #output: (bytes: Uint8Array) => void;
  /** Typed and not yet taken by the driver: outside the machine still. */
  readonly #waiting: number[] = [];

  /** `output` takes what the guest prints; `size` is null where there is none. */
  constructor(
    output: (bytes: Uint8Array) => void,
    size: WindowSize | null = null,
  ) {
    this.#output = output;
    this.tellsConfig = size !== null;
    this.features = size === null ? 0n : F_SIZE;
    if (size !== null) this.setSize(size);
  }

  /** Puts another size into the configuration; the transport tells the driver. */
  setSize({ columns, rows }: WindowSize): void {
    const config = new DataView(this.config.buffer);
    config.setUint16(0, columns, true);
    config.setUint16(2, rows, true);
  }

  notified(queue: number, queues: readonly Virtqueue[]): boolean {
    return queue === TRANSMIT
      ? this.#transmit(queues[TRANSMIT])
      : this.deliver(queues);
  }

  #transmit(queue: Virtqueue): boolean {
    let interrupt = false;
    for (;;) {
      const chain = queue.take();
      if (chain === null) return interrupt;
      this.#output(chain.read());
      if (queue.give(chain)) interrupt = true;
    }
  }

  /** Keeps typed bytes until the driver has buffers for them. */
  type(bytes: Uint8Array): void {
    for (const byte of bytes) this.#waiting.push(byte);
  }

  save(): StateValue {
    return Uint8Array.from(this.#waiting).toHex();
  }

  load(saved: StateValue): void {
    if (typeof saved !== "string") {
      throw new TypeError(
        `saved state ${this.name}: hexadecimal bytes expected`,
      );
    }
    this.#waiting.splice(0, Infinity, ...Uint8Array.fromHex(saved));
  }

  /** Moves what was typed into the driver's buffers; true to interrupt. */
  deliver(queues: readonly Virtqueue[]): boolean {
    const queue = queues[RECEIVE];
    let interrupt = false;
    while (this.#waiting.length > 0) {
      const chain = queue.take();
      if (chain === null) break;
      chain.write(
        Uint8Array.from(this.#waiting.splice(0, chain.writableBytes)),
      );
      if (queue.give(chain)) interrupt = true;
    }
    return interrupt;
  }
}
