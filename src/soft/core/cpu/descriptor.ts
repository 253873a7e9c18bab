// Descriptors in the guest's tables. Source: Intel SDM vol. 3, "Segment
// Descriptors", "System Descriptor Types".
import { raiseErr } from "./fault";
import { FAULT, GDTR, S_LDTR, SEG_ATTR, SEG_LIMIT, SEGS } from "../layout";
import { rdSys, wrSys } from "../memory/access";
import {
  ACCESSED,
  CODE_OR_DATA,
  GRANULARITY,
  PRESENT,
  TABLE_INDICATOR,
  TSS_BUSY,
} from "../x86/segments";

/** A descriptor as it was read. */
@unmanaged
export class Descriptor {
  /** Where it is: a linear address. */
  address: u64 = 0;
  low: u32 = 0;
  high: u32 = 0;

  /** As a segment register holds them (SEG_ATTR). */
  @inline
  get attributes(): u32 {
    return (this.high >> 8) & 0xf0ff;
  }

  @inline
  get dpl(): u32 {
    return (this.high >> 13) & 3;
  }

  @inline
  get type(): u32 {
    return (this.high >> 8) & 15;
  }

  @inline
  get present(): bool {
    return (this.high & (PRESENT << 8)) != 0;
  }

  /** It is no code or data segment. */
  @inline
  get system(): bool {
    return (this.high & (CODE_OR_DATA << 8)) == 0;
  }

  get base(): u64 {
    return (this.low >> 16) | ((this.high & 0xff) << 16) |
      (this.high & 0xff000000);
  }

  get limit(): u32 {
    const limit = (this.low & 0xffff) | (this.high & 0xf0000);
    return this.high & (GRANULARITY << 8) ? (limit << 12) | 0xfff : limit;
  }
}

/** Room for a Descriptor. */
export const DESCRIPTOR_BYTES: i32 = offsetof<Descriptor>();

/** Where the table of `sel` has its descriptor; false if that is beyond it. */
function locate(d: Descriptor, sel: u32, bytes: u32): bool {
  let table = GDTR;
  if (sel & TABLE_INDICATOR) {
    table = SEGS + (<usize> S_LDTR << 5);
    if (!(load<u16>(table, SEG_ATTR) & PRESENT)) return false;
  }
  const off = sel & 0xfff8;
  if (off + bytes - 1 > load<u32>(table, SEG_LIMIT)) return false;
  d.address = load<u64>(table) + off;
  return true;
}

function fetch(d: Descriptor): bool {
  const both = rdSys<u64>(d.address);
  if (load<u32>(FAULT)) return false;
  d.low = <u32> both;
  d.high = <u32> (both >> 32);
  return true;
}

/**
 * Reads the descriptor of `sel`; outside its table raises `vector` with error
 * code `err`. False with FAULT set.
 */
export function readDescriptor(
  d: Descriptor,
  sel: u32,
  vector: u32,
  err: u32,
): bool {
  if (locate(d, sel, 8)) return fetch(d);
  raiseErr(vector, err);
  return false;
}

/**
 * Whether `sel` names a descriptor; true with no FAULT, reads it. For LAR and
 * its like.
 */
export function tryDescriptor(d: Descriptor, sel: u32): bool {
  return (sel & 0xfffc) != 0 && locate(d, sel, 8) && fetch(d);
}

/**
 * The upper half of a 16-byte descriptor (long mode) whose lower half was read;
 * `vector` with `err` is raised outside the table, and where it is none.
 */
export function readUpper(
  d: Descriptor,
  sel: u32,
  vector: u32,
  err: u32,
): u64 {
  if (!locate(d, sel, 16)) {
    raiseErr(vector, err);
    return 0;
  }
  const upper = rdSys<u64>(d.address + 8);
  if (!load<u32>(FAULT) && (upper >> 40) & 31) raiseErr(vector, err);
  return upper;
}

/** Sets the accessed bit where there is none; false with FAULT set. */
export function markAccessed(d: Descriptor): bool {
  if (d.high & (ACCESSED << 8)) return true;
  d.high |= ACCESSED << 8;
  wrSys<u8>(d.address + 5, <u8> (d.high >> 8));
  return load<u32>(FAULT) == 0;
}

/**
 * Sets or clears the busy bit of the TSS descriptor at `at`; false with FAULT
 * set.
 */
export function setBusy(at: u64, busy: bool): bool {
  const b = rdSys<u8>(at + 5);
  if (load<u32>(FAULT)) return false;
  wrSys<u8>(at + 5, busy ? b | <u8> TSS_BUSY : b & ~(<u8> TSS_BUSY));
  return load<u32>(FAULT) == 0;
}
