/** The gdb server as the command offers it: opened, announced, closed. */
import type { Debugger } from "../debug/debugger.ts";
import { GdbServer } from "../gdb/server.ts";
import { gdbLine, placeDemoSymbols } from "./gdb_line.ts";
import type { RunOptions } from "./options.ts";

/** A server that has been announced. */
export interface DebugServer {
  /** Whether a debugger is there that can start an ended guest again. */
  readonly mayRestart: boolean;
  /** Says what is still to be said to gdb, hangs up and tidies. */
  close(): Promise<void>;
}

/** Opens the server that --gdb asks for; null without --gdb. `onGone` is called
 * when a debugger has gone. */
export async function openDebugServer(
  options: RunOptions,
  guest: Debugger,
  say: (line: string) => void,
  onGone: () => void,
): Promise<DebugServer | null> {
  if (options.gdb === undefined) return null;
  const server = new GdbServer({
    target: guest,
    address: options.gdb,
    afterDisconnect: options.afterDisconnect,
    onGone,
  });
  const symbols = options.guest === undefined
    ? await placeDemoSymbols(say)
    : undefined;
  say(
    options.wait
      ? "The guest waits for gdb. To attach, paste:"
      : "The guest runs. To attach gdb, paste:",
  );
  say(`  ${gdbLine(server.address, options.guest, symbols)}`);
  return {
    get mayRestart() {
      return server.mayRestart;
    },
    async close() {
      await server.close();
      if (symbols !== undefined) {
        await Deno.remove(symbols, { recursive: true });
      }
    },
  };
}
