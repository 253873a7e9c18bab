/**
 * What comes to the stubs that stand for firmware (src/boot/firmware.ts). There is
 * no firmware: software interrupts return without having done anything, and an
 * exception comes back to its instruction for ever. Both are said. The stubs tell by
 * a port write, for nothing else of the guest's changes by that.
 */
import { getLogger } from "@logtape/logtape";
import type { PortDevice, StubEntry } from "../device.ts";
import { record } from "../state.ts";
import { StatefulDevice } from "./stateful.ts";
import type { Part } from "./wiring.ts";

const log = getLogger(["icebp", "machine"]);

/** What the stubs write to; nothing on a PC is known to be there. */
const BIOS_CALL_PORT = 0xea;
/** Where the stub of vector 0 is, in real mode; the others follow. */
export const STUB_SEGMENT = 0xf000, STUB_OFFSET = 0xf100;
/** OUT BIOS_CALL_PORT, AL; IRET. */
export const STUB = Uint8Array.of(0xe6, BIOS_CALL_PORT, 0xcf);

/** Exceptions have the vectors below. */
const FIRST_USER_VECTOR = 0x20;
/** Different calls that are told of. */
const MOST_TOLD = 16;

/** The port that the stubs write to. */
export const BIOS_CALLS = {
  name: "bios-calls",
  ports: [[BIOS_CALL_PORT, 1]],
  make: ({ stubEntry }) => new BiosCalls(stubEntry),
} as const satisfies Part;

/** What hears of calls of the BIOS. */
export class BiosCalls extends StatefulDevice<Record<never, never>>
  implements PortDevice {
  readonly #entry: () => StubEntry | null;
  readonly #told = new Set<string>();
  /** What the last entry without a call was. */
  #last = "";

  /** `entry` finds out what has come to which stub. */
  constructor(entry: () => StubEntry | null) {
    super(BIOS_CALLS, record({}));
    this.#entry = entry;
  }

  readPort(): number {
    return 0xff;
  }

  writePort(): void {
    if (this.#told.size === MOST_TOLD) return;
    const entry = this.#entry();
    if (entry === null) return;
    const { isCall, where, ah } = entry;
    const vector = hex(entry.vector);
    if (isCall) {
      this.#tell(
        `INT ${vector} with AH ${hex(ah)}`,
        where,
        "there is no BIOS, it does nothing",
      );
      return;
    }
    // An interrupt of a device does not come again without an EOI.
    const other = `${vector} ${where}`;
    if (other === this.#last && entry.vector < FIRST_USER_VECTOR) {
      this.#tell(
        `exception ${vector}`,
        where,
        "it has no handler, and comes again and again",
      );
    }
    this.#last = other;
  }

  /** Once of each `what`. */
  #tell(what: string, where: string, meaning: string): void {
    if (this.#told.has(what)) return;
    this.#told.add(what);
    log.warn("{what} ({where}): {meaning}", { what, where, meaning });
    if (this.#told.size === MOST_TOLD) log.warn("further ones are not told");
  }
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(2, "0")}`;
}
