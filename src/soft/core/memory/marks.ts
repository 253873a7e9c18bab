// What is noted of a host page: whether it is dirty (MapFlag.TrackDirtyPages),
// and whether it has changed since the last snapshot.
import { CHANGED, DIRTY } from "../layout";

export function isDirty(host: u32): bool {
  const page = host >> 12;
  return (load<u8>(DIRTY + (page >> 3)) & (1 << (page & 7))) != 0;
}

export function setDirty(host: u32): void {
  const page = host >> 12;
  const a = DIRTY + (page >> 3);
  store<u8>(a, load<u8>(a) | (<u8> 1 << <u8> (page & 7)));
}

export function clearDirty(host: u32): void {
  const page = host >> 12;
  const a = DIRTY + (page >> 3);
  store<u8>(a, load<u8>(a) & ~(<u8> 1 << <u8> (page & 7)));
}

@inline
export function isChanged(host: u32): bool {
  const page = host >> 12;
  return (load<u8>(CHANGED + (page >> 3)) & (1 << (page & 7))) != 0;
}

@inline
export function setChanged(host: u32): void {
  const page = host >> 12;
  const a = CHANGED + (page >> 3);
  store<u8>(a, load<u8>(a) | (<u8> 1 << <u8> (page & 7)));
}
