/**
 * The virtio devices that the options ask for, in the order in which a guest
 * finds them: disks, the console, the entropy device.
 */
import type { Device } from "../machine/device.ts";
import { claim } from "../machine/devices/declaration.ts";
import { VirtioBlock } from "../machine/devices/virtio/block.ts";
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
import type { Machine } from "../machine/machine.ts";
import { FileDisk } from "./disk.ts";
import type { RunOptions } from "./options.ts";

/** How many transports a machine with these options has. */
export function virtioCount(options: RunOptions): number {
  return options.disks.length + (options.console === undefined ? 0 : 1) + 1;
}

/** The virtio side of a machine. */
export class VirtioDevices {
  readonly #disks: FileDisk[] = [];
  readonly #options: RunOptions;
  readonly #console: VirtioConsole | null;
  #consoleTransport: VirtioMmio | null = null;

  /** Opens the disks' files; throws a FileError. `output` takes what the guest
   * prints on the virtio console, which is on a terminal of `size` or on none. */
  constructor(
    options: RunOptions,
    output: (bytes: Uint8Array) => void,
    size: WindowSize | null,
  ) {
    this.#options = options;
    this.#console = options.console === undefined
      ? null
      : new VirtioConsole(output, size);
    try {
      for (const disk of options.disks) this.#disks.push(new FileDisk(disk));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Puts the devices on a machine's buses. */
  attach(machine: Machine): readonly Device[] {
    const functions: VirtioFunction[] = this.#disks.map((disk, i) =>
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
    this.#console?.setSize(size);
    this.#consoleTransport?.configChanged();
  }

  close(): void {
    for (const disk of this.#disks) disk.close();
  }
}
