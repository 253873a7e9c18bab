// The XSAVE state of WHvGet/SetVirtualProcessorXsaveState: the compacted format
// of the Intel SDM, volume 1, section "Managing State Using the XSAVE Feature
// Set". The legacy area is winnt.h's XSAVE_FORMAT, the header its
// XSAVE_AREA_HEADER; the header leaves the rest to CPUID leaf 0xD.

import { Bytes, struct, U16, U32, U64, U8 } from "./layout.ts";

/** XSAVE_FORMAT: the FXSAVE image in its 64-bit form. */
export const XSAVE_FORMAT = struct(512, {
  ControlWord: new U16(0),
  StatusWord: new U16(2),
  TagWord: new U8(4),
  ErrorOpcode: new U16(6),
  ErrorOffset: new U32(8),
  ErrorSelector: new U16(12),
  DataOffset: new U32(16),
  DataSelector: new U16(20),
  MxCsr: new U32(24),
  MxCsr_Mask: new U32(28),
  FloatRegisters: new Bytes(32, 128),
  XmmRegisters: new Bytes(160, 256),
});

/** The header after the legacy area: XSTATE_BV and XCOMP_BV. */
export const XSAVE_HEADER = struct(64, {
  StateBv: new U64(0),
  CompBv: new U64(8),
});

/** Where the header is. */
export const XSAVE_HEADER_OFFSET = 512;
/** Where the first extended component is, and the size without any. */
export const XSAVE_EXTENDED_OFFSET = 576;
/** XCOMP_BV bit 63: the format is the compacted one. */
export const XCOMP_COMPACTED = 1n << 63n;

/** Bits of XSTATE_BV and XCR0. */
export const XsaveComponent = {
  X87: 1n << 0n,
  Sse: 1n << 1n,
  Avx: 1n << 2n,
} as const;
