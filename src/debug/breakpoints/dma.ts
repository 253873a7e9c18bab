/**
 * Watchpoints on data that devices access by DMA, which no processor notices. Where the
 * data is in physical memory is found out when the guest starts.
 */
import type { DmaAccess } from "../../machine/machine.ts";
import { PAGE_BYTES } from "../../x86/paging.ts";
import type { WatchedData } from "./hardware.ts";
import type { StopReason } from "../target.ts";
import type { PageWalker, Paging } from "../paging/walk.ts";

const PAGE = BigInt(PAGE_BYTES);

/** Bytes of watched data that lie together in physical memory. */
interface Piece {
  readonly watch: WatchedData;
  readonly gpa: number;
  readonly length: number;
}

export class DmaWatch {
  readonly #walker: PageWalker;
  #pieces: readonly Piece[] = [];

  constructor(walker: PageWalker) {
    this.#walker = walker;
  }

  /** Finds the data in the address spaces that there are. */
  locate(watches: readonly WatchedData[], spaces: readonly Paging[]): void {
    this.#pieces = watches.flatMap((watch) =>
      spaces.flatMap((space) => this.#piecesIn(watch, space))
    );
  }

  #piecesIn(watch: WatchedData, space: Paging): Piece[] {
    const pieces: Piece[] = [];
    const end = watch.address + BigInt(watch.length);
    for (let at = watch.address; at < end;) {
      const next = (at & ~(PAGE - 1n)) + PAGE;
      const until = next < end ? next : end;
      const gpa = this.#walker.translate(space, at);
      if (gpa >= 0) pieces.push({ watch, gpa, length: Number(until - at) });
      at = until;
    }
    return pieces;
  }

  /** What an access means; null if it touches nothing that is watched for it. */
  reason({ device, gpa, length, isWrite }: DmaAccess): StopReason | null {
    for (const { watch, gpa: from, length: bytes } of this.#pieces) {
      if (gpa >= from + bytes || from >= gpa + length) continue;
      if (watch.kind === (isWrite ? "read" : "write")) continue;
      const { kind, address } = watch;
      return { kind: "watchpoint", access: kind, address, device };
    }
    return null;
  }
}
