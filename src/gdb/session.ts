/**
 * One debugger's connection as a machine without I/O: bytes in, bytes out.
 *
 * All-stop. While the guest runs, packets that need it stopped are kept and
 * answered after the stop reply, in order, so that replies never get out of
 * step with requests.
 */
import { getLogger } from "@logtape/logtape";
import type { AgentExpression } from "../debug/breakpoints/agent.ts";
import {
  type BreakpointKind,
  type DebugTarget,
  type Plan,
  type Stop,
  TargetError,
} from "../debug/target.ts";
import {
  type Architecture,
  REGISTER_SETS,
  type RegisterSet,
} from "../debug/guest/register_sets.ts";
import type { Unsubscribe } from "../util/subscribers.ts";
import type { Able } from "./able.ts";
import { Deframer, Output } from "./framing.ts";
import {
  EFAULT,
  EINVAL,
  Packet,
  PACKET_SIZE,
  Reply,
  type Syntax,
} from "./packet.ts";
import type { ThreadId } from "./packets/thread_id.ts";
import { SSTEP_ALL } from "./sstep.ts";
import { putStop, type StopListener } from "./stop_reply.ts";
import { formatThread, processorOf } from "./threads.ts";

const log = getLogger(["icebp", "gdb"]);

/** Packets kept while the guest runs: no debugger sends more than a few. */
const MAX_KEPT_PACKETS = 256;
const MAX_KEPT_BYTES = 2 * PACKET_SIZE;

/** What becomes of the guest when the connection just ends. */
export type AfterDisconnect = "run" | "stay";

/** A command as a session performs it; command.ts has what else makes one. */
export interface SessionCommand {
  /** How its packets begin. */
  readonly name: string;
  /** Done at once even while the guest runs; others wait for the stop. */
  readonly whileRunning?: true;
  /** `packet` stands behind the name. A reply left empty says "unknown". */
  handle(session: Session, packet: Packet, reply: Reply): void;
}

/** The commands of a session. */
export interface SessionCommands {
  /** Every feature, in the order of registration. */
  readonly features: readonly string[];
  readonly names: readonly string[];
  /** Those that a target is able to. */
  for(target: DebugTarget): SessionCommands;
  find(payload: Uint8Array): SessionCommand | undefined;
}

export interface SessionOptions {
  readonly target: DebugTarget;
  /** The packets it knows, as far as the target is able to them. */
  readonly commands: SessionCommands;
  readonly afterDisconnect: AfterDisconnect;
  /** What gdb is to take the guest for; "auto" (if absent) goes by the guest. */
  readonly architecture?: Architecture | "auto";
  /** There is output to take that no receive() call will return. */
  readonly onOutput: () => void;
}

export class Session implements Syntax, StopListener {
  readonly target: DebugTarget;
  readonly #options: SessionOptions;
  readonly #commands: SessionCommands;

  // Negotiated.
  multiprocess = false;
  extended = false;
  /** lldb's: thread suffixes of register packets, threads in stop replies. */
  threadSuffix = false;
  threadsInStop = false;
  /** The registers as the other side numbers them: QEMU's 64-bit ones, until it
   * reads a description that says otherwise. */
  registers: RegisterSet = REGISTER_SETS["x86-64"];
  /** The description that was read last is one of 16-bit code. */
  real = false;
  #acknowledging = true;
  #clientFeatures: ReadonlySet<string> = new Set();

  // The conversation.
  /** Processor of g, G, p, P, m, M... (Hg). */
  current = 0;
  /** The user's: that of the last stop, or the one chosen since. */
  chosen = 0;
  /** Processors of c and s (Hc). */
  resumed: number | "all" = "all";
  /** Where memory packets mean physical addresses (QEMU's PhyMemMode): the target. */
  physical: Able<"readPhysical" | "writePhysical"> | null = null;
  /** What a step does (sstep.ts). */
  sstep = SSTEP_ALL;
  /** No process is being debugged: detached, in extended mode. */
  detached = false;

  readonly #breakpoints = new Map<BreakpointKind, Map<bigint, Inserted>>();
  readonly #output = new Output();
  readonly #deframer: Deframer;
  readonly #packet = new Packet();
  readonly #reply = new Reply();
  /** Kept apart: a stop may come while a command is being handled. */
  readonly #stopReply = new Reply();
  /** For a repetition, where the other side refuses. */
  #lastFrame: Uint8Array = new Uint8Array();
  /** A stop reply is owed. */
  #owesStop = false;
  /** What the answer comes from that is owed to a packet which takes long. */
  #owed: Promise<string> | null = null;
  /** What has been said of a change of mode. */
  #saidLongMode = false;
  #saidProtectedMode = false;
  #kept: Uint8Array[] = [];
  #keptBytes = 0;
  /** Inside receive(): whoever called it takes the output. */
  #busy = false;
  #closed = false;
  #gone = false;
  readonly #unsubscribe: readonly Unsubscribe[];
  /** What the user is told with the next stop: gdb shows nothing before. */
  readonly #notices: string[] = [];

  constructor(options: SessionOptions) {
    this.#options = options;
    this.target = options.target;
    this.#commands = options.commands.for(options.target);
    this.#deframer = new Deframer({
      packet: (payload, right) => this.#onPacket(payload, right),
      oversized: () => this.#onOversized(),
      interrupt: () => this.#onInterrupt(),
      acknowledged: () => {},
      refused: () => this.#onRefused(),
    }, PACKET_SIZE);
    this.#unsubscribe = [
      this.target.onStop.subscribe((stop) => this.#onStop(stop)),
      this.target.onNotice?.subscribe((line) => this.#notices.push(line)),
    ].filter((unsubscribe) => unsubscribe !== undefined);
    const stop = this.target.stop;
    if (stop === null) this.target.interrupt();
    else this.#choose(stop.processor);
  }

  #choose(processor: number): void {
    this.current = processor;
    this.chosen = processor;
  }

  /** True when the conversation is over: send what is left and hang up. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Whether there is somebody to tell of stops. */
  get attends(): boolean {
    return !this.#closed && !this.detached;
  }

  /** Takes bytes that arrived; take() has the answers afterwards. */
  receive(bytes: Uint8Array): void {
    if (this.#closed) return;
    this.#busy = true;
    try {
      this.#deframer.push(bytes);
      this.#performKept();
    } finally {
      this.#busy = false;
    }
  }

  /** The bytes to send; a view that lasts until the next but one take(). */
  take(): Uint8Array {
    return this.#output.take();
  }

  /** Bytes that wait for take(). */
  get pending(): number {
    return this.#output.length;
  }

  /** The connection is gone or is to end: the guest is let go. One that stands
   * before its first instruction keeps waiting: nobody has resumed it. */
  disconnect(): void {
    if (this.#gone) return;
    this.#gone = true;
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#closed = true;
    const why = this.target.stop?.reason.kind;
    if (why === "exited" || this.detached) return;
    this.#letGo(why === "paused" ? "stay" : this.#options.afterDisconnect);
  }

  /** Ends the conversation after what has been said. */
  close(): void {
    this.#closed = true;
  }

  /** What qSupported answers. */
  get features(): readonly string[] {
    return this.#commands.features;
  }

  /** Whether it has a command of this name. */
  knows(name: string): boolean {
    return this.#commands.names.includes(name);
  }

  /** What qSupported told. */
  negotiate(clientFeatures: readonly string[]): void {
    this.#clientFeatures = new Set(clientFeatures);
    this.multiprocess = this.clientKnows("multiprocess+");
  }

  /** Whether the other side asks of a thread that its user chooses whether it is alive (T).
   * gdb does, and it looks at others with Hg for other reasons. */
  get asksOfChosen(): boolean {
    return this.clientKnows("vContSupported+");
  }

  clientKnows(feature: string): boolean {
    return this.#clientFeatures.has(feature);
  }

  /** After the present packet there are no acknowledgements any more. */
  stopAcknowledging(): void {
    this.#acknowledging = false;
  }

  /** How many threads there are: none of a guest that has ended or was let go. */
  get threads(): number {
    const over = this.target.stop?.reason.kind === "exited";
    return over || this.detached ? 0 : this.target.processors;
  }

  /** Every thread's id. */
  threadIds(): string[] {
    return Array.from(
      { length: this.threads },
      (_, i) => formatThread(i, this.multiprocess),
    );
  }

  /** Goes by the guest as it stands: its description is about to be read. */
  chooseRegisters(): void {
    this.registers = REGISTER_SETS[this.architecture];
    const { architecture = "auto" } = this.#options;
    this.real = architecture === "auto" &&
      this.target.codeBits(this.current) === 16;
  }

  /** What the other side should take the guest for now. */
  get architecture(): Architecture {
    const { architecture = "auto" } = this.#options;
    return architecture === "auto" ? this.target.architecture() : architecture;
  }

  /** The processor that a thread is; null if it is none. */
  processorOf(thread: ThreadId | "current"): number | null {
    if (thread === "current") return this.current;
    return processorOf(thread, this.target.processors);
  }

  /** Reads memory as the present mode has it; returns the bytes read. */
  readMemory(address: bigint, into: Uint8Array): number {
    return this.physical !== null
      ? this.physical.readPhysical(address, into, this.current)
      : this.target.readMemory(this.current, address, into);
  }

  /** Writes memory as the present mode has it; false if it is not there. */
  writeMemory(address: bigint, bytes: Uint8Array): boolean {
    return this.physical !== null
      ? this.physical.writePhysical(address, bytes)
      : this.target.writeMemory(this.current, address, bytes);
  }

  /** Inserting what is inserted replaces its conditions: a debugger counts no
   * owners. Throws TargetError. */
  insertBreakpoint(
    kind: BreakpointKind,
    address: bigint,
    length: number,
    conditions: readonly AgentExpression[],
  ): void {
    this.removeBreakpoint(kind, address, length);
    const breakpoint = { kind, address, length, conditions };
    this.target.insertBreakpoint(breakpoint);
    this.#insertedOf(kind).set(keyOf(kind, address, length), breakpoint);
  }

  /** Removing what is not inserted is no error. */
  removeBreakpoint(
    kind: BreakpointKind,
    address: bigint,
    length: number,
  ): void {
    const key = keyOf(kind, address, length);
    const inserted = this.#insertedOf(kind);
    const breakpoint = inserted.get(key);
    if (breakpoint === undefined) return;
    inserted.delete(key);
    this.target.removeBreakpoint(breakpoint);
  }

  #insertedOf(kind: BreakpointKind): Map<bigint, Inserted> {
    let inserted = this.#breakpoints.get(kind);
    if (inserted === undefined) {
      inserted = new Map();
      this.#breakpoints.set(kind, inserted);
    }
    return inserted;
  }

  /** Starts the guest; the reply comes when it stops. */
  resume(plan: Plan, reply: Reply): void {
    const stop = this.target.stop;
    const over = stop?.reason.kind === "exited";
    if (stop !== null && (over || plan.every((a) => a.kind === "stay"))) {
      putStop(this, stop, reply);
      return;
    }
    // gdb steps off breakpoints itself; "jump" to the same place does not.
    this.start(() => this.target.resume(plan, false), reply);
  }

  /** Sets the guest going, by whatever `begin` does; the reply comes when it stops. */
  start(begin: () => void, reply: Reply): void {
    if (this.target.stop === null) {
      throw new TargetError("the guest is running");
    }
    reply.none();
    this.#owesStop = true;
    try {
      begin();
    } catch (error) {
      this.#owesStop = false;
      reply.clear();
      throw error;
    }
  }

  /** Stops the guest for a debugger that attaches; replies when it stands. */
  attach(reply: Reply): void {
    this.detached = false;
    if (this.target.stop !== null) {
      putStop(this, this.target.stop, reply);
      return;
    }
    reply.none();
    this.#owesStop = true;
    this.target.interrupt();
  }

  /** The debugger lets go, orderly. */
  detach(): void {
    this.#owesStop = false;
    this.detached = true;
    this.#letGo("run");
    if (!this.extended) this.#closed = true;
  }

  /** Ends the guest. */
  kill(): void {
    this.#owesStop = false;
    this.#breakpoints.clear();
    this.target.kill();
  }

  /** Starts the guest anew, stopped. */
  restart(target: Able<"restart">): void {
    this.#owesStop = false;
    this.detached = false;
    target.restart();
  }

  #letGo(after: AfterDisconnect): void {
    this.#breakpoints.clear();
    this.target.detach(after === "run");
  }

  #onPacket(payload: Uint8Array, checksumRight: boolean): void {
    if (this.#closed) return;
    if (this.#acknowledging) {
      if (!checksumRight) {
        this.#output.refuse();
        return;
      }
      this.#output.acknowledge();
    }
    // Without acknowledgements the transport is trusted, not the checksum.
    if (!this.#mustWait()) {
      this.#perform(payload);
    } else if (this.#commands.find(payload)?.whileRunning) {
      this.#giveUpKept();
      this.#perform(payload);
    } else {
      this.#keep(payload);
      // It was let run (monitor cont) without a stop being owed: asked, it stands.
      if (!this.#owesStop && this.#owed === null) this.target.interrupt();
    }
  }

  #mustWait(): boolean {
    return this.#kept.length > 0 || this.#owed !== null ||
      (this.target.stop === null && !this.detached);
  }

  /** Answers a packet when `text` is there; what comes meanwhile waits. */
  answerLater(
    text: Promise<string>,
    put: (text: string, reply: Reply) => void,
    reply: Reply,
  ): void {
    reply.none();
    this.#owed = text;
    const perform = (put: (reply: Reply) => void) => {
      if (this.#owed !== text || this.#closed) return;
      this.#owed = null;
      this.#reply.clear();
      put(this.#reply);
      this.#send(this.#reply.payload);
      this.#proceed();
    };
    text.then(
      (said) => perform((reply) => put(said, reply)),
      (error) =>
        perform((reply) => {
          log.error("{error}", { error });
          reply.failure(error instanceof Error ? error.message : `${error}`);
        }),
    );
  }

  #keep(payload: Uint8Array): void {
    this.#kept.push(payload.slice());
    this.#keptBytes += payload.length;
    if (
      this.#kept.length > MAX_KEPT_PACKETS || this.#keptBytes > MAX_KEPT_BYTES
    ) {
      log.warn("hanging up: too many packets while the guest runs");
      this.#closed = true;
    }
  }

  #performKept(): void {
    while (
      !this.#closed && this.#owed === null && this.target.stop !== null
    ) {
      const payload = this.#kept.shift();
      if (payload === undefined) break;
      this.#keptBytes -= payload.length;
      this.#perform(payload);
    }
  }

  /** The guest is being let go: what waited for its stop waits in vain. */
  #giveUpKept(): void {
    const owed = this.#owed === null ? 0 : 1;
    this.#owed = null;
    for (let i = 0; i < owed + this.#kept.length; i++) {
      this.#reply.clear();
      this.#reply.error(EINVAL);
      this.#send(this.#reply.payload);
    }
    this.#kept = [];
    this.#keptBytes = 0;
  }

  #perform(payload: Uint8Array): void {
    const reply = this.#reply;
    reply.clear();
    const command = this.#commands.find(payload);
    if (command !== undefined) {
      this.#packet.open(payload, command.name.length);
      try {
        command.handle(this, this.#packet, reply);
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        // The session outlives what the target cannot do.
        if (error instanceof TargetError) {
          log.info("{name}: {why}", { name: command.name, why: error.message });
        } else log.error("{name}: {error}", { name: command.name, error });
        // lldb knows errors by number only.
        if (this.threadSuffix) reply.error(EFAULT);
        else reply.failure(error.message);
      }
    }
    if (!reply.silent) this.#send(reply.payload);
  }

  #send(payload: Uint8Array): void {
    const frame = this.#output.packet(payload);
    if (this.#acknowledging) this.#lastFrame = frame.slice();
  }

  #onOversized(): void {
    log.warn("a packet of more than {bytes} bytes", { bytes: PACKET_SIZE });
    if (this.#closed) return;
    if (this.#acknowledging) this.#output.acknowledge();
    // In its turn, like any other packet: an unknown one.
    const unknown = new Uint8Array();
    if (this.#mustWait()) this.#keep(unknown);
    else this.#perform(unknown);
  }

  #onInterrupt(): void {
    // One that crosses a stop reply on the way is of no use any more.
    if (this.target.stop === null && !this.#closed && !this.detached) {
      this.target.interrupt();
    }
  }

  #onRefused(): void {
    if (this.#acknowledging) this.#output.raw(this.#lastFrame);
  }

  #onStop(stop: Stop): void {
    this.#choose(stop.processor);
    if (this.#owesStop) {
      this.#owesStop = false;
      this.#tellStop(stop);
    }
    this.#proceed();
  }

  /** Performs what has waited, and has it sent. */
  #proceed(): void {
    if (this.#busy) return;
    // What is performed here may resume and stop again at once.
    this.#busy = true;
    try {
      this.#performKept();
    } finally {
      this.#busy = false;
    }
    if (this.#output.length > 0 || this.#closed) this.#options.onOutput();
  }

  #tellStop(stop: Stop): void {
    const reply = this.#stopReply;
    const { reason } = stop;
    if (reason.kind === "failed") this.#say(reason.message);
    else if (reason.kind !== "exited") this.#sayMode(stop.processor);
    for (const line of this.#notices.splice(0)) this.#say(line);
    if (reason.kind === "watchpoint" && reason.device !== undefined) {
      this.#say(`Accessed by DMA: ${reason.device}.`);
    }
    reply.clear();
    putStop(this, stop, reply);
    this.#send(reply.payload);
  }

  /** Shows a line to the user; only before a stop reply. */
  #say(line: string): void {
    const reply = this.#stopReply;
    reply.clear();
    reply.text("O");
    reply.hexText(`${line}\n`);
    this.#send(reply.payload);
  }

  /** Says once that a debugger has code of another mode before it than it
   * takes it for. */
  #sayMode(processor: number): void {
    if (this.registers.architecture !== "i386" || this.#saidLongMode) return;
    const { architecture = "auto" } = this.#options;
    try {
      const bits = this.target.codeBits(processor);
      if (bits === 32 && this.real && !this.#saidProtectedMode) {
        this.#saidProtectedMode = true;
        this.#say(
          'The guest runs 32-bit code now: in gdb "set architecture i386" ' +
            "decodes it.",
        );
      }
      if (bits !== 64) return;
    } catch (error) {
      // It was only a courtesy: the stop must be told in any case.
      log.warn("the guest's mode cannot be read: {error}", { error });
      return;
    }
    this.#saidLongMode = true;
    this.#say(
      "The guest runs 64-bit code now, and this debugger takes it for i386. " +
        (architecture === "auto"
          ? 'In gdb "exec-file" and then "unset tdesc filename" make it ask ' +
            "again; lldb has to attach again."
          : "For its 64-bit code start icebp with --gdb-arch x86-64."),
    );
  }
}

interface Inserted {
  readonly kind: BreakpointKind;
  readonly address: bigint;
  readonly length: number;
  readonly conditions: readonly AgentExpression[];
}

/** Equal for what Z inserts once. */
function keyOf(kind: BreakpointKind, address: bigint, length: number): bigint {
  // Code is one place, whatever the length says.
  if (kind === "software" || kind === "hardware") return address;
  return address << 64n | BigInt(length);
}
