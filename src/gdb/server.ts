/**
 * The thin server around a session: a listener, one connection at a time.
 */
import { getLogger } from "@logtape/logtape";
import type { DebugTarget } from "../debug/target.ts";
import { BusyPoll } from "./busy_poll.ts";
import { type AfterDisconnect, Session } from "./session.ts";

const log = getLogger(["icebp", "gdb"]);

const READ_BYTES = 65536;

/** Bytes of replies that may wait for a write to end. */
const MAX_PENDING = 1 << 20;

/** Where to listen. */
export type Address =
  | { readonly transport: "tcp"; readonly hostname: string; port: number }
  | { readonly transport: "unix"; readonly path: string };

export interface GdbServerOptions {
  readonly target: DebugTarget;
  readonly address: Address;
  /** What the guest does when a connection ends without a detach. */
  readonly afterDisconnect: AfterDisconnect;
  /** A debugger is gone and the guest has been let go. */
  readonly onGone?: () => void;
}

/** Listens for debuggers until close(). */
export class GdbServer {
  readonly #options: GdbServerOptions;
  readonly #listener: Deno.Listener;
  readonly #poll: BusyPoll;
  #connection: Connection | null = null;
  readonly #accepting: Promise<void>;

  /** Throws what Deno.listen throws. */
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

  /** Stops listening, sends what is still to be said, and hangs up. */
  async close(): Promise<void> {
    this.#listener.close();
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
      if (this.#connection !== null) {
        log.warn("a second debugger was turned away");
        conn.close();
        continue;
      }
      const { target, afterDisconnect } = this.#options;
      const connection = new Connection(
        conn,
        target,
        afterDisconnect,
        this.#poll,
      );
      this.#connection = connection;
      log.info("a debugger connected");
      connection.done.then(() => {
        this.#connection = null;
        log.info("the debugger is gone");
        this.#options.onGone?.();
      });
    }
  }
}

class Connection {
  readonly #conn: Deno.Conn;
  readonly #session: Session;
  readonly #poll: BusyPoll;
  #writing: Promise<void> | null = null;
  #hungUp = false;
  /** Settles when the connection is over; never rejects. */
  readonly done: Promise<void>;

  constructor(
    conn: Deno.Conn,
    target: DebugTarget,
    afterDisconnect: AfterDisconnect,
    poll: BusyPoll,
  ) {
    this.#conn = conn;
    this.#poll = poll;
    if ("setNoDelay" in conn) (conn as Deno.TcpConn).setNoDelay(true);
    this.#session = new Session({
      target,
      afterDisconnect,
      onOutput: () => this.#flush(),
    });
    this.done = this.#serve();
  }

  get extended(): boolean {
    return this.#session.extended;
  }

  async #serve(): Promise<void> {
    const buffer = new Uint8Array(READ_BYTES);
    try {
      while (!this.#hungUp) {
        const count = await this.#conn.read(buffer);
        if (count === null) break;
        this.#session.receive(buffer.subarray(0, count));
        this.#flush();
        this.#poll.packet();
        // Reading goes on while a reply is written: that is faster. But a peer
        // that does not take its replies gets no further requests served.
        while (this.#writing !== null && this.#session.pending > MAX_PENDING) {
          await this.#writing;
        }
      }
    } catch (error) {
      // What hangUp() interrupted is no news.
      if (!this.#hungUp) this.#report(error);
    }
    this.#session.disconnect();
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
      this.#session.close();
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
