/**
 * Busy polling: for a moment after a packet the event loop looks at its sockets
 * again and again instead of sleeping until one has something.
 *
 * A debugger sends its next packet some microseconds after a reply. By then a
 * process that sleeps has to be woken, often on another processor that has to
 * be woken, too; that takes longer than most packets. Deno has no call for it:
 * its event loop looks at sockets when it has nothing else to do, or every 61st
 * turn. So a byte is sent to and fro over a connection of the program with
 * itself: waiting for that byte looks at all sockets, and ends at once.
 */
import { getLogger } from "@logtape/logtape";

const log = getLogger(["icebp", "gdb"]);

/** How long after a packet the next one is looked for, in ms. */
const WINDOW_MS = 2;

/** A connection's two ends. */
type Pair = readonly [Deno.Conn, Deno.Conn];

/** Looks for packets busily, as long as any have come lately. */
export class BusyPoll {
  readonly #opening: Promise<void>;
  #pair: Pair | null = null;
  #until = 0;
  #polling = false;
  #closed = false;
  readonly #byte = new Uint8Array(1);
  /** Longer than the byte: a read that fills its buffer does not wait for the
   * sockets next time, as there may be more. */
  readonly #room = new Uint8Array(16);

  /** Nothing is done without permission, or a processor to spare. */
  constructor(processors = navigator.hardwareConcurrency) {
    this.#opening = processors > 1 ? this.#open() : Promise.resolve();
  }

  async #open(): Promise<void> {
    try {
      this.#pair = await openPair();
    } catch (error) {
      log.info("no busy polling: {error}", { error });
    }
    if (this.#pair === null) log.info("no busy polling: no permission");
  }

  /** Whether it looks busily now. */
  get polling(): boolean {
    return this.#polling;
  }

  /** A packet came: the next one may follow. */
  packet(): void {
    this.#until = performance.now() + WINDOW_MS;
    if (!this.#polling && this.#pair !== null) this.#poll(this.#pair);
  }

  async #poll([near, far]: Pair): Promise<void> {
    this.#polling = true;
    try {
      while (!this.#closed && performance.now() < this.#until) {
        await near.write(this.#byte);
        await far.read(this.#room);
      }
    } catch (error) {
      if (!this.#closed) log.warn("busy polling ended: {error}", { error });
      this.#closed = true;
    }
    this.#polling = false;
  }

  /** Ends it, and hangs up. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#opening;
    for (const conn of this.#pair ?? []) conn.close();
    this.#pair = null;
  }
}

/** Connects the program with itself, by what is permitted without asking: a
 * unix socket costs half as much as TCP. */
async function openPair(): Promise<Pair | null> {
  const granted = (...wanted: Deno.PermissionDescriptor[]) =>
    wanted.every((one) => Deno.permissions.querySync(one).state === "granted");
  if (
    Deno.build.os !== "windows" &&
    granted({ name: "read" }, { name: "write" }, { name: "net" })
  ) {
    const folder = await Deno.makeTempDir({ prefix: "icebp-" });
    const path = `${folder}/poll`;
    try {
      const listener = Deno.listen({ transport: "unix", path });
      return await connectTo(
        listener,
        () => Deno.connect({ transport: "unix", path }),
      );
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }
  if (granted({ name: "net", host: "127.0.0.1" })) {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    return await connectTo(listener, async () => {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port });
      conn.setNoDelay(true);
      return conn;
    });
  }
  return null;
}

async function connectTo(
  listener: Deno.Listener,
  connect: () => Promise<Deno.Conn>,
): Promise<Pair> {
  try {
    const near = await connect();
    for (;;) {
      const far = await listener.accept();
      if (isOtherEnd(near, far)) return [near, far];
      // Somebody else has found the port in this moment.
      far.close();
    }
  } finally {
    listener.close();
  }
}

function isOtherEnd(near: Deno.Conn, far: Deno.Conn): boolean {
  const { localAddr } = near, { remoteAddr } = far;
  // A unix socket was in a folder that is ours alone.
  if (localAddr.transport !== "tcp" || remoteAddr.transport !== "tcp") {
    return true;
  }
  return localAddr.port === remoteAddr.port;
}
