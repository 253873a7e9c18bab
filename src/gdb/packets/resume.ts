/** Letting the guest run: `vCont;action[:thread]...`, and the older `c`, `s`, `C`, `S`.
 * Signals are of no meaning to a machine. */
import type { Packet } from "../packet.ts";
import { takeThread, type ThreadId } from "./thread_id.ts";

/** What a thread is to do. */
export type ResumeAction =
  | { readonly kind: "continue" | "step" | "stay" }
  | { readonly kind: "range"; readonly start: bigint; readonly end: bigint };

/** vCont: of several actions that fit a thread, the first counts. */
export interface Resume {
  readonly actions: readonly {
    readonly action: ResumeAction;
    readonly thread: ThreadId;
  }[];
}

/** c, s, C, S */
export interface OldResume {
  /** Where to go on; null is where it stands. */
  readonly address: bigint | null;
}

/** `;action[:thread]`, at least once. */
export function parseResume(packet: Packet): Resume | null {
  const actions = [];
  do {
    if (!packet.accept(";")) return null;
    const action = takeAction(packet);
    const thread = packet.accept(":") ? takeThread(packet) : "all";
    if (action === null || thread === null) return null;
    actions.push({ action, thread });
  } while (!packet.atEnd);
  return { actions };
}

function takeAction(packet: Packet): ResumeAction | null {
  switch (packet.character()) {
    case "c":
      return { kind: "continue" };
    case "C":
      return packet.number() === null ? null : { kind: "continue" };
    case "s":
      return { kind: "step" };
    case "S":
      return packet.number() === null ? null : { kind: "step" };
    case "t":
      return { kind: "stay" };
    case "r": {
      const start = packet.address();
      if (start === null || !packet.accept(",")) return null;
      const end = packet.address();
      return end === null ? null : { kind: "range", start, end };
    }
  }
  return null;
}

/** `[address]`, of c and s. */
export function parseOldResume(packet: Packet): OldResume | null {
  return packet.atEnd ? { address: null } : takeLastAddress(packet);
}

/** `signal[;address]`, of C and S. */
export function parseOldResumeSignal(packet: Packet): OldResume | null {
  if (packet.number() === null) return null;
  if (packet.atEnd) return { address: null };
  return packet.accept(";") ? takeLastAddress(packet) : null;
}

function takeLastAddress(packet: Packet): OldResume | null {
  const address = packet.address();
  return address === null || !packet.atEnd ? null : { address };
}
