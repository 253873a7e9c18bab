/**
 * The virtio devices that the options ask for, in the order in which a guest
 * finds them: disks, the console, the entropy device.
 */
import type { Device } from "../machine/device.ts";
import { claim } from "../machine/devices/declaration.ts";
import {
  type BlockStore,
  VirtioBlock,
} from "../machine/devices/virtio/block.ts";
import {
  VirtioConsole,
  type WindowSize,
} from "../machine/devices/virtio/console.ts";
import {
  VIRTIO_QUEUE_NOTIFY,
  virtioTransport,
} from "../machine/devices/virtio/layout.ts";
import {
  type VirtioFunction,
  VirtioMmio,
} from "../machine/devices/virtio/mmio.ts";
import { VirtioRng } from "../machine/devices/virtio/rng.ts";
import { JournaledStore } from "../history/disks.ts";
import type { Machine } from "../machine/machine.ts";
import { identify } from "../history/image.ts";
import type { RecordedRun } from "../history/recording.ts";
import { FileDisk } from "./disk.ts";
import { refuseOther } from "./files.ts";
import { inMemory, Overlay } from "./replay_disk.ts";
import type { RunOptions } from "./options.ts";

/** How many transports a machine with these options has. */
export function virtioCount(options: RunOptions): number {
  return options.disks.length + (options.console === undefined ? 0 : 1) + 1;
}

/** The virtio side of a machine. */
export class VirtioDevices {
  readonly #disks: FileDisk[] = [];
  readonly #stores: readonly BlockStore[];
  /** What brings the disks back to what they were; empty unless that was asked for. */
  readonly journals: readonly JournaledStore[];
  /** Whose devices they are. */
  machine: Machine | null = null;
  readonly #options: RunOptions;
  readonly #console: VirtioConsole | null;
  #consoleTransport: VirtioMmio | null = null;

  /** Opens the disks' files; throws a FileError. `output` takes what the guest
   * prints on the virtio console, which is on a terminal of `size` or on none. With
   * `journaled` disks can be brought back to what they were; those of a `run` that is
   * repeated are not written to. */
  constructor(
    options: RunOptions,
    output: (bytes: Uint8Array) => void,
    size: WindowSize | null,
    journaled = false,
    run: RecordedRun | null = null,
  ) {
    this.#options = options;
    this.#console = options.console === undefined
      ? null
      : new VirtioConsole(output, size);
    try {
      if (run?.contents) {
        this.#stores = run.contents.map((content, i) =>
          new Overlay(
            inMemory(content, run.disks[i].label),
            options.disks[i].readOnly,
          )
        );
      } else {
        for (const { path, readOnly } of options.disks) {
          this.#disks.push(
            new FileDisk({ path, readOnly: readOnly || run !== null }),
          );
        }
        this.#stores = run === null
          ? this.#disks
          : this.#disks.map((disk, i) => {
            const { sha256 } = run.disks[i];
            refuseOther(options.disks[i].path, identify(disk).sha256, sha256);
            return new Overlay(disk, options.disks[i].readOnly);
          });
      }
    } catch (error) {
      this.close();
      throw error;
    }
    this.journals = journaled
      ? this.#stores.map((disk) => new JournaledStore(disk))
      : [];
  }

  /** The disks, as the guest reaches them. */
  get stores(): readonly BlockStore[] {
    return this.#stores.map((disk, i) => this.journals[i] ?? disk);
  }

  /** Puts the devices on a machine's buses. */
  attach(machine: Machine): readonly Device[] {
    this.machine = machine;
    const functions: VirtioFunction[] = this.stores.map((disk, i) =>
      new VirtioBlock(`virtio-disk${i}`, disk)
    );
    if (this.#console !== null) functions.push(this.#console);
    functions.push(new VirtioRng(machine.options.entropy));
    if (functions.length !== virtioCount(this.#options)) {
      throw new RangeError("virtio devices and their announcement differ");
    }
    return functions.map((device, i) => {
      const declaration = virtioTransport(i, device.name);
      const transport = new VirtioMmio(
        device,
        machine.dma(device.name),
        machine.board.irq(declaration.irq),
      );
      if (device === this.#console) this.#consoleTransport = transport;
      claim(machine, declaration, transport);
      machine.doorbells.add(
        declaration.memory[0] + VIRTIO_QUEUE_NOTIFY,
        4,
        () => transport.rang(),
      );
      return transport;
    });
  }

  /** Gives typed bytes to the virtio console; false if the guest has none. */
  type(bytes: Uint8Array): boolean {
    const port = this.#console;
    if (port === null || !this.#consoleTransport?.live) return false;
    port.type(bytes);
    this.#consoleTransport.work((queues) => port.deliver(queues));
    return true;
  }

  /** The console's terminal has another size now. */
  resize(size: WindowSize): void {
    if (this.#console?.setSize(size)) this.#consoleTransport!.configChanged();
  }

  close(): void {
    for (const disk of this.#disks) disk.close();
  }
}
