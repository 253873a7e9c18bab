/** What a command is: one kind of packet, and what is advertised for it. */
import type { DebugTarget } from "../debug/target.ts";
import type { Able } from "./able.ts";
import { toBytes } from "./bytes.ts";
import { EINVAL, type Packet, type Reply, type Syntax } from "./packet.ts";
import type { Session, SessionCommand, SessionCommands } from "./session.ts";

export interface Command extends SessionCommand {
  /** What qSupported says for it. */
  readonly features?: readonly string[];
  /** Its argument follows the name at once, without a separator. */
  readonly glued?: true;
  /** Whether a target has what it is for; any has, if absent. What it has not is
   * neither known nor advertised. */
  readonly available?: (target: DebugTarget) => boolean;
}

/** A command for targets with certain abilities: its handler gets the target with
 * them. */
export function needing<A extends keyof DebugTarget>(
  abilities: readonly A[],
  command: Omit<Command, "handle" | "available"> & {
    handle(
      session: Session,
      packet: Packet,
      reply: Reply,
      target: Able<A>,
    ): void;
  },
): Command {
  return {
    ...command,
    available: (target) => abilities.every((a) => target[a] !== undefined),
    handle: (session, packet, reply) =>
      command.handle(session, packet, reply, session.target as Able<A>),
  };
}

/** A handler whose packets are parsed (packets/) before anything is done: `parse` gives
 * null for what is malformed, and undefined for what is no packet that it knows. */
export function parsed<R, Rest extends unknown[]>(
  parse: (packet: Packet, syntax: Syntax) => R | null | undefined,
  act: (session: Session, request: R, reply: Reply, ...rest: Rest) => void,
): (session: Session, packet: Packet, reply: Reply, ...rest: Rest) => void {
  return (session, packet, reply, ...rest) => {
    const request = parse(packet, session);
    if (request === undefined) return;
    if (request === null) return reply.error(EINVAL);
    act(session, request, reply, ...rest);
  };
}

/** Commands by the way their packets begin. */
export class CommandTable implements SessionCommands {
  readonly #letters: (Command | undefined)[] = [];
  /** Those of more than a letter, the longest first, by their first two. */
  readonly #words: (Command[] | undefined)[] = [];
  readonly #all: readonly Command[];

  constructor(commands: readonly Command[]) {
    this.#all = commands;
    for (const command of commands) {
      if (command.name.length === 1) {
        this.#letters[command.name.charCodeAt(0)] = command;
      } else {
        const words = this.#words[startOf(toBytes(command.name))] ??= [];
        words.push(command);
        words.sort((a, b) => b.name.length - a.name.length);
      }
    }
  }

  /** Those that a target is able to. */
  for(target: DebugTarget): CommandTable {
    return new CommandTable(
      this.#all.filter(({ available }) => available?.(target) ?? true),
    );
  }

  /** Every feature, in the order of registration. */
  get features(): readonly string[] {
    return this.#all.flatMap((c) => c.features ?? []);
  }

  get names(): readonly string[] {
    return this.#all.map((c) => c.name);
  }

  find(payload: Uint8Array): Command | undefined {
    if (payload.length === 0) return undefined;
    if (payload.length > 1) {
      for (const word of this.#words[startOf(payload)] ?? NONE) {
        if (begins(payload, word)) return word;
      }
    }
    return this.#letters[payload[0]];
  }
}

const NONE: readonly Command[] = [];

function startOf(bytes: Uint8Array): number {
  return bytes[0] << 8 | bytes[1];
}

/** Whether the packet begins with the name as a whole word. */
function begins(payload: Uint8Array, { name, glued }: Command): boolean {
  for (let i = 0; i < name.length; i++) {
    if (payload[i] !== name.charCodeAt(i)) return false;
  }
  return glued === true || payload.length === name.length ||
    ":;,?".includes(String.fromCharCode(payload[name.length]));
}
