/** A test's own debugger: one request, one reply, as fast as it gets. */
import { frame, unframe } from "../gdb/client.ts";

/** Fields of a `T` reply. */
export interface StopReply {
  readonly signal: number;
  readonly fields: ReadonlyMap<string, string>;
}

export class Client {
  readonly #conn: Deno.Conn;
  readonly #buffer = new Uint8Array(1 << 20);
  #filled = 0;

  private constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  /** Connects as soon as icebp listens. */
  static async connect(icebp: { readonly port: number }): Promise<Client> {
    for (let attempt = 0;; attempt++) {
      try {
        const address = { hostname: "127.0.0.1", port: icebp.port };
        const conn = await Deno.connect(address);
        // Else an interrupt waits for the acknowledgment of what went before.
        conn.setNoDelay(true);
        const client = new Client(conn);
        await client.ask("qSupported:multiprocess+;swbreak+;hwbreak+");
        await client.ask("QStartNoAckMode");
        return client;
      } catch (error) {
        if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
        if (attempt === 200) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  close(): void {
    this.#conn.close();
  }

  async send(payload: string): Promise<void> {
    await this.#conn.write(frame(payload));
  }

  async interrupt(): Promise<void> {
    await this.#conn.write(Uint8Array.of(3));
  }

  /** The next packet; "" at the end of the connection. */
  async receive(): Promise<string> {
    for (;;) {
      const start = this.#buffer.subarray(0, this.#filled).indexOf(0x24);
      const end = this.#buffer.subarray(0, this.#filled).indexOf(0x23, start);
      if (start >= 0 && end >= 0 && end + 3 <= this.#filled) {
        const body = this.#buffer.subarray(start + 1, end);
        const text = String.fromCharCode(...body);
        this.#buffer.copyWithin(0, end + 3, this.#filled);
        this.#filled -= end + 3;
        return unframe(text);
      }
      const count = await this.#conn.read(this.#buffer.subarray(this.#filled));
      if (count === null) return "";
      this.#filled += count;
    }
  }

  async ask(payload: string): Promise<string> {
    await this.send(payload);
    return await this.receive();
  }

  /** A request that must succeed. */
  async must(payload: string): Promise<void> {
    const reply = await this.ask(payload);
    if (reply !== "OK") throw new Error(`${payload}: ${reply}`);
  }

  /** Resumes until the next stop. */
  async resume(payload: string): Promise<StopReply> {
    await this.send(payload);
    return await this.stopped();
  }

  async stopped(): Promise<StopReply> {
    const reply = await this.receive();
    if (!reply.startsWith("T")) throw new Error(`not a stop: ${reply}`);
    const fields = reply.slice(3).split(";").map((field) => {
      const at = field.indexOf(":");
      return [field.slice(0, at), field.slice(at + 1)] as const;
    });
    return {
      signal: Number.parseInt(reply.slice(1, 3), 16),
      fields: new Map(fields),
    };
  }

  /** A 64-bit number in memory. */
  async read64(address: bigint): Promise<bigint> {
    const digits = await this.ask(`m${address.toString(16)},8`);
    return littleEndian(digits);
  }

  async write64(address: bigint, value: bigint): Promise<void> {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, value, true);
    await this.must(`M${address.toString(16)},8:${bytes.toHex()}`);
  }
}

/** The number that hexadecimal digits of little endian bytes mean. */
export function littleEndian(digits: string): bigint {
  const bytes = Uint8Array.fromHex(digits);
  return bytes.reduceRight((value, byte) => value << 8n | BigInt(byte), 0n);
}
