/**
 * The port bus and the memory-mapped bus: who answers at an address. What
 * nobody claims reads as all ones and swallows writes, as on a PC.
 */
import type { MmioDevice, PortDevice } from "./device.ts";
import { Unclaimed } from "./unclaimed.ts";

/** A claimed range, for listings. */
export interface Claim {
  readonly first: number;
  readonly count: number;
  readonly name: string;
}

const ALL_ONES = { 1: 0xff, 2: 0xffff, 4: 0xffffffff } as const;

function refuse(name: string, what: string, first: number, by: Claim): never {
  throw new RangeError(
    `${name}: ${what} 0x${first.toString(16)} is taken by ${by.name}`,
  );
}

/** How often each device was accessed, and nothing at some addresses, by name. */
export type AccessCounts = ReadonlyMap<string, number>;

/** Adds up the claims of each name; some devices have several. */
function countsOf(
  claims: readonly { name: string; accesses: number }[],
  unclaimed: Unclaimed,
): AccessCounts {
  const counts = new Map<string, number>();
  for (const { name, accesses } of claims) {
    if (accesses > 0) counts.set(name, (counts.get(name) ?? 0) + accesses);
  }
  for (const [name, accesses] of unclaimed.counts()) counts.set(name, accesses);
  return counts;
}

/** Addresses that are told of together where nothing is. */
const PORT_RANGE = 16, MMIO_RANGE = 4096;
const UNKNOWN = () => "from an unknown place";

interface PortClaim extends Claim {
  readonly device: PortDevice;
  accesses: number;
}

/** The 65536 I/O ports. */
export class PortBus {
  readonly #at: (PortClaim | null)[] = new Array(0x10000).fill(null);
  readonly #claims: PortClaim[] = [];
  readonly #unclaimed: Unclaimed;

  /** `where` says who accesses, for messages. */
  constructor(where: () => string = UNKNOWN) {
    this.#unclaimed = new Unclaimed("ports", PORT_RANGE, where);
  }

  get claims(): readonly Claim[] {
    return this.#claims;
  }

  get accesses(): AccessCounts {
    return countsOf(this.#claims, this.#unclaimed);
  }

  /** Gives ports `first` to `first + count - 1` to `device`; a range that
   * overlaps another, or leaves the 64 KiB, throws a RangeError. */
  claim(first: number, count: number, device: PortDevice, name: string): void {
    if (first < 0 || count <= 0 || first + count > 0x10000) {
      throw new RangeError(
        `${name}: no such ports: ${first}, ${count} of them`,
      );
    }
    for (const claim of this.#claims) {
      if (first < claim.first + claim.count && claim.first < first + count) {
        refuse(name, "port", Math.max(first, claim.first), claim);
      }
    }
    const claim = { first, count, name, device, accesses: 0 };
    this.#claims.push(claim);
    this.#at.fill(claim, first, first + count);
  }

  #find(port: number): PortClaim | null {
    const claim = this.#at[port];
    if (claim === null) this.#unclaimed.count(port);
    else claim.accesses++;
    return claim;
  }

  /** What IN reads. A wide access that begins in a claim goes there whole; one
   * that begins outside is all ones even if it reaches into one. */
  read(port: number, size: 1 | 2 | 4): number {
    const claim = this.#find(port);
    if (claim === null) return ALL_ONES[size];
    return claim.device.readPort(port, size);
  }

  write(port: number, size: 1 | 2 | 4, value: number): void {
    this.#find(port)?.device.writePort(port, size, value);
  }
}

interface MmioClaim extends Claim {
  readonly device: MmioDevice;
  accesses: number;
}

/** Guest physical ranges that are devices rather than memory. */
export class MmioBus {
  readonly #claims: MmioClaim[] = [];
  /** The range that answered last: accesses come in runs. */
  #last: MmioClaim | null = null;
  readonly #unclaimed: Unclaimed;

  /** `where` says who accesses, for messages. */
  constructor(where: () => string = UNKNOWN) {
    this.#unclaimed = new Unclaimed("addresses", MMIO_RANGE, where);
  }

  get claims(): readonly Claim[] {
    return this.#claims;
  }

  get accesses(): AccessCounts {
    return countsOf(this.#claims, this.#unclaimed);
  }

  /** Gives `bytes` bytes at `gpa` to `device`; overlap throws a RangeError. */
  claim(gpa: number, bytes: number, device: MmioDevice, name: string): void {
    if (gpa < 0 || bytes <= 0) {
      throw new RangeError(`${name}: no such range: ${gpa}, ${bytes} bytes`);
    }
    for (const claim of this.#claims) {
      if (gpa < claim.first + claim.count && claim.first < gpa + bytes) {
        refuse(name, "address", Math.max(gpa, claim.first), claim);
      }
    }
    const claim = { first: gpa, count: bytes, device, name, accesses: 0 };
    this.#claims.push(claim);
  }

  #find(gpa: number): MmioClaim | null {
    let claim = this.#last;
    if (
      claim === null || gpa < claim.first || gpa >= claim.first + claim.count
    ) {
      claim = this.#claims.find(({ first, count }) =>
        gpa >= first && gpa < first + count
      ) ?? null;
    }
    if (claim === null) this.#unclaimed.count(gpa);
    else {
      claim.accesses++;
      this.#last = claim;
    }
    return claim;
  }

  /** Who answers at `gpa`. */
  claimAt(gpa: number): Claim | null {
    return this.#claims.find(({ first, count }) =>
      gpa >= first && gpa < first + count
    ) ?? null;
  }

  /** The 32-bit word at `gpa`, a multiple of 4, as a device shows it without any
   * effect; null if there is none or it has no such thing. Not counted. */
  peek(gpa: number): number | null {
    const claim = this.claimAt(gpa) as MmioClaim | null;
    return claim?.device.peekMmio?.(gpa - claim.first) ?? null;
  }

  /** Reads `size` (1 to 8) bytes, little endian. */
  read(gpa: number, size: number): bigint {
    const claim = this.#find(gpa);
    if (claim === null) return (1n << BigInt(size * 8)) - 1n;
    return claim.device.readMmio(gpa - claim.first, size);
  }

  write(gpa: number, size: number, value: bigint): void {
    const claim = this.#find(gpa);
    if (claim !== null) {
      claim.device.writeMmio(gpa - claim.first, size, value);
    }
  }
}
