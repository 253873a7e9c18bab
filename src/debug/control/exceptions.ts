/**
 * What an exception exit of a running processor means: a breakpoint or
 * watchpoint of the debugger's, or something of the guest's, which it gets back.
 */
import { Reg } from "../../../ffi/registers.ts";
import type { ExceptionExit } from "../../platform/exits.ts";
import { DR6_BD, DR6_BS, DR6_HITS } from "../../x86/debug_registers.ts";
import { RFLAGS_IF, RFLAGS_RF, RFLAGS_TF } from "../../x86/flags.ts";
import { codeBitsOf } from "../../x86/segments.ts";
import { Vector } from "../../x86/vectors.ts";
import type { Breakpoints } from "../breakpoints/breakpoints.ts";
import type { Conditions } from "../breakpoints/conditions.ts";
import type { SoftwareBreakpoint } from "../breakpoints/table.ts";
import {
  decode,
  isSpin,
  isString,
  Kind,
  newDecoded,
} from "../../x86/decode.ts";
import type { Gates } from "../stepping/gates.ts";
import { type Fault, faultOf } from "../stepping/faults.ts";
import { reasonOf } from "../breakpoints/hardware.ts";
import type { MemoryBreakpoint } from "../breakpoints/memory.ts";
import type { Guest } from "../guest/guest.ts";
import type { StopReason } from "../target.ts";
import { TRAP_INT1, type Vcpu } from "../guest/vcpu.ts";
import { INT1, INT3 } from "../breakpoints/trap.ts";

const DR6_KNOWN = DR6_HITS | DR6_BS | DR6_BD;

export class DebugExceptions {
  readonly #guest: Guest;
  readonly #breakpoints: Breakpoints;
  readonly #gates: Gates;
  readonly #conditions: Conditions;
  readonly #bytes = new Uint8Array(15);
  readonly #decoded = newDecoded();

  constructor(
    guest: Guest,
    breakpoints: Breakpoints,
    gates: Gates,
    conditions: Conditions,
  ) {
    this.#guest = guest;
    this.#breakpoints = breakpoints;
    this.#gates = gates;
    this.#conditions = conditions;
  }

  /** A reason to stop, a breakpoint to step over, or nothing more to do: then
   * an exception of the guest's has been given to it, or (#DB) noted for it. */
  handle(
    v: Vcpu,
    exit: ExceptionExit,
  ): StopReason | SoftwareBreakpoint | "go on" {
    const { inMemory, hardware } = this.#breakpoints;
    const isDebug = exit.vector === Vector.DB;
    const maybeOurs = exit.vector === inMemory?.trap.vector;
    if (!isDebug && !maybeOurs) {
      give(v, faultOf(exit));
      return "go on";
    }
    if (isDebug && hardware.installed(v)) {
      const reason = this.#hardware(v, exit);
      if (reason !== null) return reason;
    }
    const at = linear(exit);
    const breakpoint = maybeOurs ? this.#inMemory(v, at) : undefined;
    if (breakpoint === undefined || v.trapAt !== at) v.trapAt = null;
    if (breakpoint !== undefined && !this.#isTrap(v, exit, at)) {
      const told = breakpoint.address === at
        ? this.#conditions.told(v, breakpoint)
        : null;
      if (told === null) return breakpoint;
      v.read();
      return told;
    }
    this.#reflect(v, exit);
    return "go on";
  }

  /** The breakpoint whose 0xF1 is here: the one at this address, if it is in the program
   * that runs, or one at another address of the same frame. */
  #inMemory(v: Vcpu, at: bigint): MemoryBreakpoint | undefined {
    const { inMemory } = this.#breakpoints;
    if (inMemory === null || inMemory.isClear) return undefined;
    v.read();
    const gpa = this.#guest.walker.translate(v, at);
    if (gpa < 0) return undefined;
    const own = inMemory.at(at);
    return own !== undefined && inMemory.isAt(own, gpa)
      ? own
      : inMemory.heldAt(gpa);
  }

  /** What a processor is told where it is, if a debug register of the debugger's is for
   * this instruction. */
  hardwareAt(v: Vcpu): StopReason | null {
    const slot = this.#breakpoints.hardware.codeAt(v.linear);
    return slot !== undefined && this.#conditions.wanted(v, slot)
      ? reasonOf(slot)
      : null;
  }

  /** Null if it has nothing to do with debug registers. */
  #hardware(v: Vcpu, exit: ExceptionExit): StopReason | "go on" | null {
    v.read();
    const { hardware } = this.#breakpoints;
    let status = v.dr6 | (exit.parameter & DR6_KNOWN) | v.pendingDebug;
    const mayBeOurs = !exit.softwareException &&
      (exit.rflags & RFLAGS_TF) === 0n;
    if ((status & DR6_KNOWN) === 0n && mayBeOurs) {
      status |= hardware.hitsAt(v.linear);
    }
    if (v.pendingDebug !== 0n) {
      v.dropPendingDebug();
    }
    if ((status & DR6_HITS) !== 0n) {
      const hit = hardware.hit(v, status);
      hardware.clearStatus(v);
      // Ours is told first; the guest gets its own when it goes on.
      v.guestTrap |= hit.guest;
      // A trap of the guest's own, by the instruction before. What stops at this one
      // does so when it has been taken.
      v.guestTrap |= status & DR6_BS;
      if (hit.slot === null) return "go on";
      const { slot } = hit;
      if (slot.kind === "hardware" && v.guestTrap !== 0n) return "go on";
      if (slot.lent) {
        const breakpoint = this.#breakpoints.inMemory?.at(slot.address);
        const told = breakpoint && this.#conditions.told(v, breakpoint);
        if (told) return told;
      } else if (this.#conditions.wanted(v, slot)) return reasonOf(slot);
      this.#decodeAt(v);
      v.isStepped = isString(this.#decoded) ||
        isSpin(this.#decoded) && (v.rflags & RFLAGS_IF) !== 0n;
      v.set(Reg.Rflags, v.rflags | RFLAGS_RF);
      return "go on";
    }
    if ((status & DR6_BD) === 0n) return null;
    this.#decodeAt(v);
    if (this.#decoded.kind !== Kind.MoveDr) return null;
    if (!hardware.moveDebugRegister(v, this.#decoded)) return null;
    hardware.clearStatus(v);
    return "go on";
  }

  #decodeAt(v: Vcpu): void {
    const length = this.#guest.memory.read(v, v.linear, this.#bytes);
    const bytes = this.#bytes.subarray(0, length);
    decode(bytes, 0, v.codeBits, this.#decoded);
  }

  /** A trap of the guest's own, by TF or a debug register, which only happens
   * to be where a breakpoint is. */
  #isTrap(v: Vcpu, exit: ExceptionExit, at: bigint): boolean {
    if (exit.softwareException || exit.vector !== Vector.DB) return false;
    let bits = exit.parameter & (DR6_HITS | DR6_BS);
    if ((exit.rflags & RFLAGS_TF) !== 0n) {
      bits |= v.get(Reg.Dr6) & DR6_BS;
    }
    // Nobody has to clear DR6. But once the guest has had its trap here, what
    // comes here again is the 0xF1.
    const trap = bits !== 0n && v.trapAt === null;
    v.trapAt = trap ? at : null;
    return trap;
  }

  /** The length of the guest's INT1 or INT3 that a processor is at. 0: if there is none
   * any more, it was a breakpoint's, or the end of another processor's step, and has
   * been taken back meanwhile. */
  #interrupt(v: Vcpu, instruction: number): number {
    this.#decodeAt(v);
    const { kind, opcode, length } = this.#decoded;
    return kind === Kind.Interrupt && opcode === instruction ? length : 0;
  }

  /** Gives a #DB, or an INT3 of its own, to the guest. */
  #reflect(v: Vcpu, exit: ExceptionExit): void {
    v.read();
    if (exit.vector === INT3.vector) {
      const length = this.#interrupt(v, INT3.opcode);
      if (length > 0) give(v, this.#gates.ownInt3(v, length));
      return;
    }
    const status = exit.parameter & DR6_KNOWN;
    const noTrap = status === 0n && (exit.rflags & RFLAGS_TF) === 0n;
    if (exit.softwareException || noTrap) {
      const length = this.#interrupt(v, INT1.opcode);
      if (length === 0) return;
      // It is a trap: its handler returns behind it.
      v.passTrap(length);
      v.guestTrap |= TRAP_INT1;
    } else {
      const trap = status === 0n && (v.dr6 & DR6_HITS) === 0n ? DR6_BS : 0n;
      v.guestTrap |= status | trap;
      const { hardware } = this.#breakpoints;
      if (hardware.installed(v)) hardware.clearStatus(v);
    }
  }
}

/** Has the guest take an exception. */
function give(v: Vcpu, { vector, code, parameter }: Fault): void {
  v.inject(vector, code, parameter);
}

/** The linear address of the instruction that an exit is about. */
function linear(exit: ExceptionExit): bigint {
  const { cs } = exit;
  if (codeBitsOf(cs.attributes, exit.eferLma) === 64) return exit.rip;
  return (cs.base + exit.rip) & 0xffffffffn;
}
