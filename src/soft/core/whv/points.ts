// Debug points for the caller: functions of icebp's own beside WinHvPlatform's
// (the table and the structures: ffi/debug_points.ts). Arguments that are
// buffers lie at IOBUF.
import { switchTo } from "../cpu/vps";
import { E_INVALIDARG, S_OK } from "./hresult";
import { exists, ready, whvCheckVp } from "./state";
import { DebugPass } from "./names";
import { pointClear, pointCondition, pointSet } from "../points/set";
import { pointHits } from "../points/hits";
import {
  pointPass,
  pointPassNone,
  pointStep,
  pointUntold,
} from "../points/pass";

/**
 * Sets the ICEBP_DEBUG_POINT at IOBUF, in place of the one with the same
 * identifier.
 */
export function whvSetDebugPoint(): i32 {
  return exists && ready && pointSet() ? S_OK : E_INVALIDARG;
}

/** The function at `condition` of the table is the point's; 0: none. */
export function whvSetDebugPointCondition(id: u32, condition: u32): i32 {
  return exists && ready && pointCondition(id, condition) ? S_OK : E_INVALIDARG;
}

export function whvClearDebugPoint(id: u32): i32 {
  return exists && ready && pointClear(id) ? S_OK : E_INVALIDARG;
}

/** The VP's next instruction is not stopped at; `how` is a DebugPass. */
export function whvPassDebugPoints(vp: u32, how: u32): i32 {
  if (how > DebugPass.StepOpen) return E_INVALIDARG;
  const hresult = whvCheckVp(vp);
  if (hresult) return hresult;
  switchTo(vp);
  switch (how) {
    case DebugPass.Next:
      pointPass();
      break;
    case DebugPass.Spin:
      pointUntold();
      break;
    case DebugPass.None:
      pointPassNone();
      break;
    default:
      pointStep(how == DebugPass.StepOpen);
  }
  return S_OK;
}

/**
 * Takes the hits that the VP would exit with, to IOBUF
 * (ICEBP_DEBUG_POINT_CONTEXT).
 */
export function whvTakeDebugHits(vp: u32): i32 {
  const hresult = whvCheckVp(vp);
  if (hresult) return hresult;
  switchTo(vp);
  pointHits();
  return S_OK;
}
