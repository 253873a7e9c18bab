/** What comes to the guest from outside, by channels. */
import type { RecordedInput } from "./recording.ts";

/** The channels, what came on them and is to come again, and what waits. */
export class Inputs {
  readonly #channels = new Map<string, (bytes: Uint8Array) => void>();
  readonly #noted: RecordedInput[] = [];
  readonly #waiting: RecordedInput[] = [];

  /** What comes on a channel goes to `take`. */
  channel(name: string, take: (bytes: Uint8Array) => void): void {
    this.#channels.set(name, take);
  }

  /** The guest gets it. */
  deliver({ channel, bytes }: RecordedInput): void {
    this.#channels.get(channel)!(bytes);
  }

  /** How many are noted: the number of the next one. */
  get noted(): number {
    return this.#noted.length;
  }

  /** Notes what is to come again. */
  note(...inputs: readonly RecordedInput[]): void {
    this.#noted.push(...inputs);
  }

  /** One that was noted comes again. */
  repeat(number: number): void {
    this.deliver(this.#noted[number]);
  }

  /** It is delivered when deliverWaiting() says so. */
  wait(input: RecordedInput): void {
    this.#waiting.push(input);
  }

  deliverWaiting(): void {
    for (const input of this.#waiting.splice(0)) this.deliver(input);
  }
}
