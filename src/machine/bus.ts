/**
 * The port bus and the memory-mapped bus: who answers at an address. What
 * nobody claims reads as all ones and swallows writes, as on a PC.
 */
import type { MmioDevice, PortDevice } from "./device.ts";

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

/** The 65536 I/O ports. */
export class PortBus {
  readonly #devices: (PortDevice | null)[] = new Array(0x10000).fill(null);
  readonly #claims: Claim[] = [];

  get claims(): readonly Claim[] {
    return this.#claims;
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
    this.#claims.push({ first, count, name });
    this.#devices.fill(device, first, first + count);
  }

  /** What IN reads. A wide access that begins in a claim goes there whole; one
   * that begins outside is all ones even if it reaches into one. */
  read(port: number, size: 1 | 2 | 4): number {
    const device = this.#devices[port];
    if (device === null) return ALL_ONES[size];
    return device.readPort(port, size);
  }

  write(port: number, size: 1 | 2 | 4, value: number): void {
    const device = this.#devices[port];
    if (device !== null) device.writePort(port, size, value);
  }
}

interface MmioClaim extends Claim {
  readonly device: MmioDevice;
}

/** Guest physical ranges that are devices rather than memory. */
export class MmioBus {
  readonly #claims: MmioClaim[] = [];
  /** The range that answered last: accesses come in runs. */
  #last: MmioClaim | null = null;

  get claims(): readonly Claim[] {
    return this.#claims;
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
    this.#claims.push({ first: gpa, count: bytes, device, name });
  }

  #find(gpa: number): MmioClaim | null {
    const last = this.#last;
    if (last !== null && gpa >= last.first && gpa < last.first + last.count) {
      return last;
    }
    for (const claim of this.#claims) {
      if (gpa >= claim.first && gpa < claim.first + claim.count) {
        this.#last = claim;
        return claim;
      }
    }
    return null;
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
