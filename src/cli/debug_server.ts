/** The gdb server as the command offers it: opened, announced, closed. */
import type { Debugger } from "../debug/debugger.ts";
import {
  type Address,
  GdbServer,
  type GdbServerOptions,
} from "../gdb/server.ts";
import { gdbLine, placeDemoSymbols } from "./gdb_line.ts";
import type { RunOptions } from "./options.ts";
import { removeStaleSocket } from "./stale_socket.ts";

/** The server cannot listen there; the message is one line for the user. */
export class ListenError extends Error {
  override readonly name = "ListenError";
}

/** Why listening failed, in the user's words. */
function listenProblem(address: Address, error: unknown): ListenError {
  const where = address.transport === "unix"
    ? `unix:${address.path}`
    : `${address.hostname}:${address.port}`;
  const remedy = address.transport === "unix"
    ? "choose another path, or remove what is there"
    : "end what listens there, or choose another port with --gdb=HOST:PORT";
  const why = error instanceof Deno.errors.AddrInUse
    ? `in use already: ${remedy}`
    : error instanceof Deno.errors.NotFound
    ? "no such folder"
    : error instanceof Error
    ? error.message.split("\n")[0]
    : String(error);
  return new ListenError(`--gdb=${where}: ${why}`, { cause: error });
}

async function listen(options: GdbServerOptions): Promise<GdbServer> {
  const { address } = options;
  try {
    try {
      return new GdbServer(options);
    } catch (error) {
      const taken = error instanceof Deno.errors.AddrInUse &&
        address.transport === "unix";
      if (!taken || !await removeStaleSocket(address.path)) throw error;
      return new GdbServer(options);
    }
  } catch (error) {
    throw listenProblem(address, error);
  }
}

/** A server that has been announced. */
export interface DebugServer {
  /** Whether a debugger is there that can start an ended guest again. */
  readonly mayRestart: boolean;
  /** Whether a debugger is told of stops. */
  readonly attended: boolean;
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
  const server = await listen({
    target: guest,
    address: options.gdb,
    afterDisconnect: options.afterDisconnect,
    architecture: options.gdbArch,
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
  const { booted } = guest.machine;
  const linux = booted?.kind === "linux";
  const line = gdbLine(
    server.address,
    booted?.isElf ? options.guest : undefined,
    symbols,
  );
  say(`  ${line}`);
  if (linux) {
    say('There "monitor linux" tells how to get the kernel\'s symbols.');
  }
  return {
    get mayRestart() {
      return server.mayRestart;
    },
    get attended() {
      return server.attended;
    },
    async close() {
      await server.close();
      if (symbols !== undefined) {
        await Deno.remove(symbols, { recursive: true });
      }
    },
  };
}
