/** Guest memory by linear address, in the address space one names. */
import type { GuestMemory } from "../../machine/memory.ts";
import { PAGE_BYTES, PAGE_OFFSET, UPPER_HALF } from "../../x86/paging.ts";
import { kernelSpace } from "../linux/kernel.ts";
import type { PageWalker, Paging } from "../paging/walk.ts";

/** What is written over the guest's bytes and is not to show. */
export interface Overlay {
  /** Undoes what it hides in `bytes`, read from guest physical address `gpa` on. */
  hide(gpa: number, bytes: Uint8Array): void;
}

export class VirtualMemory {
  overlay: Overlay | null = null;
  readonly #memory: GuestMemory;
  readonly #walker: PageWalker;

  constructor(memory: GuestMemory, walker: PageWalker) {
    this.#memory = memory;
    this.#walker = walker;
  }

  /** Where an address is, also one of the kernel's while a user program runs on
   * page tables without them. */
  translate(space: Paging, linear: bigint): number {
    const gpa = this.#walker.translate(space, linear);
    if (gpa >= 0 || linear < UPPER_HALF) return gpa;
    const kernel = kernelSpace(this.#memory, space);
    return kernel === null ? gpa : this.#walker.translate(kernel, linear);
  }

  /** Fills `into` as far as memory is mapped, and returns how far that is.
   * The overlay does not show. */
  read(space: Paging, linear: bigint, into: Uint8Array): number {
    let done = 0;
    while (done < into.length) {
      const at = BigInt.asUintN(64, linear + BigInt(done));
      const gpa = this.translate(space, at);
      if (gpa < 0) break;
      const count = Math.min(
        into.length - done,
        PAGE_BYTES - Number(at & PAGE_OFFSET),
      );
      const part = into.subarray(done, done + count);
      const read = this.#memory.read(gpa, part);
      this.overlay?.hide(gpa, part);
      done += read;
      if (read < count) break;
    }
    return done;
  }

  /** Writes all of `bytes`, or nothing; false if not all of it is mapped. */
  write(space: Paging, linear: bigint, bytes: Uint8Array): boolean {
    for (const pass of ["check", "write"]) {
      let done = 0;
      while (done < bytes.length) {
        const at = BigInt.asUintN(64, linear + BigInt(done));
        const gpa = this.translate(space, at);
        if (gpa < 0) return false;
        const count = Math.min(
          bytes.length - done,
          PAGE_BYTES - Number(at & PAGE_OFFSET),
        );
        if (this.#memory.slice(gpa, count) === null) return false;
        if (pass === "write") {
          this.#memory.write(gpa, bytes.subarray(done, done + count));
        }
        done += count;
      }
    }
    return true;
  }
}
