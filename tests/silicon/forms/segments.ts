/**
 * Segment registers and far transfers as far as user mode has them, in every
 * mode (SDM vol.2; vol.3, chapters 3 and 5).
 *
 * @module
 */
import type { Builder } from "../builder.ts";
import { type Memory, type Mode, needs66 } from "../encode.ts";
import type { Family, Form } from "../form.ts";
import { DATA, Flag, Selector } from "../layout.ts";
import { Local } from "../ldt.ts";
import { farTarget, patchStack, placeStack, stackTop } from "./targets.ts";

const LOCAL: number[] = Object.values(Local);

/**
 * Selectors of all kinds: null, usable, of the wrong type or privilege,
 * absent, and beyond the tables' limits.
 */
function anySelector(g: Builder): number {
  const { rng } = g;
  if (rng.chance(50)) return rng.pick([0, 3, Selector.userSs, ...LOCAL]);
  return rng.pick([
    rng.int(4),
    Selector.userCs,
    Selector.userCs32,
    Selector.userSs & ~3,
    0x10,
    0x18,
    0x1b,
    0x57,
    0x7f,
    0x83,
    0xfff8 + rng.int(8),
  ]);
}

/** Values of `size` bits one after the other, the last of `lastSize`. */
function packed(
  size: number,
  values: bigint[],
  lastSize: number = size,
): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  values.forEach((value, i) => {
    const width = i === values.length - 1 ? lastSize : size;
    for (let bit = 0; bit < width; bit += 8) {
      bytes.push(Number(value >> BigInt(bit) & 0xffn));
    }
  });
  return Uint8Array.from(bytes);
}

/** r/m16 holding a selector. */
function selectorOperand(g: Builder): number | Memory {
  const value = anySelector(g);
  if (g.rng.chance(40)) {
    const rm = g.freeGpr();
    g.words[2 * rm] = (g.words[2 * rm] & ~0xffff) | value;
    return rm;
  }
  const content = packed(16, [BigInt(value)]);
  return g.memory(2, { content, faults: false });
}

type Adder = (name: string, make: (g: Builder) => void) => void;

function adder(forms: Form[], mode: Mode): Adder {
  return (name, make) =>
    forms.push({
      name,
      mode,
      build(g) {
        g.begin(32);
        // A null FS or GS keeps its base on AMD and loses it on Intel.
        g.undefined.bases = true;
        make(g);
      },
    });
}

const NAMES = ["ES", "CS", "SS", "DS", "FS", "GS"];

/** MOV Sreg, LAR, LSL, VERR, VERW, and loads of far pointers. */
export function segmentForms(mode: Mode): Form[] {
  const forms: Form[] = [];
  const add = adder(forms, mode);
  for (const reg of [0, 2, 3, 4, 5]) {
    add(`MOV ${NAMES[reg]}, r/m16`, (g) => {
      g.emit({ opcode: [0x8e], reg, rm: selectorOperand(g) });
    });
  }
  for (const size of mode === 64 ? [16, 32, 64] : [16, 32]) {
    for (const [name, opcode] of [["LAR", 2], ["LSL", 3]] as const) {
      add(`${name} r${size}, r/m16`, (g) => {
        const rm = selectorOperand(g);
        const reg = g.anyRegister();
        g.emit({ opcode: [0x0f, opcode], size, reg, rm });
      });
    }
  }
  for (const [name, reg] of [["VERR", 4], ["VERW", 5]] as const) {
    add(`${name} r/m16`, (g) => {
      g.emit({ opcode: [0x0f, 0x00], reg, rm: selectorOperand(g) });
    });
  }
  const pointers: [string, number[]][] = [
    ["LSS", [0x0f, 0xb2]],
    ["LFS", [0x0f, 0xb4]],
    ["LGS", [0x0f, 0xb5]],
  ];
  if (mode !== 64) pointers.push(["LES", [0xc4]], ["LDS", [0xc5]]);
  for (const [name, opcode] of pointers) {
    for (const size of [16, 32]) {
      add(`${name} r${size}, m16:${size}`, (g) => {
        const offset = BigInt(g.rng.u32());
        const content = packed(size, [offset, BigInt(anySelector(g))], 16);
        const rm = g.memory(content.length, { content, faults: false });
        g.emit({ opcode, size, reg: g.anyRegister(), rm });
      });
    }
  }
  return forms;
}

/** A selector for CS: mostly one that may be entered. */
function codeSelector(g: Builder): number {
  const selector = g.rng.chance(20) ? anySelector(g) : g.rng.pick([
    Selector.userCs,
    Selector.userCs32,
    Local.code16,
    Local.executeOnly,
  ]);
  // From a 16-bit stack, a far call to 64-bit code makes AMD processors fault
  // in a way that Linux takes for spurious, and tries again for ever.
  return g.mode === 16 && selector === Selector.userCs
    ? Local.code16
    : selector;
}

/** Where a transfer to `selector` lands on the HLTs of the case's slot. */
function landing(g: Builder, selector: number): bigint {
  const based = selector === Local.code16 || selector === Local.executeOnly;
  const linear = farTarget(g, based);
  return linear - BigInt(based ? g.baseOf(selector) : 0);
}

/** JMP, CALL, RET and IRET between code segments of the same privilege. */
export function farForms(mode: Mode): Form[] {
  const forms: Form[] = [];
  const add: Adder = (name, make) =>
    adder(forms, mode)(name, (g) => {
      const pushes = name.startsWith("CALL");
      placeStack(g, pushes ? "canonical" : "inside");
      // AMD reads the stack beyond the frame too, before it checks CS.
      if (!pushes) g.flags &= ~Flag.AC;
      // 64-bit mode is left or entered: SDM vol.1, 3.4.1.1.
      g.undefined.highHalves = true;
      make(g);
    });
  for (const size of [16, 32]) {
    for (const [name, digit] of [["CALL", 3], ["JMP", 5]] as const) {
      add(`${name} m16:${size}`, (g) => {
        const selector = codeSelector(g);
        const values = [landing(g, selector), BigInt(selector)];
        const content = packed(size, values, 16);
        const rm = g.memory(content.length, { content, faults: false });
        g.emit({ opcode: [0xff], size, reg: digit, rm });
      });
    }
    if (mode === 64) continue;
    for (const [name, opcode] of [["CALL", 0x9a], ["JMP", 0xea]] as const) {
      add(`${name} ptr16:${size}`, (g) => {
        const selector = codeSelector(g);
        const values = [landing(g, selector), BigInt(selector)];
        g.plain(size, 0, opcode);
        g.code.push(...packed(size, values, 16));
      });
    }
  }
  for (const size of mode === 64 ? [16, 32, 64] : [16, 32]) {
    const returns = (name: string, opcode: number, imm16: boolean) =>
      add(`${name} (${size})`, (g) => {
        const selector = codeSelector(g);
        const garbage = BigInt(g.rng.u32() & 0x7fff) << 16n;
        const values = [landing(g, selector), BigInt(selector) | garbage];
        patchStack(g, packed(size, values));
        g.plain(size, 0, opcode);
        if (imm16) g.code.push(g.rng.int(256), g.rng.int(2));
      });
    returns("RETF", 0xcb, false);
    returns("RETF imm16", 0xca, true);
    add(`IRET (${size})`, (g) => {
      const selector = codeSelector(g);
      const stack = g.rng.chance(75) ? Selector.userSs : anySelector(g);
      const values = [
        landing(g, selector),
        BigInt(selector),
        // Without TF, and without VM, which needs privilege to be loaded.
        BigInt(g.rng.u32() & 0xfffd_feff),
        BigInt(DATA + 0x900 + g.rng.int(64)),
        BigInt(stack),
      ];
      patchStack(g, packed(size, values));
      g.plain(size, 0, 0xcf);
    });
  }
  return forms;
}

/** PUSH and POP of segment registers; all but FS and GS need compatibility. */
export function segmentStackForms(mode: Mode): Form[] {
  const forms: Form[] = [];
  const add = adder(forms, mode);
  const table: [string, number[], number[]][] = mode === 64 ? [] : [
    ["ES", [0x06], [0x07]],
    ["CS", [0x0e], []],
    ["SS", [0x16], [0x17]],
    ["DS", [0x1e], [0x1f]],
  ];
  table.push(["FS", [0x0f, 0xa0], [0x0f, 0xa1]]);
  table.push(["GS", [0x0f, 0xa8], [0x0f, 0xa9]]);
  for (const [name, push, pop] of table) {
    for (const size of mode === 64 ? [16, 64] : [16, 32]) {
      const prefix = (g: Builder) => {
        if (needs66(mode, size)) g.code.push(0x66);
      };
      add(`PUSH ${name} (${size}-bit)`, (g) => {
        placeStack(g);
        // SDM vol.2 PUSH: what is above the selector is written as zero or
        // left, depending on the processor.
        const top = stackTop(g);
        if (size > 16) g.undefined.ranges.push([top - size / 8 + 2, top]);
        prefix(g);
        g.code.push(...push);
      });
      if (pop.length === 0) continue;
      add(`POP ${name} (${size}-bit)`, (g) => {
        placeStack(g);
        patchStack(g, packed(32, [BigInt(anySelector(g)), 0n]));
        prefix(g);
        g.code.push(...pop);
      });
    }
  }
  return forms;
}

/** In 64-bit mode. */
export const segments: Family[] = [
  { name: "segments", forms: segmentForms(64) },
  { name: "segments and stack", forms: segmentStackForms(64) },
  { name: "far transfers", forms: farForms(64) },
];
