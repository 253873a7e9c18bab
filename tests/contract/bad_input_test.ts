// Calls with nonsense for parameters, on the software platform: each gives an
// HRESULT, none traps inside the module, and one that fails changes nothing.

import { assert, assertEquals } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { debugPoints, icebp, winhvplatform } from "../../ffi/mod.ts";
import { openSoft } from "../../src/soft/mod.ts";
import { expectExit, Guest, type GuestOptions } from "./guest.ts";
import { MEMORY_BYTES } from "./providers.ts";
import { numbers } from "../util/numbers.ts";

const ROUNDS = 400;

const NUMBERS = [0, 1, 2, 3, 4, 8, 15, 16, 63, 64, 65, 255, 4095, 4096];
const LARGE = [0x7fffffff, 0x80000000, 0xfffff000, 0xffffffff];

type Random = (below: number) => number;

function u32(random: Random): number {
  const list = random(3) === 0 ? LARGE : NUMBERS;
  return random(8) === 0 ? random(0x8000) : list[random(list.length)];
}

function u64(random: Random, handle: bigint): bigint {
  switch (random(6)) {
    case 0:
      return 0xffff_ffff_ffff_f000n;
    case 1:
      return 0xffff_ffff_ffff_ffffn;
    case 2:
      return BigInt(u32(random)) << 32n;
    case 3:
      return BigInt(random(64)) << 12n;
    case 4:
      return handle;
    default:
      return BigInt(u32(random));
  }
}

function buffer(random: Random, memory: Uint8Array): ArrayBufferView | null {
  switch (random(8)) {
    case 0:
      return null;
    case 1:
      return new Uint8Array(0);
    case 2:
      return new Uint8Array(3);
    case 3: // Guest memory, maybe not aligned, not where the guest's own is.
      return memory.subarray(
        MEMORY_BYTES - 0x20000 + random(4) * 0x7ff,
        MEMORY_BYTES - 0x10000,
      );
    case 4:
      return new Uint8Array(4096 + random(9000)).fill(random(256));
    case 5:
      return Uint32Array.from({ length: 1 + random(40) }, () => u32(random));
    case 6:
      return new Uint8Array(16 * (1 + random(300))).fill(random(256));
    default:
      return new Uint8Array([4, 8, 16, 32, 224][random(5)]).fill(random(256));
  }
}

/** Whatever a failing call must leave as it is. */
function snapshot(guest: Guest): bigint[] {
  const { vp } = guest;
  const names = [
    Reg.Rax,
    Reg.Rbx,
    Reg.Rsp,
    Reg.Rip,
    Reg.Rflags,
    Reg.Cr0,
    Reg.Cr3,
    Reg.Cr4,
    Reg.Efer,
    Reg.Cs,
    Reg.Gdtr,
    Reg.Xmm0,
    Reg.Xmm15,
    Reg.Dr7,
    Reg.Lstar,
  ];
  return names.map((name) => vp.get128(name));
}

async function opened(options: GuestOptions) {
  const platform = await openSoft({ memoryBytes: MEMORY_BYTES });
  const guest = new Guest({
    platform,
    memory: platform.guestMemory,
    wrote: (offset, bytes) => platform.hostWrote(offset, bytes),
  }, options);
  return { platform, guest };
}

/** Calls that would end the guest that the others are tried on. */
const ENDING = new Set([
  "WHvDeletePartition",
  "WHvResetPartition",
  "WHvDeleteVirtualProcessor",
  "WHvRunVirtualProcessor",
]);

const FUNCTIONS = { ...winhvplatform, ...icebp, ...debugPoints };

for (const [name, { parameters }] of Object.entries(FUNCTIONS)) {
  if (ENDING.has(name)) continue;
  Deno.test(`soft: nonsense for ${name}`, async () => {
    const { platform, guest } = await opened({ code: "e6 80", cpus: 2 });
    const functions = { ...platform.platform, ...platform.extensions };
    const fn = functions[name as keyof typeof functions] as
      | ((...args: unknown[]) => number)
      | null;
    if (fn === null) {
      platform.close();
      return;
    }
    const random = numbers(0x1234567);
    let failures = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const { handle } = guest.partition;
      const args = parameters.map((kind, i) => {
        // Mostly the right partition and processor, or nothing is reached.
        if (i === 0 && kind === "u64" && random(8) > 0) return handle;
        if (i === 1 && kind === "u32" && random(4) > 0) return 0;
        if (kind === "u32") return u32(random);
        if (kind === "u64") return u64(random, handle);
        return buffer(random, guest.memory);
      });
      const before = snapshot(guest);
      let hresult;
      try {
        hresult = fn(...args);
      } catch (error) {
        throw new Error(`${name}(${describe(args)})`, { cause: error });
      }
      assertEquals(typeof hresult, "number", name);
      assert(Number.isInteger(hresult) && hresult === (hresult | 0));
      if (hresult >= 0) continue;
      failures++;
      assertEquals(snapshot(guest), before, `${name}(${describe(args)})`);
    }
    if (parameters.length > 1) assert(failures > 0);
    platform.close();
  });
}

function describe(args: unknown[]): string {
  return args.map((arg) =>
    ArrayBuffer.isView(arg)
      ? `${arg.constructor.name}(${arg.byteLength})`
      : String(arg)
  ).join(", ");
}

Deno.test("soft: nonsense for WHvRunVirtualProcessor", async () => {
  const { platform, guest } = await opened({ code: "e6 80" });
  const { handle } = guest.partition;
  const { WHvRunVirtualProcessor: run } = platform.platform;
  assert(await run(handle + 1n, 0, new Uint8Array(224), 224) < 0);
  assert(await run(handle, 64, new Uint8Array(224), 224) < 0);
  assert(await run(handle, 0xffffffff, new Uint8Array(224), 224) < 0);
  assert(await run(handle, 0, null, 224) < 0);
  assert(await run(handle, 0, new Uint8Array(8), 8) < 0);
  expectExit(await guest.run(), "ioPort");
  platform.close();
});

Deno.test("soft: calls after the partition is deleted", async () => {
  const { platform, guest } = await opened({});
  const { handle } = guest.partition;
  guest.delete();
  const f = platform.platform;
  assert(f.WHvDeletePartition(handle) < 0);
  assert(f.WHvSetupPartition(handle) < 0);
  assert(f.WHvCreateVirtualProcessor(handle, 0, 0) < 0);
  assert(f.WHvCancelRunVirtualProcessor(handle, 0, 0) < 0);
  assert(
    await f.WHvRunVirtualProcessor(handle, 0, new Uint8Array(224), 224) < 0,
  );
  const page = platform.guestMemory.subarray(0, 4096);
  assert(f.WHvMapGpaRange(handle, page, 0n, 4096n, 7) < 0);
  platform.close();
});
