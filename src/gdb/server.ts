/**
 * The thin server around a session: a listener, one connection at a time. Who
 * comes while another is there waits: gdb's end of the one before may be known
 * later than its next beginning.
 */
import { getLogger } from "@logtape/logtape";
import type { Architecture } from "../debug/guest/register_sets.ts";
import type { DebugTarget } from "../debug/target.ts";
import { BusyPoll } from "./busy_poll.ts";
import { commands } from "./commands/mod.ts";
import { Newcomer } from "./newcomer.ts";
import { type AfterDisconnect, Session } from "./session.ts";

const log = getLogger(["icebp", "gdb"]);

const READ_BYTES = 65536;

/** Bytes of replies that may wait for a write to end. */
const MAX_PENDING = 1 << 20;

/** Where to listen. */
export type Address =
  | { readonly transport: "tcp"; readonly hostname: string; port: number }
  | { readonly transport: "unix"; readonly path: string };

/** What a server is made of. */
export interface GdbServerOptions {
  /** Whom debuggers debug. */
  readonly target: DebugTarget;
  /** Where it listens. */
  readonly address: Address;
  /** What the guest does when a connection ends without a detach. */
  readonly afterDisconnect: AfterDisconnect;
  /** What gdb is to take the guest for; "auto" (if absent) goes by the guest. */
  readonly architecture?: Architecture | "auto";
  /** A debugger is gone and the guest has been let go. */
  readonly onGone?: () => void;
}

/**
 * Listens for debuggers until close().
 *
 * @example
 * ```ts
 * import {
 *   attachDebugger,
 *   type AfterDisconnect,
 *   type GdbAddress,
 *   GdbServer,
 *   type GdbServerOptions,
 *   loadGuest,
 *   Machine,
 *   openSoft,
 *   startGuest,
 * } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const ramBytes = 2 << 20;
 * const platform = await openSoft({ memoryBytes: ramBytes });
 * const machine = new Machine({
 *   platform,
 *   guestMemory: platform.guestMemory,
 *   clock: platform.clock,
 *   entropy: { fill: (into) => into.fill(4) },
 *   cpus: 1,
 *   ramBytes,
 * });
 * startGuest(
 *   machine,
 *   loadGuest({
 *     image: Uint8Array.from([0xb0, 0x2a, 0xe6, 0xf4]), // mov al, 42; out 0xf4, al
 *     name: "ends",
 *     commandLine: "",
 *     modules: [],
 *     ramBytes,
 *     cpus: 1,
 *     virtioDevices: 0,
 *     flat: { address: 0x7000, mode: 16 },
 *   }),
 * );
 * const target = attachDebugger(machine);
 * const address: GdbAddress = {
 *   transport: "tcp",
 *   hostname: "127.0.0.1",
 *   port: 0, // any that is free
 * };
 * const afterDisconnect: AfterDisconnect = "stay";
 * const options: GdbServerOptions = { target, address, afterDisconnect };
 * const server = new GdbServer(options);
 * // `target remote :PORT` in gdb; here, the simplest packet of the protocol.
 * const { port } = server.address as Deno.NetAddr;
 * const gdb = await Deno.connect({ port, hostname: "127.0.0.1" });
 * await gdb.write(new TextEncoder().encode("$?#3f"));
 * const reply = new Uint8Array(64);
 * const length = await gdb.read(reply);
 * assertEquals(new TextDecoder().decode(reply.subarray(0, 4)), "+$T0");
 * assertEquals(length! > 4, true);
 * gdb.close();
 * await server.close();
 * ```
 */
export class GdbServer {
  readonly #options: GdbServerOptions;
  readonly #listener: Deno.Listener;
  readonly #poll: BusyPoll;
  #connection: Connection | null = null;
  readonly #waiting: Newcomer[] = [];
  readonly #accepting: Promise<void>;

  /**
   * Begins to listen.
   *
   * @throws {Error} What Deno.listen throws: the address is taken, not there, or not
   * permitted.
   */
  constructor(options: GdbServerOptions) {
    this.#options = options;
    const { address } = options;
    this.#listener = address.transport === "tcp"
      ? Deno.listen(address)
      : Deno.listen({ transport: "unix", path: address.path });
    this.#poll = new BusyPoll();
    this.#accepting = this.#accept();
  }

  /** Where it listens, with the port that was chosen if it was 0. */
  get address(): Deno.Addr {
    return this.#listener.addr;
  }

  /** Whether somebody is connected who may start an ended guest again (gdb's
   * extended mode): the program should wait for that. */
  get mayRestart(): boolean {
    return this.#connection?.extended ?? false;
  }

  /** Whether a debugger is connected that is told of stops: not one that has
   * detached. */
  get attended(): boolean {
    return this.#connection?.attends ?? false;
  }

  /** Stops listening, sends what is still to be said, and hangs up. */
  async close(): Promise<void> {
    this.#listener.close();
    for (const { conn } of this.#waiting.splice(0)) conn.close();
    const { address } = this.#options;
    await this.#connection?.hangUp();
    await this.#accepting;
    await this.#poll.close();
    if (address.transport === "unix") await removeSocket(address.path);
  }

  async #accept(): Promise<void> {
    for (;;) {
      let conn: Deno.Conn;
      try {
        conn = await this.#listener.accept();
      } catch (error) {
        // Only close() ends the listener; anything else is about one peer.
        if (error instanceof Deno.errors.BadResource) return;
        if (error instanceof Deno.errors.Interrupted) return;
        log.warn("a debugger could not connect: {error}", { error });
        continue;
      }
      if (this.#connection === null) this.#serve(conn, null);
      else this.#keepWaiting(conn);
    }
  }

  #keepWaiting(conn: Deno.Conn): void {
    log.warn("a second debugger waits until the first is gone");
    this.#waiting.push(
      new Newcomer(conn, (newcomer) => {
        const at = this.#waiting.indexOf(newcomer);
        if (at < 0) return;
        this.#waiting.splice(at, 1);
        conn.close();
        log.info("the second debugger did not wait");
      }),
    );
  }

  #serve(conn: Deno.Conn, early: Newcomer | null): void {
    const connection = new Connection(conn, early, this.#options, this.#poll);
    this.#connection = connection;
    log.info("a debugger connected");
    connection.done.then(() => {
      this.#connection = null;
      log.info("the debugger is gone");
      this.#options.onGone?.();
      const next = this.#waiting.shift();
      if (next !== undefined) this.#serve(next.conn, next);
    });
  }
}

class Connection {
  readonly #conn: Deno.Conn;
  readonly #options: GdbServerOptions;
  /** From the first byte on: who only looks whether the port is open does not
   * disturb the guest. */
  #session: Session | null = null;
  readonly #poll: BusyPoll;
  #writing: Promise<void> | null = null;
  #hungUp = false;
  /** Settles when the connection is over; never rejects. */
  readonly done: Promise<void>;

  constructor(
    conn: Deno.Conn,
    early: Newcomer | null,
    options: GdbServerOptions,
    poll: BusyPoll,
  ) {
    this.#conn = conn;
    this.#options = options;
    this.#poll = poll;
    if ("setNoDelay" in conn) (conn as Deno.TcpConn).setNoDelay(true);
    this.done = this.#serve(early);
  }

  get extended(): boolean {
    return this.#session?.extended ?? false;
  }

  get attends(): boolean {
    return this.#session?.attends ?? false;
  }

  #receive(bytes: Uint8Array): void {
    this.#session ??= new Session({
      target: this.#options.target,
      commands,
      afterDisconnect: this.#options.afterDisconnect,
      architecture: this.#options.architecture,
      onOutput: () => this.#flush(),
    });
    this.#session.receive(bytes);
    this.#flush();
  }

  async #serve(early: Newcomer | null): Promise<void> {
    const buffer = new Uint8Array(READ_BYTES);
    try {
      if (early !== null) {
        for await (const bytes of early.take()) {
          if (this.#hungUp) break;
          this.#receive(bytes);
        }
      }
      while (!this.#hungUp) {
        const count = await this.#conn.read(buffer);
        if (count === null) break;
        this.#receive(buffer.subarray(0, count));
        this.#poll.packet();
        // Reading goes on while a reply is written: that is faster. But a peer
        // that does not take its replies gets no further requests served.
        while (this.#writing !== null && this.#session!.pending > MAX_PENDING) {
          await this.#writing;
        }
      }
    } catch (error) {
      // What hangUp() interrupted is no news.
      if (!this.#hungUp) this.#report(error);
    }
    this.#session?.disconnect();
    await this.hangUp();
  }

  /** Sends what has gathered and closes. */
  async hangUp(): Promise<void> {
    this.#flush();
    while (this.#writing !== null) await this.#writing;
    if (this.#hungUp) return;
    this.#hungUp = true;
    this.#conn.close();
  }

  #flush(): void {
    if (this.#writing !== null || this.#hungUp) return;
    if (this.#session === null) return;
    const bytes = this.#session.take();
    if (bytes.length > 0) {
      this.#writing = this.#write(bytes);
    } else if (this.#session.closed) {
      this.#hungUp = true;
      this.#conn.close();
    }
  }

  async #write(bytes: Uint8Array): Promise<void> {
    try {
      for (let sent = 0; sent < bytes.length;) {
        sent += await this.#conn.write(bytes.subarray(sent));
      }
    } catch (error) {
      this.#report(error);
      this.#session?.close();
    }
    this.#writing = null;
    // More may have gathered meanwhile, or it was the last word.
    this.#flush();
  }

  /** A connection that breaks is an event; what else may come is a fault,
   * but of this connection only. */
  #report(error: unknown): void {
    const broke = error instanceof Deno.errors.BadResource ||
      error instanceof Deno.errors.Interrupted ||
      error instanceof Deno.errors.ConnectionReset ||
      error instanceof Deno.errors.ConnectionAborted ||
      error instanceof Deno.errors.BrokenPipe;
    if (broke) log.info("the connection broke: {why}", { why: `${error}` });
    else log.error("the connection failed: {error}", { error });
  }
}

async function removeSocket(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
