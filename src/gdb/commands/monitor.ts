/** gdb's `monitor`: the debugger's own commands. */
import { TargetError } from "../../debug/target.ts";
import { toText } from "../bytes.ts";
import { type Command, needing } from "../command.ts";
import { EINVAL } from "../packet.ts";

export const monitor: Command = needing(["monitor"], {
  name: "qRcmd",
  handle(session, packet, reply, target) {
    packet.accept(",");
    const line = packet.hexBytes();
    if (line === null) return reply.error(EINVAL);
    let text: string;
    try {
      text = target.monitor(toText(line), session.current);
    } catch (error) {
      if (!(error instanceof TargetError)) throw error;
      // As text: gdb would call any error a fault of the protocol.
      text = error.message;
    }
    if (text === "") reply.ok();
    else reply.hexText(text.endsWith("\n") ? text : `${text}\n`);
  },
});
