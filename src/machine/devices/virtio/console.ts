/** A virtio console with one port (Virtual I/O Device specification 1.2, 5.3). */
import type { StateValue } from "../../device.ts";
import type { VirtioFunction } from "./mmio.ts";
import type { Virtqueue } from "./queue.ts";

const RECEIVE = 0, TRANSMIT = 1;

/** The console behind a transport. */
export class VirtioConsole implements VirtioFunction {
  readonly name = "virtio-console";
  readonly id = 3;
  readonly queues = 2;
  readonly features = 0n;
  readonly config = new Uint8Array(12);
  readonly #output: (bytes: Uint8Array) => void;
  /** Typed and not yet taken by the driver: outside the machine still. */
  readonly #waiting: number[] = [];

  /** `output` takes what the guest prints. */
  constructor(output: (bytes: Uint8Array) => void) {
    this.#output = output;
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
