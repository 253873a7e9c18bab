/**
 * Random cases of system instructions, as assembler text for a guest that
 * includes fuzz.inc: segment loads, far transfers, returns, gates, task
 * switches, flags, debug registers and stacks at limits, from ring 0, 1 and 3,
 * 16-bit code and virtual-8086 mode.
 *
 * @module
 */
import { Prng } from "../silicon/prng.ts";

/** What a case does, for messages and for known differences. */
export interface FuzzCase {
  /** The family of its instruction. */
  kind: string;
  /** Where it runs. */
  level: Level;
  /** Its lines of assembler. */
  text: string;
}

const LEVELS = [
  "ring 0",
  "ring 1",
  "ring 3",
  "16-bit",
  "virtual-8086",
] as const;
export type Level = typeof LEVELS[number];

const SLOTS = 0x50;
const SLOT_COUNT = 16;
const CODE1 = SLOTS + 1;
const DATA1 = SLOTS + 8 + 1;
/** LDT_SEL, TASK32, TASK16, DF_TASK, VME_TSS and common.inc's own. */
const FIXED = [0xd0, 0xd8, 0xe0, 0x08, 0x10, 0x1b, 0x23, 0x38, 0x48];
const LOCAL = [0x0f, 0x17, 0x1c, 0x1f];

const hex = (value: number) => `0x${(value >>> 0).toString(16)}`;

class Writer {
  readonly rng: Prng;
  /** Run at ring 0, before the level is entered. */
  readonly before: string[] = [];
  /** The instructions of the case. */
  readonly code: string[] = [];

  constructor(rng: Prng) {
    this.rng = rng;
  }

  selector(): number {
    const { rng } = this;
    const kind = rng.int(20);
    if (kind === 0) return rng.int(4);
    if (kind === 1) return rng.pick([0x4b, 0x103, 0x2f, 0x203, 0x27]);
    if (kind < 5) return rng.pick(FIXED) & ~3 | rng.int(4);
    if (kind < 8) return rng.pick(LOCAL);
    return SLOTS + 8 * rng.int(SLOT_COUNT) | rng.int(4);
  }

  /** An offset: where the pad is, in one segment or another, or nowhere. */
  offset(): string {
    const kind = this.rng.int(10);
    if (kind < 6) return "pad";
    if (kind < 8) return "pad - boot";
    return hex(this.rng.pick([0x1800, 0x1810, 0x1811, 0x50000, 0x50003]));
  }

  flags(more = 0): number {
    const { rng } = this;
    let f = 2 | rng.int(4) << 12 | more;
    if (rng.chance(12)) f |= 0x100; // TF
    if (rng.chance(12)) f |= 0x4000; // NT
    if (rng.chance(30)) f |= 0x200; // IF
    if (rng.chance(10)) f |= 0x1_0000; // RF
    if (rng.chance(10)) f |= 0x4_0000; // AC
    if (rng.chance(10)) f |= 0x20_0000; // ID
    return f;
  }

  descriptor(): [number, number | string] {
    const { rng } = this;
    const present = rng.chance(88) ? 0x8000 : 0;
    const dpl = rng.int(4) << 13;
    const kind = rng.int(12);
    if (kind < 7) { // code and data
      const type = rng.int(16) << 8;
      const based = rng.chance(20);
      const [limit, g] = rng.pick(
        [
          [0xf_ffff, 0x80_0000],
          [0xf_ffff, 0x80_0000],
          [0x1_ffff, 0],
          [0xffff, 0],
          [0x57ff, 0],
          [0x5, 0x80_0000],
        ] as const,
      );
      const db = rng.chance(75) ? 0x40_0000 : 0;
      const l = rng.chance(5) ? 0x20_0000 : 0;
      const high = present | dpl | 0x1000 | type | db | l | g |
        limit & 0xf_0000 | (based ? 4 : 0);
      return [limit & 0xffff, high];
    }
    if (kind < 10) { // call gates, task gates
      const type = rng.pick([0xc, 0xc, 0xc, 4, 5]);
      const count = rng.chance(50) ? 0 : rng.int(4);
      const target = type === 5
        ? rng.chance(70) ? rng.pick([0xd8, 0xe0]) : this.selector()
        : rng.chance(50)
        ? rng.pick([0x08, 0x48, SLOTS, SLOTS + 1])
        : this.selector();
      const low = type === 4 ? 0x1800 : rng.pick([0x1800, -1]);
      const words = present | dpl | type << 8 | count;
      // -1: the pad's, whose low half the assembler knows
      return [target << 16 | (low & 0xffff), low < 0 ? `pad:${words}` : words];
    }
    if (kind === 10) { // tasks
      const busy = rng.chance(20) ? 0x200 : 0;
      return rng.chance(50)
        ? [-1, `task32:${present | dpl | 0x900 | busy}`]
        : [-1, `task16:${present | dpl | 0x100 | busy}`];
    }
    // Anything; should it be a task, its base is where nothing else is.
    const base = 0x8000 + rng.int(0x7000);
    return [base << 16 | rng.int(0x1_0000), present | dpl | rng.int(16) << 8];
  }

  /** Writes a random descriptor to `at`. */
  patch(at: string, [low, high]: [number, number | string]): void {
    if (typeof high === "number") {
      this.before.push(`movl $${hex(low)}, ${at}`);
      this.before.push(`movl $${hex(high)}, ${at} + 4`);
      return;
    }
    const [where, words] = high.split(":");
    if (where === "pad") {
      this.before.push(
        `movl $(pad - boot) + ${hex(low & ~0xffff)}, ${at}`,
        `movl $0x10000 + ${hex(Number(words))}, ${at} + 4`,
      );
      return;
    }
    const limit = where === "task32" ? 0x67 : 0x2b;
    const short = this.rng.chance(10) ? 1 : 0;
    this.before.push(
      `movl $((${where} - boot) << 16) + ${hex(limit - short)}, ${at}`,
      `movl $0x1 + ${hex(Number(words))}, ${at} + 4`,
    );
  }
}

type Maker = (w: Writer) => void;
const SEGMENTS = ["ds", "es", "ss", "fs", "gs"];

/** Pushes for a return: SS and ESP too, as if to an outer ring. */
function frame(w: Writer, flags: boolean, size: "l" | "w"): void {
  const { rng } = w;
  const cs = w.selector();
  const ss = rng.chance(60)
    ? rng.pick([0x10, 0x23, DATA1, SLOTS + 8 * rng.int(16) | cs & 3])
    : w.selector();
  let image = w.flags();
  if (rng.chance(10)) image |= rng.pick([0x8_0000, 0x10_0000, 0x18_0000]);
  if (flags && size === "l" && rng.chance(10)) {
    image |= 0x2_0000;
    for (let i = 0; i < 4; i++) w.code.push(`pushl $${hex(rng.int(0x600))}`);
  }
  w.code.push(`push${size} $${hex(ss)}`, `push${size} $0x5e00`);
  if (flags) {
    w.code.push(`push${size} $${hex(size === "w" ? image & 0xffff : image)}`);
  }
  w.code.push(`push${size} $${hex(cs)}`);
  w.code.push(
    size === "w" ? "pushw $0x1800" : `pushl $${w.offset()}`,
  );
}

function testSelector(mnemonic: string): Maker {
  return (w) => {
    w.code.push(`movl $${hex(w.selector())}, %eax`, mnemonic);
  };
}

/** Instructions of 32-bit code. */
const PROTECTED: Record<string, Maker> = {
  "MOV Sreg": (w) => {
    const seg = w.rng.pick(SEGMENTS);
    w.code.push(`movl $${hex(w.selector())}, %eax`, `movl %eax, %${seg}`);
  },
  "POP Sreg": (w) => {
    const seg = w.rng.pick(SEGMENTS);
    w.code.push(`pushl $${hex(w.selector())}`, `popl %${seg}`);
  },
  "LDS": (w) => {
    w.before.push(`movl $${hex(w.selector())}, DATA_AT + 4`);
    w.code.push(`l${w.rng.pick(SEGMENTS)} DATA_AT, %eax`);
  },
  "JMP far": (w) => w.code.push(`ljmp $${hex(w.selector())}, $${w.offset()}`),
  "CALL far": (w) => w.code.push(`lcall $${hex(w.selector())}, $${w.offset()}`),
  "RETF": (w) => {
    frame(w, false, "l");
    w.code.push(w.rng.chance(70) ? "lret" : "lret $8");
  },
  "RETFW": (w) => {
    frame(w, false, "w");
    w.code.push("lretw");
  },
  "IRETD": (w) => {
    frame(w, true, "l");
    w.code.push("iret");
  },
  "IRET": (w) => {
    frame(w, true, "w");
    w.code.push("iretw");
  },
  "INT n": (w) => {
    const { rng } = w;
    const type = rng.pick([0xe, 0xe, 0xf, 6, 7, 5, rng.int(16)]);
    const present = rng.chance(90) ? 0x8000 : 0;
    const words = present | rng.int(4) << 13 | type << 8;
    const target = type === 5
      ? rng.pick([0xd8, 0xe0, w.selector()])
      : rng.chance(50)
      ? rng.pick([0x08, 0x48, SLOTS + 1])
      : w.selector();
    w.patch("IDT_AT + 0x280", [
      target << 16 | 0x1800,
      rng.chance(70) && type > 7 ? `pad:${words}` : words,
    ]);
    w.code.push("int $0x50");
  },
  "LLDT": testSelector("lldt %ax"),
  "LTR": testSelector("ltr %ax"),
  "LAR": testSelector("larl %eax, %eax"),
  "LSL": testSelector("lsll %eax, %eax"),
  "VERR": (w) => {
    testSelector("verr %ax")(w);
    w.code.push("setz %al");
  },
  "VERW": (w) => {
    testSelector("verw %ax")(w);
    w.code.push("setz %al");
  },
  "POPF": (w) => w.code.push(`pushl $${hex(w.flags())}`, "popfl", "nop"),
  "CLI": (w) => w.code.push("cli"),
  "STI": (w) => w.code.push("sti", "nop"),
  "traps": (w) =>
    w.code.push(w.rng.pick(["int3", ".byte 0xf1", "into", "hlt_or_ud"])),
  "system": (w) =>
    w.code.push(w.rng.pick([
      "clts",
      "lmsw %ax",
      "smsw %eax",
      "movl %cr0, %eax",
      "movl %dr7, %eax",
      "invd",
      "str %eax",
      "sldt %eax",
      ".byte 0x0f, 0x20, 0x00", // MOV EAX, CR0 with mod 0
      ".byte 0x0f, 0x21, 0x78, 0x90", // MOV EAX, DR7 with mod 1; NOP
    ])),
  "stack": (w) => {
    const { rng } = w;
    const low = rng.chance(50) ? 0x5800 : 0x57fc;
    w.code.push(
      `movl $${hex(SLOTS + 8 * rng.int(SLOT_COUNT))}, %eax`,
      "movl %eax, %ss",
      `movl $${hex(low - 4 + rng.int(12))}, %esp`,
      rng.pick([
        "pushl $1",
        "popl %eax",
        "pushal",
        "popal",
        "enter $16, $1",
        "int $0x41",
        "pushfl",
        "popl %ds",
        "call 8f; 8:",
      ]),
    );
  },
  "breakpoints": (w) => {
    const { rng } = w;
    const kind = rng.pick([0, 0, 1, 3]);
    const length = kind === 0 ? 0 : rng.pick([0, 1, 3]);
    w.before.push(
      kind === 0 ? "movl $7f, %eax" : `movl $DATA_AT + ${rng.int(5)}, %eax`,
      "movl %eax, %dr0",
      `movl $${hex(0x402 | kind << 16 | length << 18)}, %eax`,
      "movl %eax, %dr7",
      "movl $DATA0, DATA_AT",
      "movl $0, DATA_AT + 4",
    );
    w.code.push(...rng.pick([
      ["movl DATA_AT, %eax", "7: nop", "nop"],
      ["movl $1, DATA_AT + 4", "7: nop", "nop"],
      ["movl %ss, %eax", "movl %eax, %ss", "7: nop", "nop"],
      ["movw DATA_AT, %ss", "7: nop", "nop"],
      ["movw DATA_AT, %ss", "7: .byte 0xf1", "nop"],
      ["sti", "7: nop", "nop"],
      ["7: lesl DATA_AT, %eax", "nop"],
      ["jmp 7f", "nop", "7: nop"],
    ]));
  },
};

/** Instructions of 16-bit code and virtual-8086 mode. */
const SIXTEEN: Record<string, Maker> = {
  "INT n (16)": (w) => {
    const n = w.rng.chance(50) ? 0x50 : w.rng.int(64) + 0xc0;
    w.before.push(`movl $0x01001800, ${hex(4 * n)}`);
    w.code.push(`int $${hex(n)}`);
  },
  "IRET (16)": (w) => {
    w.code.push(
      `pushw $${hex(w.flags() & 0xffff)}`,
      `pushw $${hex(w.rng.chance(60) ? 0x48 : w.selector())}`,
      "pushw $0x1800",
      "iretw",
    );
  },
  "RETF (16)": (w) => {
    w.code.push(
      "pushw $0x23",
      "pushw $0x5e00",
      `pushw $${hex(w.selector())}`,
      "pushw $0x1800",
      "lretw",
    );
  },
  "POPF (16)": (w) =>
    w.code.push(`pushw $${hex(w.flags() & 0xffff)}`, "popfw", "nop"),
  "POPFD (16)": (w) => w.code.push(`pushl $${hex(w.flags())}`, "popfl", "nop"),
  "PUSHF (16)": (w) => w.code.push("pushfw", "popw %ax"),
  "CLI (16)": (w) => w.code.push("cli", "nop"),
  "STI (16)": (w) => w.code.push("sti", "nop"),
  "MOV Sreg (16)": (w) =>
    w.code.push(
      `movw $${hex(w.selector())}, %ax`,
      `movw %ax, %${w.rng.pick(SEGMENTS)}`,
    ),
  "JMP far (16)": (w) => w.code.push(`ljmp $${hex(w.selector())}, $0x1800`),
  "CALL far (16)": (w) => w.code.push(`lcall $${hex(w.selector())}, $0x1800`),
  "wrap (16)": (w) => {
    // What is read before and behind the wrap: 0048:1800, where INT3s are.
    for (const base of [0, 0x10000]) {
      w.before.push(
        `movl $0x18000000, ${hex(base + 0xfffc)}`,
        `movw $0x48, ${hex(base)}`,
      );
    }
    w.code.push(...w.rng.pick([
      ["movw $0xfffe, %bx", "lesw (%bx), %ax"],
      ["movw $0xfffc, %bx", "lesl (%bx), %eax"],
      ["movw $0xfffe, %bx", "boundw %ax, (%bx)"],
      ["movw $0xffff, %bx", "movw (%bx), %ax"],
      ["movw $0xfffd, %bx", "movl (%bx), %eax"],
      ["movw $0xfffe, %bx", "ljmpw *(%bx)"],
      ["movw $0xfffc, %bx", "sgdtl (%bx)"],
    ]));
  },
  "traps (16)": (w) =>
    w.code.push(w.rng.pick(["int3", ".byte 0xf1", "into", "arpl %ax, %bx"])),
};

function enter(w: Writer, level: Level): string[] {
  const { rng } = w;
  const to = (cs: number, ss: number, flags: number) => [
    `pushl $${hex(ss)}`,
    "pushl $0x5e00",
    `pushl $${hex(flags)}`,
    `pushl $${hex(cs)}`,
    "pushl $9f",
    "iret",
    "9:",
  ];
  const iopl = rng.int(4) << 12;
  switch (level) {
    case "ring 0":
      return [];
    case "ring 1":
      w.before.push(
        `movl $0xffff, gdt + ${hex(SLOTS)}`,
        `movl $0xcfbb00, gdt + ${hex(SLOTS + 4)}`,
        `movl $0xffff, gdt + ${hex(SLOTS + 8)}`,
        `movl $0xcfb300, gdt + ${hex(SLOTS + 12)}`,
      );
      return to(CODE1, DATA1, 2 | iopl);
    case "ring 3":
      return to(0x1b, 0x23, 2 | iopl);
    case "16-bit":
      return ["ljmp $CODE16, $9f - boot", ".code16", "9:"];
    case "virtual-8086": {
      const virtual = rng.pick([0, 0, 0x8_0000, 0x10_0000]);
      return [
        "pushl $0x66",
        "pushl $0x55",
        `pushl $${rng.chance(50) ? 0 : "CS_V86"}`,
        "pushl $0x33",
        "pushl $0",
        "pushl $0x5e00",
        `pushl $${hex(0x2_0002 | iopl | virtual)}`,
        "pushl $CS_V86",
        "pushl $9f - boot",
        "iret",
        ".code16",
        "9:",
      ];
    }
  }
}

/** The cases of a seed; equal seeds give equal cases. */
export function fuzzCases(seed: number, count: number): FuzzCase[] {
  const rng = new Prng(seed, "system");
  return Array.from({ length: count }, (_, i) => {
    const w = new Writer(rng);
    const level = rng.pick(LEVELS);
    const narrow = level === "16-bit" || level === "virtual-8086";
    const table = narrow ? SIXTEEN : PROTECTED;
    const kind = rng.pick(Object.keys(table));
    for (let n = rng.int(4); n > 0; n--) {
      const at = hex(SLOTS + 8 * rng.int(SLOT_COUNT));
      w.patch(`gdt + ${at}`, w.descriptor());
    }
    if (rng.chance(30)) {
      w.before.push(
        `movl $${hex(rng.pick([1, 2, 3, 8, 4]))}, %eax`,
        "movl %eax, %cr4",
      );
    }
    if (rng.chance(30)) {
      w.before.push("movl $LDT_SEL, %eax", "lldt %ax");
    }
    if (rng.chance(10)) w.before.push("movb $1, task32 + 0x64");
    table[kind](w);
    const lines = [
      `movl $${hex(0xc0de0000 + i)}, %eax`,
      "call log32",
      `movl $case${i + 1}, RESUME`,
      ...w.before,
      "xorl %eax, %eax",
      "movl $0x12345678, %eax",
      ...enter(w, level),
      ...w.code,
      "ud2",
      ...(narrow ? [".code32"] : []),
    ];
    const text = lines.map((line) =>
      line === "hlt_or_ud" ? (level === "ring 0" ? "ud2" : "hlt") : line
    ).join("\n\t");
    return { kind, level, text: `case${i}:\n\t${text}\n` };
  });
}

/** A guest that runs the cases one after the other. */
export function fuzzGuest(cases: readonly FuzzCase[]): string {
  return [
    '\t.include "fuzz.inc"',
    "cases:",
    ...cases.map(({ text }) => text),
    `case${cases.length}:`,
    "\tmovl $0xc0deffff, %eax",
    "\tcall log32",
    "\tjmp the_end",
    "\t.code16",
    "\t.org 0xfff0",
    "\tljmp $0xf000, $boot - boot",
    "\t.org 0x10000",
    "",
  ].join("\n");
}
