// Where an instruction that exited for a device is completed (complete.ts):
// what it wants of ports and of addresses without memory is a list of accesses
// at IOBUF, which the caller carries out in order. A read without its data ends
// the attempt; when the caller has brought the data, the next attempt meets the
// list again from its beginning. A write needs no answer, so the instruction
// goes on, and the caller carries it out before it lets the processor do
// anything else.
//
// An access is an ICEBP_ACCESS.
import { EXITBUF, F_EXIT, FAULT, IOBUF } from "../layout";
import { ICEBP_MAX_ACCESSES } from "../whv/names";
import { AccessKind, DeviceAccess } from "../whv/structures";

/** Accesses in the list. */
export let accesses: u32 = 0;
/** Of them, those that the caller has carried out. */
export let carriedOut: u32 = 0;
let met: u32 = 0;
/** Whether the attempt ended at a read without data. */
export let asked: bool = false;
/** Whether it ended because the list is full. */
export let full: bool = false;

/**
 * An attempt begins; the first `n` accesses of the list have been carried out.
 */
export function beginAccesses(n: u32): void {
  accesses = n;
  carriedOut = n;
  met = 0;
  asked = false;
  full = false;
}

/**
 * The next access, if it is one that was carried out; else 0, and it is in the
 * list.
 */
function meet(address: u64, data: u64, kind: u32): usize {
  if (asked || full) return 0;
  if (met < carriedOut) {
    const a = IOBUF + <usize> met * DeviceAccess.BYTES;
    if (
      load<u64>(a) == address &&
      (load<u32>(a, DeviceAccess.Size) & (AccessKind.IsFirst - 1)) == kind
    ) {
      met++;
      return a;
    }
    // the instruction is not the one that it was: another processor's doing
    accesses = carriedOut = met;
  }
  if (accesses == ICEBP_MAX_ACCESSES) {
    full = true;
    store<u32>(EXITBUF, 0);
    store<u32>(FAULT, F_EXIT);
    return 0;
  }
  const a = IOBUF + <usize> accesses * DeviceAccess.BYTES;
  store<u64>(a, address);
  store<u64>(a, data, DeviceAccess.Data);
  store<u64>(a, kind, DeviceAccess.Size);
  accesses++;
  return 0;
}

/** Reads a device; 0 with FAULT set when the data is not known yet. */
export function deviceRead(address: u64, bytes: u32, port: bool): u64 {
  const a = meet(address, 0, bytes | (port ? AccessKind.IsPort : 0));
  if (a) {
    return load<u64>(a, DeviceAccess.Data) & (~<u64> 0 >> (64 - (bytes << 3)));
  }
  asked = true;
  store<u32>(FAULT, F_EXIT);
  return 0;
}

/** Writes to a device, soon. */
export function deviceWrite(
  address: u64,
  bytes: u32,
  v: u64,
  port: bool,
): void {
  const data = v & (~<u64> 0 >> (64 - (bytes << 3)));
  meet(
    address,
    data,
    bytes | AccessKind.IsWrite | (port ? AccessKind.IsPort : 0),
  );
}
