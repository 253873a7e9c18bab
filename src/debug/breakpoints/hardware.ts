/**
 * Hardware breakpoints and watchpoints: DR0-3, the same on all processors,
 * written when the guest starts and taken back when it has stopped (Intel SDM
 * volume 3, chapter 18, "Debug Registers").
 *
 * The guest does not see them. While any is armed, DR7.GD makes the guest's own
 * MOV to and from debug registers trap, and they are carried out on the guest's
 * values instead. What the guest itself has enabled goes on working in the slots
 * that are left; where all four are taken the debugger's come first.
 *
 * Registers that neither has taken are lent to software breakpoints that need them
 * (memory_breakpoints.ts). When the guest enables one of its own they are fewer.
 */
import { Reg } from "../../../ffi/registers.ts";
import { RegisterBatch } from "../../machine/batch.ts";
import { CR4_DE } from "../../x86/control_registers.ts";
import {
  DR6_CLEAR,
  DR6_HITS,
  DR6_STATUS,
  DR7_FIXED,
  DR7_GD,
  DR7_LE_GE,
} from "../../x86/debug_registers.ts";
import type { AgentExpression } from "./agent.ts";
import type { Decoded } from "../../x86/decode.ts";
import {
  type Breakpoint,
  type BreakpointKind,
  type StopReason,
  TargetError,
  type WatchAccess,
} from "../target.ts";
import type { Vcpu } from "../guest/vcpu.ts";
import type { VirtualMemory } from "../guest/vmemory.ts";

const SLOTS = 4;

/** A slot of the debugger's. */
export interface WatchSlot {
  readonly kind: Exclude<BreakpointKind, "software">;
  /** It stands for a software breakpoint. */
  readonly lent: boolean;
  readonly address: bigint;
  readonly length: number;
  /** One element for each owner: its conditions, none meaning always. */
  readonly owners: (readonly AgentExpression[])[];
  /** What is there, as far as known: a read watchpoint tells reads from
   * writes by it, for the processor does not. */
  readonly value: Uint8Array;
}

/** A debug register of the debugger's, for people. */
export interface HeldRegister {
  readonly number: number;
  readonly kind: WatchSlot["kind"];
  readonly address: bigint;
  readonly length: number;
  /** Guest time in ns since which processors have it; null if none has had it. */
  readonly since: bigint | null;
}

/** A range of data that is watched, whoever does it. */
export interface WatchedData {
  readonly kind: WatchAccess;
  readonly address: bigint;
  readonly length: number;
}

/** The guest's own debug registers, while ours are in the processor. */
interface GuestRegisters {
  readonly dr: bigint[];
  dr6: bigint;
  dr7: bigint;
  /** For every slot of the processor, the guest's register that is in it. */
  readonly slots: number[];
}

/** What a debug exception with debug register bits means. */
export interface HardwareHit {
  /** The debugger's slot that stops the guest. */
  readonly slot: WatchSlot | null;
  /** Bits of the guest's own DR6. */
  readonly guest: bigint;
}

export class HardwareBreakpoints {
  readonly #slots: (WatchSlot | null)[] = new Array(SLOTS).fill(null);
  /** What is in the processors while the guest runs: #slots, and what is lent. */
  #active: readonly (WatchSlot | null)[] = this.#slots;
  readonly #guests = new Map<number, GuestRegisters>();
  readonly #memory: VirtualMemory;
  readonly #batch = new RegisterBatch(
    Reg.Dr0,
    Reg.Dr1,
    Reg.Dr2,
    Reg.Dr3,
    Reg.Dr6,
    Reg.Dr7,
  );
  readonly #now = new Uint8Array(8);
  /** Since when each has been in the processors, by keyOf(): debuggers take all away at a
   * stop and put them back. */
  #since = new Map<string, bigint>();
  /** The guest has enabled a register of its own that is lent: what is lent is to be
   * chosen again before the processor goes on. */
  crowded = false;

  constructor(memory: VirtualMemory) {
    this.#memory = memory;
  }

  get armed(): boolean {
    return this.#active.some((slot) => slot !== null);
  }

  /** How many registers can be lent: those that neither the debugger has taken nor the
   * guest, on any processor; no processor has ours. */
  lendable(vcpus: readonly Vcpu[]): number {
    const taken = this.#slots.filter((slot) => slot !== null).length;
    const own = vcpus.map((v) => {
      v.read();
      return v.ownBreakpoints;
    });
    return Math.max(SLOTS - taken - Math.max(...own), 0);
  }

  /** Before install(): what to put in, with software breakpoints at `addresses`
   * as far as there is room. `now` is guest time in ns; with `runs` what has been
   * removed until now is gone. */
  activate(addresses: readonly bigint[], now: bigint, runs: boolean): void {
    this.crowded = false;
    const before = this.#since;
    if (runs) this.#since = new Map();
    for (const slot of this.#slots) {
      if (slot === null) continue;
      const key = keyOf(slot);
      this.#since.set(key, before.get(key) ?? now);
    }
    if (addresses.length === 0) {
      this.#active = this.#slots;
      return;
    }
    let next = 0;
    this.#active = this.#slots.map((slot) => {
      if (slot !== null || next === addresses.length) return slot;
      return newSlot("hardware", addresses[next++], 1, true);
    });
  }

  /** One more owner. Throws a TargetError if it cannot be. */
  insert({ kind, address, length, conditions }: Breakpoint): void {
    if (kind === "software") throw new TargetError("not a debug register's");
    const bytes = kind === "hardware" ? 1 : length;
    if (![1, 2, 4, 8].includes(bytes)) {
      throw new TargetError(`${bytes} bytes cannot be watched`);
    }
    if (address % BigInt(bytes) !== 0n) {
      throw new TargetError(
        `${bytes} bytes at 0x${address.toString(16)} are not aligned`,
      );
    }
    const same = this.#find(kind, address, bytes);
    if (same !== undefined) {
      same.owners.push(conditions);
      return;
    }
    const free = this.#slots.indexOf(null);
    if (free < 0) throw new TargetError("all four debug registers are taken");
    const slot = newSlot(kind, address, bytes, false);
    slot.owners.push(conditions);
    this.#slots[free] = slot;
  }

  /** One owner less; false if there was none. */
  remove({ kind, address, length }: Breakpoint): boolean {
    if (kind === "software") return false;
    const slot = this.#find(kind, address, kind === "hardware" ? 1 : length);
    if (slot === undefined) return false;
    slot.owners.pop();
    if (slot.owners.length === 0) this.#slots[this.#slots.indexOf(slot)] = null;
    return true;
  }

  /** Whether somebody watches an address for accesses of this kind. */
  watches(kind: BreakpointKind, address: bigint): boolean {
    return this.#slots.some((slot) =>
      slot !== null && slot.kind === kind && slot.address === address
    );
  }

  /** The hardware breakpoint at an address. */
  codeAt(address: bigint): WatchSlot | undefined {
    return this.#find("hardware", address, 1);
  }

  /** What the debugger has debug registers for. */
  get held(): HeldRegister[] {
    return this.#slots.flatMap((slot, number) =>
      slot === null ? [] : [{
        number,
        kind: slot.kind,
        address: slot.address,
        length: slot.length,
        since: this.#since.get(keyOf(slot)) ?? null,
      }]
    );
  }

  /** The data that is watched. */
  get watched(): readonly WatchedData[] {
    return this.#slots.filter((slot): slot is WatchedData & WatchSlot =>
      slot !== null && slot.kind !== "hardware"
    );
  }

  removeAll(): void {
    this.#slots.fill(null);
  }

  #find(
    kind: BreakpointKind,
    address: bigint,
    length: number,
  ): WatchSlot | undefined {
    for (const slot of this.#slots) {
      if (
        slot !== null && slot.kind === kind && slot.address === address &&
        slot.length === length
      ) return slot;
    }
    return undefined;
  }

  /** Puts the debugger's registers into a processor that is not running. */
  install(v: Vcpu): void {
    if (!this.armed || this.#guests.has(v.index)) return;
    const guest = this.#own(v);
    for (const slot of this.#active) {
      if (slot?.kind === "read") {
        this.#memory.read(v, slot.address, slot.value);
      }
    }
    this.#guests.set(v.index, guest);
    this.#write(v, guest);
  }

  /** Gives a processor that is not running the guest's registers back; `v` has been
   * read. */
  uninstall(v: Vcpu): void {
    const guest = this.#guests.get(v.index);
    if (guest === undefined) return;
    if (!this.lost(v)) this.#writeOwn(v, guest);
    this.#guests.delete(v.index);
  }

  /** Forgets the guest's registers: a reset has set new ones. */
  forget(): void {
    this.#guests.clear();
  }

  installed(v: Vcpu): boolean {
    return this.#guests.has(v.index);
  }

  /** Whether an INIT has cleared what install() wrote; `v` has been read. The guest
   * cannot have: DR7 has our enable bits while it runs. */
  lost(v: Vcpu): boolean {
    return this.installed(v) && v.ownBreakpoints === 0;
  }

  /** Puts the debugger's registers back into a processor that has lost them: what it
   * has now is the guest's. */
  renew(v: Vcpu): void {
    this.#guests.delete(v.index);
    this.install(v);
  }

  /** The debugger's slots, and the guest's in what is left of them. */
  #write(v: Vcpu, guest: GuestRegisters, lifted?: bigint): void {
    const batch = this.#batch;
    let dr7 = DR7_FIXED | DR7_LE_GE | DR7_GD;
    guest.slots.fill(-1);
    const free: number[] = [];
    for (let i = 0; i < SLOTS; i++) {
      const slot = this.#active[i];
      if (slot === null) {
        batch.set(i, 0n);
        free.push(i);
        continue;
      }
      batch.set(i, slot.address);
      if (slot.kind === "hardware" && slot.address === lifted) continue;
      dr7 |= control(i, accessBits(slot.kind), lengthBits(slot.length));
    }
    for (let i = 0; i < SLOTS; i++) {
      const enabled = (guest.dr7 >> BigInt(2 * i)) & 3n;
      if (enabled === 0n) continue;
      const own = free.indexOf(i);
      const at = own >= 0 ? free.splice(own, 1)[0] : free.shift();
      if (at === undefined) {
        this.crowded ||= this.#active.some((slot) => slot?.lent);
        break;
      }
      guest.slots[at] = i;
      batch.set(at, guest.dr[i]);
      dr7 |= enabled << BigInt(2 * at);
      dr7 |= ((guest.dr7 >> BigInt(16 + 4 * i)) & 15n) << BigInt(16 + 4 * at);
    }
    batch.set(4, DR6_CLEAR);
    batch.set(5, dr7);
    batch.write(v);
  }

  /** DR6's bits for an instruction, as far as a register of the debugger's is for it: on a
   * host that does not tell them. */
  hitsAt(address: bigint): bigint {
    const i = this.#active.findIndex((slot) =>
      slot?.kind === "hardware" && slot.address === address
    );
    return i < 0 ? 0n : 1n << BigInt(i);
  }

  /** Takes the meaning of DR6's low bits apart. A read watchpoint that was
   * written to is no hit. */
  hit(v: Vcpu, dr6: bigint): HardwareHit {
    const guest = this.#guests.get(v.index);
    if (guest === undefined) return { slot: null, guest: dr6 & DR6_HITS };
    let found: WatchSlot | null = null;
    let bits = 0n;
    for (let i = 0; i < SLOTS; i++) {
      if ((dr6 & (1n << BigInt(i))) === 0n) continue;
      const slot = this.#active[i];
      if (slot === null) {
        if (guest.slots[i] >= 0) bits |= 1n << BigInt(guest.slots[i]);
      } else if (slot.kind !== "read" || !this.#changed(v, slot)) {
        found ??= slot;
      }
    }
    return { slot: found, guest: bits };
  }

  #changed(v: Vcpu, slot: WatchSlot): boolean {
    const now = this.#now.subarray(0, slot.length);
    this.#memory.read(v, slot.address, now);
    const changed = now.some((byte, i) => byte !== slot.value[i]);
    slot.value.set(now);
    return changed;
  }

  /** DR6 as the guest sees it, with more bits set. */
  addGuestStatus(v: Vcpu, status: bigint): void {
    const bits = status & DR6_STATUS;
    const guest = this.#guests.get(v.index);
    if (guest === undefined) {
      v.dr6 |= bits;
      v.set(Reg.Dr6, v.dr6);
    } else guest.dr6 |= bits;
  }

  /** Has a processor not stop at an instruction until refresh(). */
  lift(v: Vcpu, address: bigint): void {
    const guest = this.#guests.get(v.index);
    if (guest !== undefined) this.#write(v, guest, address);
  }

  /** Delivering a #DB has cleared GD: sets it again. */
  refresh(v: Vcpu): void {
    const guest = this.#guests.get(v.index);
    if (guest !== undefined) this.#write(v, guest);
  }

  /** Clears what a hit left in the processor's DR6. */
  clearStatus(v: Vcpu): void {
    v.set(Reg.Dr6, DR6_CLEAR);
  }

  /**
   * Carries out the guest's MOV to or from a debug register on the guest's own
   * values; `v` has been read. False if it faults instead (or if the guest has
   * set GD itself): then it is the guest's.
   */
  moveDebugRegister(v: Vcpu, instruction: Decoded): boolean {
    const installed = this.#guests.get(v.index);
    const guest = installed ?? this.#own(v);
    if (v.cpl !== 0 || (guest.dr7 & DR7_GD) !== 0n) return false;
    let number = (instruction.modrm >> 3) & 7;
    if (number === 4 || number === 5) {
      if ((v.cr4 & CR4_DE) !== 0n) return false;
      number += 2;
    }
    const general = (instruction.modrm & 7) | ((instruction.rex & 1) << 3);
    if (instruction.opcode === 0x21) {
      v.set(Reg.Rax + general, readGuest(guest, number));
    } else {
      let value = v.get(Reg.Rax + general);
      if (v.codeBits !== 64) value &= 0xffffffffn;
      if (number >= 6 && value >> 32n !== 0n) return false;
      writeGuest(guest, number, value);
      if (installed === undefined) this.#writeOwn(v, guest);
      else this.#write(v, guest);
    }
    v.passInstruction(instruction.length);
    return true;
  }

  /** The registers of a processor that has none of ours. */
  #own(v: Vcpu): GuestRegisters {
    const batch = this.#batch;
    batch.read(v);
    return {
      dr: [batch.get(0), batch.get(1), batch.get(2), batch.get(3)],
      dr6: batch.get(4),
      dr7: batch.get(5),
      slots: [-1, -1, -1, -1],
    };
  }

  #writeOwn(v: Vcpu, guest: GuestRegisters): void {
    const batch = this.#batch;
    for (let i = 0; i < SLOTS; i++) batch.set(i, guest.dr[i]);
    batch.set(4, guest.dr6);
    batch.set(5, guest.dr7);
    batch.write(v);
  }
}

/** What is told about a debug register's hit. */
export function reasonOf(slot: WatchSlot): StopReason {
  if (slot.kind === "hardware") return { kind: "hardwareBreakpoint" };
  return { kind: "watchpoint", access: slot.kind, address: slot.address };
}

function keyOf({ kind, address, length }: WatchSlot): string {
  return `${kind} ${address} ${length}`;
}

function newSlot(
  kind: WatchSlot["kind"],
  address: bigint,
  length: number,
  lent: boolean,
): WatchSlot {
  const value = new Uint8Array(length);
  return { kind, lent, address, length, owners: [], value };
}

function readGuest(guest: GuestRegisters, number: number): bigint {
  if (number < 4) return guest.dr[number];
  return number === 6 ? guest.dr6 : guest.dr7;
}

function writeGuest(guest: GuestRegisters, number: number, value: bigint) {
  if (number < 4) guest.dr[number] = value;
  else if (number === 6) guest.dr6 = (value & DR6_STATUS) | DR6_CLEAR;
  else guest.dr7 = (value & 0xffffffffn) | DR7_FIXED;
}

function control(slot: number, access: bigint, length: bigint): bigint {
  return (2n << BigInt(2 * slot)) |
    ((access | (length << 2n)) << BigInt(16 + 4 * slot));
}

/** R/W: 0 execute, 1 write, 3 read or write. */
function accessBits(kind: BreakpointKind): bigint {
  return kind === "hardware" ? 0n : kind === "write" ? 1n : 3n;
}

/** LEN: 0 is one byte, 1 two, 3 four, 2 eight. */
function lengthBits(length: number): bigint {
  return length === 1 ? 0n : length === 2 ? 1n : length === 4 ? 3n : 2n;
}
