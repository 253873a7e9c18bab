/** A file of the user's as the guest's disk. */
import type { BlockStore } from "../machine/devices/virtio/block.ts";
import { SECTOR_BYTES } from "../x86/pc.ts";
import { FileError, fileProblem, refuseIrregular } from "./files.ts";
import type { DiskChoice } from "./options.ts";

const LABEL_BYTES = 20;

/** An opened disk image. */
export class FileDisk implements BlockStore {
  readonly bytes: number;
  readonly readOnly: boolean;
  readonly label: string;
  readonly #file: Deno.FsFile;

  /** Throws a FileError when the file cannot be a disk. */
  constructor({ path, readOnly }: DiskChoice) {
    try {
      // Before it is opened: opening a pipe waits.
      refuseIrregular(Deno.statSync(path), path);
      this.#file = Deno.openSync(path, { read: true, write: !readOnly });
    } catch (error) {
      if (error instanceof FileError) throw error;
      throw fileProblem(error, path);
    }
    const { size } = this.#file.statSync();
    if (size === 0 || size % SECTOR_BYTES !== 0) {
      this.#file.close();
      throw new FileError(
        `${path}: ${size} bytes are not whole sectors of ${SECTOR_BYTES} bytes`,
      );
    }
    this.bytes = size;
    this.readOnly = readOnly;
    this.label = path.slice(path.search(/[^/\\]*$/)).slice(0, LABEL_BYTES);
  }

  read(offset: number, into: Uint8Array): void {
    this.#file.seekSync(offset, Deno.SeekMode.Start);
    for (let done = 0; done < into.length;) {
      const count = this.#file.readSync(into.subarray(done));
      if (count === null) throw new Error("the disk image has become shorter");
      done += count;
    }
  }

  write(offset: number, bytes: Uint8Array): void {
    this.#file.seekSync(offset, Deno.SeekMode.Start);
    for (let done = 0; done < bytes.length;) {
      done += this.#file.writeSync(bytes.subarray(done));
    }
  }

  flush(): void {
    if (!this.readOnly) this.#file.syncDataSync();
  }

  close(): void {
    this.#file.close();
  }
}
