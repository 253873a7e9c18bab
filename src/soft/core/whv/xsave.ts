// WHvGet/SetVirtualProcessorXsaveState: x87 and SSE in the compacted format.
// Source: Intel SDM volume 1, "Managing State Using the XSAVE Feature Set".
import { FPR, IOBUF, MXCSR, SIZE, XMM } from "../layout";
import {
  applyX87,
  AT_HEADER,
  AT_MXCSR,
  AT_XMM,
  buildX87,
  SSE,
  X87,
} from "../insn/x87/fxsave";
import { initFpu } from "../insn/x87/control";
import { switchTo } from "../cpu/vps";
import { E_INVALIDARG, S_OK, WHV_E_INSUFFICIENT_BUFFER } from "./hresult";
import { whvCheckVp } from "./state";
import { MXCSR_AT_RESET, MXCSR_BITS } from "../x86/flags";

/** Bytes of the legacy area and the header: x87 and SSE need no more. */
const XSAVE_BYTES: u32 = 576;
const COMPACTED: u64 = <u64> 1 << 63;

/** The state to IOBUF, its size to SIZE. */
export function whvGetXsave(vp: u32, bytes: u32): i32 {
  const hresult = whvCheckVp(vp);
  if (hresult) return hresult;
  store<u32>(SIZE, XSAVE_BYTES);
  if (bytes < XSAVE_BYTES) return WHV_E_INSUFFICIENT_BUFFER;
  switchTo(vp);
  memory.fill(IOBUF, 0, XSAVE_BYTES);
  buildX87(IOBUF, true);
  store<u32>(IOBUF, load<u32>(MXCSR), AT_MXCSR);
  store<u32>(IOBUF, MXCSR_BITS, AT_MXCSR + 4);
  memory.copy(IOBUF + AT_XMM, XMM, 256);
  store<u64>(IOBUF, X87 | SSE, AT_HEADER);
  store<u64>(IOBUF, COMPACTED | X87 | SSE, AT_HEADER + 8);
  return S_OK;
}

/**
 * Takes the state of `bytes` bytes at IOBUF; what XSTATE_BV lacks becomes
 * initial.
 */
export function whvSetXsave(vp: u32, bytes: u32): i32 {
  const hresult = whvCheckVp(vp);
  if (hresult) return hresult;
  if (bytes < XSAVE_BYTES) return WHV_E_INSUFFICIENT_BUFFER;
  const present = load<u64>(IOBUF, AT_HEADER);
  const format = load<u64>(IOBUF, AT_HEADER + 8);
  if (!(format & COMPACTED) || format & ~(COMPACTED | X87 | SSE)) {
    return E_INVALIDARG;
  }
  if (present & ~format) return E_INVALIDARG;
  for (let i = AT_HEADER + 16; i < XSAVE_BYTES; i += 8) {
    if (load<u64>(IOBUF + i)) return E_INVALIDARG;
  }
  const mxcsr = load<u32>(IOBUF, AT_MXCSR);
  if (present & SSE && mxcsr & ~MXCSR_BITS) return E_INVALIDARG;
  switchTo(vp);
  if (present & X87) applyX87(IOBUF, true);
  else {
    initFpu();
    memory.fill(FPR, 0, 128);
  }
  if (present & SSE) {
    store<u32>(MXCSR, mxcsr);
    memory.copy(XMM, IOBUF + AT_XMM, 256);
  } else {
    store<u32>(MXCSR, MXCSR_AT_RESET);
    memory.fill(XMM, 0, 256);
  }
  return S_OK;
}
