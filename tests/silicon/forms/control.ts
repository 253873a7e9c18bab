/**
 * Branches, and what user mode may not execute (SDM vol.2).
 *
 * @module
 */
import type { Builder } from "../builder.ts";
import type { Family, Form } from "../form.ts";
import { DATA, RAX, RCX, RDI, RSI } from "../layout.ts";
import { CONDITIONS } from "./move.ts";
import { stackForms } from "./stack.ts";
import { stringForms } from "./strings.ts";
import {
  bytesOf,
  farAddress,
  nearTarget,
  placeStack,
  shortTarget,
} from "./targets.ts";

function branchForms(): Form[] {
  const forms: Form[] = [];
  const add = (name: string, make: (g: Builder) => void) =>
    forms.push({
      name,
      build(g) {
        g.begin(64);
        make(g);
      },
    });
  CONDITIONS.forEach((condition, code) => {
    add(`J${condition} rel8`, (g) => g.code.push(0x70 | code, shortTarget(g)));
    add(
      `J${condition} rel32`,
      (g) => g.code.push(0x0f, 0x80 | code, ...nearTarget(g)),
    );
  });
  add("JMP rel8", (g) => g.code.push(0xeb, shortTarget(g)));
  add("JMP rel32", (g) => g.code.push(0xe9, ...nearTarget(g)));
  const loops: [string, number][] = [
    ["LOOPNE rel8", 0xe0],
    ["LOOPE rel8", 0xe1],
    ["LOOP rel8", 0xe2],
    ["JRCXZ rel8", 0xe3],
  ];
  for (const [name, opcode] of loops) {
    for (const short of [false, true]) {
      add(short ? `67h ${name}` : name, (g) => {
        const above = g.mode === 64 ? 32n : 16n;
        g.setGpr(RCX, BigInt(g.rng.int(3)) | BigInt(g.rng.int(2)) << above);
        if (short) g.code.push(0x67);
        g.code.push(opcode, shortTarget(g));
      });
    }
  }
  add("CALL rel32", (g) => {
    placeStack(g);
    g.code.push(0xe8, ...nearTarget(g));
  });
  for (const [name, digit] of [["CALL r/m64", 2], ["JMP r/m64", 4]] as const) {
    add(name, (g) => {
      placeStack(g);
      const to = farAddress(g);
      let rm;
      if (g.rng.chance(50)) {
        rm = g.freeGpr();
        g.setGpr(rm, to);
      } else {
        rm = g.memory(8, { content: bytesOf(to), faults: false });
      }
      g.emit({ opcode: [0xff], reg: digit, rm });
    });
  }
  return forms;
}

/** Opcodes that 64-bit mode does not have (SDM vol.2, appendix A). */
const NOT_IN_64_BIT = [
  [0x06],
  [0x07],
  [0x0e],
  [0x16],
  [0x17],
  [0x1e],
  [0x1f],
  [0x27],
  [0x2f],
  [0x37],
  [0x3f],
  [0x60],
  [0x61],
  [0x82, 0xc0, 0x00],
  [0x9a],
  [0xce],
  [0xd4, 0x0a],
  [0xd5, 0x0a],
  [0xd6],
  [0xea],
  [0x0f, 0x0b],
  [0x0f, 0xb9, 0xc0],
  [0x8d, 0xc0], // LEA with a register
  [0x0f, 0xc7, 0xc8], // CMPXCHG8B with a register
  [0xfe, 0xd0],
  [0xff, 0xf8],
  [0xc6, 0xc8, 0x00],
  [0x8f, 0xc8],
  [0x0f, 0xba, 0xc0, 0x00],
  [0x8c, 0xf0],
  [0x8e, 0xc8], // MOV CS
  [0xf0, 0x90], // LOCK NOP
  [0xf0, 0x8b, 0x00],
  [0x0f, 0xaa], // RSM
];

/** What needs CPL 0, or IOPL: #GP(0) (SDM vol.3, "Privileged Instructions"). */
const PRIVILEGED = [
  [0xf4],
  [0xfa],
  [0xfb],
  [0xe4, 0x60],
  [0xe5, 0x60],
  [0xe6, 0x60],
  [0xe7, 0x60],
  [0xec],
  [0xed],
  [0xee],
  [0xef],
  [0x6c],
  [0x6d],
  [0x6e],
  [0x6f],
  [0xf3, 0x6c],
  [0xf3, 0x6e],
  [0x0f, 0x06],
  [0x0f, 0x08],
  [0x0f, 0x09],
  [0x0f, 0x20, 0xc0],
  [0x0f, 0x22, 0xc0],
  [0x0f, 0x20, 0xd8],
  [0x44, 0x0f, 0x20, 0xc0], // MOV RAX, CR8
  [0x0f, 0x21, 0xc0],
  [0x0f, 0x23, 0xf8],
  [0x0f, 0x30],
  [0x0f, 0x32],
  [0x0f, 0x01, 0xf8], // SWAPGS
  [0x0f, 0x01, 0xf0], // LMSW AX
  [0x0f, 0x00, 0xd0], // LLDT AX
  [0x0f, 0x00, 0xd8], // LTR AX
];

function refusedForms(): Form[] {
  const one = (name: string, table: number[][]): Form => ({
    name,
    build(g) {
      g.begin(64);
      // String and memory operands that would be valid.
      g.setAddress(RSI, DATA + 0x400);
      g.setAddress(RDI, DATA + 0x600);
      g.setAddress(RAX, DATA + 0x800);
      // With a count of 0, AMD checks the permission, Intel does not.
      g.setAddress(RCX, 1);
      g.code.push(...g.rng.pick(table));
    },
  });
  return [
    one("#UD in 64-bit mode", NOT_IN_64_BIT),
    one("#GP in user mode", PRIVILEGED),
  ];
}

export const control: Family[] = [
  { name: "stack", forms: stackForms(64) },
  { name: "branches", forms: branchForms() },
  { name: "strings", forms: stringForms() },
  { name: "refused instructions", forms: refusedForms() },
];
