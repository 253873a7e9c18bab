/** Who wants to be told of what happens: any number, in the order of subscription. */

/** Ends a subscription; a second time nothing happens. */
export type Unsubscribe = () => void;

/** Something that can be listened to. */
export interface Subscribable<Told extends readonly unknown[]> {
  /** Has `listener` told from now on, until what is returned is called. */
  subscribe(listener: (...told: Told) => void): Unsubscribe;
}

interface Subscription<Told extends readonly unknown[]> {
  readonly listener: (...told: Told) => void;
}

/** The listeners of one kind of event, and the means to tell them. */
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
   * the others told of this one first, so each hears everything in order. Throws
   * what listeners threw, when all have been told: several in an AggregateError.
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
