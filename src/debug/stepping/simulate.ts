/**
 * Carrying out the instruction under a breakpoint without running it, for the
 * few with which functions and loops begin. A breakpoint whose condition does
 * not hold then costs one exit: nobody is held and no byte changes. Everything
 * that is not certain is left to a real step.
 */
import { Reg } from "../../../ffi/registers.ts";
import { INTERRUPT_SHADOW } from "../../../ffi/values.ts";
import { RegisterBatch } from "../../machine/batch.ts";
import type { GuestMemory } from "../../machine/memory.ts";
import { RFLAGS_RF, RFLAGS_TF } from "../../x86/flags.ts";
import { decode, isSpin, Kind, newDecoded } from "../../x86/decode.ts";
import type { Vcpu } from "../guest/vcpu.ts";
import type { VirtualMemory } from "../guest/vmemory.ts";
import type { PageWalker } from "../paging/walk.ts";

const CF = 1n, PF = 4n, AF = 0x10n, ZF = 0x40n, SF = 0x80n, OF = 0x800n;
const ARITHMETIC = CF | PF | AF | ZF | SF | OF;
const SIGN = 1n << 63n;
const REX_W = 8;
const ENDBR64 = 0x1e;

export class Simulator {
  readonly #memory: GuestMemory;
  readonly #linear: VirtualMemory;
  readonly #walker: PageWalker;
  readonly #code = new Uint8Array(15);
  readonly #view: DataView;
  readonly #decoded = newDecoded();
  readonly #ripRsp = new RegisterBatch(Reg.Rip, Reg.Rsp);
  readonly #ripFlags = new RegisterBatch(Reg.Rip, Reg.Rflags);

  constructor(
    memory: GuestMemory,
    linear: VirtualMemory,
    walker: PageWalker,
  ) {
    this.#memory = memory;
    this.#linear = linear;
    this.#walker = walker;
    const { view } = memory;
    this.#view = new DataView(view.buffer, view.byteOffset, view.byteLength);
  }

  /** Carries out the instruction that `v` is at; false if that is for the
   * processor to do, and then nothing has changed. */
  simulate(v: Vcpu): boolean {
    v.read();
    if (
      v.codeBits !== 64 || (v.rflags & (RFLAGS_TF | RFLAGS_RF)) !== 0n ||
      (v.interruptState & INTERRUPT_SHADOW) !== 0n || v.pendingVector >= 0 ||
      v.pendingDebug !== 0n || v.guestTrap !== 0n ||
      v.ownBreakpoints !== 0
    ) return false;
    const length = this.#linear.read(v, v.rip, this.#code);
    const code = this.#code;
    const d = this.#decoded;
    if (length < code.length || !decode(code, 0, 64, d)) return false;
    const next = BigInt.asUintN(64, v.rip + BigInt(d.length));
    const target = () => BigInt.asUintN(64, v.rip + BigInt(d.target));
    switch (d.kind) {
      case Kind.Jump:
        // What it waits for comes while the processor runs.
        if (isSpin(d)) return false;
        return this.#go(v, target());
      case Kind.Branch:
        if (d.opcode >= 0xe0 && d.opcode <= 0xe3) return false;
        return this.#go(v, holds(d.opcode & 15, v.rflags) ? target() : next);
      case Kind.Call:
        if (d.opcode !== 0xe8) return false;
        d.target = d.length + new DataView(code.buffer)
          .getInt32(d.length - 4, true);
        return this.#push(v, next, target());
      case Kind.Plain:
        return this.#plain(v, code, next);
      default:
        return false;
    }
  }

  #go(v: Vcpu, rip: bigint): boolean {
    v.set(Reg.Rip, rip);
    return true;
  }

  #plain(v: Vcpu, code: Uint8Array, next: bigint): boolean {
    const { opcode, rex, modrm, operandBytes, repeat, length } = this.#decoded;
    const wide = (rex & REX_W) !== 0;
    // One opcode byte, after nothing but a REX prefix.
    const first = rex === 0 ? 0 : 1;
    if (code[first] === opcode && (first === 0 || code[0] === rex)) {
      if (opcode >= 0x50 && opcode <= 0x57) {
        const from = (opcode & 7) | ((rex & 1) << 3);
        return this.#push(v, v.get(Reg.Rax + from), next);
      }
      if (opcode === 0x90 && rex === 0) return this.#go(v, next);
      if (modrm >= 0xc0 && (opcode === 0x89 || opcode === 0x8b)) {
        return this.#move(v, opcode, modrm, rex, wide, next);
      }
      if (
        modrm >= 0xc0 && wide && (opcode === 0x83 || opcode === 0x81) &&
        (modrm & 0x38) === 0x28
      ) {
        const view = new DataView(code.buffer);
        const by = opcode === 0x83
          ? view.getInt8(length - 1)
          : view.getInt32(length - 4, true);
        return this.#subtract(v, (modrm & 7) | ((rex & 1) << 3), by, next);
      }
      return false;
    }
    // ENDBR64, and NOP with an operand.
    if (code[0] === 0xf3 && code[1] === 0x0f && opcode === ENDBR64) {
      return repeat === 0xf3 && modrm === 0xfa && this.#go(v, next);
    }
    return code[0] === 0x0f && code[1] === 0x1f && operandBytes === 4 &&
      this.#go(v, next);
  }

  #move(
    v: Vcpu,
    opcode: number,
    modrm: number,
    rex: number,
    wide: boolean,
    next: bigint,
  ): boolean {
    const reg = ((modrm >> 3) & 7) | ((rex & 4) << 1);
    const rm = (modrm & 7) | ((rex & 1) << 3);
    const [to, from] = opcode === 0x89 ? [rm, reg] : [reg, rm];
    const value = v.get(Reg.Rax + from);
    v.set(Reg.Rax + to, wide ? value : value & 0xffffffffn);
    return this.#go(v, next);
  }

  #subtract(v: Vcpu, register: number, by: number, next: bigint): boolean {
    const a = v.get(Reg.Rax + register);
    const b = BigInt.asUintN(64, BigInt(by));
    const result = BigInt.asUintN(64, a - b);
    let flags = v.rflags & ~ARITHMETIC;
    if (a < b) flags |= CF;
    if (evenParity(Number(result & 0xffn))) flags |= PF;
    if (((a ^ b ^ result) & 0x10n) !== 0n) flags |= AF;
    if (result === 0n) flags |= ZF;
    if ((result & SIGN) !== 0n) flags |= SF;
    if (((a ^ b) & (a ^ result) & SIGN) !== 0n) flags |= OF;
    v.set(Reg.Rax + register, result);
    this.#ripFlags.set(0, next);
    this.#ripFlags.set(1, flags);
    this.#ripFlags.write(v);
    return true;
  }

  #push(v: Vcpu, value: bigint, next: bigint): boolean {
    const rsp = BigInt.asUintN(64, v.rsp - 8n);
    if ((rsp & 7n) !== 0n) return false;
    const gpa = this.#walker.writable(v, rsp, v.cpl === 3);
    if (gpa < 0 || this.#memory.kindOf(gpa) !== "ram") return false;
    const offset = this.#memory.offsetOf(gpa);
    this.#view.setBigUint64(offset, value, true);
    this.#memory.wrote(gpa, 8);
    this.#ripRsp.set(0, next);
    this.#ripRsp.set(1, rsp);
    this.#ripRsp.write(v);
    return true;
  }
}

function evenParity(byte: number): boolean {
  byte ^= byte >> 4;
  byte ^= byte >> 2;
  byte ^= byte >> 1;
  return (byte & 1) === 0;
}

/** Whether a condition code (the opcode's low four bits) holds. */
function holds(condition: number, flags: bigint): boolean {
  const set = (flag: bigint) => (flags & flag) !== 0n;
  let result: boolean;
  switch (condition >> 1) {
    case 0:
      result = set(OF);
      break;
    case 1:
      result = set(CF);
      break;
    case 2:
      result = set(ZF);
      break;
    case 3:
      result = set(CF) || set(ZF);
      break;
    case 4:
      result = set(SF);
      break;
    case 5:
      result = set(PF);
      break;
    case 6:
      result = set(SF) !== set(OF);
      break;
    default:
      result = set(ZF) || set(SF) !== set(OF);
  }
  return (condition & 1) === 0 ? result : !result;
}
