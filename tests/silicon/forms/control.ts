/**
 * Stack, branches and strings, and what user mode may not execute
 * (SDM vol.2).
 *
 * @module
 */
import type { Builder } from "../builder.ts";
import { type Mode, needs66 } from "../encode.ts";
import type { Family, Form } from "../form.ts";
import {
  CS,
  DATA,
  DATA_BYTES,
  DS,
  ES,
  RAX,
  RBP,
  RCX,
  RDI,
  READ_ONLY,
  RSI,
  RSP,
  SS,
} from "../layout.ts";
import { CONDITIONS } from "./move.ts";
import { immediate, registerOrMemory } from "./shared.ts";

/**
 * RSP: usually in the middle, sometimes at an end of the scratch region.
 * "patched": where a return address can be put. Far returns read the stack in
 * an order of their own on each CPU, so for them it stays "inside"; a far call
 * that leaves 64-bit mode needs it "canonical".
 */
export function placeStack(
  g: Builder,
  where: "anywhere" | "patched" | "inside" | "canonical" = "anywhere",
): void {
  const kind = g.rng.int(20);
  if (where === "inside" && (kind === 1 || kind === 2)) return;
  if ((where === "inside" || where === "patched") && kind === 4) return;
  if (where === "canonical" && kind === 5) return;
  const place = (linear: number) => g.setPointer(RSP, SS, linear);
  if (kind === 0) place(DATA + g.rng.int(12));
  if (kind === 1) place(DATA + DATA_BYTES - g.rng.int(12));
  if (kind === 2) place(DATA + 0x1000 + g.rng.int(15) - 7);
  if (kind === 3) place(DATA + 0x800 + g.rng.int(0x400));
  if (kind === 4) place(READ_ONLY + 0x100 + g.rng.int(0x800));
  if (g.mode === 64 && kind === 5 && g.rng.chance(30)) {
    g.gpr[RSP] ^= 1n << 55n;
  }
  // A 16-bit stack leaves the upper half of ESP alone.
  if (g.mode === 16 && g.rng.chance(30)) g.words[2 * RSP] ^= g.rng.u32() << 16;
}

/** The linear address of the top of the stack. */
export function stackTop(g: Builder): number {
  const sp = g.mode === 16 ? g.gpr[RSP] & 0xffffn : g.gpr[RSP];
  return Number(sp) + g.segmentBase(SS);
}

/** Puts bytes at the top of the stack, if that is in scratch memory. */
export function patchStack(g: Builder, content: Uint8Array): void {
  const at = stackTop(g);
  const room = DATA + DATA_BYTES - at;
  if (at >= DATA && room > 0) g.patch(at, content.subarray(0, room));
}

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

/** A relative displacement that lands on the HLTs of the case's own slot. */
function shortTarget(g: Builder): number {
  return (g.rng.chance(50) ? g.rng.int(16) + 1 : -8 - g.rng.int(12)) & 0xff;
}

function nearTarget(g: Builder): number[] {
  const kind = g.rng.int(10);
  let to = (shortTarget(g) << 24) >> 24;
  if (g.mode === 16) return [to & 0xff, (to >> 8) & 0xff];
  if (kind === 8) to = g.rng.int(0x4000_0000) + 0x4000_0000;
  if (kind === 9) to = DATA + 0x100 - g.rip - 8; // not executable
  return [to & 0xff, (to >> 8) & 0xff, (to >> 16) & 0xff, to >>> 24];
}

/**
 * A linear address to go to, mostly in the case's own slot; with `near`
 * always, since in a 16-bit segment any other is in another case's slot.
 */
export function farTarget(g: Builder, near = g.mode === 16): bigint {
  const kind = near ? 20 : g.rng.int(20);
  if (kind === 0) return BigInt(READ_ONLY + g.rng.int(16));
  if (kind === 1) return 0x1234_5678_9abc_def0n;
  if (kind === 2) return 0x6000_1234_5000n;
  const delta = g.rng.chance(50) ? 16 + g.rng.int(12) : -1 - g.rng.int(20);
  return BigInt(g.rip + delta);
}

/** A value for RIP. */
function farAddress(g: Builder): bigint {
  return farTarget(g) - BigInt(g.segmentBase(CS));
}

export function bytesOf(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return bytes;
}

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

const STRINGS: [string, number, boolean, boolean][] = [
  // name, opcode of the byte form, uses RSI, uses RDI
  ["MOVS", 0xa4, true, true],
  ["CMPS", 0xa6, true, true],
  ["STOS", 0xaa, false, true],
  ["LODS", 0xac, true, false],
  ["SCAS", 0xae, false, true],
];

/** A pointer for a string operation of `count` elements of `bytes` bytes. */
function stringPointer(g: Builder, bytes: number): number {
  const { rng } = g;
  const kind = rng.int(24);
  if (kind === 0) return DATA + rng.int(4 * bytes);
  if (kind === 1) return DATA + DATA_BYTES - rng.int(10 * bytes);
  if (kind === 2) return READ_ONLY + 0x200 + rng.int(0x800);
  if (kind < 6) return DATA + 0x1000 - rng.int(8 * bytes);
  const at = DATA + 0x400 + rng.int(0x1800);
  return rng.chance(50) ? at - at % bytes : at;
}

/** Aligned and far from any end, whatever the direction. */
function safePointer(g: Builder): number {
  return DATA + 0x800 + 8 * g.rng.int(0x180);
}

/** The address size with or without 67h. */
function addressWidth(g: Builder, other: boolean): number {
  if (!other) return g.mode;
  return g.mode === 32 ? 16 : 32;
}

/** 16-bit addresses reach the scratch region only from a segment near it. */
function canBeOther(g: Builder): boolean {
  return g.mode !== 32 ||
    (g.segmentBase(DS) !== 0 && g.segmentBase(ES) !== 0);
}

/** What is above an address of `width` bits has no meaning. */
function garbageAbove(g: Builder, reg: number, width: number): void {
  if (width === 64) return;
  if (width === 16) {
    g.words[2 * reg] = (g.words[2 * reg] & 0xffff) | (g.rng.u32() << 16);
  }
  if (g.mode === 64) g.words[2 * reg + 1] = g.rng.u32();
}

function stringForms(): Form[] {
  const forms: Form[] = [];
  const prefixes: [string, number[]][] = [
    ["", []],
    ["REP ", [0xf3]],
    ["REPNE ", [0xf2]],
  ];
  for (const [op, opcode, source, destination] of STRINGS) {
    for (const size of [8, 16, 32, 64]) {
      for (const [repeat, prefix] of prefixes) {
        const suffix = { 8: "B", 16: "W", 32: "D", 64: "Q" }[size];
        forms.push({
          name: `${repeat}${op}${suffix}`,
          build(g) {
            g.begin(size);
            const bytes = size / 8;
            const other = g.rng.chance(15) && canBeOther(g);
            const width = addressWidth(g, other);
            if (source) {
              g.setPointer(RSI, DS, stringPointer(g, bytes));
              garbageAbove(g, RSI, width);
            }
            if (destination) {
              // Which operand of CMPS faults first is not said anywhere.
              const inner = op === "CMPS" && g.rng.chance(50);
              if (inner) g.setPointer(RSI, DS, safePointer(g));
              g.setPointer(
                RDI,
                ES,
                op === "CMPS" && !inner
                  ? safePointer(g)
                  : stringPointer(g, bytes),
              );
              if (op === "MOVS" && g.rng.chance(30)) { // overlapping
                g.setPointer(
                  RDI,
                  ES,
                  g.words[2 * RSI] + g.segmentBase(DS) + g.rng.int(33) - 16,
                );
              }
              garbageAbove(g, RDI, width);
            }
            const limit = g.rng.chance(20) ? 120 : 12;
            g.setGpr(RCX, BigInt(g.rng.int(limit)));
            garbageAbove(g, RCX, width);
            if (op === "CMPS" || op === "SCAS") alike(g, op, bytes);
            if (other) g.code.push(0x67);
            g.code.push(...prefix);
            g.plain(size, 0, opcode + (size === 8 ? 0 : 1));
          },
        });
      }
    }
  }
  return forms;
}

/** Compared strings begin alike, so that repeats do not end at once. */
function alike(g: Builder, op: string, bytes: number): void {
  if (g.rng.chance(25)) return;
  const run = new Uint8Array(24 * bytes);
  const same = g.rng.int(24);
  for (let i = 0; i < run.length; i++) {
    const value = g.gpr[RAX] >> BigInt(8 * (i % bytes)) & 0xffn;
    run[i] = i < same * bytes ? Number(value) : g.rng.int(256);
  }
  const backward = (g.flags & 0x400) !== 0;
  for (const reg of op === "CMPS" ? [RSI, RDI] : [RDI]) {
    const segment = reg === RSI ? DS : ES;
    const offset = g.mode === 16 ? g.words[2 * reg] & 0xffff : g.words[2 * reg];
    let at = offset + g.segmentBase(segment);
    if (backward) at -= run.length - bytes;
    if (at < DATA || at + run.length > DATA + DATA_BYTES) continue;
    if (reg === RDI && g.rng.chance(50)) run[g.rng.int(run.length)] ^= 1;
    g.patch(at, run);
  }
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
