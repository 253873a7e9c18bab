// What silicon cannot be asked in user mode about the x87 unit: #NM and #MF in
// every combination of CR0's bits, environments in real mode, XSAVE's faults
// and formats. Expected values: Intel SDM volume 1, 8.1.10, 8.3.11, 8.7, 13.7,
// 13.8; volume 2, "WAIT/FWAIT"; volume 3, table 2-2.

import { assertEquals } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { openSoft } from "../../src/soft/mod.ts";
import {
  CODE,
  DATA,
  expectExit,
  expectVector,
  Guest,
} from "../contract/guest.ts";
import { requireTool, runTool } from "../util/tools.ts";

const UD = 6, NM = 7, GP = 13, MF = 16;
const MP = 2n, EM = 4n, TS = 8n, NE = 0x20n;
const OSXSAVE = 0x40000n;

/** Assembles AT&T syntax to flat code for offset 0. */
function assemble(source: string): Uint8Array {
  const folder = Deno.makeTempDirSync();
  try {
    const object = `${folder}/a.o`, binary = `${folder}/a.bin`;
    Deno.writeTextFileSync(`${folder}/a.s`, source);
    runTool("as", ["--64", "-o", object, `${folder}/a.s`]);
    runTool("objcopy", ["-O", "binary", "-j", ".text", object, binary]);
    return Deno.readFileSync(binary);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

async function withGuest(
  source: string,
  test: (guest: Guest) => Promise<void>,
): Promise<void> {
  const platform = await openSoft({ memoryBytes: 8 << 20 });
  const guest = new Guest({
    platform,
    memory: platform.guestMemory,
    wrote: (offset, bytes) => platform.hostWrote(offset, bytes),
  });
  guest.write(CODE, assemble(source));
  await test(guest);
  guest.delete();
  platform.close();
}

function test(
  name: string,
  source: string,
  run: (guest: Guest) => Promise<void>,
): void {
  Deno.test({
    name,
    ignore: !requireTool("as", "objcopy"),
    fn: () => withGuest(source, run),
  });
}

/** Puts the guest in real mode: CS and DS at CODE and DATA. */
function toReal(guest: Guest): void {
  const { vp } = guest;
  vp.set(Reg.Cr0, 0x30n);
  vp.set(Reg.Efer, 0n);
  vp.set(Reg.Cr4, 0x600n);
  const real = (base: number, attributes: number) => ({
    base: BigInt(base),
    limit: 0xffff,
    selector: base >> 4,
    attributes,
  });
  vp.setSegment(Reg.Cs, real(CODE, 0x9b));
  vp.setSegment(Reg.Ds, real(DATA, 0x93));
  vp.setSegment(Reg.Es, real(DATA, 0x93));
  vp.setSegment(Reg.Ss, real(0, 0x93));
  vp.set(Reg.Rip, 0n);
}

const words = (guest: Guest, offset: number, count: number) =>
  Array.from(
    { length: count },
    (_, i) => guest.view.getUint16(DATA + offset + 2 * i, true),
  );
const dwords = (guest: Guest, offset: number, count: number) =>
  Array.from(
    { length: count },
    (_, i) => guest.view.getUint32(DATA + offset + 4 * i, true),
  );

// fldz in R7 (tag 1), pi in R6 (tag 0), the rest empty (3); the store of pi as
// m32 rounds up. TOP = 6.
const TAGS = 0x4fff;
const STATUS = 0x3220;
const FSTS_OPCODE = 0x116; // D9 /2 with a 16-bit displacement

test(
  "x87: real mode environments tell linear addresses and the opcode",
  `
  .code16
  fninit
  fldz
  fldpi
  .balign 32
  fsts 0x7654
  .balign 16
  fnstenv 0x100
  data32 fnstenv 0x200
  fldenv 0x100
  fnstenv 0x300
  data32 fldenv 0x200
  fnstenv 0x400
  data32 fnsave 0x500
  fnstenv 0x600
  data32 frstor 0x500
  fnsave 0x700
  hlt
  `,
  async (guest) => {
    toReal(guest);
    expectExit(await guest.run(), "halt");
    const ip = CODE + 0x20, dp = DATA + 0x7654;
    const narrow = [
      0x37f,
      STATUS,
      TAGS,
      ip & 0xffff,
      ((ip >> 16) << 12) | FSTS_OPCODE,
      dp & 0xffff,
      (dp >> 16) << 12,
    ];
    assertEquals(words(guest, 0x100, 7), narrow);
    const wide = [
      0xffff037f,
      0xffff0000 + STATUS,
      0xffff0000 + TAGS,
      0xffff0000 + (ip & 0xffff),
      ((ip >> 16) << 12) | FSTS_OPCODE,
      0xffff0000 + (dp & 0xffff),
      (dp >> 16) << 12,
    ];
    assertEquals(dwords(guest, 0x200, 7), wide);
    assertEquals(words(guest, 0x300, 7), narrow, "FLDENV, 16 bits");
    assertEquals(words(guest, 0x400, 7), narrow, "FLDENV, 32 bits");
    assertEquals(dwords(guest, 0x500, 7), wide, "FNSAVE");
    assertEquals(words(guest, 0x51c, 5), [
      0xc235,
      0x2168,
      0xdaa2,
      0xc90f,
      0x4000,
    ]);
    assertEquals(words(guest, 0x526, 5), [0, 0, 0, 0, 0]);
    assertEquals(
      words(guest, 0x600, 7),
      [0x37f, 0, 0xffff, 0, 0, 0, 0],
      "FNSAVE initialises",
    );
    assertEquals(words(guest, 0x700, 7), narrow, "FRSTOR");
    assertEquals(words(guest, 0x70e, 5), [
      0xc235,
      0x2168,
      0xdaa2,
      0xc90f,
      0x4000,
    ]);
  },
);

test(
  "x87: the 64-bit mode environment tells offsets, selectors, the opcode",
  `
  fninit
  fld1
  .balign 32
  fmuls ${DATA + 0x40}
  .balign 16
  fnstenv ${DATA}
  data16 fnstenv ${DATA + 0x80}
  hlt
  `,
  async (guest) => {
    expectExit(await guest.run(), "halt");
    const ip = CODE + 0x20, dp = DATA + 0x40;
    const opcode = 0x00c; // D8 /1 with a SIB byte
    assertEquals(dwords(guest, 0, 7), [
      0xffff037f,
      0xffff3800,
      0xffff7fff, // 1 * 0: R7 is zero
      ip,
      (opcode << 16) | 8,
      dp,
      0xffff0010,
    ]);
    assertEquals(
      words(guest, 0x80, 7),
      [0x37f, 0x3800, 0x7fff, ip & 0xffff, 8, dp & 0xffff, 0x10],
    );
  },
);

const unmaskedDivide = `
  fninit
  fldcw control(%rip)
  fldz
  fld1
  fdivp
`;
const control = "\ncontrol: .word 0x37b\n";

test(
  "x87: an unmasked exception waits for the next waiting instruction",
  `${unmaskedDivide}
  fnstsw %ax
  fnstcw ${DATA}
  mov %ax, ${DATA + 2}
  nop
  .balign 64
  fwait
  hlt${control}`,
  async (guest) => {
    expectVector(await guest.run(), MF);
    // ES, B, ZE; TOP = 6: nothing popped
    assertEquals(words(guest, 0, 2), [0x37b, 0xb084]);
    assertEquals(
      guest.view.getUint32(Number(guest.vp.get(Reg.Rsp)), true),
      CODE + 0x40,
    );
  },
);

test(
  "x87: with CR0.NE clear nothing is raised inside, the status tells",
  `${unmaskedDivide}
  fwait
  fld1
  fnstsw %ax
  mov %ax, ${DATA}
  hlt${control}`,
  async (guest) => {
    guest.vp.set(Reg.Cr0, guest.vp.get(Reg.Cr0) & ~NE);
    expectExit(await guest.run(), "halt");
    assertEquals(words(guest, 0, 1), [0xa884]);
  },
);

test(
  "x87: FNCLEX and FLDENV end a pending exception, unmasking begins one",
  `
  fninit
  fldz
  fld1
  fdivp
  fldcw control(%rip)
  fnstsw %ax
  mov %ax, ${DATA}
  fnclex
  fwait
  fnstsw %ax
  mov %ax, ${DATA + 2}
  hlt${control}`,
  async (guest) => {
    expectExit(await guest.run(), "halt");
    assertEquals(words(guest, 0, 2), [0xb884, 0x3800]);
  },
);

for (
  const [bits, name, ofFadd, ofWait] of [
    [0n, "none", 0, 0],
    [MP, "MP", 0, 0],
    [EM, "EM", NM, 0],
    [EM | MP, "EM MP", NM, 0],
    [TS, "TS", NM, 0],
    [TS | MP, "TS MP", NM, NM],
    [TS | EM, "TS EM", NM, 0],
    [TS | EM | MP, "TS EM MP", NM, NM],
  ] as [bigint, string, number, number][]
) {
  for (
    const [what, source, vector] of [
      ["x87", "fld1", ofFadd],
      ["control", "fninit", ofFadd],
      ["WAIT", "fwait", ofWait],
    ] as [string, string, number][]
  ) {
    test(`x87: ${what} with CR0 ${name}`, `${source}\nhlt`, async (guest) => {
      const cr0 = guest.vp.get(Reg.Cr0) & ~(MP | EM | TS);
      guest.vp.set(Reg.Cr0, cr0 | bits);
      const exit = await guest.run();
      if (vector === 0) expectExit(exit, "halt");
      else expectVector(exit, vector);
    });
  }
}

const AREA = DATA + 0x1000;
const xsave = `
  mov $3, %eax
  xor %edx, %edx
  xsave ${AREA}
`;

test(
  "XSAVE without CR4.OSXSAVE is undefined",
  `${xsave} hlt`,
  async (guest) => {
    expectVector(await guest.run(), UD);
  },
);

function withXsave(guest: Guest): void {
  guest.vp.set(Reg.Cr4, guest.vp.get(Reg.Cr4) | OSXSAVE);
  guest.vp.set(Reg.XCr0, 3n);
}

test("XSAVE needs 64-byte alignment", "xsave 0x50020\nhlt", async (guest) => {
  withXsave(guest);
  expectVector(await guest.run(), GP);
});

test(
  "XSAVE and XRSTOR: what is asked for, what XSTATE_BV leaves out is initial",
  `
  fninit
  fldpi
  pcmpeqd %xmm1, %xmm1
  pcmpeqd %xmm15, %xmm15
  ${xsave}
  mov $2, %eax
  xsave ${AREA + 0x400}
  movq $1, ${AREA + 512}       # from now on SSE is in its initial state
  mov $3, %eax
  xrstor ${AREA}
  movdqu %xmm1, ${DATA}
  fstpt ${DATA + 0x10}
  movq $0, ${AREA + 512}
  xrstor ${AREA}
  fnstsw ${DATA + 0x20}
  fnstcw ${DATA + 0x22}
  hlt
  `,
  async (guest) => {
    withXsave(guest);
    guest.memory.fill(0x5a, AREA, AREA + 0x800);
    guest.view.setBigUint64(AREA + 512, 0n, true);
    guest.view.setBigUint64(AREA + 0x400 + 512, 1n, true);
    guest.memory.fill(0, AREA + 520, AREA + 576);
    expectExit(await guest.run(), "halt");
    assertEquals(words(guest, 0x1000, 2), [0x37f, 0x3800]);
    assertEquals(guest.memory[AREA + 4], 0x80, "abridged tags");
    assertEquals(dwords(guest, 0x1018, 1), [0x1f80]);
    assertEquals(dwords(guest, 0x1000 + 160 + 15 * 16, 1), [0xffffffff]);
    assertEquals(dwords(guest, 0x1000 + 416, 1), [0x5a5a5a5a], "not written");
    assertEquals(dwords(guest, 0x1400, 2), [0x5a5a5a5a, 0x5a5a5a5a]);
    assertEquals(dwords(guest, 0x1400 + 160 + 16, 1), [0xffffffff]);
    assertEquals(dwords(guest, 0x1400 + 512, 2), [3, 0], "XSTATE_BV");
    assertEquals(dwords(guest, 0, 4), [0, 0, 0, 0]);
    assertEquals(words(guest, 0x10, 5), [
      0xc235,
      0x2168,
      0xdaa2,
      0xc90f,
      0x4000,
    ]);
    assertEquals(words(guest, 0x20, 2), [0, 0x37f]);
  },
);

for (
  const [what, offset, value] of [
    ["a component that XCR0 lacks", 512, 4n],
    ["the compacted format", 520, 1n << 63n],
    ["a reserved header byte", 528, 1n],
    ["a reserved MXCSR bit", 24, 0x10000n],
  ] as [string, number, bigint][]
) {
  test(
    `XRSTOR refuses ${what}`,
    `mov $3, %eax\nxor %edx, %edx\nxrstor ${AREA}\nhlt`,
    async (guest) => {
      withXsave(guest);
      guest.view.setBigUint64(AREA + offset, value, true);
      expectVector(await guest.run(), GP);
    },
  );
}
