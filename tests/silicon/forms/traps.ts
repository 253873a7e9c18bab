/**
 * Software interrupts, single-stepping, and x87 exceptions that the next
 * instruction raises: what takes more than one instruction to see
 * (SDM vol.1, 6.4 and 8.6; vol.3, 17.3.1.4 and 6.8.3).
 *
 * @module
 */
import type { Builder } from "../builder.ts";
import type { Mode } from "../encode.ts";
import type { Family, Form } from "../form.ts";
import { DATA, DS, ES, Flag, RAX, RCX, RDI, RSI, Selector } from "../layout.ts";
import { patchStack } from "./targets.ts";

const NOP = 0x90;

/** Code after a POPF that sets TF, or sometimes does not. */
function stepping(name: string, mode: Mode, code: (g: Builder) => void): Form {
  return {
    name: `single step: ${name}`,
    mode,
    build(g) {
      g.begin(32);
      const trap = g.rng.chance(85) ? Flag.TF : 0;
      const image = (g.rng.u32() & 0x8d5) | 2 | trap;
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setUint32(0, image, true);
      patchStack(g, bytes);
      g.code.push(0x9d); // POPF
      code(g);
      g.code.push(NOP, NOP);
    },
  };
}

function steppingForms(mode: Mode): Form[] {
  return [
    stepping("NOP", mode, (g) => g.code.push(NOP)),
    stepping("JMP", mode, (g) => g.code.push(0xeb, 0)),
    stepping("PUSHF", mode, (g) => g.code.push(0x9c)),
    stepping("POPF", mode, (g) => g.code.push(0x9d)),
    stepping("INT3", mode, (g) => g.code.push(0xcc)),
    stepping("UD2", mode, (g) => g.code.push(0x0f, 0x0b)),
    stepping("CMC LAHF", mode, (g) => g.code.push(0xf5, 0x9f)),
    stepping("MOV SS", mode, (g) => {
      // The trap waits for the instruction after MOV SS.
      g.words[2 * RAX] = Selector.userSs;
      g.code.push(0x8e, 0xd0, NOP);
    }),
    stepping("REP MOVSB", mode, (g) => {
      g.setPointer(RSI, DS, DATA + 0x200);
      g.setPointer(RDI, ES, DATA + 0x600);
      g.setGpr(RCX, BigInt(g.rng.int(4)));
      g.code.push(0xf3, 0xa4);
    }),
  ];
}

/**
 * Not INT1, whose RIP differs natively when the host is itself a guest; nor
 * the two-byte INT 3, which exception bitmaps do not intercept.
 */
function interruptForms(mode: Mode): Form[] {
  const one = (name: string, code: (g: Builder) => number[]): Form => ({
    name,
    mode,
    build(g) {
      g.begin(32);
      g.code.push(...code(g));
    },
  });
  const forms = [
    one("INT3", () => [0xcc]),
    one("INT imm8", (g) => {
      // Not Linux's system call, nor vectors of exceptions.
      const vector = 0x20 + g.rng.int(0xe0);
      return [0xcd, vector === 0x80 ? 0x81 : vector];
    }),
  ];
  if (mode !== 64) forms.push(one("INTO", () => [0xce]));
  return forms;
}

/** An x87 exception is raised by the next waiting instruction. */
function pendingForms(): Form[] {
  const table: [string, number[]][] = [
    ["FADD; FWAIT", [0xd8, 0xc1, 0x9b]],
    ["FSQRT; FLD1", [0xd9, 0xfa, 0xd9, 0xe8]],
    ["FDIV; FNSTSW AX; FNOP", [0xd8, 0xf1, 0xdf, 0xe0, 0xd9, 0xd0]],
    ["FMUL; FNCLEX; FWAIT", [0xd8, 0xc9, 0xdb, 0xe2, 0x9b]],
    ["FADD; MOVQ mm0, mm1", [0xd8, 0xc1, 0x0f, 0x6f, 0xc1]],
    ["FADD; ADDPS", [0xd8, 0xc1, 0x0f, 0x58, 0xc1]],
  ];
  return table.map(([name, code]): Form => ({
    name: `pending: ${name}`,
    fx: true,
    build(g) {
      g.begin(32, "f32");
      g.setFcw(0x340 | g.rng.int(64));
      g.setFsw(g.rng.int(8) << 11);
      // SDM vol.2, each of these: "C0, C2, C3 undefined"; FNCLEX: all.
      g.undefined.fsw = 0x4700;
      if (name.includes("FNSTSW")) g.undefined.gprs = 1 << RAX;
      g.code.push(...code);
    },
  }));
}

/** For code segments of `mode` bits. */
export function traps(mode: Mode): Family[] {
  return [
    { name: "software interrupts", forms: interruptForms(mode) },
    { name: "single step", forms: steppingForms(mode) },
    ...(mode === 64
      ? [{ name: "pending x87 exceptions", forms: pendingForms() }]
      : []),
  ];
}
