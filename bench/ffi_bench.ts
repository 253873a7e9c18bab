// What a foreign call costs an exit: from one port write to the next, run and completed,
// one exit an iteration. Through the native test library (tests/native), whose functions
// really block: WHvRunVirtualProcessor as a nonblocking call, as icebp makes it, and as a
// synchronous one; and on the software platform, which calls nothing foreign.

import { winhvplatform } from "../ffi/mod.ts";
import { Reg } from "../ffi/registers.ts";
import { Guest } from "../tests/contract/guest.ts";
import { type Provider, providerOf } from "../tests/contract/providers.ts";
import { buildNative, whyNoNative } from "../tests/native/build.ts";

/** out 0x80, al; jmp */
const CODE = "e6 80 eb fc";
const EXIT_CONTEXT_BYTES = 224;
const IO_PORT = 2;

const open = async (provider: Provider) =>
  new Guest(await provider.open(), { code: CODE });

/** One exit. Deno.bench awaits what async functions return only. */
async function exit(guest: Guest): Promise<void> {
  const { reason, rip } = await guest.vp.run();
  if (reason !== "ioPort") throw new Error(reason);
  guest.vp.set(Reg.Rip, rip + 2n);
}

const soft = await open(providerOf("soft"));
Deno.bench("a port write on soft", async () => await exit(soft));

const reason = whyNoNative();
if (reason !== null) console.warn(`SKIPPED: native: ${reason}`);
else {
  const path = await buildNative();
  const native = await open(providerOf(path));
  Deno.bench(
    "a port write on native, nonblocking",
    async () => await exit(native),
  );

  const { symbols } = Deno.dlopen(path, {
    WHvRunVirtualProcessor: {
      ...winhvplatform.WHvRunVirtualProcessor,
      nonblocking: false,
    },
  });
  const context = new Uint8Array(EXIT_CONTEXT_BYTES);
  const view = new DataView(context.buffer);
  const { partition, vp } = native;
  Deno.bench("a port write on native, synchronous", () => {
    symbols.WHvRunVirtualProcessor(
      partition.handle,
      vp.index,
      context,
      context.length,
    );
    if (view.getUint32(0, true) !== IO_PORT) throw new Error("another exit");
    vp.set(Reg.Rip, view.getBigUint64(32, true) + 2n);
  });
}
