/** Has the guest stop, once, when something is so that nothing tells of by itself. */
import { type Exclusive, NOBODY } from "./exclusive.ts";
import type { Course } from "./course.ts";

/** Host time after which what the guest is waited for is looked for again. */
const LOOK_MS = 50;

export class Lookout {
  /** Asked now and then while the guest runs, with all processors held: where it says
   * so the guest stops as if interrupted, once. */
  stopWhen: (() => boolean) | null = null;
  readonly #course: Course;
  readonly #exclusive: Exclusive;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(course: Course, exclusive: Exclusive) {
    this.#course = course;
    this.#exclusive = exclusive;
  }

  /** The guest goes on. */
  begin(): void {
    clearTimeout(this.#timer);
    if (this.stopWhen === null) return;
    this.#timer = setTimeout(() => {
      this.#look().catch((error) => this.#course.failed(error));
    }, LOOK_MS);
  }

  /** The guest has stopped. */
  end(): void {
    clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    const course = this.#course;
    await this.#exclusive.acquire(NOBODY);
    try {
      if (!course.goesOn || this.stopWhen === null) return;
      if (this.stopWhen()) {
        this.stopWhen = null;
        course.found(course.anyone, { kind: "interrupted" });
      } else this.begin();
    } finally {
      this.#exclusive.release(course.goesOn);
    }
  }
}
