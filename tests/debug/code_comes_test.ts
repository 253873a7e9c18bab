// Breakpoints at a place that code comes to: by the guest's own hand, by another
// processor, by DMA, by page tables, by the debugger and by a reset; set before it is
// there, and after. Every one is hit; but in memory not one that was set before and has
// no debug register (the README's table).

import { assert, assertEquals } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { VirtioBlock } from "../../src/machine/devices/virtio/block.ts";
import {
  VIRTIO_MMIO_BYTES,
  virtioAddress,
} from "../../src/machine/devices/virtio/layout.ts";
import { VirtioMmio } from "../../src/machine/devices/virtio/mmio.ts";
import { testPlatform } from "../util/platform.ts";
import { requireTool } from "../util/tools.ts";
import { LongMode } from "./long_mode.ts";

const ignore = !requireTool("gcc", "ld", "nm", "objcopy");
const inMemory = testPlatform() !== "soft" ||
  Deno.env.get("ICEBP_TEST_BREAKPOINTS") === "memory";

/** Where the code comes to, and where of it the breakpoint is. */
const PLACE = 0x180000, AT = PLACE + 5;
/** Where the byte is that the code is encoded with. */
const KEY = PLACE - 16;
/** The same in the second GiB, for code that is mapped. */
const MAPPED = 0x40000000;
const PDPT = 0x2000, PD = 0x3000;

interface Way {
  readonly name: string;
  /** Brings the code from `image`, then goes to `ready`. */
  readonly source: string;
  readonly cpus?: number;
  /** RAX at the breakpoint, if not 1. */
  readonly rax?: number;
  /** Where it comes to, if not PLACE. */
  readonly place?: number;
  prepare?(guest: LongMode): void;
}

/** Entries of a table, 8 bytes each. */
function entries(guest: LongMode, at: number, ...values: (number | bigint)[]) {
  guest.machine.memory.write(
    at,
    new Uint8Array(BigUint64Array.from(values, BigInt).buffer),
  );
}

/** Bytes, one after the other, by a loop's body. */
const byLoop = (body: string, bytes = 1) => `
        mov $image, %esi
        mov $${PLACE}, %edi
        mov $image_end, %ebp
1:      ${body}
        add $${bytes}, %rsi
        add $${bytes}, %rdi
        cmp %rbp, %rsi
        jb 1b
`;

/** The page of the image, at MAPPED, through two tables of the guest's: 0x10000 has
 * the second GiB's directory, 0x11000 its first table. */
function mapSecondGiB(guest: LongMode, first: number | bigint): void {
  entries(guest, PDPT + 8, 0x10003);
  entries(guest, 0x10000, 0x11003);
  entries(guest, 0x11000, first);
}

const WAYS: Way[] = [
  {
    name: "REP MOVSB",
    source: `
        mov $image, %esi
        mov $${PLACE}, %edi
        mov $image_end - image, %ecx
        rep movsb
`,
  },
  {
    name: "MOVSQ, backwards",
    source: `
        std
        mov $image_end - 8, %esi
        mov $${PLACE} + image_end - image - 8, %edi
        mov $(image_end - image) / 8, %ecx
        rep movsq
        cld
`,
  },
  {
    name: "a loop of bytes",
    source: byLoop("mov (%rsi), %al\nmov %al, (%rdi)"),
  },
  {
    name: "SSE stores",
    source: byLoop("movups (%rsi), %xmm0\nmovups %xmm0, (%rdi)", 16),
  },
  {
    name: "MOVNTI",
    source: byLoop("mov (%rsi), %rax\nmovnti %rax, (%rdi)", 8),
  },
  {
    name: "LOCK CMPXCHG8B, as kernels patch",
    source: byLoop(
      `mov (%rdi), %eax
        mov 4(%rdi), %edx
        mov (%rsi), %ebx
        mov 4(%rsi), %ecx
        lock cmpxchg8b (%rdi)`,
      8,
    ),
  },
  {
    name: "decoding where it lies",
    // What a breakpoint in memory is becomes a NOP like the one that was there.
    source: byLoop(`mov ${KEY}, %al\nxor %al, (%rdi)`),
    prepare(guest) {
      const from = guest.symbol("image") - guest.symbol("start");
      const to = guest.symbol("image_end") - guest.symbol("start");
      const image = guest.program.bytes.subarray(from, to);
      const key = 0x90 ^
        (guest.debugger.breakpoints.inMemory?.trap.opcode ?? 0xf1);
      guest.machine.memory.write(KEY, Uint8Array.of(key));
      guest.machine.memory.write(PLACE, image.map((byte) => byte ^ key));
    },
  },
  {
    name: "a copy that overlaps itself, as decompressors repeat",
    // NOPs from one, up to the place, and the rest behind.
    source: `
        mov $${PLACE} - 63, %edi
        movb $0x90, -1(%rdi)
        lea -1(%rdi), %rsi
        mov $80, %ecx
        rep movsb
        mov $image, %esi
        mov $image_end - image, %ecx
        rep movsb
`,
    rax: PLACE,
  },
  {
    name: "writes through another address of the page",
    source: `
        mov $image, %esi
        mov $${MAPPED + PLACE}, %edi
        mov $image_end - image, %ecx
        rep movsb
`,
    prepare: (guest) => entries(guest, PDPT + 8, PD | 3),
  },
  {
    name: "another processor's writes",
    cpus: 2,
    source: `
        cmp $0, %edi
        je wait
        mov $image, %esi
        mov $${PLACE}, %edi
        mov $image_end - image, %ecx
        rep movsb
        movb $1, flag
stop:   hlt
        jmp stop
wait:   pause
        cmpb $1, flag
        jne wait
`,
  },
  {
    name: "a device's DMA",
    source: `
        mov $1, %al
        out %al, $0xd8
`,
    prepare(guest) {
      const { machine } = guest;
      const dma = machine.dma("disk9");
      machine.ports.claim(0xd8, 1, {
        readPort: () => 0,
        writePort() {
          const from = guest.symbol("image") - guest.symbol("start");
          dma.write(PLACE, guest.program.bytes.slice(from, from + 64));
        },
      }, "starter");
    },
  },
  {
    name: "a virtio disk's read",
    source: `
        mov $${virtioAddress(0)}, %esi
        movl $3, 0x70(%rsi)
        movl $1, 0x24(%rsi)
        movl $1, 0x20(%rsi)
        movl $11, 0x70(%rsi)
        movl $0, 0x30(%rsi)
        movl $8, 0x38(%rsi)
        movl $descriptors, 0x80(%rsi)
        movl $available, 0x90(%rsi)
        movl $used, 0xa0(%rsi)
        movl $1, 0x44(%rsi)
        movl $15, 0x70(%rsi)
        movw $1, available + 2
        movl $0, 0x50(%rsi)
1:      cmpw $1, used + 2
        jne 1b
        jmp ready
        .align 16
descriptors: .quad header
        .long 16, 0x10001
        .quad ${PLACE}
        .long 512, 0x20003
        .quad status
        .long 1, 2
        .skip 80
header: .quad 0, 0
status: .byte 0
        .align 4
available: .skip 22
        .align 4
used:   .skip 70
`,
    prepare(guest) {
      const { machine, program } = guest;
      const from = guest.symbol("image") - guest.symbol("start");
      const disk = new VirtioBlock("disk9", {
        bytes: 512,
        readOnly: true,
        label: "",
        read: (offset, into) =>
          into.set(program.bytes.slice(from + offset, from + into.length)),
        write() {},
        flush() {},
      });
      machine.mmio.claim(
        virtioAddress(0),
        VIRTIO_MMIO_BYTES,
        new VirtioMmio(disk, machine.dma("disk9"), machine.board.irq(16)),
        "disk9",
      );
    },
  },
  {
    name: "a page that is mapped",
    source: `
        movq $image + 3, 0x11000
`,
    place: MAPPED,
    prepare: (guest) => mapSecondGiB(guest, 0),
  },
  {
    name: "a page in place of another, and INVLPG",
    source: `
        mov $${MAPPED}, %eax
        incb 0x800(%rax)
        movq $image + 3, 0x11000
        invlpg (%rax)
`,
    place: MAPPED,
    prepare: (guest) => mapSecondGiB(guest, 0x190003),
  },
  {
    name: "other page tables in CR3",
    source: `
        mov $0x12000, %eax
        mov %rax, %cr3
`,
    place: MAPPED,
    prepare(guest) {
      entries(guest, 0x12000, 0x13003);
      entries(guest, 0x13000, PD | 3, 0x10003);
      entries(guest, 0x10000, 0x11003);
      entries(guest, 0x11000, guest.symbol("image") | 3);
    },
  },
  {
    name: "other page tables in CR3 with a PCID, and back",
    source: `
        mov %cr3, %rcx
        mov %cr4, %rax
        or $0x20000, %eax
        mov %rax, %cr4
        mov $0x12001, %eax
        mov %rax, %cr3
        mov %rcx, %cr3
        mov $0x12001, %eax
        bts $63, %rax
        mov %rax, %cr3
`,
    place: MAPPED,
    prepare(guest) {
      entries(guest, 0x12000, 0x13003);
      entries(guest, 0x13000, PD | 3, 0x10003);
      entries(guest, 0x10000, 0x11003);
      entries(guest, 0x11000, guest.symbol("image") | 3);
    },
  },
  {
    name: "a large page that is split",
    source: `
        mov $${MAPPED}, %eax
        mov (%rax), %ecx
        movq $0x11003, 0x10000
        mov %cr3, %rax
        mov %rax, %cr3
`,
    place: MAPPED,
    prepare(guest) {
      mapSecondGiB(guest, guest.symbol("image") | 3);
      entries(guest, 0x10000, 0x83);
    },
  },
];

function sourceOf({ source, place = PLACE }: Way): string {
  return `
start:  ${source}
ready:  mov $${place}, %eax
        call *%rax
done:   jmp done
flag:   .byte 0
        .align 4096
image:  mov $1, %eax
        nop
        add $41, %eax
        ret
        .align 16
image_end: .byte 0
`;
}

/** When the breakpoint is set; "fifth" before, with all debug registers in use. */
const TIMES = ["before", "fifth", "after"] as const;

for (const way of WAYS) {
  const at = way.place === undefined ? AT : way.place + 5;
  for (const time of TIMES) {
    Deno.test({
      name: `code comes by ${way.name}; a breakpoint from ${
        time === "fifth" ? "before, beside four hbreaks" : time
      }`,
      ignore,
      async fn() {
        const guest = await LongMode.start(sourceOf(way), way.cpus);
        way.prepare?.(guest);
        guest.break("done");
        if (time === "after") {
          guest.break("ready");
          assertEquals((await guest.run()).reason, { kind: "breakpoint" });
          assertEquals(guest.rip(), guest.symbol("ready"));
        }
        if (time === "fifth") guest.takeDebugRegisters();
        guest.break(at);
        assertEquals((await guest.run()).reason, { kind: "breakpoint" });
        const isLost = time === "fifth" && inMemory;
        assertEquals(guest.rip(), isLost ? guest.symbol("done") : at);
        if (!isLost) {
          assertEquals(guest.reg(Reg.Rax), BigInt(way.rax ?? 1));
          assertEquals((await guest.run()).reason, { kind: "breakpoint" });
          assertEquals(guest.rip(), guest.symbol("done"));
        }
        assertEquals(guest.reg(Reg.Rax), 42n);
        guest.close();
      },
    });
  }
}

Deno.test({
  name: "code that changes itself is stopped at before and after",
  ignore,
  async fn() {
    const guest = await LongMode.start(`
loop:   call line
        incb line + 1
        incb here + 2
        cmpb $9, line + 1
        jne loop
done:   jmp done
line:   mov $1, %eax
here:   add $1, %eax
        ret
`);
    guest.break("here");
    guest.break("done");
    for (let n = 1n; n < 9n; n++) {
      assertEquals((await guest.run()).reason, { kind: "breakpoint" });
      // In memory it is the 0xF1 that is lost, if the byte is written to.
      assertEquals(guest.rip(), guest.symbol("here"));
      assertEquals(guest.reg(Reg.Rax), n);
    }
    await guest.run();
    assertEquals(guest.rip(), guest.symbol("done"));
    assertEquals(guest.reg(Reg.Rax), 16n);
    guest.close();
  },
});

Deno.test({
  name: "code that the debugger writes over a breakpoint is stopped at",
  ignore,
  async fn() {
    const guest = await LongMode.start(`
loop:   call fn
        jmp loop
fn:     mov $1, %eax
here:   nop
        ret
`);
    guest.break("here");
    await guest.run();
    // inc %eax; dec %eax; ret, from the breakpoint on
    const address = BigInt(guest.symbol("here"));
    const code = Uint8Array.fromHex("ffc0ffc8c3");
    assert(guest.debugger.writeMemory(0, address, code));
    for (let i = 0; i < 3; i++) {
      assertEquals((await guest.run()).reason, { kind: "breakpoint" });
      assertEquals(guest.reg(Reg.Rip), address);
      const read = new Uint8Array(5);
      guest.debugger.readMemory(0, address, read);
      assertEquals(read, code);
    }
    await guest.resume("step");
    assertEquals(guest.reg(Reg.Rax), 2n);
    guest.close();
  },
});

Deno.test({
  name: "code that a reset loads anew is stopped at",
  ignore,
  async fn() {
    const guest = await LongMode.start(`
start:  nop
here:   inc %rcx
        mov $0xaa, %al
        mov %al, ${PLACE}
        mov $6, %al
        mov $0xcf9, %edx
        out %al, %dx
stop:   jmp stop
`);
    guest.break("here");
    guest.break("stop");
    for (let turn = 0; turn < 3; turn++) {
      const stop = await guest.run();
      assertEquals(stop.reason, { kind: "breakpoint" });
      assertEquals(guest.rip(), guest.symbol("here"));
    }
    guest.close();
  },
});
