// Debug points for the caller: functions of icebp's own beside WinHvPlatform's (the
// table and the structures: ffi/debug_points.ts). Arguments that are buffers lie at IOBUF.
import {
  pointClear,
  pointHits,
  pointPass,
  pointSet,
  pointUntold,
} from "./points";
import { switchTo } from "./vps";
import { E_INVALIDARG, S_OK } from "./whv_hresult";
import { exists, ready, whvCheckVp } from "./whv_partition";

/** Sets the ICEBP_DEBUG_POINT at IOBUF, in place of the one with the same identifier. */
export function whvSetDebugPoint(): i32 {
  return exists && ready && pointSet() ? S_OK : E_INVALIDARG;
}

export function whvClearDebugPoint(id: u32): i32 {
  return exists && ready && pointClear(id) ? S_OK : E_INVALIDARG;
}

/** The VP's next instruction is not stopped at, and comes before any interrupt. */
export function whvPassDebugPoints(vp: u32): i32 {
  const hresult = whvCheckVp(vp);
  if (hresult) return hresult;
  switchTo(vp);
  pointPass();
  return S_OK;
}

/** The filter lets the VP, which is in STATE, go on. */
export function debugPointUntold(): void {
  pointUntold();
}

/** Takes the hits that the VP would exit with, to IOBUF (ICEBP_DEBUG_POINT_CONTEXT). */
export function whvTakeDebugHits(vp: u32): i32 {
  const hresult = whvCheckVp(vp);
  if (hresult) return hresult;
  switchTo(vp);
  pointHits();
  return S_OK;
}
