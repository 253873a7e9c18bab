/** Letting the guest run, and why it stands. */
import type { Action } from "../../debug/target.ts";
import { registerNumber } from "../../debug/registers.ts";
import type { Command } from "../command.ts";
import { EINVAL, type Packet, type Reply } from "../packet.ts";
import type { Session } from "../session.ts";
import { stepAction } from "../sstep.ts";
import { putStop } from "../stop_reply.ts";
import { parseThread, PROCESS } from "../threads.ts";

const CONTINUE: Action = { kind: "continue" };
const STAY: Action = { kind: "stay" };
const RIP = registerNumber("rip");

export const whyStopped: Command = {
  name: "?",
  handle(session, _packet, reply) {
    const stop = session.target.stop;
    if (!session.detached && stop !== null) putStop(session, stop, reply);
    // Nothing to debug: a debugger in extended mode then offers to attach.
    else reply.text(session.multiprocess ? `W00;process:${PROCESS}` : "W00");
  },
};

export const resumeActions: Command = {
  name: "vCont?",
  features: ["vContSupported+"],
  handle(_session, _packet, reply) {
    reply.text("vCont;c;C;s;S;t;r");
  },
};

export const resume: Command = {
  name: "vCont",
  handle(session, packet, reply) {
    const { processors } = session.target;
    // Of several actions that fit a thread, the first counts.
    const plan: (Action | undefined)[] = new Array(processors).fill(undefined);
    do {
      if (!packet.accept(";")) return reply.error(EINVAL);
      const action = takeAction(session, packet);
      const thread = packet.accept(":")
        ? parseThread(packet, processors)
        : "all";
      if (action === null || thread === null) return reply.error(EINVAL);
      if (typeof thread === "number") plan[thread] ??= action;
      else if (thread === "any") plan[session.current] ??= action;
      else for (let i = 0; i < processors; i++) plan[i] ??= action;
    } while (!packet.atEnd);
    for (let i = 0; i < processors; i++) plan[i] ??= STAY;
    session.resume(plan as Action[], reply);
  },
};

/** Takes one action. Signals are of no meaning to a machine. */
function takeAction(session: Session, packet: Packet): Action | null {
  switch (packet.character()) {
    case "c":
      return CONTINUE;
    case "C":
      return packet.number() === null ? null : CONTINUE;
    case "s":
      return stepAction(session.sstep);
    case "S":
      return packet.number() === null ? null : stepAction(session.sstep);
    case "t":
      return STAY;
    case "r": {
      const start = packet.address();
      if (start === null || !packet.accept(",")) return null;
      const end = packet.address();
      return end === null ? null : { kind: "range", start, end };
    }
  }
  return null;
}

/** The older packets: `c [addr]`, `s [addr]`, `C sig[;addr]`, `S sig[;addr]`. */
function resumeOld(
  session: Session,
  packet: Packet,
  reply: Reply,
  action: "continue" | "step",
  signal: boolean,
): void {
  if (signal && packet.number() === null) return reply.error(EINVAL);
  const chosen = session.resumed;
  const processor = chosen === "all" ? session.current : chosen;
  if (!packet.atEnd && (!signal || packet.accept(";"))) {
    const address = packet.address();
    if (address === null) return reply.error(EINVAL);
    const rip = new Uint8Array(8);
    new DataView(rip.buffer).setBigUint64(0, address, true);
    session.target.writeRegisters(processor, RIP, 1, rip);
  }
  if (!packet.atEnd) return reply.error(EINVAL);
  const chosenAction = action === "step" ? stepAction(session.sstep) : CONTINUE;
  const others = chosen === "all" ? CONTINUE : STAY;
  session.resume(
    Array.from(
      { length: session.target.processors },
      (_, i) => i === processor ? chosenAction : others,
    ),
    reply,
  );
}

function oldCommand(
  name: string,
  action: "continue" | "step",
  signal: boolean,
): Command {
  return {
    name,
    handle(session, packet, reply) {
      resumeOld(session, packet, reply, action, signal);
    },
  };
}

export const oldContinue = oldCommand("c", "continue", false);
export const oldStep = oldCommand("s", "step", false);
export const oldContinueSignal = oldCommand("C", "continue", true);
export const oldStepSignal = oldCommand("S", "step", true);
