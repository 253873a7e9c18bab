// What the software platform offers beyond WinHvPlatform.dll (ffi/icebp.ts).

import type { IcebpFunctions } from "../../ffi/mod.ts";
import {
  ICEBP_ACCESS,
  ICEBP_COMPLETION,
  ICEBP_MAX_ACCESSES,
} from "../../ffi/icebp.ts";
import { HResult } from "../../ffi/hresult.ts";
import { Buffers, has } from "./buffers.ts";
import { HANDLE } from "./functions.ts";
import { type Instance, IOBUF, SIZE } from "./module.ts";

const ROOM = ICEBP_MAX_ACCESSES * ICEBP_ACCESS.size;

/** The further functions. */
export function softExtensions(instance: Instance): IcebpFunctions {
  const { core, view } = instance;
  const buffers = new Buffers(instance);
  return {
    IcebpCompleteAccess: (p, vp, accesses, carriedOut, completion) => {
      if (
        p !== HANDLE || carriedOut > ICEBP_MAX_ACCESSES ||
        !has(accesses, ROOM) || !has(completion, ICEBP_COMPLETION.size) ||
        !buffers.take(accesses, carriedOut * ICEBP_ACCESS.size)
      ) return HResult.E_INVALIDARG;
      const hresult = core.whvCompleteAccess(vp, carriedOut);
      if (hresult) return hresult;
      const count = ICEBP_COMPLETION.AccessCount.get(view, SIZE);
      if (count > 0) buffers.put(accesses, count * ICEBP_ACCESS.size);
      buffers.put(completion, ICEBP_COMPLETION.size, SIZE - IOBUF);
      return hresult;
    },
  };
}
