/** Snapshots that the user asks for: by name, in this process, and in files. */
import type { BlockStore } from "../machine/devices/virtio/block.ts";
import type { Machine } from "../machine/machine.ts";
import { ContainerError } from "./container.ts";
import {
  applyImage,
  captureImage,
  decodeImage,
  encodeImage,
  type MachineImage,
} from "./image.ts";

/** What is told of a snapshot. */
export interface SnapshotDescription {
  readonly name: string;
  readonly instructions: number;
  readonly time: bigint;
  /** Memory that is not all zeros. */
  readonly bytes: number;
}

/** A snapshot's file with the part that tells what made it. */
export interface SnapshotFile<About> {
  readonly image: MachineImage;
  readonly about: About;
}

interface Head<About> {
  /** Who can read processors' states (PlatformTimeTravel.format). */
  readonly format: string;
  readonly about: About;
}

/** Makes snapshots of a machine whose platform can. */
export class Snapshots<About = unknown> {
  readonly #machine: Machine;
  readonly #disks: readonly BlockStore[];
  readonly #about: About;
  readonly #named = new Map<string, MachineImage>();

  /** `about` is the caller's, JSON-able: what the machine was made with. */
  constructor(machine: Machine, disks: readonly BlockStore[], about: About) {
    this.#machine = machine;
    this.#disks = disks;
    this.#about = about;
  }

  #capture(): MachineImage {
    const { format } = this.#machine.options.platform.timeTravel!;
    const head: Head<About> = { format, about: this.#about };
    return captureImage(this.#machine, this.#disks, false, head);
  }

  /** Keeps what the machine is now, while no processor runs, under a name. */
  keep(name: string): SnapshotDescription {
    const image = this.#capture();
    this.#named.set(name, image);
    return describe(name, image);
  }

  /** Those that are kept, the oldest first. */
  list(): SnapshotDescription[] {
    return [...this.#named].map(([name, image]) => describe(name, image));
  }

  /** Makes the machine, while no processor runs, what it was; null for a name that there
   * is not. Throws a ContainerError for disks that have changed. */
  restore(name: string): SnapshotDescription | null {
    const image = this.#named.get(name);
    if (image === undefined) return null;
    applyImage(this.#machine, this.#disks, image);
    return describe(name, image);
  }

  /** Writes what the machine is now, while no processor runs, to a file: whole, or not at
   * all. Returns its size. */
  async write(path: string): Promise<number> {
    const unfinished = `${path}.${crypto.randomUUID().slice(0, 8)}`;
    let size = 0;
    try {
      {
        using file = await Deno.open(unfinished, {
          write: true,
          createNew: true,
        });
        for (const part of encodeImage(this.#capture())) {
          for (let done = 0; done < part.length;) {
            done += await file.write(part.subarray(done));
          }
          size += part.length;
        }
      }
      await Deno.rename(unfinished, path);
    } catch (error) {
      await Deno.remove(unfinished).catch(() => {});
      throw error;
    }
    return size;
  }

  /** Makes the machine what a file's is. */
  load({ image }: SnapshotFile<About>): void {
    applyImage(this.#machine, this.#disks, image);
  }
}

/** What a file has; throws a ContainerError for what is no snapshot, or another icebp's:
 * `format` is that of the platform here. */
export function readSnapshot<About>(
  file: Uint8Array,
  format: string,
): SnapshotFile<About> {
  const image = decodeImage(file);
  const head = image.about as Head<About>;
  if (head.format !== format) {
    throw new ContainerError(
      "made by another icebp, whose processors keep their state otherwise",
    );
  }
  return { image, about: head.about };
}

function describe(name: string, image: MachineImage): SnapshotDescription {
  const { instructions, time } = image.processors;
  const bytes = image.pages.reduce((sum, set) => sum + set.bytes, 0);
  return { name, instructions, time, bytes };
}
