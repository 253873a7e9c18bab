/**
 * The virtio transport over MMIO, version 2 (Virtual I/O Device specification
 * 1.2, 4.2): feature negotiation, queue set-up, notifications, the interrupt.
 * What the device does is a `VirtioFunction`'s business.
 */
import { getLogger } from "@logtape/logtape";
import type { IrqLine, MmioDevice } from "../../device.ts";
import {
  big,
  integer,
  type Kind,
  record,
  several,
  type ValueOf,
} from "../../state.ts";
import { StatefulDevice } from "../stateful.ts";
import { VIRTIO_QUEUE_NOTIFY } from "./layout.ts";
import {
  type DmaMemory,
  QUEUE_SIZE_MAX,
  QUEUE_STATE,
  Virtqueue,
  VirtqueueError,
} from "./queue.ts";

const log = getLogger(["icebp", "machine"]);

const R = {
  MagicValue: 0x000,
  Version: 0x004,
  DeviceID: 0x008,
  VendorID: 0x00c,
  DeviceFeatures: 0x010,
  DeviceFeaturesSel: 0x014,
  DriverFeatures: 0x020,
  DriverFeaturesSel: 0x024,
  QueueSel: 0x030,
  QueueNumMax: 0x034,
  QueueNum: 0x038,
  QueueReady: 0x044,
  QueueNotify: VIRTIO_QUEUE_NOTIFY,
  InterruptStatus: 0x060,
  InterruptACK: 0x064,
  Status: 0x070,
  QueueDescLow: 0x080,
  QueueDescHigh: 0x084,
  QueueDriverLow: 0x090,
  QueueDriverHigh: 0x094,
  QueueDeviceLow: 0x0a0,
  QueueDeviceHigh: 0x0a4,
  SHMLenLow: 0x0b0,
  SHMBaseHigh: 0x0bc,
  ConfigGeneration: 0x0fc,
  Config: 0x100,
} as const;
const MAGIC = 0x74726976, VERSION = 2, VENDOR = 0x70626369;
const Status = { DRIVER_OK: 4, FEATURES_OK: 8, NEEDS_RESET: 64 } as const;
const Interrupt = { used: 1, config: 2 } as const;
/** Transport features: indirect descriptors, and not a legacy device. */
const F_INDIRECT_DESC = 1n << 28n, F_VERSION_1 = 1n << 32n;
const TWO_32 = 2 ** 32;

/** What a kind of device is, apart from the transport; `S` is what it keeps beside its
 * queues. */
export interface VirtioFunction<S = unknown> {
  readonly name: string;
  /** Device ID of the specification's chapter 5. */
  readonly id: number;
  /** Its own feature bits. */
  readonly features: bigint;
  readonly queues: number;
  /** Its configuration space, little-endian. */
  readonly config: Uint8Array;
  /** The driver is to be told of the configuration when it begins to use a queue. */
  readonly tellsConfig?: boolean;
  /** The driver put buffers into `queue`. Returns true to interrupt it. */
  notified(queue: number, queues: readonly Virtqueue[]): boolean;
  /** What it keeps beside its queues. A driver's reset of the device leaves it. */
  readonly kept: Kind<S>;
  /** That as it is now. */
  state: S;
}

/** Of a function that keeps nothing beside its queues. */
export const NOTHING = record({});

const stateOf = <S>(queues: number, kept: Kind<S>) =>
  record({
    deviceFeaturesSel: integer(0),
    driverFeaturesSel: integer(0),
    driverFeatures: big(0n),
    queueSel: integer(0),
    interrupts: integer(0),
    status: integer(0),
    configGeneration: integer(0),
    /** A bit for each queue that has been used. */
    used: integer(0),
    queues: several(queues, QUEUE_STATE),
    /** The function's. */
    kept,
  });

/** One transport with the device behind it. */
export class VirtioMmio<S = unknown>
  extends StatefulDevice<ValueOf<ReturnType<typeof stateOf<S>>>>
  implements MmioDevice {
  readonly #device: VirtioFunction<S>;
  readonly #memory: DmaMemory;
  readonly #irq: IrqLine;
  #queues: Virtqueue[] = [];

  constructor(device: VirtioFunction<S>, memory: DmaMemory, irq: IrqLine) {
    super({ name: device.name }, stateOf(device.queues, device.kept));
    this.#device = device;
    this.#memory = memory;
    this.#irq = irq;
    this.rebuild();
  }

  /** True once the driver uses the device. */
  get live(): boolean {
    const { status } = this.state;
    return (status & Status.DRIVER_OK) !== 0 &&
      (status & Status.NEEDS_RESET) === 0;
  }

  readMmio(offset: number, size: number): bigint {
    if (offset >= R.Config) {
      let value = 0n;
      for (let i = size - 1; i >= 0; i--) {
        const byte = this.#device.config[offset - R.Config + i] ?? 0;
        value = value << 8n | BigInt(byte);
      }
      return value;
    }
    return size === 4 ? BigInt(this.#read(offset) >>> 0) : 0n;
  }

  /** No register changes by being read. */
  peekMmio(offset: number): number {
    return Number(this.readMmio(offset, 4));
  }

  writeMmio(offset: number, size: number, value: bigint): void {
    // No device here has configuration that the driver may write.
    if (offset >= R.Config || size !== 4) return;
    this.#write(offset, Number(value & 0xffff_ffffn));
  }

  #read(offset: number): number {
    const s = this.state;
    const queue = s.queues[s.queueSel];
    switch (offset) {
      case R.MagicValue:
        return MAGIC;
      case R.Version:
        return VERSION;
      case R.DeviceID:
        return this.#device.id;
      case R.VendorID:
        return VENDOR;
      case R.DeviceFeatures:
        return s.deviceFeaturesSel > 1 ? 0 : Number(
          (this.#features >> BigInt(32 * s.deviceFeaturesSel)) & 0xffff_ffffn,
        );
      case R.QueueNumMax:
        return queue === undefined ? 0 : QUEUE_SIZE_MAX;
      case R.QueueReady:
        return queue?.ready ? 1 : 0;
      case R.InterruptStatus:
        return s.interrupts;
      case R.Status:
        return s.status;
      case R.ConfigGeneration:
        return s.configGeneration;
      default:
        // There is no shared memory: its length and base are all ones.
        return offset >= R.SHMLenLow && offset <= R.SHMBaseHigh ? -1 : 0;
    }
  }

  #write(offset: number, value: number): void {
    const s = this.state;
    switch (offset) {
      case R.DeviceFeaturesSel:
        s.deviceFeaturesSel = value;
        return;
      case R.DriverFeaturesSel:
        s.driverFeaturesSel = value;
        return;
      case R.DriverFeatures:
        if (s.driverFeaturesSel <= 1) {
          const shift = BigInt(32 * s.driverFeaturesSel);
          s.driverFeatures = (s.driverFeatures & ~(0xffff_ffffn << shift)) |
            (BigInt(value) << shift);
        }
        return;
      case R.QueueSel:
        s.queueSel = value;
        return;
      case R.QueueNotify:
        this.#notified(value);
        return;
      case R.InterruptACK:
        s.interrupts &= ~value;
        this.#drive();
        return;
      case R.Status:
        this.#setStatus(value);
        return;
      default:
        this.#writeQueue(offset, value);
    }
  }

  #writeQueue(offset: number, value: number): void {
    const queue = this.state.queues[this.state.queueSel];
    if (queue === undefined) return;
    const low = (old: number) => Math.floor(old / TWO_32) * TWO_32 + value;
    const high = (old: number) => old % TWO_32 + value * TWO_32;
    switch (offset) {
      case R.QueueNum:
        queue.size = Math.min(value, QUEUE_SIZE_MAX);
        return;
      case R.QueueReady:
        queue.ready = (value & 1) !== 0 && queue.size > 0;
        return;
      case R.QueueDescLow:
        queue.desc = low(queue.desc);
        return;
      case R.QueueDescHigh:
        queue.desc = high(queue.desc);
        return;
      case R.QueueDriverLow:
        queue.driver = low(queue.driver);
        return;
      case R.QueueDriverHigh:
        queue.driver = high(queue.driver);
        return;
      case R.QueueDeviceLow:
        queue.device = low(queue.device);
        return;
      case R.QueueDeviceHigh:
        queue.device = high(queue.device);
        return;
      default: // read-only and reserved
        return;
    }
  }

  get #features(): bigint {
    return this.#device.features | F_VERSION_1 | F_INDIRECT_DESC;
  }

  #setStatus(value: number): void {
    if (value === 0) {
      const { kept } = this.state;
      this.reset();
      this.state.kept = kept;
      this.rebuild();
      return;
    }
    const s = this.state;
    // Features we did not offer, or a legacy driver: FEATURES_OK stays clear.
    const wrong = (s.driverFeatures & ~this.#features) !== 0n ||
      (s.driverFeatures & F_VERSION_1) === 0n;
    s.status = wrong ? value & ~Status.FEATURES_OK : value;
  }

  /** A doorbell rang for a write to QueueNotify, of whichever queue. */
  rang(): void {
    for (let queue = 0; queue < this.#queues.length; queue++) {
      this.#notified(queue);
    }
  }

  #notified(queue: number): void {
    if (!this.live || queue >= this.#queues.length) return;
    this.work(() => this.#device.notified(queue, this.#queues));
    if (!this.#device.tellsConfig || this.state.used & 1 << queue) return;
    this.state.used |= 1 << queue;
    this.configChanged();
  }

  /** The configuration is another one: tells the driver, if there is one. */
  configChanged(): void {
    const s = this.state;
    s.configGeneration = (s.configGeneration + 1) >>> 0;
    if (!this.live) return;
    s.interrupts |= Interrupt.config;
    this.#drive();
  }

  /** Lets the device work on its queues; it returns true to interrupt. */
  work(fn: (queues: readonly Virtqueue[]) => boolean): void {
    if (!this.live) return;
    try {
      if (fn(this.#queues)) this.state.interrupts |= Interrupt.used;
    } catch (error) {
      if (!(error instanceof VirtqueueError)) throw error;
      log.warn("{name}: the driver's queue is broken: {message}", {
        name: this.name,
        message: error.message,
      });
      this.state.status |= Status.NEEDS_RESET;
      this.state.interrupts |= Interrupt.config;
    }
    this.#drive();
  }

  #drive(): void {
    this.#irq.set(this.state.interrupts !== 0);
  }

  protected override rebuild(): void {
    this.#device.state = this.state.kept;
    this.#queues = this.state.queues.map((queue) =>
      new Virtqueue(this.#memory, queue)
    );
  }

  protected override rewire(): void {
    this.#drive();
  }
}
