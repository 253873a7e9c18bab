/** A virtio entropy device (Virtual I/O Device specification 1.2, 5.4). */
import type { Entropy } from "../../device.ts";
import { NOTHING, type VirtioFunction } from "./mmio.ts";
import type { Virtqueue } from "./queue.ts";

/** The most that one request gets. */
const MOST_BYTES = 4096;

/** The entropy source behind a transport. */
export class VirtioRng implements VirtioFunction {
  readonly name = "virtio-rng";
  readonly id = 4;
  readonly queues = 1;
  readonly features = 0n;
  readonly config = new Uint8Array(0);
  readonly kept = NOTHING;
  state = NOTHING.initial();
  readonly #entropy: Entropy;

  constructor(entropy: Entropy) {
    this.#entropy = entropy;
  }

  notified(_queue: number, [queue]: readonly Virtqueue[]): boolean {
    let interrupt = false;
    for (;;) {
      const chain = queue.take();
      if (chain === null) return interrupt;
      const bytes = new Uint8Array(Math.min(chain.writableBytes, MOST_BYTES));
      this.#entropy.fill(bytes);
      chain.write(bytes);
      if (queue.give(chain)) interrupt = true;
    }
  }
}
