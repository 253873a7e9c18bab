// WHP.md, "WinHvEmulation": string I/O and memory-mapped devices through the
// emulator's callbacks.

import { assertEquals, assertThrows } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import {
  type EmulatedIo,
  type EmulatedMemory,
  Emulator,
  type EmulatorHandlers,
  PlatformError,
} from "../../src/platform/mod.ts";
import {
  CODE,
  contract,
  DATA,
  expectExit,
  type Guest,
  hex,
  PD,
} from "./guest.ts";

const none: EmulatorHandlers = {
  ioPort({ port }: EmulatedIo) {
    throw new Error(`port 0x${port.toString(16)} is not expected`);
  },
  memory({ gpa }: EmulatedMemory) {
    throw new Error(`gpa 0x${gpa.toString(16)} is not expected`);
  },
};

/** Carries out the exit's instruction with an emulator of these handlers. */
async function emulate(
  guest: Guest,
  handlers: Partial<EmulatorHandlers>,
): Promise<void> {
  const emulator = new Emulator(guest.provider, { ...none, ...handlers });
  const exit = await guest.run();
  try {
    if (exit.reason === "ioPort") emulator.tryIo(guest.vp, exit);
    else emulator.tryMmio(guest.vp, expectExit(exit, "memory"));
  } finally {
    emulator.close();
  }
}

function number(bytes: Uint8Array): number {
  return bytes.reduceRight((sum, byte) => sum * 256 + byte, 0);
}

/** Ordinary memory, for the emulator of a platform that asks for it. */
function ram(guest: Guest, { gpa, size, isWrite, data }: EmulatedMemory) {
  const at = Number(gpa);
  if (isWrite) guest.memory.set(data, at);
  else data.set(guest.memory.subarray(at, at + size));
}

contract("a repeated string output is one call of the emulator", {
  code: `
    66 ba 00 03 be 00 00 05 00 b9 03 00 00 00
    f3 6e                # rep outsb
    e6 80`,
}, async (guest) => {
  guest.memory.set(hex("41 42 43"), DATA);
  const out: number[] = [];
  await emulate(guest, {
    ioPort({ port, size, isWrite, data }) {
      assertEquals([port, size, isWrite], [0x300, 1, true]);
      out.push(data);
    },
    memory: (access) => ram(guest, access),
  });
  assertEquals(out, [0x41, 0x42, 0x43]);
  assertEquals(guest.vp.get(Reg.Rcx), 0n);
  assertEquals(guest.vp.get(Reg.Rsi), BigInt(DATA + 3));
  assertEquals(guest.vp.get(Reg.Rip), BigInt(CODE + 16));
  assertEquals(expectExit(await guest.run(), "ioPort").port, 0x80);
});

contract("string input goes to memory, backwards if DF is set", {
  code: `
    66 ba 00 03 bf 04 00 05 00 b9 02 00 00 00
    fd f3 66 6d e6 80    # std; rep insw`,
}, async (guest) => {
  let next = 0x1111;
  await emulate(guest, {
    ioPort(access) {
      assertEquals([access.size, access.isWrite], [2, false]);
      access.data = next;
      next += 0x1111;
    },
    memory: (access) => ram(guest, access),
  });
  assertEquals(
    guest.memory.slice(DATA + 2, DATA + 6),
    hex("22 22 11 11"),
  );
  assertEquals(guest.vp.get(Reg.Rdi), BigInt(DATA));
});

contract("a plain IN and OUT can be emulated too", {
  code: "e5 60 e7 61 # in eax, 0x60; out 0x61, eax",
}, async (guest) => {
  await emulate(guest, {
    ioPort: (access) => void (access.data = 0x87654321),
  });
  let out = 0;
  await emulate(guest, { ioPort: ({ data }) => void (out = data) });
  assertEquals(out, 0x87654321);
});

/** One memory instruction at 0xe0000010, what it does and what comes of it. */
interface Mmio {
  readonly name: string;
  readonly code: string;
  /** What a read gets. */
  readonly read?: number;
  readonly accesses: readonly (readonly [string, number, number?])[];
  readonly rax?: bigint;
  readonly flags?: bigint;
}

const MMIO: readonly Mmio[] = [
  {
    name: "mov eax, [m]",
    code: "8b 03",
    read: 0x12345678,
    accesses: [["read", 4]],
    rax: 0x12345678n,
  },
  {
    name: "mov [m], ax",
    code: "66 89 03",
    accesses: [["write", 2, 0xccdd]],
  },
  {
    name: "mov byte [m], 5",
    code: "c6 03 05",
    accesses: [["write", 1, 5]],
  },
  {
    name: "movzx eax, byte [m]",
    code: "0f b6 03",
    read: 0x80,
    accesses: [["read", 1]],
    rax: 0x80n,
  },
  {
    name: "movsx rax, word [m]",
    code: "48 0f bf 03",
    read: 0x8000,
    accesses: [["read", 2]],
    rax: 0xffff_ffff_ffff_8000n,
  },
  {
    name: "or dword [m], 1",
    code: "83 0b 01",
    read: 0x10,
    accesses: [["read", 4], ["write", 4, 0x11]],
  },
  {
    name: "xchg [m], eax",
    code: "87 03",
    read: 7,
    accesses: [["read", 4], ["write", 4, 0xaabbccdd]],
    rax: 7n,
  },
  {
    name: "test dword [m], 1",
    code: "f7 03 01 00 00 00",
    read: 2,
    accesses: [["read", 4]],
    flags: 0x40n,
  },
];

for (const { name, code, read, accesses, rax, flags } of MMIO) {
  contract(`the emulator carries out ${name}`, {
    code: `bb 10 00 00 e0 b8 dd cc bb aa ${code} e6 80`,
  }, async (guest) => {
    const seen: unknown[] = [];
    await emulate(guest, {
      memory({ gpa, size, isWrite, data }) {
        assertEquals(gpa, 0xe0000010n);
        if (isWrite) seen.push(["write", size, number(data)]);
        else {
          seen.push(["read", size]);
          for (let i = 0; i < size; i++) {
            data[i] = (read ?? 0) >>> (8 * i);
          }
        }
      },
    });
    assertEquals(seen, [...accesses]);
    assertEquals(guest.vp.get(Reg.Rax), rax ?? 0xaabbccddn);
    if (flags !== undefined) {
      assertEquals(guest.vp.get(Reg.Rflags) & 0x8d5n & flags, flags);
    }
    assertEquals(expectExit(await guest.run(), "ioPort").port, 0x80);
  });
}

contract("REP STOS to a device is one call, an access each", {
  code: "bf 00 00 00 e0 b8 07 00 00 00 b9 04 00 00 00 f3 ab e6 80",
}, async (guest) => {
  const seen: bigint[] = [];
  await emulate(guest, {
    memory({ gpa, size, data }) {
      assertEquals([size, number(data)], [4, 7]);
      seen.push(gpa);
    },
  });
  assertEquals(seen, [0xe0000000n, 0xe0000004n, 0xe0000008n, 0xe000000cn]);
  assertEquals(guest.vp.get(Reg.Rcx), 0n);
  assertEquals(guest.vp.get(Reg.Rdi), 0xe0000010n);
});

contract("an access that crosses a page gives two callbacks", {
  code: "bb fe ff 1f e0 8b 03 e6 80 # mov eax, [0xe01ffffe]",
}, async (guest) => {
  // The next page is elsewhere.
  guest.view.setBigUint64(PD + 3 * 0x1000 + 257 * 8, 0xf000_0087n, true);
  const seen: [bigint, number][] = [];
  await emulate(guest, {
    memory({ gpa, size, data }) {
      seen.push([gpa, size]);
      data.fill(seen.length);
    },
  });
  assertEquals(seen, [[0xe01ffffen, 2], [0xf0000000n, 2]]);
  assertEquals(guest.vp.get(Reg.Rax), 0x02020101n);
});

contract("a failing callback changes nothing, and its error comes out", {
  code: "bb 10 00 00 e0 8b 03",
}, async (guest) => {
  await guest.run();
  const before = guest.vp.get(Reg.Rip);
  let error: unknown;
  try {
    await emulate(guest, {
      memory() {
        throw new RangeError("no device there");
      },
    });
  } catch (thrown) {
    error = thrown;
  }
  assertEquals((error as Error).message, "no device there");
  assertEquals(guest.vp.get(Reg.Rip), before);
  assertEquals(guest.vp.get(Reg.Rax), 0n);
});

contract("what cannot be emulated says so", {
  code: "a1 00 00 00 e0 00 00 00 00",
}, async (guest) => {
  const exit = expectExit(await guest.run(), "memory");
  const emulator = new Emulator(guest.provider, {
    ...none,
    memory: (access) => ram(guest, access),
  });
  // Bytes that are no instruction: in memory, and in the exit.
  guest.write(CODE, hex("0f 0b"));
  guest.vp.exitReasonContext[0] = 0;
  const error = assertThrows(
    () => emulator.tryMmio(guest.vp, exit),
    PlatformError,
  );
  assertEquals(error.call, "WHvEmulatorTryMmioEmulation");
  emulator.close();
});
