// Doorbells, where the platform has them: writes that signal an event instead of making
// an exit.

import { assertEquals } from "@std/assert";
import { WHV_DOORBELL_MATCH_DATA as MATCH } from "../../ffi/devices.ts";
import { MemoryAccessType } from "../../ffi/enums.ts";
import { contract, expectExit, PML4, TEST_PORT } from "./guest.ts";

/** No memory is there. */
const BELL = 0x80000050, NO_TABLE = 0x90000000;
const WAIT_OBJECT_0 = 0, WAIT_TIMEOUT = 258;

contract("a write that fits a doorbell signals its event and goes on", {
  // A doubleword and a word to the doorbell, then a port.
  code: `bf 50 00 00 80      # mov edi, BELL
         b8 07 00 00 00      # mov eax, 7
         89 07               # mov [rdi], eax
         66 89 07            # mov [rdi], ax
         e6 80               # out 0x80, al`,
}, async ({ provider, partition, vp }) => {
  const { events } = provider;
  const unregister = provider.platform.WHvUnregisterPartitionDoorbellEvent;
  if (events === null || !partition.hasDoorbells || !unregister) return;
  const event = events.CreateEventW(null, 0, 0, null);
  const match = new Uint8Array(MATCH.size);
  const view = new DataView(match.buffer);
  MATCH.GuestAddress.set(view, BigInt(BELL));
  MATCH.Length.set(view, 4);
  MATCH.MatchOnLength.set(view, 1);
  partition.registerDoorbell(match, event);
  // The doubleword rang; the word has another length.
  const word = expectExit(await vp.run(), "memory");
  assertEquals(word.gpa, BigInt(BELL));
  assertEquals(await events.WaitForSingleObject(event, 0), WAIT_OBJECT_0);
  assertEquals(await events.WaitForSingleObject(event, 0), WAIT_TIMEOUT);
  // Any length now.
  assertEquals(unregister(partition.handle, match), 0);
  MATCH.MatchOnLength.set(view, 0);
  MATCH.Length.set(view, 0);
  partition.registerDoorbell(match, event);
  const out = expectExit(await vp.run(), "ioPort");
  assertEquals(out.port, TEST_PORT);
  assertEquals(await events.WaitForSingleObject(event, 0), WAIT_OBJECT_0);
  assertEquals(unregister(partition.handle, match), 0);
  assertEquals(events.CloseHandle(event) === 0, false);
});

contract("a write that fails in the page tables rings no doorbell", {
  // To the doorbell, then to where the tables lead out of memory.
  code: `bf 50 00 00 80                  # mov edi, BELL
         89 07                           # mov [rdi], eax
         48 bf 00 00 00 00 80 00 00 00   # mov rdi, 1 << 39
         89 07                           # mov [rdi], eax`,
}, async ({ provider, partition, vp, view }) => {
  const { events } = provider;
  const unregister = provider.platform.WHvUnregisterPartitionDoorbellEvent;
  if (events === null || !partition.hasDoorbells || !unregister) return;
  view.setBigUint64(PML4 + 8, BigInt(NO_TABLE) | 7n, true);
  const event = events.CreateEventW(null, 0, 0, null);
  const match = new Uint8Array(MATCH.size);
  MATCH.GuestAddress.set(new DataView(match.buffer), BigInt(BELL));
  partition.registerDoorbell(match, event);
  const exit = expectExit(await vp.run(), "memory");
  assertEquals([exit.gpa, exit.access], [
    BigInt(NO_TABLE),
    MemoryAccessType.Read,
  ]);
  assertEquals(await events.WaitForSingleObject(event, 0), WAIT_OBJECT_0);
  assertEquals(await events.WaitForSingleObject(event, 0), WAIT_TIMEOUT);
  assertEquals(unregister(partition.handle, match), 0);
  assertEquals(events.CloseHandle(event) === 0, false);
});
