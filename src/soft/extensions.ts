// What the software platform offers beyond WinHvPlatform.dll (ffi/icebp.ts,
// ffi/debug_points.ts).

import type {
  AccessCallback,
  DebugPointFilter,
  IcebpFunctions,
} from "../../ffi/mod.ts";
import {
  ICEBP_DEBUG_POINT,
  ICEBP_DEBUG_POINT_CONTEXT,
} from "../../ffi/debug_points.ts";
import {
  ICEBP_ACCESS,
  ICEBP_COMPLETION,
  ICEBP_MAX_ACCESSES,
} from "../../ffi/icebp.ts";
import { HResult } from "../../ffi/hresult.ts";
import { Buffers, bytesOf, has, viewOf } from "./buffers.ts";
import { Conditions } from "./conditions.ts";
import { HANDLE } from "./functions.ts";
import { IOBUF, SIZE } from "./core/layout.ts";
import { type Instance } from "./module.ts";
import type { Scheduler } from "./scheduler.ts";

const ROOM = ICEBP_MAX_ACCESSES * ICEBP_ACCESS.size;

/** The further functions; `called` has the callback that was given an address. */
export function softExtensions(
  instance: Instance,
  scheduler: Scheduler,
  called: (address: bigint) => unknown,
): IcebpFunctions {
  const { core, view } = instance;
  const buffers = new Buffers(instance);
  const conditions = new Conditions(instance);
  const invalid = HResult.E_INVALIDARG;
  return {
    IcebpCompleteAccess: (p, vp, accesses, carriedOut, completion) => {
      if (
        p !== HANDLE || carriedOut > ICEBP_MAX_ACCESSES ||
        !has(accesses, ROOM) || !has(completion, ICEBP_COMPLETION.size) ||
        !buffers.take(accesses, carriedOut * ICEBP_ACCESS.size)
      ) return invalid;
      const hresult = core.whvCompleteAccess(vp, carriedOut);
      if (hresult) return hresult;
      const count = ICEBP_COMPLETION.AccessCount.get(view, SIZE);
      if (count > 0) buffers.put(accesses, count * ICEBP_ACCESS.size);
      buffers.put(completion, ICEBP_COMPLETION.size, SIZE - IOBUF);
      return hresult;
    },
    IcebpSetStandstillCallback: (p, address) => {
      const callback = address === 0n ? null : called(address);
      if (p !== HANDLE || callback === undefined) return invalid;
      scheduler.standstill = callback as (() => void) | null;
      return HResult.S_OK;
    },
    IcebpExpectRun: (p, vp, expected) => {
      if (p !== HANDLE) return invalid;
      const hresult = core.whvCheckVp(vp);
      if (!hresult) scheduler.expect(vp, expected !== 0);
      return hresult;
    },
    IcebpSetAccessCallback: (p, address) => {
      const callback = address === 0n ? null : called(address);
      if (p !== HANDLE || callback === undefined) return invalid;
      scheduler.setAccessCallback(callback as AccessCallback | null);
      return HResult.S_OK;
    },
    IcebpSetDebugPoint: (p, point, bytes) => {
      if (
        p !== HANDLE || bytes < ICEBP_DEBUG_POINT.size ||
        !buffers.take(point, ICEBP_DEBUG_POINT.size)
      ) return invalid;
      const hresult = core.whvSetDebugPoint();
      if (!hresult) {
        conditions.clear(ICEBP_DEBUG_POINT.Identifier.get(viewOf(point!)));
      }
      return hresult;
    },
    IcebpClearDebugPoint: (p, id) => {
      if (p !== HANDLE) return invalid;
      const hresult = core.whvClearDebugPoint(id);
      if (!hresult) conditions.clear(id);
      return hresult;
    },
    IcebpSetDebugPointCondition: (p, id, condition, bytes) => {
      if (p !== HANDLE || bytes > 0 && !has(condition, bytes)) return invalid;
      // Also whether there is such a point.
      const hresult = core.whvSetDebugPointCondition(id, 0);
      if (hresult) return hresult;
      const index = conditions.set(
        id,
        bytes === 0 ? new Uint8Array() : bytesOf(condition!, bytes),
      );
      return index === false
        ? HResult.E_NOTIMPL
        : core.whvSetDebugPointCondition(id, index);
    },
    IcebpPassDebugPoints: (p, vp, how) => {
      if (p !== HANDLE) return invalid;
      const hresult = core.whvPassDebugPoints(vp, how);
      if (!hresult) scheduler.log?.passed(vp, how);
      return hresult;
    },
    IcebpTakeDebugHits: (p, vp, hits, bytes) => {
      const { size } = ICEBP_DEBUG_POINT_CONTEXT;
      if (p !== HANDLE || bytes < size || !has(hits, size)) return invalid;
      const hresult = core.whvTakeDebugHits(vp);
      if (!hresult) buffers.put(hits, size);
      return hresult;
    },
    IcebpSetDebugPointFilter: (p, address) => {
      const filter = address === 0n ? null : called(address);
      if (p !== HANDLE || filter === undefined) return invalid;
      scheduler.filter = filter as DebugPointFilter | null;
      return HResult.S_OK;
    },
  };
}
