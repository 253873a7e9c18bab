// Windows' timers tick every 15.6 ms unless a process asks for better ones: a guest's
// devices would be late by as much.

import { winmm } from "../../ffi/winmm.ts";

/** The best that there is, ms. */
const PERIOD = 1;

/** A request for exact timers, in force until it ends. */
export class TimerPeriod {
  readonly #library: Deno.DynamicLibrary<typeof winmm>;

  private constructor(library: Deno.DynamicLibrary<typeof winmm>) {
    this.#library = library;
  }

  /** Asks the system; null if it is not Windows, or refuses. */
  static ask(os: string = Deno.build.os): TimerPeriod | null {
    if (os !== "windows") return null;
    let library;
    try {
      library = Deno.dlopen("winmm.dll", winmm);
    } catch {
      // Not permitted, or not there: devices make up for what late timers miss.
      return null;
    }
    if (library.symbols.timeBeginPeriod(PERIOD) === 0) {
      return new TimerPeriod(library);
    }
    library.close();
    return null;
  }

  /** How exact the system's timers are, ms. */
  get ms(): number {
    return PERIOD;
  }

  /** Takes the request back. */
  end(): void {
    this.#library.symbols.timeEndPeriod(PERIOD);
    this.#library.close();
  }
}
