/** The debugger's side of gdb's protocol, just enough to show it. */

const decoder = new TextDecoder(), encoder = new TextEncoder();
/** Longer replies are cut in what is shown. */
const SHOWN = 60;

/** A packet as it goes over the wire. */
function framed(payload: string): Uint8Array {
  const sum = encoder.encode(payload).reduce((a, b) => (a + b) & 0xff, 0);
  return encoder.encode(`$${payload}#${sum.toString(16).padStart(2, "0")}`);
}

/** Without run lengths: a character, "*", and how many more, less 29. */
function expanded(reply: string): string {
  return reply.replace(
    /(.)\*(.)/g,
    (_, what, count) => what.repeat(count.charCodeAt(0) - 28),
  );
}

/** A connection that shows what goes over it. */
export class RspClient {
  readonly #conn: Deno.Conn;
  readonly #say: (line: string) => void;
  #text = "";

  private constructor(conn: Deno.Conn, say: (line: string) => void) {
    this.#conn = conn;
    this.#say = say;
  }

  static async connect(
    port: number,
    say: (line: string) => void,
  ): Promise<RspClient> {
    return new RspClient(
      await Deno.connect({ hostname: "127.0.0.1", port }),
      say,
    );
  }

  /** Sends a packet and waits for the reply's payload. */
  async ask(payload: string, meaning: string): Promise<string> {
    this.#say(`  -> ${payload.padEnd(20)} ${meaning}`);
    await this.#write(framed(payload));
    const reply = await this.#receive();
    const shown = reply.length > SHOWN ? `${reply.slice(0, SHOWN)}...` : reply;
    this.#say(`  <- ${shown}`);
    return expanded(reply);
  }

  /** Sends a packet that has no reply. */
  tell(payload: string, meaning: string): void {
    this.#say(`  -> ${payload.padEnd(20)} ${meaning}`);
    this.#write(framed(payload)).catch((error) =>
      this.#say(`  (${error.message})`)
    );
  }

  close(): void {
    this.#conn.close();
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length;) {
      sent += await this.#conn.write(bytes.subarray(sent));
    }
  }

  /** The next packet; what is before it are acknowledgements. */
  async #receive(): Promise<string> {
    const buffer = new Uint8Array(4096);
    for (;;) {
      const match = /\$([^#]*)#[0-9a-f]{2}/.exec(this.#text);
      if (match !== null) {
        this.#text = this.#text.slice(match.index + match[0].length);
        await this.#write(encoder.encode("+"));
        return match[1];
      }
      const count = await this.#conn.read(buffer);
      if (count === null) throw new Error("the gdb server hung up");
      this.#text += decoder.decode(buffer.subarray(0, count));
    }
  }
}
