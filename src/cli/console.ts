/**
 * The user's terminal as the guest's serial console: raw mode with an escape,
 * restored on every way out. Where standard input is no terminal its bytes go
 * to the guest as they are.
 */
import type { WindowSize } from "../machine/devices/virtio/console.ts";

const CTRL_A = 0x01;
const KEY = { quit: 0x78, help: 0x68, interrupt: 0x63 } as const; // x h c

const HELP = "Ctrl-A x  end icebp\r\n" +
  "Ctrl-A a  send Ctrl-A to the guest\r\n" +
  "Ctrl-A h  this list\r\n";

/** What the keys do. */
export interface KeyActions {
  /** Bytes for the guest. */
  input(bytes: Uint8Array): void;
  quit(): void;
  show(text: string): void;
}

/** What the terminal does. */
export interface ConsoleActions extends KeyActions {
  /** Its window has another size. */
  resize(size: WindowSize): void;
}

/** Finds the escapes in what is typed. */
export class EscapeFilter {
  readonly #actions: KeyActions;
  #escaped = false;

  constructor(actions: KeyActions) {
    this.#actions = actions;
  }

  /** Takes typed bytes; those that are no escapes go to the guest. */
  push(bytes: Uint8Array): void {
    const plain: number[] = [];
    for (const byte of bytes) {
      if (!this.#escaped) {
        if (byte === CTRL_A) this.#escaped = true;
        else plain.push(byte);
        continue;
      }
      this.#escaped = false;
      if (byte === KEY.quit) {
        this.#actions.quit();
        break;
      }
      if (byte === KEY.help) this.#actions.show(HELP);
      else if (byte === 0x61 || byte === CTRL_A) plain.push(CTRL_A);
      else plain.push(CTRL_A, byte);
    }
    if (plain.length > 0) this.#actions.input(Uint8Array.from(plain));
  }
}

/** The terminal's mode, changed at most once and put back at most once. */
class RawMode {
  #raw = false;

  enter(): void {
    Deno.stdin.setRaw(true);
    this.#raw = true;
  }

  leave(): void {
    if (!this.#raw) return;
    this.#raw = false;
    Deno.stdin.setRaw(false);
  }
}

const READ_BYTES = 4096;
/** Whether the system says that a window has another size; on Windows the guest keeps
 * the first one. */
const HAS_SIGWINCH = Deno.build.os !== "windows";

/** Reads standard input for the guest until it is closed. */
export class Console {
  readonly interactive: boolean;
  readonly #mode = new RawMode();
  readonly #onUnload = () => this.#mode.leave();
  #onResize: (() => void) | null = null;
  #closed = false;

  constructor() {
    this.interactive = Deno.stdin.isTerminal();
  }

  /** The terminal's size; null without a terminal. */
  get size(): WindowSize | null {
    return this.interactive ? Deno.consoleSize() : null;
  }

  /** Takes the terminal over and begins to read. */
  open(actions: ConsoleActions): void {
    if (this.interactive) {
      this.#mode.enter();
      if (HAS_SIGWINCH) {
        this.#onResize = () => actions.resize(Deno.consoleSize());
        Deno.addSignalListener("SIGWINCH", this.#onResize);
      }
      // Whoever calls Deno.exit, and an error that nobody catches.
      globalThis.addEventListener("unload", this.#onUnload);
    }
    const filter = this.interactive ? new EscapeFilter(actions) : null;
    this.#read((bytes) => {
      if (filter === null) actions.input(bytes);
      else filter.push(bytes);
    }).catch((error) => {
      if (!this.#closed) actions.show(`standard input: ${error.message}\n`);
    });
  }

  async #read(take: (bytes: Uint8Array) => void): Promise<void> {
    const buffer = new Uint8Array(READ_BYTES);
    for (;;) {
      const count = await Deno.stdin.read(buffer);
      if (count === null || this.#closed) return;
      take(buffer.slice(0, count));
    }
  }

  /** Puts the terminal back; input that comes later is dropped. */
  close(): void {
    this.#closed = true;
    this.#mode.leave();
    if (this.#onResize !== null) {
      Deno.removeSignalListener("SIGWINCH", this.#onResize);
      this.#onResize = null;
    }
    globalThis.removeEventListener("unload", this.#onUnload);
  }
}
