/** Going back in time. */
import type { ReverseAction } from "../../debug/target.ts";
import { type Command, needing } from "../command.ts";
import { EINVAL } from "../packet.ts";

/** Both go for the processor that Hc chose, or the user's. */
function reverse(
  name: string,
  feature: string,
  action: ReverseAction,
): Command {
  return needing(["reverse"], {
    name,
    features: [feature],
    handle(session, packet, reply, target) {
      if (!packet.atEnd) return reply.error(EINVAL);
      const { resumed, chosen } = session;
      const processor = resumed === "all" ? chosen : resumed;
      session.start(() => target.reverse(action, processor), reply);
    },
  });
}

export const reverseStep = reverse("bs", "ReverseStep+", "step");
export const reverseContinue = reverse("bc", "ReverseContinue+", "continue");
