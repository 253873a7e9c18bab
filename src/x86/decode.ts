/**
 * How long an instruction is and what it does to the flow of control and to
 * what a step has to watch (TF, debug registers, the halt state). Nothing else
 * about it. (Intel SDM volume 2, appendix A, "Opcode Map".)
 */

import { Vector } from "./vectors.ts";

/** What kind of instruction it is, as far as stepping is concerned. */
export enum Kind {
  /** Goes on with the next instruction, unless it faults. */
  Plain,
  /** Relative JMP; `target` is set. */
  Jump,
  /** Jcc, LOOP, JCXZ; `target` is set. */
  Branch,
  /** CALL of any form; it leaves. */
  Call,
  /** RET, indirect or far JMP: goes where only running it tells. */
  Leave,
  Pushf,
  Popf,
  Iret,
  /** INT n, INT3, INTO, INT1: `vector` is set. */
  Interrupt,
  Syscall,
  Sysret,
  Sysenter,
  Sysexit,
  Halt,
  /** STI: holds interrupts off for one instruction. */
  Sti,
  /** MOV SS, POP SS (and LSS): holds back traps for one instruction. */
  LoadSs,
  /** MOV to or from a debug register. */
  MoveDr,
  /** May change what the bytes behind it mean, or which bytes they are: control
   * registers, MSRs, descriptor tables, TLB entries, virtual machines. */
  System,
  /** Not an instruction that this decoder knows; `length` is 0. */
  Unknown,
}

/** Whether it is a JMP to itself: that waits for an interrupt. */
export function isSpin({ kind, target }: Decoded): boolean {
  return kind === Kind.Jump && target === 0;
}

/** Whether it is a string instruction, which with REP may end at itself. */
export function isString({ map, opcode }: Decoded): boolean {
  const group = opcode & 0xfc;
  return map === 0 && opcode !== 0xa8 && opcode !== 0xa9 &&
    (group === 0x6c || group === 0xa4 || group === 0xa8 || group === 0xac);
}

/** What was decoded; one object, reused. */
export interface Decoded {
  kind: Kind;
  /** Bytes; 0 if unknown. */
  length: number;
  /** Opcode's last byte. */
  opcode: number;
  /** The opcode's map: 0 is of one byte, 1 is 0F's, 2 is 0F 38's, 3 is 0F 3A's. */
  map: number;
  /** Whether it has a VEX or EVEX prefix; `rex` is 0 then. */
  vex: boolean;
  modrm: number;
  /** Operand bytes, 2, 4 or 8, by prefixes and mode. */
  operandBytes: number;
  rex: number;
  /** Where Jump and Branch go, relative to the instruction's beginning. */
  target: number;
  vector: number;
  /** 0xf2, 0xf3 or 0. */
  repeat: number;
}

/** A Decoded to hand in. */
export function newDecoded(): Decoded {
  return {
    kind: Kind.Unknown,
    length: 0,
    opcode: 0,
    map: 0,
    vex: false,
    modrm: 0,
    operandBytes: 4,
    rex: 0,
    target: 0,
    vector: 0,
    repeat: 0,
  };
}

// What follows an opcode: M a ModRM byte, then immediates.
const M = 1;
const B = 2; // a byte
const W = 4; // a word
const Z = 8; // a word or doubleword by operand size
const A = 16; // an address: moffs
const P = 32; // a prefix, or a table of its own: never looked up
const X = 64; // no instruction in 64-bit mode
const V = 128; // MOV r, imm: up to 8 bytes

const ONE = oneByteMap();
const TWO = twoByteMap();

function oneByteMap(): Uint8Array {
  const map = new Uint8Array(256);
  const set = (from: number, to: number, bits: number) =>
    map.fill(bits, from, to + 1);
  for (let row = 0; row < 0x40; row += 8) {
    set(row, row + 3, M);
    map[row + 4] = B;
    map[row + 5] = Z;
    set(row + 6, row + 7, X);
  }
  for (const p of [0x26, 0x2e, 0x36, 0x3e, 0x0f]) map[p] = P;
  set(0x60, 0x61, X);
  map[0x62] = M | X;
  map[0x63] = M;
  set(0x64, 0x67, P);
  map[0x68] = Z;
  map[0x69] = M | Z;
  map[0x6a] = B;
  map[0x6b] = M | B;
  set(0x70, 0x7f, B);
  map[0x80] = M | B;
  map[0x81] = M | Z;
  map[0x82] = M | B | X;
  map[0x83] = M | B;
  set(0x84, 0x8f, M);
  map[0x9a] = Z | W | X;
  set(0xa0, 0xa3, A);
  map[0xa8] = B;
  map[0xa9] = Z;
  set(0xb0, 0xb7, B);
  set(0xb8, 0xbf, V);
  set(0xc0, 0xc1, M | B);
  map[0xc2] = W;
  set(0xc4, 0xc5, M | X);
  map[0xc6] = M | B;
  map[0xc7] = M | Z;
  map[0xc8] = W | B;
  map[0xca] = W;
  map[0xcd] = B;
  map[0xce] = X;
  set(0xd0, 0xd3, M);
  set(0xd4, 0xd5, B | X);
  map[0xd6] = X;
  set(0xd8, 0xdf, M);
  set(0xe0, 0xe7, B);
  set(0xe8, 0xe9, Z);
  map[0xea] = Z | W | X;
  map[0xeb] = B;
  set(0xf0, 0xf0, P);
  set(0xf2, 0xf3, P);
  set(0xf6, 0xf7, M);
  set(0xfe, 0xff, M);
  return map;
}

function twoByteMap(): Uint8Array {
  const map = new Uint8Array(256).fill(M);
  const set = (from: number, to: number, bits: number) =>
    map.fill(bits, from, to + 1);
  set(0x05, 0x09, 0);
  map[0x0b] = 0;
  map[0x0e] = 0;
  map[0x0f] = M | B;
  set(0x30, 0x37, 0);
  map[0x3a] = M | B;
  set(0x70, 0x73, M | B);
  map[0x77] = 0;
  set(0x80, 0x8f, Z);
  set(0xa0, 0xa2, 0);
  map[0xa4] = M | B;
  set(0xa8, 0xaa, 0);
  map[0xac] = M | B;
  map[0xba] = M | B;
  map[0xc2] = M | B;
  set(0xc4, 0xc6, M | B);
  set(0xc8, 0xcf, 0);
  return map;
}

/** Bytes of SIB and displacement after a ModRM byte; -1 if cut off. */
function behindModrm(
  modrm: number,
  addressBytes: number,
  bytes: Uint8Array,
  at: number,
  end: number,
): number {
  const mod = modrm >> 6;
  if (mod === 3) return 0;
  const rm = modrm & 7;
  if (addressBytes === 2) {
    if (mod === 0) return rm === 6 ? 2 : 0;
    return mod;
  }
  let count = mod === 1 ? 1 : mod === 2 ? 4 : rm === 5 ? 4 : 0;
  if (rm === 4) {
    if (at >= end) return -1;
    count += 1;
    if (mod === 0 && (bytes[at] & 7) === 5) count += 4;
  }
  return count;
}

/** An instruction's bytes as they are read. */
interface Code {
  readonly bytes: Uint8Array;
  readonly bits: 16 | 32 | 64;
  /** The next byte. */
  at: number;
  /** Behind the last one that there may be. */
  readonly end: number;
  operand16: boolean;
  addressBytes: number;
}

/** True if byte `at` of `bytes` and those after decode into `into`. `bits` is
 * the code segment's: 16, 32 or 64. At most 15 bytes are looked at, and not
 * more than there are: an instruction cut off at the end is Unknown. */
export function decode(
  bytes: Uint8Array,
  at: number,
  bits: 16 | 32 | 64,
  into: Decoded,
): boolean {
  const code: Code = {
    bytes,
    bits,
    at,
    end: Math.min(bytes.length, at + 15),
    operand16: bits === 16,
    addressBytes: bits / 8,
  };
  into.kind = Kind.Unknown;
  into.length = 0;
  into.modrm = 0;
  if (!readPrefixes(code, into)) return false;
  let form = readOpcode(code, into);
  if ((form & X) !== 0) return false;
  if ((form & M) !== 0) {
    if (!readModrm(code, into)) return false;
    // Group 3: TEST alone has an immediate.
    if (into.map === 0 && (into.modrm & 0x30) === 0) {
      if (into.opcode === 0xf6) form |= B;
      else if (into.opcode === 0xf7) form |= Z;
    }
  }
  let immediateBytes = 1;
  if ((form & B) !== 0) code.at += 1;
  if ((form & W) !== 0) code.at += 2;
  if ((form & Z) !== 0) {
    const is16 = into.operandBytes === 2 && !(bits === 64 && isNear(into));
    immediateBytes = is16 ? 2 : 4;
    code.at += immediateBytes;
  }
  if ((form & V) !== 0) code.at += into.operandBytes;
  if ((form & A) !== 0) code.at += code.addressBytes;
  if (code.at > code.end) return false;
  into.length = code.at - at;
  into.kind = kindOf(into, bytes, code.at, immediateBytes);
  return true;
}

/** Reads legacy prefixes and REX; false if there is nothing behind them. */
function readPrefixes(code: Code, into: Decoded): boolean {
  const { bytes, bits } = code;
  into.rex = 0;
  into.repeat = 0;
  for (; code.at < code.end; code.at++) {
    const prefix = bytes[code.at];
    let rex = 0;
    switch (prefix) {
      case 0x26:
      case 0x2e:
      case 0x36:
      case 0x3e:
      case 0x64:
      case 0x65:
      case 0xf0:
        break;
      case 0x66:
        code.operand16 = bits !== 16;
        break;
      case 0x67:
        code.addressBytes = bits === 32 ? 2 : 4;
        break;
      case 0xf2:
      case 0xf3:
        into.repeat = prefix;
        break;
      default:
        if (bits !== 64 || (prefix & 0xf0) !== 0x40) {
          into.operandBytes = (into.rex & 8) !== 0 ? 8 : code.operand16 ? 2 : 4;
          return true;
        }
        rex = prefix;
    }
    // REX counts only right before the opcode.
    into.rex = rex;
  }
  return false;
}

/** Reads an opcode with what says its map; returns what follows it, X if it is none or
 * is cut off. */
function readOpcode(code: Code, into: Decoded): number {
  const { bytes, bits, end } = code;
  const opcode = into.opcode = bytes[code.at++];
  into.map = 0;
  into.vex = false;
  switch (opcode) {
    case 0x0f:
      return readEscaped(code, into);
    case 0xc4:
    case 0xc5:
    case 0x62:
      // Out of 64-bit mode LES, LDS and BOUND, which have no register's form.
      if (bits !== 64 && !(code.at < end && bytes[code.at] >= 0xc0)) break;
      return readVex(code, opcode, into);
  }
  const form = ONE[opcode];
  return (form & X) !== 0 && bits !== 64 ? form & ~X : form;
}

/** Behind 0F. */
function readEscaped(code: Code, into: Decoded): number {
  const { bytes, end } = code;
  if (code.at >= end) return X;
  const opcode = into.opcode = bytes[code.at++];
  into.map = 1;
  if (opcode === 0x38 || opcode === 0x3a) {
    if (code.at >= end) return X;
    into.map = opcode === 0x38 ? 2 : 3;
    into.opcode = bytes[code.at++];
  }
  return TWO[opcode];
}

/** Behind the first byte of a VEX or EVEX prefix: the map is in the next one. */
function readVex(code: Code, prefix: number, into: Decoded): number {
  const { bytes, end } = code;
  const payload = prefix === 0xc5 ? 1 : prefix === 0xc4 ? 2 : 3;
  if (code.at + payload >= end) return X;
  into.map = prefix === 0xc5 ? 1 : bytes[code.at] & (prefix === 0x62 ? 7 : 31);
  code.at += payload;
  into.opcode = bytes[code.at++];
  into.vex = true;
  into.rex = 0;
  switch (into.map) {
    case 1:
      return into.opcode === 0x77 ? 0 : M | TWO[into.opcode] & B;
    case 2:
    case 5:
    case 6:
      return M;
    case 3:
      return M | B;
  }
  return X;
}

/** Reads a ModRM byte, SIB and displacement; false if they are cut off. */
function readModrm(code: Code, into: Decoded): boolean {
  const { bytes, end } = code;
  if (code.at >= end) return false;
  const modrm = into.modrm = bytes[code.at++];
  // MOV to and from CR and DR take registers whatever mod says.
  const isMove = into.map === 1 && !into.vex && into.opcode >= 0x20 &&
    into.opcode <= 0x23;
  if (isMove) return true;
  const count = behindModrm(modrm, code.addressBytes, bytes, code.at, end);
  code.at += count;
  return count >= 0;
}

/** Whether it is a near branch with a displacement by operand size; that has 32 bits in
 * 64-bit mode whatever the prefixes say. */
function isNear({ map, opcode }: Decoded): boolean {
  return map === 1
    ? opcode >= 0x80 && opcode <= 0x8f
    : opcode === 0xe8 || opcode === 0xe9;
}

/** What kind it is; its last immediate ends at `at`. */
function kindOf(
  into: Decoded,
  bytes: Uint8Array,
  at: number,
  immediateBytes: number,
): Kind {
  // None of VEX's changes the flow.
  if (into.vex) return Kind.Plain;
  switch (into.map) {
    case 0:
      return oneByteKind(into.opcode, into, bytes, at, immediateBytes);
    case 1:
      return twoByteKind(into.opcode, into, bytes, at, immediateBytes);
    case 2:
      return threeByteKind(into.opcode);
  }
  return Kind.Plain;
}

/** The signed immediate that ends at `at`, of `count` bytes. */
function immediate(bytes: Uint8Array, at: number, count: number): number {
  if (count === 1) return (bytes[at - 1] << 24) >> 24;
  if (count === 2) return ((bytes[at - 1] << 24) >> 16) | bytes[at - 2];
  return (bytes[at - 1] << 24) | (bytes[at - 2] << 16) |
    (bytes[at - 3] << 8) | bytes[at - 4];
}

function oneByteKind(
  opcode: number,
  into: Decoded,
  bytes: Uint8Array,
  at: number,
  immediateBytes: number,
): Kind {
  if (opcode >= 0x70 && opcode <= 0x7f || opcode >= 0xe0 && opcode <= 0xe3) {
    into.target = into.length + immediate(bytes, at, 1);
    return Kind.Branch;
  }
  switch (opcode) {
    case 0x17:
      return Kind.LoadSs;
    case 0x8e:
      return (into.modrm & 0x38) === 0x10 ? Kind.LoadSs : Kind.Plain;
    case 0x9a:
    case 0xe8:
      return Kind.Call;
    case 0x9c:
      return Kind.Pushf;
    case 0x9d:
      return Kind.Popf;
    case 0xc2:
    case 0xc3:
    case 0xca:
    case 0xcb:
    case 0xea:
      return Kind.Leave;
    case 0xcc:
      into.vector = Vector.BP;
      return Kind.Interrupt;
    case 0xcd:
      into.vector = bytes[at - 1];
      return Kind.Interrupt;
    case 0xce:
      into.vector = Vector.OF;
      return Kind.Interrupt;
    case 0xf1:
      into.vector = Vector.DB;
      return Kind.Interrupt;
    case 0xcf:
      return Kind.Iret;
    case 0xe9:
      into.target = into.length +
        immediate(bytes, at, immediateBytes);
      return Kind.Jump;
    case 0xeb:
      into.target = into.length + immediate(bytes, at, 1);
      return Kind.Jump;
    case 0xc7:
      if (into.modrm !== 0xf8) return Kind.Plain;
      // XBEGIN: where an abort goes.
      into.target = into.length + immediate(bytes, at, immediateBytes);
      return Kind.Branch;
    case 0xf4:
      return Kind.Halt;
    case 0xfb:
      return Kind.Sti;
    case 0xff: {
      const operation = (into.modrm >> 3) & 7;
      if (operation === 2 || operation === 3) return Kind.Call;
      return operation === 4 || operation === 5 ? Kind.Leave : Kind.Plain;
    }
  }
  return Kind.Plain;
}

function twoByteKind(
  opcode: number,
  into: Decoded,
  bytes: Uint8Array,
  at: number,
  immediateBytes: number,
): Kind {
  if (opcode >= 0x80 && opcode <= 0x8f) {
    into.target = into.length + immediate(bytes, at, immediateBytes);
    return Kind.Branch;
  }
  const operation = (into.modrm >> 3) & 7;
  switch (opcode) {
    case 0x00:
      // LLDT, LTR
      return operation === 2 || operation === 3 ? Kind.System : Kind.Plain;
    case 0x01:
      return groupSevenKind(into);
    case 0x22:
      // CR8 is the task priority, and no more.
      return operation === 0 && (into.rex & 4) !== 0 ? Kind.Plain : Kind.System;
    case 0x30: // WRMSR
    case 0x37: // GETSEC
      return Kind.System;
    case 0x05:
      return Kind.Syscall;
    case 0x07:
      return Kind.Sysret;
    case 0x21:
    case 0x23:
      return Kind.MoveDr;
    case 0x34:
      return Kind.Sysenter;
    case 0x35:
      return Kind.Sysexit;
    case 0xaa:
      return Kind.Leave; // RSM
    case 0xb2:
      return Kind.LoadSs; // LSS
  }
  return Kind.Plain;
}

/** 0F 01: descriptor tables, LMSW, INVLPG, and with a register's form what is to do
 * with virtual machines, XSETBV and user interrupts. */
function groupSevenKind({ modrm, repeat }: Decoded): Kind {
  const operation = (modrm >> 3) & 7;
  if (modrm < 0xc0) {
    return operation === 2 || operation === 3 || operation >= 6
      ? Kind.System
      : Kind.Plain;
  }
  switch (operation) {
    case 0: // VMCALL, VMLAUNCH, VMRESUME, VMXOFF
    case 3: // AMD's VMRUN, VMMCALL, INVLPGA, ...
    case 6: // LMSW
      return Kind.System;
    case 2: // XGETBV; XSETBV, VMFUNC
      return modrm === 0xd0 ? Kind.Plain : Kind.System;
    case 5: // UIRET
      return repeat === 0xf3 && modrm === 0xec ? Kind.Leave : Kind.Plain;
  }
  return Kind.Plain;
}

/** 0F 38: INVEPT, INVVPID and INVPCID. */
function threeByteKind(opcode: number): Kind {
  return opcode >= 0x80 && opcode <= 0x82 ? Kind.System : Kind.Plain;
}
