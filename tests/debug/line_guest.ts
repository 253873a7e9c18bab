// Guests whose lines are range-stepped, in every mode of a processor: real mode and
// 16-bit protected mode with a code segment that does not begin at 0, 32-bit and 64-bit
// code. A timer may tick, and its handler may run the line that it has interrupted.

import { assertEquals } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { LongMode, TEXT } from "./long_mode.ts";

export const MODES = [
  "real mode",
  "16-bit code",
  "32-bit code",
  "64-bit code",
] as const;
export type Mode = typeof MODES[number];

const GDT = 0x4000, IDT = 0x5000;
/** What the guest counts and remembers, for each processor. */
const OWN = 0x7000, OWN_BYTES = 0x100;
const STACKS = 0xa000, STACK_BYTES = 0x2000;
/** Where real mode's segment 0x1000 is. */
const REAL_BASE = 0x10000;
/** The timer's vector. */
export const TIMER = 48;
/** Of the timer's, from a handler's end to the next tick: a few dozen instructions. */
const PERIOD = 700;
/** Selectors of the GDT here. */
const CODE64 = 8, DATA = 16, CODE16 = 24, CODE32 = 32, CODE32_HIGH = 40;
/** Of 32-bit code: the task that runs, and another one. */
const TASK = 48, OTHER_TASK = 56;
const TSS = 0x7900, OTHER_TSS = 0x7a00;

interface Words {
  readonly bits: 16 | 32 | 64;
  /** The code segment's base, and its selector. */
  readonly base: number;
  readonly selector: number;
}

export const WORDS: Readonly<Record<Mode, Words>> = {
  "real mode": { bits: 16, base: REAL_BASE, selector: 0x1000 },
  "16-bit code": { bits: 16, base: TEXT, selector: CODE16 },
  "32-bit code": { bits: 32, base: 0, selector: CODE32 },
  "64-bit code": { bits: 64, base: 0, selector: CODE64 },
};

/** Code with {A}, {C}, {D}, {SP}, {BP} for registers as wide as the mode's code, {W} for
 * their bytes, {CS} for the code segment's selector and {OF x} for label x's offset. */
export function inMode(mode: Mode, code: string): string {
  const { bits, selector } = WORDS[mode];
  const prefix = bits === 64 ? "r" : bits === 32 ? "e" : "";
  const origin = bits === 16 ? 0 : TEXT;
  return code
    .replaceAll(/\{OF ([^}]+)\}/g, `($1 - start + ${origin})`)
    .replaceAll(/\{([ACD])\}/g, (_, r) => `%${prefix}${r.toLowerCase()}x`)
    .replaceAll(/\{(SP|BP)\}/g, (_, r) => `%${prefix}${r.toLowerCase()}`)
    .replaceAll("{W}", String(bits / 8))
    .replaceAll("{CS}", `$${selector}`);
}

export interface LineOptions {
  /** A timer ticks; its handler runs the interrupted line, too. */
  readonly ticking?: boolean;
  /** Processor 1 runs all lines again and again. */
  readonly cpus?: number;
}

function source(mode: Mode, lines: readonly string[], o: LineOptions): string {
  const { bits } = WORDS[mode];
  const save = bits === 64
    ? "push %rax; push %rcx; push %rdx; push %rbp"
    : "pushal";
  const restore = bits === 64
    ? "pop %rbp; pop %rdx; pop %rcx; pop %rax"
    : "popal";
  const body = lines.map((line, i) => `
        cli
        movl $({OF line${i}}), %fs:12
        ${o.ticking ? `pre${i}: sti` : `pre${i}: nop`}
line${i}: ${line}
end${i}: cmpb $0, %fs:8
        jne back
`);
  return inMode(
    mode,
    `
        .code${bits}
start:  movl $0x1ff, %gs:0xf0
        ${
      o.ticking
        ? `movl $${TIMER}, %gs:0x320
        movl $11, %gs:0x3e0
        movl $${PERIOD}, %gs:0x380`
        : ""
    }
again:  ${body.join("")}
        cmpb $0, %fs:4
        jne again
stop:   jmp stop
back:   ret
ticked: ${save}
        incl %fs:0
        incb %fs:8
        call *%fs:12
        decb %fs:8
        movl $0, %gs:0xb0
        movl $${PERIOD}, %gs:0x380
        ${restore}
        ${bits === 64 ? "iretq" : "iret"}
        .globl text_end
text_end:
`,
  );
}

export class LineGuest {
  readonly guest: LongMode;
  readonly mode: Mode;
  readonly #origin: number;

  private constructor(guest: LongMode, mode: Mode) {
    this.guest = guest;
    this.mode = mode;
    this.#origin = WORDS[mode].bits === 16 ? TEXT : 0;
  }

  /** A guest of lines, before any of them. */
  static async start(
    mode: Mode,
    lines: readonly string[],
    options: LineOptions = {},
  ): Promise<LineGuest> {
    const guest = await LongMode.start(
      source(mode, lines, options),
      options.cpus ?? 1,
    );
    const lineGuest = new LineGuest(guest, mode);
    lineGuest.#load();
    return lineGuest;
  }

  #load(): void {
    const { mode, guest } = this;
    const { bits, base, selector } = WORDS[mode];
    const { memory } = guest.machine;
    const put = (at: number, value: bigint) => {
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setBigUint64(0, value, true);
      memory.write(at, bytes);
    };
    if (mode === "real mode") memory.write(REAL_BASE, guest.program.bytes);
    put(GDT + CODE16, 0x00009b100000ffffn);
    put(GDT + CODE32, 0x00cf9b000000ffffn);
    // As CODE16, but for the size of its code.
    put(GDT + CODE32_HIGH, 0x00cf9b100000ffffn);
    put(GDT + TASK, 0x0000_8b00_0000_0067n | (BigInt(TSS) << 16n));
    put(GDT + OTHER_TASK, 0x0000_8900_0000_0067n | (BigInt(OTHER_TSS) << 16n));
    const handler = this.offset("ticked");
    const low = BigInt(handler & 0xffff), high = BigInt(handler >> 16);
    const gate = low | (BigInt(selector) << 16n) | (high << 48n);
    if (mode === "real mode") {
      put(TIMER * 4, low | (BigInt(selector) << 16n));
    } else if (bits === 64) {
      put(IDT + TIMER * 16, gate | (0x8e00n << 32n));
      put(IDT + TIMER * 16 + 8, 0n);
    } else {
      put(IDT + TIMER * 8, gate | ((bits === 16 ? 0x8600n : 0x8e00n) << 32n));
    }
    guest.machine.processors.forEach(({ vp }, i) => {
      if (bits !== 64) {
        vp.set(Reg.Cr0, mode === "real mode" ? 0x10n : 0x11n);
        vp.set(Reg.Efer, 0n);
        vp.set(Reg.Cr4, 0n);
        vp.setSegment(Reg.Cs, {
          base: BigInt(base),
          limit: bits === 16 ? 0xffff : 0xffffffff,
          selector,
          attributes: bits === 16 ? 0x9b : 0xc09b,
        });
        const small = bits === 16;
        for (const r of [Reg.Ss, Reg.Ds, Reg.Es]) {
          vp.setSegment(r, {
            base: 0n,
            limit: small ? 0xffff : 0xffffffff,
            selector: mode === "real mode" ? 0 : DATA,
            attributes: small ? 0x93 : 0xc093,
          });
        }
      }
      vp.setTable(Reg.Gdtr, { base: BigInt(GDT), limit: 0x3f });
      if (mode === "real mode") {
        vp.setTable(Reg.Idtr, { base: 0n, limit: 0x3ff });
      }
      if (bits === 32) {
        vp.setSegment(Reg.Tr, {
          base: BigInt(TSS),
          limit: 0x67,
          selector: TASK,
          attributes: 0x8b,
        });
      }
      const own = { limit: 0xffff, selector: DATA, attributes: 0x93 };
      vp.setSegment(Reg.Fs, { base: BigInt(OWN + i * OWN_BYTES), ...own });
      vp.setSegment(Reg.Gs, { base: 0xfee00000n, ...own });
      memory.writeByte(OWN + i * OWN_BYTES + 4, i);
      vp.set(Reg.Rip, BigInt(this.offset("start")));
      vp.set(Reg.Rsp, BigInt(STACKS + i * STACK_BYTES));
    });
  }

  /** A label's offset in the code segment. */
  offset(label: string): number {
    return this.guest.symbol(label) - this.#origin;
  }

  /** A label's linear address. */
  linear(label: string): bigint {
    return BigInt(WORDS[this.mode].base + this.offset(label));
  }

  /** Runs processor 0 up to line `i`. */
  async to(i: number): Promise<void> {
    const { guest } = this;
    const at = this.linear(`pre${i}`);
    guest.break(at);
    assertEquals((await guest.resume("continue")).reason.kind, "breakpoint");
    guest.unbreak(at);
    await guest.resume("step");
    assertEquals(guest.rip(), this.offset(`line${i}`));
  }

  /** Range-steps processor 0 over line `i`, which it is at, while the others run. */
  range(i: number) {
    const others = this.guest.machine.processors.slice(1);
    return this.guest.resume({
      kind: "range",
      start: BigInt(this.offset(`line${i}`)),
      end: BigInt(this.offset(`end${i}`)),
    }, ...others.map(() => "continue" as const));
  }

  /** How often a processor's timer has ticked. */
  ticks(processor = 0): number {
    return this.#own(processor).getUint32(0, true);
  }

  /** How many handlers are being run by a processor. */
  depth(processor = 0): number {
    return this.#own(processor).getUint8(8);
  }

  #own(processor: number): DataView {
    const { view } = this.guest.machine.memory;
    return new DataView(
      view.buffer,
      view.byteOffset + OWN + processor * OWN_BYTES,
    );
  }

  close(): void {
    this.guest.close();
  }
}

/** Instructions that may go somewhere else, or change what comes, and in the end stay in
 * their line; null where a mode has no such. */
export const GATES: Readonly<
  Record<string, string | Partial<Record<Mode, string>>>
> = {
  popf: "pushf\npopf",
  "irqsave and irqrestore": "pushf\npop {D}\ncli\npush {D}\npopf",
  "an indirect jump": "mov ${OF 9f}, {A}\njmp *{A}\nhlt\n9:",
  "a return": "mov ${OF 9f}, {A}\npush {A}\nret\nhlt\n9:",
  "a return that pops": "push {A}\nmov ${OF 9f}, {A}\npush {A}\nret ${W}\n9:",
  "a call inside": "call 9f\n9: pop {A}",
  "an indirect call inside": "mov ${OF 9f}, {A}\ncall *{A}\nhlt\n9: pop {A}",
  "calls of itself":
    "mov $20, {C}\ncall 9f\njmp 8f\n9: test {C}, {C}\njz 7f\ndec {C}\npush {A}\ncall 9b\npop {A}\n7: ret\n8:",
  iret: {
    "real mode": "pushf\npush %cs\nmov ${OF 9f}, {A}\npush {A}\niret\nhlt\n9:",
    "16-bit code":
      "pushf\npush %cs\nmov ${OF 9f}, {A}\npush {A}\niret\nhlt\n9:",
    "32-bit code":
      "pushf\npush %cs\nmov ${OF 9f}, {A}\npush {A}\niret\nhlt\n9:",
    "64-bit code":
      "mov %rsp, %rax\npush $16\npush %rax\npushf\npush $8\nmov ${OF 9f}, %rax\npush %rax\niretq\nhlt\n9:",
  },
  "a far return": {
    "real mode": "push %cs\nmov ${OF 9f}, {A}\npush {A}\nlret\nhlt\n9:",
    "16-bit code": "push %cs\nmov ${OF 9f}, {A}\npush {A}\nlret\nhlt\n9:",
    "32-bit code": "push %cs\nmov ${OF 9f}, {A}\npush {A}\nlret\nhlt\n9:",
    "64-bit code": "push $8\nmov ${OF 9f}, %rax\npush %rax\nlretq\nhlt\n9:",
  },
  "a far jump": {
    "real mode": "ljmp {CS}, ${OF 9f}\nhlt\n9:",
    "16-bit code": "ljmp {CS}, ${OF 9f}\nhlt\n9:",
    "32-bit code": "ljmp {CS}, ${OF 9f}\nhlt\n9:",
    "64-bit code":
      "sub $16, %rsp\nmovl ${OF 9f}, (%rsp)\nmovw $8, 4(%rsp)\nljmp *(%rsp)\nhlt\n9: add $16, %rsp",
  },
  "a far call inside": {
    "real mode": "lcall {CS}, ${OF 9f}\nhlt\n9: add $4, %sp",
    "16-bit code": "lcall {CS}, ${OF 9f}\nhlt\n9: add $4, %sp",
    "32-bit code": "lcall {CS}, ${OF 9f}\nhlt\n9: add $8, %esp",
    "64-bit code":
      "sub $16, %rsp\nmovl ${OF 9f}, (%rsp)\nmovw $8, 4(%rsp)\nlcall *(%rsp)\nhlt\n9: add $24, %rsp",
  },
  "code of another size": {
    // The same bytes as 16-bit and as 32-bit code are other instructions.
    "16-bit code":
      `ljmp $${CODE32_HIGH}, \${OF 8f}\nhlt\n.code32\n8: mov $0x4000eb, %eax\nlahf\nljmp $${CODE16}, \${OF 9f}\nhlt\n.code16\n9:`,
    "64-bit code":
      `pushf\ncli\npush $${CODE32}\nmov \${OF 8f}, %rax\npush %rax\nlretq\nhlt\n.code32\n8: inc %eax\ndec %ecx\nljmp $${CODE64}, \${OF 9f}\nhlt\n.code64\n9: popf`,
  },
  "MOV SS": "mov %ss, %ax\nmov %ax, %ss\nnop",
  "POP SS": {
    "real mode": "push %ss\npop %ss\nnop",
    "16-bit code": "push %ss\npop %ss\nnop",
    "32-bit code": "push %ss\npop %ss\nnop",
  },
  "INTO that does nothing": {
    "real mode": "xor %ax, %ax\ninto",
    "16-bit code": "xor %ax, %ax\ninto",
    "32-bit code": "xor %ax, %ax\ninto",
  },
  "MOV CR3": {
    "32-bit code": "mov %cr3, %eax\nmov %eax, %cr3",
    "64-bit code": "mov %cr3, %rax\nmov %rax, %cr3",
  },
  "MOV CR0": {
    "real mode":
      "pushf\ncli\nmov %cr0, %eax\nor $1, %al\nmov %eax, %cr0\nand $0xfe, %al\nmov %eax, %cr0\npopf",
    "16-bit code": "mov %cr0, %eax\nmov %eax, %cr0",
    "32-bit code": "mov %cr0, %eax\nmov %eax, %cr0",
    "64-bit code": "mov %cr0, %rax\nmov %rax, %cr0",
  },
  "MOV CR3 in a loop":
    "mov $20, %cx\n9: .byte 0x0f, 0x20, 0xd8\n.byte 0x0f, 0x22, 0xd8\ndec %cx\njnz 9b",
  LMSW: "smsw %ax\nlmsw %ax",
  LGDT: "sgdt 0x7800\nlgdt 0x7800",
  LIDT: "sidt 0x7810\nlidt 0x7810",
  INVLPG: "invlpg 0x7000",
  WRMSR: "mov $0xc0000080, %ecx\nrdmsr\nwrmsr",
  CPUID: "xor %eax, %eax\npush %bx\ncpuid\npop %bx",
  OUT: "out %al, $0x80",
  "a loop of gates": "mov $40, %cx\n9: pushf\npopf\ndec %cx\njnz 9b",
  "a hot loop": "mov $6000, {C}\n9: dec {C}\njnz 9b",
  "a hot loop that pushes and pops":
    "mov $1500, {C}\n9: push {A}\npush {C}\npop {C}\npop {A}\ndec {C}\njnz 9b",
  "pushes without end":
    "mov $20, {C}\n9: push {A}\ndec {C}\njnz 9b\nadd $(20 * {W}), {SP}",
  "a frame of its own":
    "push {BP}\nmov {SP}, {BP}\nsub $64, {SP}\nmov $300, {C}\n9: dec {C}\njnz 9b\nleave",
  ENTER: "enter $32, $0\nnop\nleave",
  "a stack pointer set by hand":
    "mov {SP}, {D}\nsub {A}, {A}\nsub {A}, {SP}\nmov $30, {C}\n9: dec {C}\njnz 9b\nmov {D}, {SP}",
  // First as TEST $0x9d, %al, then from its second byte on, which is POPF.
  "overlapping instructions":
    "xor {D}, {D}\n6: pushf\ntest {D}, {D}\njnz 7f + 1\n7: .byte 0xa8, 0x9d\ntest {D}, {D}\njnz 8f\npop {A}\ninc {D}\njmp 6b\n8:",
};

/** As GATES, where no handler runs the line. */
export const GATES_ALONE: typeof GATES = {
  "HLT with interrupts off": "cli\nhlt\nsti",
  // To the other task, which comes back; then it is called, and returns.
  "task switches": {
    "32-bit code": `
      movl $${CODE32}, ${OTHER_TSS + 0x4c}
      movl $${DATA}, ${OTHER_TSS + 0x50}
      movl $${DATA}, ${OTHER_TSS + 0x54}
      movl $2, ${OTHER_TSS + 0x24}
      movl \${OF 9f}, ${OTHER_TSS + 0x20}
      mov %esp, ${OTHER_TSS + 0x38}
      ljmp $${OTHER_TASK}, $0
      jmp 8f
9:    ljmp $${TASK}, $0
      iret
      hlt
8:    testl $0x100, ${OTHER_TSS + 0x24}
      jnz 7f
      lcall $${OTHER_TASK}, $0
      testl $0x100, ${OTHER_TSS + 0x24}
      jz 6f
7:    ud2
6:`,
  },
};

/** A gate as a mode has it; null if it does not. */
export function gateIn(mode: Mode, name: string): string | null {
  const gate = GATES[name] ?? GATES_ALONE[name];
  return typeof gate === "string" ? gate : gate[mode] ?? null;
}
