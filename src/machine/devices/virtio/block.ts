/**
 * A virtio disk (Virtual I/O Device specification 1.2, 5.2). Requests are done
 * while the driver's notification is carried out, so that a run repeats exactly;
 * whatever the backing store refuses becomes the request's status.
 */
import { getLogger } from "@logtape/logtape";
import { SECTOR_BYTES } from "../../../x86/pc.ts";
import { NOTHING, type VirtioFunction } from "./mmio.ts";
import type { Chain, Virtqueue } from "./queue.ts";

const log = getLogger(["icebp", "machine"]);

const HEADER_BYTES = 16;
const Feature = {
  SEG_MAX: 1n << 2n,
  RO: 1n << 5n,
  BLK_SIZE: 1n << 6n,
  FLUSH: 1n << 9n,
} as const;
const Type = { IN: 0, OUT: 1, FLUSH: 4, GET_ID: 8 } as const;
const Outcome = { OK: 0, IOERR: 1, UNSUPP: 2 } as const;
const SEGMENTS = 126;
const CONFIG_BYTES = 60;
const ID_BYTES = 20;

/** What keeps a disk's bytes. Methods throw when they cannot. */
export interface BlockStore {
  /** A whole number of sectors. */
  readonly bytes: number;
  readonly readOnly: boolean;
  /** At most 20 ASCII characters, for the guest's user. */
  readonly label: string;
  read(offset: number, into: Uint8Array): void;
  write(offset: number, bytes: Uint8Array): void;
  /** Makes what was written survive a crash of the host. */
  flush(): void;
}

/** The disk behind a transport. */
export class VirtioBlock implements VirtioFunction {
  readonly name: string;
  readonly id = 2;
  readonly queues = 1;
  readonly features: bigint;
  readonly config: Uint8Array;
  readonly kept = NOTHING;
  state = NOTHING.initial();
  readonly #store: BlockStore;

  constructor(name: string, store: BlockStore) {
    this.name = name;
    this.#store = store;
    this.features = Feature.SEG_MAX | Feature.BLK_SIZE | Feature.FLUSH |
      (store.readOnly ? Feature.RO : 0n);
    const config = new DataView(new ArrayBuffer(CONFIG_BYTES));
    config.setBigUint64(
      0,
      BigInt(Math.floor(store.bytes / SECTOR_BYTES)),
      true,
    );
    config.setUint32(12, SEGMENTS, true);
    config.setUint32(20, SECTOR_BYTES, true);
    this.config = new Uint8Array(config.buffer);
  }

  notified(_queue: number, [queue]: readonly Virtqueue[]): boolean {
    let interrupt = false;
    for (;;) {
      const chain = queue.take();
      if (chain === null) return interrupt;
      this.#serve(chain);
      if (queue.give(chain)) interrupt = true;
    }
  }

  #serve(chain: Chain): void {
    const statusAt = chain.writableBytes - 1;
    if (statusAt < 0) return; // no room even for a status
    let status: number = Outcome.IOERR;
    try {
      status = this.#perform(chain.read(), chain, statusAt);
    } catch (error) {
      if (error instanceof Error && error.name === "VirtqueueError") {
        throw error;
      }
      log.warn("{name}: {message}", {
        name: this.name,
        message: error instanceof Error ? error.message : String(error),
      });
    }
    chain.write(Uint8Array.of(status), statusAt);
  }

  #perform(request: Uint8Array, chain: Chain, dataBytes: number): number {
    if (request.length < HEADER_BYTES) return Outcome.IOERR;
    const header = new DataView(request.buffer);
    const offset = Number(header.getBigUint64(8, true)) * SECTOR_BYTES;
    switch (header.getUint32(0, true)) {
      case Type.IN: {
        if (!this.#inside(offset, dataBytes)) return Outcome.IOERR;
        const bytes = new Uint8Array(dataBytes);
        this.#store.read(offset, bytes);
        chain.write(bytes, 0);
        return Outcome.OK;
      }
      case Type.OUT: {
        const bytes = request.subarray(HEADER_BYTES);
        if (this.#store.readOnly || !this.#inside(offset, bytes.length)) {
          return Outcome.IOERR;
        }
        this.#store.write(offset, bytes);
        return Outcome.OK;
      }
      case Type.FLUSH:
        this.#store.flush();
        return Outcome.OK;
      case Type.GET_ID: {
        const label = new TextEncoder().encode(this.#store.label);
        const bytes = new Uint8Array(Math.min(ID_BYTES, dataBytes));
        bytes.set(label.subarray(0, bytes.length));
        chain.write(bytes, 0);
        return Outcome.OK;
      }
      default:
        return Outcome.UNSUPP;
    }
  }

  #inside(offset: number, bytes: number): boolean {
    return bytes % SECTOR_BYTES === 0 && offset + bytes <= this.#store.bytes;
  }
}
