/**
 * Somebody who has connected while another debugger is there: what he says is
 * kept until his turn comes, and whether he leaves before is noticed.
 */

/** More than a debugger says before it has an answer. */
const EARLY_BYTES = 65536;

export class Newcomer {
  readonly conn: Deno.Conn;
  readonly #buffer = new Uint8Array(EARLY_BYTES);
  #kept = 0;
  /** Whose turn has come: the bytes that arrive are taken at once. */
  #called = false;
  #arrived: Promise<number | null>;

  /** `onGone` is called if he hangs up, or says too much, before his turn. */
  constructor(conn: Deno.Conn, onGone: (newcomer: Newcomer) => void) {
    this.conn = conn;
    this.#arrived = this.#read();
    this.#readAhead(onGone);
  }

  /** Bytes that arrived behind those that are kept; null at the end. */
  async #read(): Promise<number | null> {
    try {
      return await this.conn.read(this.#buffer.subarray(this.#kept));
    } catch {
      // Whatever broke: there is nobody any more.
      return null;
    }
  }

  async #readAhead(onGone: (newcomer: Newcomer) => void): Promise<void> {
    for (;;) {
      const count = await this.#arrived;
      if (this.#called) return;
      if (count !== null) this.#kept += count;
      if (count === null || this.#kept === this.#buffer.length) {
        return onGone(this);
      }
      this.#arrived = this.#read();
    }
  }

  /** His turn: what he has said, and what comes next; then the connection is
   * the caller's to read. */
  async *take(): AsyncGenerator<Uint8Array> {
    this.#called = true;
    const said = this.#buffer.subarray(0, this.#kept);
    if (said.length > 0) yield said;
    const count = await this.#arrived;
    if (count !== null) {
      yield this.#buffer.subarray(this.#kept, this.#kept + count);
    }
  }
}
