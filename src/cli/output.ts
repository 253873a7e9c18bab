/**
 * Bytes on their way out of the program: collected, and written in order before
 * the event loop goes on, so that a guest's output costs few writes.
 */

/** Something that takes bytes; may take fewer than it is given. */
export interface ByteSink {
  writeSync(bytes: Uint8Array): number;
}

const CAPACITY = 16 * 1024;
/** Output waits no longer than this, ms. */
const DELAY = 5;

/** Collects bytes for a sink. */
export class BufferedOutput {
  readonly #sink: ByteSink;
  readonly #buffer = new Uint8Array(CAPACITY);
  readonly #onError: (error: unknown) => void;
  #length = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failed = false;

  /** `onError` is called once, when the sink can take no more. */
  constructor(sink: ByteSink, onError: (error: unknown) => void) {
    this.#sink = sink;
    this.#onError = onError;
  }

  write(bytes: Uint8Array): void {
    for (const byte of bytes) {
      this.#buffer[this.#length++] = byte;
      if (this.#length === CAPACITY) this.flush();
    }
    if (this.#length > 0 && this.#timer === undefined) {
      this.#timer = setTimeout(() => this.flush(), DELAY);
    }
  }

  /** Writes what has been collected. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const length = this.#length;
    this.#length = 0;
    if (this.#failed) return;
    try {
      for (let done = 0; done < length;) {
        done += this.#sink.writeSync(this.#buffer.subarray(done, length));
      }
    } catch (error) {
      this.#failed = true;
      this.#onError(error);
    }
  }
}
