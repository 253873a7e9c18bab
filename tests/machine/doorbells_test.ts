// Doorbells with event objects of the test's own: what is registered, when devices
// are asked, and that waiting ends. (With real ones: tests/native.)

import { assertEquals } from "@std/assert";
import type { EventFunctions } from "../../ffi/kernel32.ts";
import type { WinHvPlatform } from "../../ffi/mod.ts";
import { HResult } from "../../ffi/hresult.ts";
import { Doorbells } from "../../src/machine/doorbells.ts";
import { Partition } from "../../src/platform/partition.ts";
import { FakePlatform } from "../platform/fake.ts";

/** One auto-reset event. */
class Events implements EventFunctions {
  readonly calls: string[] = [];
  #set = false;
  #waiting: ((why: number) => void) | null = null;

  CreateEventW(): bigint {
    this.calls.push("create");
    return 0x99n;
  }
  SetEvent(event: bigint): number {
    assertEquals(event, 0x99n);
    if (this.#waiting === null) this.#set = true;
    else this.#waiting(0);
    this.#waiting = null;
    return 1;
  }
  WaitForSingleObject(): Promise<number> {
    if (this.#set) {
      this.#set = false;
      return Promise.resolve(0);
    }
    return new Promise((resolve) => this.#waiting = resolve);
  }
  CloseHandle(): number {
    this.calls.push("close");
    return 1;
  }
}

function make(hresult: number = HResult.S_OK) {
  const fake = new FakePlatform();
  const events = new Events();
  const registered: [Uint8Array, bigint][] = [];
  const platform: WinHvPlatform = {
    name: "with doorbells",
    platform: {
      ...fake.platform,
      WHvRegisterPartitionDoorbellEvent: (_partition, match, event) => {
        registered.push([(match as Uint8Array).slice(), event]);
        return hresult;
      },
    },
    emulation: fake.emulation,
    extensions: fake.extensions,
    events,
    callback: (kind, fn) => fake.callback(kind, fn),
    close() {},
  };
  const doorbells = new Doorbells(Partition.create(platform), platform);
  return { events, registered, doorbells };
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("a doorbell is a write of that length there, and asks every device", async () => {
  const { events, registered, doorbells } = make();
  const asked: string[] = [];
  assertEquals(doorbells.add(0xfeb00050, 4, () => asked.push("disk")), true);
  assertEquals(doorbells.add(0xfeb01050, 4, () => asked.push("rng")), true);
  const view = new DataView(registered[0][0].buffer);
  assertEquals(view.getBigUint64(0, true), 0xfeb00050n);
  assertEquals(view.getUint32(16, true), 4);
  assertEquals(view.getUint32(20, true), 2, "length matters, the value not");
  assertEquals(registered.map(([, event]) => event), [0x99n, 0x99n]);
  assertEquals(events.calls, ["create"]);
  events.SetEvent(0x99n);
  await turn();
  assertEquals(asked, ["disk", "rng"]);
  await doorbells.close();
  assertEquals(events.calls, ["create", "close"]);
  assertEquals(asked, ["disk", "rng"]);
});

Deno.test("while the guest stands still nobody is asked, but afterwards", async () => {
  const { events, doorbells } = make();
  let asked = 0;
  doorbells.add(0x1000, 4, () => asked++);
  doorbells.hold();
  events.SetEvent(0x99n);
  await turn();
  assertEquals(asked, 0);
  doorbells.release();
  assertEquals(asked, 1);
  doorbells.hold();
  doorbells.release();
  assertEquals(asked, 1);
  await doorbells.close();
});

Deno.test("without doorbells, or when one is refused, writes exit as ever", async () => {
  const fake = new FakePlatform();
  const none = new Doorbells(Partition.create(fake), fake);
  assertEquals(none.add(0x1000, 4, () => {}), false);
  await none.close();
  const { doorbells } = make(HResult.E_ACCESSDENIED);
  assertEquals(doorbells.add(0x1000, 4, () => {}), false);
  await doorbells.close();
});

Deno.test("a machine that was loaded asks every device, once its time goes on", () => {
  const { doorbells } = make();
  const asked: string[] = [];
  doorbells.add(0xfeb00050, 4, () => asked.push("disk"));
  doorbells.hold();
  doorbells.again();
  assertEquals(asked, []);
  doorbells.release();
  assertEquals(asked, ["disk"]);
  doorbells.release();
  doorbells.again();
  assertEquals(asked, ["disk", "disk"]);
  doorbells.close();
});
