// What silicon cannot be asked in user mode about MMX and SSE: #UD, #NM, #MF and
// #XM under every combination of the control registers' bits. Expected: Intel SDM
// volume 2, "Exception Conditions of Legacy SIMD Instructions Operating on MMX
// Registers"; volume 3, table 14-1, "Action Taken for Combinations of OSFXSR,
// OSXMMEXCPT, ... EM, MP, and TS".

import { assertEquals } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { openSoft } from "../../src/soft/mod.ts";
import { CODE, DATA, Guest, hex, VECTOR_PORT } from "../contract/guest.ts";

const UD = 6, NM = 7, PF = 14, MF = 16, XM = 19;
const CR0 = 0x8005_0033n;
const EM = 4n, TS = 8n;
const PAE = 0x20n, OSFXSR = 0x200n, OSXMMEXCPT = 0x400n;
const MASKED = 0x1f80n;
/** Divide-by-zero, unmasked. */
const UNMASKED = MASKED & ~0x200n;
const DONE = -1;

/** What an instruction's availability depends on. */
interface Kind {
  name: string;
  /** Code of a few of the kind, RSI pointing at DATA. */
  code: string[];
  /** XMM registers: CR4.OSFXSR. */
  xmm: boolean;
  /** MMX registers: pending x87 exceptions. */
  mmx: boolean;
  /** Neither: no control register matters. */
  free?: boolean;
}

const KINDS: Kind[] = [
  {
    name: "MMX",
    code: [
      "0f 6f c1", // movq mm0, mm1
      "0f ef 06", // pxor mm0, [rsi]
      "0f 71 d0 03", // psrlw mm0, 3
      "0f 7e c0", // movd eax, mm0
      "0f 77", // emms
    ],
    xmm: false,
    mmx: true,
  },
  {
    name: "MMX registers in SSE and SSSE3",
    code: [
      "0f e0 c1", // pavgb mm0, mm1
      "0f 70 c1 1b", // pshufw mm0, mm1, 1bh
      "0f e7 06", // movntq [rsi], mm0
      "0f d7 c0", // pmovmskb eax, mm0
      "0f 38 00 c1", // pshufb mm0, mm1
    ],
    xmm: false,
    mmx: true,
  },
  {
    name: "SSE",
    code: [
      "0f 28 c1", // movaps xmm0, xmm1
      "0f 10 06", // movups xmm0, [rsi]
      "f3 0f 7f 06", // movdqu [rsi], xmm0
      "66 0f ef c0", // pxor xmm0, xmm0
      "66 0f 74 06", // pcmpeqb xmm0, [rsi]
      "66 0f d7 c0", // pmovmskb eax, xmm0
      "66 48 0f 6e c0", // movq xmm0, rax
      "66 0f d6 06", // movq [rsi], xmm0
      "f2 0f 58 c1", // addsd xmm0, xmm1
      "0f 58 c1", // addps xmm0, xmm1
      "66 0f 2e c1", // ucomisd xmm0, xmm1
      "f2 0f 2a c0", // cvtsi2sd xmm0, eax
      "66 0f 73 d8 01", // psrldq xmm0, 1
      "66 0f 38 17 c1", // ptest xmm0, xmm1
      "66 0f 3a 63 c1 00", // pcmpistri xmm0, xmm1, 0
      "66 0f 38 dc c1", // aesenc xmm0, xmm1
      "66 0f 3a 44 c1 00", // pclmulqdq xmm0, xmm1, 0
    ],
    xmm: true,
    mmx: false,
  },
  {
    name: "XMM and MMX registers",
    code: [
      "0f 2a c1", // cvtpi2ps xmm0, mm1
      "66 0f 2d c1", // cvtpd2pi mm0, xmm1
      "f3 0f d6 c1", // movq2dq xmm0, mm1
      "f2 0f d6 c1", // movdq2q mm0, xmm1
    ],
    xmm: true,
    mmx: true,
  },
  {
    name: "neither registers",
    code: [
      "0f c3 06", // movnti [rsi], eax
      "0f 18 0e", // prefetcht0 [rsi]
      "0f ae f8", // sfence
      "f3 90", // pause
      "f2 0f 38 f1 c1", // crc32 eax, ecx
      "f3 0f b8 c1", // popcnt eax, ecx
    ],
    xmm: false,
    mmx: false,
    free: true,
  },
];

function expected(kind: Kind, cr0: bigint, cr4: bigint, pending: boolean) {
  if (kind.free) return DONE;
  if (cr0 & EM || (kind.xmm && !(cr4 & OSFXSR))) return UD;
  if (cr0 & TS) return NM;
  return kind.mmx && pending ? MF : DONE;
}

/** Runs one instruction: the vector it raises, or DONE. */
async function vectorOf(
  guest: Guest,
  code: string,
  set: () => void,
): Promise<number> {
  guest.write(CODE, hex(`${code} f4`));
  guest.start(guest.vp);
  guest.vp.set(Reg.Rsi, BigInt(DATA));
  set();
  const exit = await guest.run();
  if (exit.reason === "halt") return DONE;
  if (exit.reason === "ioPort" && exit.port === VECTOR_PORT) {
    return exit.eax & 0xff;
  }
  throw new Error(`${code}: ${exit.reason}`);
}

/** x87 control 0x37e (invalid operations unmasked); pending: IE, ES, B. */
function setX87(guest: Guest, pending: boolean): void {
  const status = pending ? 0x8081n : 0n;
  guest.vp.set128(Reg.FpControlStatus, 0x37en | (status << 16n));
}

function setMxcsr(guest: Guest, value: bigint): void {
  guest.vp.set128(Reg.XmmControlStatus, value << 64n);
}

async function withGuest(test: (guest: Guest) => Promise<void>): Promise<void> {
  const platform = await openSoft({ memoryBytes: 8 << 20 });
  const guest = new Guest({
    platform,
    memory: platform.guestMemory,
    wrote: (offset, bytes) => platform.hostWrote(offset, bytes),
  });
  await test(guest);
  guest.delete();
  platform.close();
}

for (const kind of KINDS) {
  Deno.test(`simd: ${kind.name}: availability`, () =>
    withGuest(async (guest) => {
      for (const code of kind.code) {
        for (let bits = 0; bits < 16; bits++) {
          const cr0 = CR0 | (bits & 1 ? EM : 0n) | (bits & 2 ? TS : 0n);
          const cr4 = PAE | OSXMMEXCPT | (bits & 4 ? OSFXSR : 0n);
          const pending = (bits & 8) !== 0;
          const vector = await vectorOf(guest, code, () => {
            setX87(guest, pending);
            setMxcsr(guest, MASKED);
            guest.vp.set(Reg.Cr4, cr4);
            guest.vp.set(Reg.Cr0, cr0);
          });
          assertEquals(
            vector,
            expected(kind, cr0, cr4, pending),
            `${code}: CR0 ${cr0.toString(16)} CR4 ${cr4.toString(16)} ${
              pending ? "pending" : ""
            }`,
          );
        }
      }
    }));
}

Deno.test("simd: an unmasked exception is #XM, #UD without OSXMMEXCPT", () =>
  withGuest(async (guest) => {
    const one = 0x3ff0_0000_0000_0000n;
    for (
      const code of [
        "f2 0f 5e c1", // divsd xmm0, xmm1
        "66 0f 5e c1", // divpd xmm0, xmm1
        "f2 0f 5e 06", // divsd xmm0, [rsi]
      ]
    ) {
      for (const mxcsr of [MASKED, UNMASKED]) {
        for (const xmm of [0n, OSXMMEXCPT]) {
          const vector = await vectorOf(guest, code, () => {
            guest.write(DATA, new Uint8Array(16));
            guest.vp.set128(Reg.Xmm0, (one << 64n) | one);
            guest.vp.set128(Reg.Xmm0 + 1, 0n);
            setMxcsr(guest, mxcsr);
            guest.vp.set(Reg.Cr4, PAE | OSFXSR | xmm);
          });
          const raised = xmm === 0n ? UD : XM;
          assertEquals(vector, mxcsr === MASKED ? DONE : raised, code);
          const after = guest.vp.get128(Reg.XmmControlStatus) >> 64n & 0x3fn;
          assertEquals(after, 4n, `${code}: ZE`);
          const infinite = (guest.vp.get128(Reg.Xmm0) & ((1n << 64n) - 1n)) !==
            one;
          assertEquals(infinite, mxcsr === MASKED, `${code}: destination`);
        }
      }
    }
  }));

Deno.test("simd: availability comes before the memory operand", () =>
  withGuest(async (guest) => {
    // RSI at a page that is not present: #PF only when all else allows it
    const absent = 0x8000_0000_0000n - 0x1000n;
    for (const code of ["0f 6f 06", "0f 10 06", "66 0f 74 06", "0f 29 06"]) {
      for (const cr0 of [CR0, CR0 | TS, CR0 | EM]) {
        const vector = await vectorOf(guest, code, () => {
          guest.vp.set(Reg.Rsi, absent);
          guest.vp.set(Reg.Cr0, cr0);
        });
        assertEquals(vector, cr0 & EM ? UD : cr0 & TS ? NM : PF, code);
      }
    }
  }));
