/** The end of a session or of the guest, and a new beginning. */
import { type Command, needing } from "../command.ts";
import { EINVAL } from "../packet.ts";
import { putStop } from "../stop_reply.ts";

export const detach: Command = {
  name: "D",
  whileRunning: true,
  handle(session, _packet, reply) {
    session.detach();
    reply.ok();
  },
};

/** No reply, and in plain mode nobody to talk to any more. */
export const kill: Command = {
  name: "k",
  whileRunning: true,
  handle(session, _packet, reply) {
    session.kill();
    reply.none();
    if (!session.extended) session.close();
  },
};

export const killProcess: Command = {
  name: "vKill",
  whileRunning: true,
  handle(session, _packet, reply) {
    session.kill();
    reply.ok();
  },
};

/** Has no reply, and exists in extended mode only. */
export const restart: Command = needing(["restart"], {
  name: "R",
  handle(session, _packet, reply, target) {
    if (!session.extended) return;
    session.restart(target);
    reply.none();
  },
});

/** gdb's `run`: there is one program, whatever the name. */
export const run: Command = needing(["restart"], {
  name: "vRun",
  handle(session, _packet, reply, target) {
    session.restart(target);
    const stop = session.target.stop;
    if (stop === null) reply.error(EINVAL);
    else putStop(session, stop, reply);
  },
});

/** Back to the guest after a detach in extended mode. */
export const attach: Command = {
  name: "vAttach",
  handle(session, _packet, reply) {
    session.attach(reply);
  },
};
