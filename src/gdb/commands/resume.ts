/** Letting the guest run, and why it stands. */
import type { Action } from "../../debug/target.ts";
import { registerNumber } from "../../debug/guest/registers.ts";
import { type Command, parsed } from "../command.ts";
import { EINVAL, type Reply } from "../packet.ts";
import {
  type OldResume,
  parseOldResume,
  parseOldResumeSignal,
  parseResume,
  type ResumeAction,
} from "../packets/resume.ts";
import { PROCESS } from "../packets/thread_id.ts";
import type { Session } from "../session.ts";
import { stepAction } from "../sstep.ts";
import { putStop } from "../stop_reply.ts";

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
  handle: parsed(parseResume, (session, { actions }, reply) => {
    const { processors } = session.target;
    const plan: (Action | undefined)[] = new Array(processors).fill(undefined);
    for (const { action: requested, thread } of actions) {
      const action = actionOf(requested, session);
      if (thread === "any") plan[session.current] ??= action;
      else if (thread === "all") {
        for (let i = 0; i < processors; i++) plan[i] ??= action;
      } else if (thread < processors) plan[thread] ??= action;
      else return reply.error(EINVAL);
    }
    for (let i = 0; i < processors; i++) plan[i] ??= STAY;
    session.resume(plan as Action[], reply);
  }),
};

/** What it is for a target: a step is what the session has it be. */
function actionOf(action: ResumeAction, { sstep }: Session): Action {
  switch (action.kind) {
    case "continue":
      return CONTINUE;
    case "step":
      return stepAction(sstep);
    case "stay":
      return STAY;
    case "range":
      return action;
  }
}

/** The older packets: `c [addr]`, `s [addr]`, `C sig[;addr]`, `S sig[;addr]`. */
function resumeOld(
  session: Session,
  { address }: OldResume,
  reply: Reply,
  action: "continue" | "step",
): void {
  const chosen = session.resumed;
  const processor = chosen === "all" ? session.current : chosen;
  if (address !== null) {
    const rip = new Uint8Array(8);
    new DataView(rip.buffer).setBigUint64(0, address, true);
    session.target.writeRegisters(processor, RIP, 1, rip);
  }
  const chosenAction = actionOf({ kind: action }, session);
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
    handle: parsed(
      signal ? parseOldResumeSignal : parseOldResume,
      (session, request, reply) => resumeOld(session, request, reply, action),
    ),
  };
}

export const oldContinue = oldCommand("c", "continue", false);
export const oldStep = oldCommand("s", "step", false);
export const oldContinueSignal = oldCommand("C", "continue", true);
export const oldStepSignal = oldCommand("S", "step", true);
