/** gdb's `monitor`: the debugger's own commands. */
import { TargetError } from "../../debug/target.ts";
import { type Command, needing, parsed } from "../command.ts";
import { parseMonitor } from "../packets/monitor.ts";

export const monitor: Command = needing(["monitor"], {
  name: "qRcmd",
  handle: parsed(parseMonitor, (session, { line }, reply, target) => {
    let text: string;
    try {
      text = target.monitor(line, session.current);
    } catch (error) {
      if (!(error instanceof TargetError)) throw error;
      // As text: gdb would call any error a fault of the protocol.
      text = error.message;
    }
    if (text === "") reply.ok();
    else reply.hexText(text.endsWith("\n") ? text : `${text}\n`);
  }),
});
