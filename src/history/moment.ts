/** A machine at a moment, but for its memory and disks, which are kept by pages. */
import type { ProcessorsState } from "../../ffi/mod.ts";
import { ForeignStateError } from "../machine/device.ts";
import type { Machine } from "../machine/machine.ts";
import type { BoardState } from "../machine/saved.ts";
import { BrokenStateError } from "../machine/state.ts";
import { ContainerError } from "./container.ts";

/** Processors and devices. */
export interface Moment {
  readonly processors: ProcessorsState;
  readonly board: BoardState;
}

/** What a machine is now, on a platform that can repeat what it did; no processor runs,
 * or all are held between two instructions. */
export function momentOf(machine: Machine): Moment {
  const { processors, board } = machine.save({ memory: false });
  if (!("core" in processors)) {
    throw new TypeError("the platform does not save processors");
  }
  return { processors, board };
}

/** Makes a machine what it was; `memory` puts memory and disks there before. Throws a
 * ContainerError, having changed nothing, for what another icebp saved, or none did. */
export function bringBack(
  machine: Machine,
  { processors, board }: Moment,
  memory: () => void,
): void {
  try {
    machine.load({ processors, board, memory: null }, memory);
  } catch (error) {
    if (
      error instanceof ForeignStateError || error instanceof BrokenStateError
    ) throw new ContainerError(error.message, { cause: error });
    throw error;
  }
}
