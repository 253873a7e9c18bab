/** Who wants to be told of what happens: any number, in the order of subscription. */

/**
 * Ends a subscription; a second time nothing happens.
 *
 * @example
 * ```ts
 * import { Subscribers, type Unsubscribe } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const ticks = new Subscribers<[count: number]>();
 * const unsubscribe: Unsubscribe = ticks.subscribe(() => {});
 * unsubscribe();
 * assertEquals(ticks.size, 0);
 * ```
 */
export type Unsubscribe = () => void;

/**
 * Something that can be listened to.
 *
 * @example
 * ```ts
 * import { type Subscribable, Subscribers } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const next = <T>(events: Subscribable<[T]>): Promise<T> =>
 *   new Promise((resolve) => {
 *     const unsubscribe = events.subscribe((event) => {
 *       unsubscribe();
 *       resolve(event);
 *     });
 *   });
 * const ticks = new Subscribers<[count: number]>();
 * const first = next(ticks);
 * ticks.tell(1);
 * assertEquals(await first, 1);
 * ```
 */
export interface Subscribable<Told extends readonly unknown[]> {
  /** Has `listener` told from now on, until what is returned is called. */
  subscribe(listener: (...told: Told) => void): Unsubscribe;
}

interface Subscription<Told extends readonly unknown[]> {
  readonly listener: (...told: Told) => void;
}

/**
 * The listeners of one kind of event, and the means to tell them.
 *
 * @example
 * ```ts
 * import { Subscribers } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const ticks = new Subscribers<[count: number]>();
 * const heard: number[] = [];
 * ticks.subscribe((count) => heard.push(count));
 * ticks.tell(1);
 * ticks.tell(2);
 * assertEquals(heard, [1, 2]);
 * ```
 */
export class Subscribers<Told extends readonly unknown[]>
  implements Subscribable<Told> {
  readonly #subscriptions = new Set<Subscription<Told>>();
  /** What is still to be told, and whom. */
  readonly #due: { subscription: Subscription<Told>; told: Told }[] = [];

  /** How many listen. */
  get size(): number {
    return this.#subscriptions.size;
  }

  subscribe(listener: (...told: Told) => void): Unsubscribe {
    const subscription = { listener };
    this.#subscriptions.add(subscription);
    return () => this.#subscriptions.delete(subscription);
  }

  /**
   * Tells everybody who listens now, before it returns; who unsubscribes
   * meanwhile is told no more. A listener that makes the next event happen has
   * the others told of this one first, so each hears everything in order. What
   * listeners throw is thrown when all have been told.
   *
   * @throws What the listener threw that did.
   * @throws {AggregateError} Several did.
   */
  tell(...told: Told): void {
    for (const subscription of this.#subscriptions) {
      this.#due.push({ subscription, told });
    }
    const errors: unknown[] = [];
    for (;;) {
      const next = this.#due.shift();
      if (next === undefined) break;
      if (!this.#subscriptions.has(next.subscription)) continue;
      try {
        next.subscription.listener(...next.told);
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new AggregateError(errors, `${errors[0]}`);
  }
}
