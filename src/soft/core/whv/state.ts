// Which partition and processors there are, and which of these run.
import { MAX_VPS } from "../layout";
import { E_INVALIDARG, S_OK, WHV_E_VP_DOES_NOT_EXIST } from "./hresult";

/** WHvCreatePartition succeeded. */
export let exists: bool = false;

/** WHvSetupPartition succeeded. */
export let ready: bool = false;

/** VPs that exist, one bit each. */
export let created: u64 = 0;

/** VPs inside WHvRunVirtualProcessor. */
export let running: u64 = 0;

export function setExists(e: bool): void {
  exists = e;
}

export function setReady(r: bool): void {
  ready = r;
}

export function setCreated(vps: u64): void {
  created = vps;
}

export function setRunning(vps: u64): void {
  running = vps;
}

/** Whether a VP exists. */
export function whvCheckVp(vp: u32): i32 {
  if (!exists || !ready) return E_INVALIDARG;
  return vp >= MAX_VPS || !((created >> vp) & 1)
    ? WHV_E_VP_DOES_NOT_EXIST
    : S_OK;
}
