// Accesses to devices that the caller answers in the middle of their
// instruction (IcebpSetAccessCallback), where otherwise the VP exits and the
// instruction is completed afterwards. Nothing tells the two ways apart: the
// instruction is counted before the device looks at the time, and what the
// device changes is looked at behind it.
import { hostAccess } from "./host";
import { countEarly } from "../cpu/slice";
import { switchTo } from "../cpu/vps";
import { ACCESS, VPINDEX } from "../layout";
import { countAccess } from "./counters";
import { needSync } from "./time";
import { Answer } from "../whv/names";
import { AccessKind, DeviceAccess } from "../whv/structures";
import { ASKS, EXITS, setWay } from "./way";

/** Whether there is somebody to answer. */
export let answering: bool = false;
export function setAnswering(on: bool): void {
  answering = on;
}
/**
 * Whether the instruction that asked was told to exit instead, and is to be
 * tried anew without asking.
 */
export let declined: bool = false;
/** Whether the run is to end behind the instruction. */
export let leaving: bool = false;
export function setLeaving(on: bool): void {
  leaving = on;
}

/** An instruction begins that may ask, or may not. */
export function beginAsking(may: bool): void {
  setWay(may ? ASKS : EXITS);
  declined = false;
}

/**
 * One access, as ICEBP_ACCESS has it; false with FAULT set if it is not
 * answered.
 */
function ask(address: u64, data: u64, kind: u32): bool {
  const first = countEarly();
  store<u64>(ACCESS, address);
  store<u64>(ACCESS, data, DeviceAccess.Data);
  store<u32>(
    ACCESS,
    kind | (first ? AccessKind.IsFirst : 0),
    DeviceAccess.Size,
  );
  const vp = load<u32>(VPINDEX);
  const answer = hostAccess(vp);
  // it may have looked at another's registers
  switchTo(vp);
  if (answer == Answer.Exit) {
    declined = true;
    needSync();
    return false;
  }
  if (first) countAccess((kind & AccessKind.IsPort) != 0);
  if (answer == Answer.Return) leaving = true;
  return true;
}

/** Reads a device; 0 with FAULT set if it is not answered. */
export function askRead(address: u64, bytes: u32, port: bool): u64 {
  return ask(address, 0, bytes | (port ? AccessKind.IsPort : 0))
    ? load<u64>(ACCESS, DeviceAccess.Data) & (~<u64> 0 >> (64 - (bytes << 3)))
    : 0;
}

/** Writes to a device; false with FAULT set if it is not answered. */
export function askWrite(
  address: u64,
  bytes: u32,
  v: u64,
  port: bool,
): bool {
  const data = v & (~<u64> 0 >> (64 - (bytes << 3)));
  return ask(
    address,
    data,
    bytes | AccessKind.IsWrite | (port ? AccessKind.IsPort : 0),
  );
}
