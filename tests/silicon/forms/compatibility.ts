/**
 * Compatibility mode, 32-bit and 16-bit code: the instructions that 64-bit
 * mode does not have, and all the others again with the operand sizes,
 * addressing forms and segment limits of that mode (SDM vol.2).
 *
 * @module
 */
import type { Builder } from "../builder.ts";
import type { Mode } from "../encode.ts";
import type { Family, Form } from "../form.ts";
import { RAX, STATUS_FLAGS } from "../layout.ts";
import { alu } from "./alu.ts";
import { bits } from "./bits.ts";
import { control } from "./control.ts";
import { move } from "./move.ts";
import { multiply } from "./multiply.ts";
import { prefixFamilies } from "./prefixes.ts";
import { farForms, segmentForms, segmentStackForms } from "./segments.ts";
import { AF, CF, immediate, OF, PF, SF, ZF } from "./shared.ts";
import { shift } from "./shift.ts";
import { traps } from "./traps.ts";
import { stackForms } from "./stack.ts";
import { patchStack, placeStack } from "./targets.ts";
import { x87 } from "./x87.ts";

/** Forms by name that need 64-bit mode, or are built for it alone. */
const LONG_ONLY =
  /64|128|RAX|CDQE|CQO|MOVSXD|BASE|Q$|\(REX|refused|in user mode/;
/** Their stack forms are built for each mode. */
const LONG_FAMILIES = new Set(["stack", "refused instructions"]);

function again(families: Family[], mode: Mode): Family[] {
  return families.filter(({ name }) => !LONG_FAMILIES.has(name)).map((
    { name, forms },
  ) => ({
    name: `${name}, ${mode}-bit code`,
    forms: forms.filter((form) => !LONG_ONLY.test(form.name)).map((form) => ({
      ...form,
      mode,
    })),
  })).filter(({ forms }) => forms.length > 0);
}

/** BCD digits in AL and AH, mostly. */
function decimal(g: Builder): void {
  const { rng } = g;
  const digit = () => rng.chance(70) ? rng.int(10) : rng.int(16);
  const low = digit() | digit() << 4;
  g.words[2 * RAX] = (g.words[2 * RAX] & ~0xffff) | low | rng.int(256) << 8;
}

function decimalForms(): Form[] {
  const table: [string, number[], number][] = [
    // SDM vol.2 DAA, DAS: "The OF flag is undefined."
    ["DAA", [0x27], OF],
    ["DAS", [0x2f], OF],
    // SDM vol.2 AAA, AAS: "The OF, SF, ZF, and PF flags are undefined."
    ["AAA", [0x37], OF | SF | ZF | PF],
    ["AAS", [0x3f], OF | SF | ZF | PF],
    // SDM vol.2 AAM, AAD: "The OF, AF, and CF flags are undefined."
    ["AAM", [0xd4], OF | AF | CF],
    ["AAD", [0xd5], OF | AF | CF],
    ["SALC", [0xd6], 0],
  ];
  return table.map(([name, code, undefinedFlags]): Form => ({
    name,
    build(g) {
      g.begin(8);
      decimal(g);
      g.undefined.flags = undefinedFlags;
      g.code.push(...code);
      if (name !== "AAM" && name !== "AAD") return;
      const base = g.rng.chance(60) ? 10 : g.rng.int(256);
      // AAM 0 is #DE, with undefined flags like a division's.
      if (base === 0) g.undefined.flags = STATUS_FLAGS;
      g.code.push(base);
    },
  }));
}

function oldForms(mode: Mode): Form[] {
  const forms: Form[] = decimalForms();
  const add = (name: string, make: (g: Builder) => void) =>
    forms.push({
      name,
      build(g) {
        g.begin(32);
        make(g);
      },
    });
  for (const size of [16, 32]) {
    for (const [name, opcode] of [["INC", 0x40], ["DEC", 0x48]] as const) {
      add(`${name} r${size}`, (g) => g.plain(size, g.anyRegister(), opcode));
    }
    add(`PUSHA (${size})`, (g) => {
      placeStack(g);
      g.plain(size, 0, 0x60);
    });
    add(`POPA (${size})`, (g) => {
      placeStack(g, "inside"); // what a fault leaves is not said
      patchStack(g, new Uint8Array(32).map(() => g.rng.int(256)));
      g.plain(size, 0, 0x61);
    });
    add(`BOUND r${size}, m${size}&${size}`, (g) => {
      const reg = g.freeGpr();
      const content = new Uint8Array(size / 4);
      const view = new DataView(content.buffer);
      const index = (g.words[2 * reg] << (32 - size)) >> (32 - size);
      const low = g.rng.chance(70) ? index - g.rng.int(5) : g.rng.u32();
      const high = g.rng.chance(70) ? index + g.rng.int(5) : g.rng.u32();
      if (size === 16) {
        view.setInt16(0, low, true);
        view.setInt16(2, high, true);
      } else {
        view.setInt32(0, low, true);
        view.setInt32(4, high, true);
      }
      const rm = g.memory(content.length, { content, faults: false });
      g.emit({ opcode: [0x62], size, reg, rm });
    });
  }
  add("ARPL r/m16, r16", (g) => {
    // Whether it reads before it writes shows in a fault's error code.
    const rm = g.rng.chance(40) ? g.freeGpr() : g.memory(2, { faults: false });
    g.emit({ opcode: [0x63], reg: g.anyRegister(), rm });
  });
  add("ADD and others r/m8, imm8 (82h)", (g) => {
    const rm = g.rng.chance(40) ? g.freeGpr() : g.memory(1);
    const reg = g.rng.int(8);
    if (reg === 1 || reg === 4 || reg === 6) g.undefined.flags = AF;
    g.emit({ opcode: [0x82], reg, rm, immediate: immediate(g, 1) });
  });
  add("INTO without overflow", (g) => {
    g.flags &= ~OF;
    g.code.push(0xce);
  });
  return forms.map((form) => ({ ...form, mode }));
}

/** Operands at and beyond the limits of all kinds of segments. */
function limitForms(mode: Mode): Form[] {
  const build = (g: Builder, size: number, opcode: number) => {
    g.begin(size);
    // Any offset: limits of 7FFh, FFFh and 1FFFh are near, below and above.
    const near = g.rng.pick([0x7ff, 0x800, 0xfff, 0x1000, 0x1fff, 0xffff]);
    const far = g.rng.chance(50) ? 0x80_0000 : -16; // nothing is there
    const offset = (g.rng.chance(20) ? far : near - 10) + g.rng.int(20);
    const segment = g.rng.pick([0, 2, 3, 4, 5]);
    const rm = g.address(g.segmentBase(segment) + 0x400);
    const reg = g.anyRegister();
    rm.segment = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65][segment];
    rm.rm16 = -1;
    rm.base = g.freeGpr();
    rm.index = -1;
    rm.displacement = 0;
    rm.displacementBytes = 0;
    rm.otherAddressSize = mode === 16;
    g.words[2 * rm.base] = offset;
    g.emit({ opcode: [opcode], size, reg, rm });
  };
  return [8, 16, 32].flatMap((size): Form[] => [{
    name: `MOV r${size}, m${size} at limits`,
    mode,
    build: (g) => build(g, size, size === 8 ? 0x8a : 0x8b),
  }, {
    name: `MOV m${size}, r${size} at limits`,
    mode,
    build: (g) => build(g, size, size === 8 ? 0x88 : 0x89),
  }]);
}

/** All of compatibility mode with code segments of `mode` bits. */
export function compatibility(mode: 32 | 16): Family[] {
  const suffix = `${mode}-bit code`;
  const all: Family[] = [
    ...again([...alu, ...shift, ...multiply, ...bits], mode),
    ...again([...move, ...control, ...x87], mode),
    { name: `stack, ${suffix}`, forms: stackForms(mode) },
    { name: `only in ${suffix}`, forms: oldForms(mode) },
    { name: `segments, ${suffix}`, forms: segmentForms(mode) },
    { name: `segments and stack, ${suffix}`, forms: segmentStackForms(mode) },
    { name: `far transfers, ${suffix}`, forms: farForms(mode) },
    ...[...traps(mode), ...prefixFamilies(mode)].map(({ name, forms }) => ({
      name: `${name}, ${suffix}`,
      forms,
    })),
    { name: `segment limits, ${suffix}`, forms: limitForms(mode) },
  ];
  return all.map(({ name, forms }) => ({
    name,
    forms: forms.map((form) => ({ ...form, name: `${suffix}: ${form.name}` })),
  }));
}
