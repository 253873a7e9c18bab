// IcebpCompleteAccess (ffi/icebp.ts), where the platform has it: what it refuses, and
// that what was refused has changed nothing.

import { assert, assertEquals } from "@std/assert";
import { HResult } from "../../ffi/hresult.ts";
import {
  ICEBP_ACCESS as ACCESS,
  ICEBP_COMPLETION as COMPLETION,
  ICEBP_MAX_ACCESSES,
  IcebpOutcome,
} from "../../ffi/icebp.ts";
import { Reg } from "../../ffi/registers.ts";
import { CODE, contract, expectExit, type Guest, hex } from "./guest.ts";

/** No memory is there. */
const DEVICE = 0x80000000n;
/** mov edi, DEVICE; mov eax, [rdi]; hlt */
const LOAD = "bf 00 00 00 80  8b 07  f4";
const AT_LOAD = BigInt(CODE) + 5n;

/** Of a refusal by whatever HRESULT. */
const ANY = 1;

const room = () => new Uint8Array(ICEBP_MAX_ACCESSES * ACCESS.size);
const result = () => new Uint8Array(COMPLETION.size);

/** The function; null, said aloud, where the platform lacks it. */
function completeOf(guest: Guest) {
  const complete = guest.provider.extensions.IcebpCompleteAccess;
  if (complete === null) {
    console.warn("SKIPPED: this platform has no IcebpCompleteAccess");
  }
  return complete;
}

contract("IcebpCompleteAccess refuses wrong arguments, and nothing changes", {
  code: LOAD,
  cpus: 2,
}, async (guest) => {
  const complete = completeOf(guest);
  if (complete === null) return;
  const { handle } = guest.partition;
  expectExit(await guest.run(), "memory");
  const invalid = HResult.E_INVALIDARG;
  const refused: [string, number, number?][] = [
    ["no partition", complete(0n, 0, room(), 0, result())],
    ["another partition", complete(handle + 1n, 0, room(), 0, result())],
    ["no list", complete(handle, 0, null, 0, result())],
    ["no completion", complete(handle, 0, room(), 0, null)],
    [
      "more accesses than there is room for",
      complete(handle, 0, room(), ICEBP_MAX_ACCESSES + 1, result()),
    ],
    ["as many as can be", complete(handle, 0, room(), 0xffffffff, result())],
    ["no such VP", complete(handle, 2, room(), 0, result()), ANY],
    ["a VP beyond all", complete(handle, 0xffffffff, room(), 0, result()), ANY],
  ];
  for (const [what, hresult, expected = invalid] of refused) {
    assert(hresult < 0, what);
    if (expected !== ANY) assertEquals(hresult, expected, what);
  }
  assertEquals(guest.vp.get(Reg.Rip), AT_LOAD);
  assertEquals(guest.vp.get(Reg.Rax), 0n);
  // And it still works.
  const list = room(), done = result();
  const view = new DataView(done.buffer), accesses = new DataView(list.buffer);
  assertEquals(complete(handle, 0, list, 0, done), 0);
  assertEquals(COMPLETION.Outcome.get(view), IcebpOutcome.Data);
  assertEquals(COMPLETION.AccessCount.get(view), 1);
  assertEquals(COMPLETION.CarriedOut.get(view), 0);
  assertEquals(ACCESS.Address.get(accesses, 0), DEVICE);
  ACCESS.Data.set(accesses, 0x12345678n, 0);
  assertEquals(complete(handle, 0, list, 1, done), 0);
  assertEquals(COMPLETION.Outcome.get(view), IcebpOutcome.Done);
  assertEquals(guest.vp.get(Reg.Rax), 0x12345678n);
  assertEquals(guest.vp.get(Reg.Rip), AT_LOAD + 2n);
});

contract(
  "IcebpCompleteAccess believes no access that is not the instruction's",
  {
    code: LOAD,
  },
  async (guest) => {
    const complete = completeOf(guest);
    if (complete === null) return;
    expectExit(await guest.run(), "memory");
    const wrong = [
      { Address: DEVICE + 8n, Size: 4, IsWrite: 0, IsPort: 0 },
      { Address: DEVICE, Size: 8, IsWrite: 0, IsPort: 0 },
      { Address: DEVICE, Size: 4, IsWrite: 1, IsPort: 0 },
      { Address: DEVICE, Size: 4, IsWrite: 0, IsPort: 1 },
    ];
    for (const access of wrong) {
      const list = room().fill(0xff), done = result();
      const view = new DataView(list.buffer);
      ACCESS.Address.set(view, access.Address, 0);
      ACCESS.Size.set(view, access.Size, 0);
      ACCESS.IsWrite.set(view, access.IsWrite, 0);
      ACCESS.IsPort.set(view, access.IsPort, 0);
      assertEquals(complete(guest.partition.handle, 0, list, 3, done), 0);
      const completion = new DataView(done.buffer);
      assertEquals(COMPLETION.Outcome.get(completion), IcebpOutcome.Data);
      assertEquals(COMPLETION.CarriedOut.get(completion), 0);
      assertEquals(ACCESS.Address.get(view, 0), DEVICE);
      assertEquals(guest.vp.get(Reg.Rip), AT_LOAD);
    }
  },
);

contract(
  "IcebpCompleteAccess refuses a VP that runs, or has an event to take",
  {
    code: LOAD,
    cpus: 2,
  },
  async (guest) => {
    const complete = completeOf(guest);
    if (complete === null) return;
    const { handle } = guest.partition;
    guest.write(CODE, hex("eb fe"));
    const running = guest.run();
    const state = HResult.WHV_E_INVALID_VP_STATE;
    await new Promise((resolve) => setTimeout(resolve, 20));
    assertEquals(complete(handle, 0, room(), 0, result()), state);
    guest.vp.cancel();
    expectExit(await running, "canceled");
    // A pending interruption: #UD.
    guest.vp.set(Reg.PendingInterruption, 6n << 16n | 3n << 1n | 1n);
    assertEquals(complete(handle, 0, room(), 0, result()), state);
    assertEquals(guest.vp.get(Reg.Rip), BigInt(CODE));
  },
);
