import type { Subscribable } from "../../src/util/subscribers.ts";

/** Has `listener` told of the next event only. */
export function once<Told extends readonly unknown[]>(
  event: Subscribable<Told>,
  listener: (...told: Told) => void,
): void {
  const unsubscribe = event.subscribe((...told) => {
    unsubscribe();
    listener(...told);
  });
}
