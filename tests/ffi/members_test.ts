// Reading and writing members: that a value comes back, and nothing else moves.

import { assertEquals } from "@std/assert";
import { WHV_RUN_VP_EXIT_CONTEXT } from "../../ffi/exits.ts";
import { WHV_VPCI_DEVICE_REGISTER } from "../../ffi/devices.ts";
import { hresultName } from "../../ffi/hresult.ts";
import {
  WHV_X64_PENDING_INTERRUPTION_REGISTER as PENDING,
  WHV_X64_SEGMENT_REGISTER as SEGMENT,
} from "../../ffi/values.ts";

function filled(size: number, byte: number): DataView {
  return new DataView(new Uint8Array(size).fill(byte).buffer);
}

Deno.test("bit fields are written without disturbing their neighbours", () => {
  const view = filled(PENDING.size, 0xff);
  PENDING.InterruptionVector.set(view, 0);
  assertEquals(PENDING.AsUINT64.get(view), 0xffff_ffff_0000_ffffn);
  PENDING.InstructionLength.set(view, 5);
  assertEquals(PENDING.InstructionLength.get(view), 5);
  assertEquals(PENDING.DeliverErrorCode.get(view), 1);
  assertEquals(PENDING.NestedEvent.get(view), 1);
  PENDING.InterruptionType.set(view, 0xf2);
  assertEquals(PENDING.InterruptionType.get(view), 2);
  assertEquals(PENDING.InterruptionPending.get(view), 1);
  assertEquals(PENDING.AsUINT64.get(view) & 0xffffn, 0xfeb5n);
});

Deno.test("members of each width are little endian and where they say", () => {
  const view = filled(SEGMENT.size * 2, 0);
  const at = SEGMENT.size;
  SEGMENT.Base.set(view, 0x1122334455667788n, at);
  SEGMENT.Limit.set(view, 0xaabbccdd, at);
  SEGMENT.Selector.set(view, 0x1234, at);
  SEGMENT.Attributes.set(view, 0xa09b, at);
  const bytes = new Uint8Array(view.buffer);
  assertEquals(bytes.slice(0, at), new Uint8Array(at));
  assertEquals(
    [...bytes.slice(at)].map((byte) => byte.toString(16)).join(" "),
    "88 77 66 55 44 33 22 11 dd cc bb aa 34 12 9b a0",
  );
  assertEquals(SEGMENT.SegmentType.get(view, at), 0xb);
  assertEquals(SEGMENT.NonSystemSegment.get(view, at), 1);
  assertEquals(SEGMENT.DescriptorPrivilegeLevel.get(view, at), 0);
  assertEquals(SEGMENT.Present.get(view, at), 1);
  assertEquals(SEGMENT.Long.get(view, at), 1);
  assertEquals(SEGMENT.Default.get(view, at), 0);
  assertEquals(SEGMENT.Granularity.get(view, at), 1);
});

Deno.test("a nested structure's members move with it", () => {
  const { VpContext, IoPortAccess } = WHV_RUN_VP_EXIT_CONTEXT;
  assertEquals(VpContext.Cs.Base.offset, 16);
  assertEquals(IoPortAccess.Es.Selector.offset, 48 + 80 + 12);
  const view = filled(WHV_RUN_VP_EXIT_CONTEXT.size, 0);
  IoPortAccess.AccessInfo.AccessSize.set(view, 4);
  assertEquals(view.getUint32(48 + 20, true), 4 << 1);
});

Deno.test("arrays are views, signed members have a sign", () => {
  const { MemoryAccess } = WHV_RUN_VP_EXIT_CONTEXT;
  const view = filled(WHV_RUN_VP_EXIT_CONTEXT.size, 0);
  MemoryAccess.InstructionBytes.set(view, Uint8Array.of(0x8b, 0x03));
  const bytes = MemoryAccess.InstructionBytes.get(view);
  assertEquals(bytes.length, 16);
  view.setUint8(52, 0x90);
  assertEquals(bytes[0], 0x90);
  WHV_VPCI_DEVICE_REGISTER.Location.set(view, -1);
  assertEquals(WHV_VPCI_DEVICE_REGISTER.Location.get(view), -1);
});

Deno.test("an HRESULT has a name, or its number", () => {
  assertEquals(hresultName(0x80370308 | 0), "WHV_E_INVALID_VP_STATE");
  assertEquals(hresultName(-2147024809), "E_INVALIDARG");
  assertEquals(hresultName(0x80371234 | 0), "HRESULT 0x80371234");
});
