// INIT and start-up IPIs as the ICR asks for them.

import { assertEquals } from "@std/assert";
import {
  InterruptDestinationMode,
  InterruptTriggerMode,
  InterruptType,
} from "../../ffi/enums.ts";
import { startupIpi } from "../../src/machine/startup_ipis.ts";

const { Init, Sipi } = InterruptType;
const { Physical, Logical } = InterruptDestinationMode;
const { Edge, Level } = InterruptTriggerMode;

const CASES = [
  // ICR, sender, x2APIC: type, mode, trigger, destinations, vector; targets
  [0x01000000_00004500n, 0, false, Init, Physical, Edge, [1], 0, [1]],
  [0x02000000_0000c500n, 0, false, Init, Physical, Level, [2], 0, [2]],
  [0x01000000_00004608n, 0, false, Sipi, Physical, Edge, [1], 8, [1]],
  [0x07000000_000046ffn, 0, false, Sipi, Physical, Edge, [7], 0xff, []],
  [0xff000000_00004500n, 0, false, Init, Physical, Edge, [255], 0, [0, 1, 2]],
  [0x05000000_00004d00n, 0, false, Init, Logical, Edge, [5], 0, [0, 1, 2]],
  [0x00000000_000c4500n, 1, false, Init, Physical, Edge, [0, 2], 0, [0, 2]],
  [0x00000000_000c4611n, 0, false, Sipi, Physical, Edge, [1, 2], 0x11, [1, 2]],
  [0x00000002_00004500n, 0, true, Init, Physical, Edge, [2], 0, [2]],
  [
    0xffffffff_00004500n,
    0,
    true,
    Init,
    Physical,
    Edge,
    [0xffffffff],
    0,
    [0, 1, 2],
  ],
  // The end of a level; to oneself; to all with oneself: nothing.
  [0x01000000_00008500n, 0, false, Init, Physical, Level, [], 0, []],
  [0x00000000_00044500n, 0, false, Init, Physical, Edge, [], 0, []],
  [0x00000000_00084608n, 0, false, Sipi, Physical, Edge, [], 8, []],
] as const;

for (
  const [
    icr,
    sender,
    x2apic,
    type,
    destinationMode,
    triggerMode,
    to,
    vector,
    targets,
  ] of CASES
) {
  Deno.test(`ICR ${icr.toString(16)} of processor ${sender}`, () => {
    assertEquals(startupIpi(icr, sender, 3, x2apic), {
      isInit: type === Init,
      requests: to.map((destination) => ({
        type,
        destinationMode,
        triggerMode,
        destination,
        vector,
      })),
      targets: [...targets],
    });
  });
}
