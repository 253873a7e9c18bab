/** Busy polling: it begins with a packet and ends soon after the last one. */
import { assertEquals } from "@std/assert";
import { BusyPoll } from "../../src/gdb/busy_poll.ts";

async function until(what: () => boolean): Promise<void> {
  for (let i = 0; i < 1000 && !what(); i++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assertEquals(what(), true);
}

Deno.test("a packet starts it, and it stops by itself", async () => {
  const poll = new BusyPoll(2);
  await until(() => {
    poll.packet();
    return poll.polling;
  });
  await until(() => !poll.polling);
  poll.packet();
  assertEquals(poll.polling, true);
  await until(() => !poll.polling);
  await poll.close();
});

Deno.test("with one processor it does nothing: the debugger needs that", async () => {
  const poll = new BusyPoll(1);
  await new Promise((resolve) => setTimeout(resolve, 20));
  poll.packet();
  assertEquals(poll.polling, false);
  await poll.close();
});

Deno.test("closing ends it, also in the middle or before it began", async () => {
  const early = new BusyPoll(2);
  early.packet();
  await early.close();
  const busy = new BusyPoll(2);
  for (let i = 0; i < 20; i++) {
    busy.packet();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  busy.packet();
  await busy.close();
  busy.packet();
  await until(() => !busy.polling);
});

Deno.test({
  name: "without permissions it does nothing, and asks for none",
  permissions: { net: false, read: true, write: true },
  async fn() {
    const poll = new BusyPoll(2);
    await new Promise((resolve) => setTimeout(resolve, 20));
    poll.packet();
    assertEquals(poll.polling, false);
    await poll.close();
  },
});
