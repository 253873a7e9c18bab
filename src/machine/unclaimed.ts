/**
 * Accesses to addresses where nothing is: counted by range, and said once of
 * each that has many, for they are most likely what keeps a guest busy.
 */
import { getLogger } from "@logtape/logtape";

const log = getLogger(["icebp", "machine"]);

/** Accesses of a range at which it is told of. */
const MANY = 1000;
/** Accesses of all others together at which they are. */
const MANY_ELSEWHERE = 10 * MANY;
/** Ranges that are kept apart; what is accessed after them is "elsewhere". */
const MOST_RANGES = 256;
/** Ranges that are told of. */
const MOST_TOLD = 16;

interface Range {
  readonly first: number;
  accesses: number;
  told: boolean;
}

/** The unclaimed part of a bus. */
export class Unclaimed {
  readonly #what: string;
  readonly #bytes: number;
  readonly #where: () => string;
  readonly #ranges = new Map<number, Range>();
  /** The range that was accessed last: accesses come in runs. */
  #last: Range | null = null;
  #elsewhere = 0;
  #untold = 0;
  #told = 0;
  #saidElsewhere = false;

  /** `what` is in a range of `bytes` bytes, such as "ports"; `where` says who accesses. */
  constructor(what: string, bytes: number, where: () => string) {
    this.#what = what;
    this.#bytes = bytes;
    this.#where = where;
  }

  /** One access. */
  count(address: number): void {
    const first = address - address % this.#bytes;
    let range = this.#last;
    if (range === null || range.first !== first) {
      range = this.#ranges.get(first) ?? this.#open(first);
      if (range === null) this.#elsewhere++;
      else this.#last = range;
    }
    if (range !== null && ++range.accesses === MANY) this.#tell(range);
    if (range === null || !range.told) {
      if (++this.#untold >= MANY_ELSEWHERE && !this.#saidElsewhere) {
        this.#tellElsewhere(address);
      }
    }
  }

  #open(first: number): Range | null {
    if (this.#ranges.size === MOST_RANGES) return null;
    const range = { first, accesses: 0, told: false };
    this.#ranges.set(first, range);
    return range;
  }

  #tell(range: Range): void {
    if (this.#told === MOST_TOLD) return;
    this.#told++;
    range.told = true;
    this.#untold -= range.accesses;
    log.warn("{count} accesses to {range}, where nothing is; now {where}", {
      count: range.accesses,
      range: this.#name(range),
      where: this.#where(),
    });
  }

  #tellElsewhere(address: number): void {
    this.#saidElsewhere = true;
    log.warn(
      "{count} accesses to many {what} where nothing is; now {address}, {where}",
      {
        count: this.#untold,
        what: this.#what,
        address: hex(address),
        where: this.#where(),
      },
    );
  }

  #name({ first }: Range): string {
    return `${this.#what} ${hex(first)}-${hex(first + this.#bytes - 1)}`;
  }

  /** Accesses of each range by name, such as "nothing at ports 0x1f0-0x1ff". */
  *counts(): Iterable<[string, number]> {
    for (const range of this.#ranges.values()) {
      yield [`nothing at ${this.#name(range)}`, range.accesses];
    }
    if (this.#elsewhere > 0) yield ["nothing elsewhere", this.#elsewhere];
  }
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
