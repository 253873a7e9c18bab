// From one exit to the next: how long a port write, a memory-mapped write,
// CPUID and WRMSR take, run, decoded, completed in TypeScript and run again.
// One iteration is 1,000 exits.

import { ExtendedVmExits, X64MsrExitBitmap } from "../ffi/flags.ts";
import { Reg } from "../ffi/registers.ts";
import { Emulator, VALUE_SIZE } from "../src/platform/mod.ts";
import {
  expectExit,
  Guest,
  type GuestOptions,
} from "../tests/contract/guest.ts";
import { testProvider } from "../tests/contract/providers.ts";

const EXITS = 1000;

/** Writes RIP, and what else an instruction leaves, in one call. */
class Completion {
  readonly #names: Uint32Array;
  readonly #values: Uint8Array;
  readonly #view: DataView;
  constructor(...names: number[]) {
    this.#names = Uint32Array.from(names);
    this.#values = new Uint8Array(names.length * VALUE_SIZE);
    this.#view = new DataView(this.#values.buffer);
  }
  complete(guest: Guest, rip: bigint): void {
    this.#view.setBigUint64(0, rip, true);
    guest.vp.setRegisters(this.#names, this.#values);
  }
}

const provider = testProvider();

const bench = async (
  name: string,
  options: GuestOptions,
  body: (guest: Guest) => () => Promise<void>,
) => {
  const guest = new Guest(await provider.open(), options);
  const once = body(guest);
  Deno.bench({
    name: `${name} x ${EXITS}`,
    group: provider.name,
    fn: async () => {
      for (let i = 0; i < EXITS; i++) await once();
    },
  });
};

await bench("port write", { code: "e6 80 eb fc" }, (guest) => {
  const done = new Completion(Reg.Rip);
  return async () => {
    const exit = expectExit(await guest.run(), "ioPort");
    if (exit.port !== 0x80) throw new Error("another port");
    done.complete(guest, exit.rip + 2n);
  };
});

const write = "bb 00 00 00 e0 89 03 eb fc";
await bench("memory-mapped write", { code: write }, (guest) => {
  const done = new Completion(Reg.Rip);
  return async () => {
    const exit = expectExit(await guest.run(), "memory");
    if (exit.gpaNumber !== 0xe0000000) throw new Error("another address");
    done.complete(guest, exit.rip + 2n);
  };
});

await bench("memory-mapped write, emulated", { code: write }, (guest) => {
  let written = 0;
  const emulator = new Emulator(guest.provider, {
    ioPort: () => {},
    memory: ({ data }) => void (written += data.length),
  });
  return async () => {
    emulator.tryMmio(guest.vp, expectExit(await guest.run(), "memory"));
  };
});

await bench("CPUID", {
  code: "0f a2 eb fc",
  extendedVmExits: ExtendedVmExits.X64CpuidExit,
  cpuidExits: [0],
}, (guest) => {
  const done = new Completion(Reg.Rip, Reg.Rax, Reg.Rbx, Reg.Rcx, Reg.Rdx);
  return async () => {
    const exit = expectExit(await guest.run(), "cpuid");
    done.complete(guest, exit.rip + 2n);
  };
});

await bench("WRMSR", {
  code: "b9 45 23 01 00 0f 30 eb fc",
  extendedVmExits: ExtendedVmExits.X64MsrExit,
  msrExitBitmap: X64MsrExitBitmap.UnhandledMsrs,
}, (guest) => {
  const done = new Completion(Reg.Rip);
  return async () => {
    const exit = expectExit(await guest.run(), "msr");
    done.complete(guest, exit.rip + 2n);
  };
});
