/** gdb's `monitor`: the debugger's own commands. */
import { TargetError } from "../../debug/target.ts";
import { type Command, needing, parsed } from "../command.ts";
import type { Reply } from "../packet.ts";
import { parseMonitor } from "../packets/monitor.ts";

export const monitor: Command = needing(["monitor"], {
  name: "qRcmd",
  handle: parsed(parseMonitor, (session, { line }, reply, target) => {
    let text: string | Promise<string>;
    try {
      text = target.monitor(line, session.chosen);
    } catch (error) {
      text = messageOf(error);
    }
    if (typeof text === "string") putText(text, reply);
    else session.answerLater(text.catch(messageOf), putText, reply);
  }),
});

/** An error as text: gdb would call any other a fault of the protocol. */
function messageOf(error: unknown): string {
  if (!(error instanceof TargetError)) throw error;
  return error.message;
}

function putText(text: string, reply: Reply): void {
  if (text === "") reply.ok();
  else reply.hexText(text.endsWith("\n") ? text : `${text}\n`);
}
