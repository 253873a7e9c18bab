/**
 * PUSH, POP, ENTER, LEAVE, PUSHF, POPF and near RET (SDM vol.2).
 *
 * @module
 */
import type { Builder } from "../builder.ts";
import { type Mode, needs66 } from "../encode.ts";
import type { Form } from "../form.ts";
import { DATA, RBP, SS } from "../layout.ts";
import { immediate, registerOrMemory } from "./shared.ts";
import { bytesOf, farAddress, patchStack, placeStack } from "./targets.ts";

/** PUSH and POP and their like, with the operand sizes that the mode has. */
export function stackForms(mode: Mode): Form[] {
  const forms: Form[] = [];
  const add = (name: string, make: (g: Builder) => void) =>
    forms.push({
      name,
      mode,
      build(g) {
        g.begin(64);
        placeStack(g, name.startsWith("RET") ? "patched" : "anywhere");
        make(g);
      },
    });
  for (const size of mode === 64 ? [16, 64] : [16, 32]) {
    // In 64-bit mode these have 64 bits without REX.W.
    const coded = size === 64 ? undefined : size;
    const prefix = (g: Builder) => {
      if (needs66(mode, size)) g.code.push(0x66);
    };
    for (const [op, opcode] of [["PUSH", 0x50], ["POP", 0x58]] as const) {
      add(
        `${op} r${size}`,
        (g) => g.plain(coded ?? 32, g.anyRegister(), opcode),
      );
    }
    add(`PUSH r/m${size}`, (g) => {
      const rm = registerOrMemory(g, size);
      g.emit({ opcode: [0xff], size: coded, reg: 6, rm });
    });
    add(`POP r/m${size}`, (g) => {
      const rm = registerOrMemory(g, size);
      g.emit({ opcode: [0x8f], size: coded, reg: 0, rm });
    });
    add(`PUSH imm8 (${size})`, (g) => {
      prefix(g);
      g.code.push(0x6a, ...immediate(g, 1));
    });
    add(`PUSH imm${Math.min(size, 32)}`, (g) => {
      prefix(g);
      g.code.push(0x68, ...immediate(g, size === 16 ? 2 : 4));
    });
    add(`PUSHF (${size})`, (g) => {
      prefix(g);
      g.code.push(0x9c);
    });
    add(`POPF (${size})`, (g) => {
      patchStack(g, new Uint8Array(8).map(() => g.rng.int(256)));
      prefix(g);
      g.code.push(0x9d);
    });
    add(`ENTER imm16, imm8 (${size})`, (g) => {
      g.setPointer(RBP, SS, DATA + 0x800 + g.rng.int(0x400));
      if (g.rng.chance(10)) g.setPointer(RBP, SS, DATA + g.rng.int(32));
      prefix(g);
      const level = g.rng.pick([0, 0, 0, 1, 1, 2, 3, 5, 31, 32, 34]);
      const frame = g.rng.int(0x200);
      g.code.push(0xc8, frame & 0xff, frame >> 8, level);
    });
    add(`LEAVE (${size})`, (g) => {
      g.setPointer(RBP, SS, g.target(8, {}));
      if (mode === 64 && g.rng.chance(3)) g.gpr[RBP] ^= 1n << 60n;
      prefix(g);
      g.code.push(0xc9);
    });
    const ret = (name: string, code: (g: Builder) => number[]) =>
      add(`${name} (${size})`, (g) => {
        patchStack(g, bytesOf(farAddress(g)));
        prefix(g);
        g.code.push(...code(g));
      });
    // A 16-bit RIP would leave the code's region in 64-bit mode.
    if (mode !== 64 || size === 64) {
      ret("RET", () => [0xc3]);
      ret("RET imm16", (g) => [0xc2, g.rng.int(256), g.rng.int(256)]);
    }
  }
  return forms;
}
