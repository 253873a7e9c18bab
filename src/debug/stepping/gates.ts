/**
 * Where an interrupt or exception goes: the first instruction of its handler,
 * from the IDT or the real-mode vector table (Intel SDM volume 3, chapter 6).
 */
import { Reg } from "../../../ffi/registers.ts";
import { RegisterBatch } from "../../machine/batch.ts";
import {
  decodeDescriptor,
  descriptorOffset,
  dplOf,
  PRESENT,
  realBase,
  SYSTEM_32_BIT,
  SystemType,
  TABLE_INDICATOR,
} from "../../x86/segments.ts";
import { Vector } from "../../x86/vectors.ts";
import { type Fault, NO_PARAMETER } from "./faults.ts";
import type { Vcpu } from "../guest/vcpu.ts";
import type { VirtualMemory } from "../guest/vmemory.ts";

/** Of an error code: it is about a gate of the IDT. */
const CODE_IDT = 2;
const IDTR = 0, GDTR = 1, LDTR = 2;

export class Gates {
  readonly #memory: VirtualMemory;
  readonly #tables = new RegisterBatch(Reg.Idtr, Reg.Gdtr, Reg.Ldtr);
  readonly #bytes = new Uint8Array(16);
  readonly #view = new DataView(this.#bytes.buffer);

  constructor(memory: VirtualMemory) {
    this.#memory = memory;
  }

  /** The linear address of the handler of `vector`; null if there is none
   * that can be found out (no entry, not mapped, a task gate). */
  handler(v: Vcpu, vector: number): bigint | null {
    this.#tables.read(v);
    const base = this.#tables.tableBase(IDTR);
    const size = !v.protectedMode ? 4 : v.longMode ? 16 : 8;
    if (vector * size + size - 1 > this.#tables.tableLimit(IDTR)) return null;
    const entry = base + BigInt(vector * size);
    const bytes = this.#bytes.subarray(0, size);
    if (this.#memory.read(v, entry, bytes) < size) return null;
    const view = this.#view;
    if (size === 4) {
      const offset = view.getUint16(0, true);
      return BigInt(realBase(view.getUint16(2, true)) + offset);
    }
    const selector = view.getUint16(2, true);
    const attributes = view.getUint8(5);
    const type = attributes & 0x1f;
    const present = (attributes & PRESENT) !== 0;
    const low = BigInt(view.getUint16(0, true));
    const middle = BigInt(view.getUint16(6, true));
    if (!present || type === SystemType.TaskGate) return null;
    if (size === 16) {
      const high = BigInt(view.getUint32(8, true));
      return (high << 32n) | (middle << 16n) | low;
    }
    // 286 gates (types 6 and 7) have 16 bits of offset.
    const offset = (type & SYSTEM_32_BIT) === 0 ? low : (middle << 16n) | low;
    const segment = this.#segmentBase(v, selector);
    return segment === null ? null : (segment + offset) & 0xffffffffn;
  }

  /** The exception that the guest gets by an INT3 of its own of `length` bytes, which has
   * been intercepted and is at RIP (`v` has been read): #BP, which is a trap, or what the
   * gate makes of it. There is no event for software exceptions on every host, so that
   * the gate is checked here for what an event would not be held against. */
  ownInt3(v: Vcpu, length: number): Fault {
    const refused = this.#refusal(v, Vector.BP);
    if (refused !== null) {
      const code = (Vector.BP << 3) | CODE_IDT;
      return { vector: refused, code, parameter: NO_PARAMETER };
    }
    v.passTrap(length);
    return { vector: Vector.BP, code: null, parameter: NO_PARAMETER };
  }

  /** What a software interrupt raises because of its gate; null where it goes through, or
   * where what comes is the same for any event (Intel SDM volume 2, "INT n"). */
  #refusal(v: Vcpu, vector: number): number | null {
    if (!v.protectedMode) return null;
    this.#tables.read(v);
    const size = v.longMode ? 16 : 8;
    if (vector * size + size - 1 > this.#tables.tableLimit(IDTR)) {
      return Vector.GP;
    }
    const entry = this.#tables.tableBase(IDTR) + BigInt(vector * size);
    const bytes = this.#bytes.subarray(0, 8);
    if (this.#memory.read(v, entry, bytes) < 8) return null;
    const attributes = this.#view.getUint8(5);
    const type = attributes & 0x1f;
    const isGate = v.longMode
      ? (type & 0x1e) === 0xe
      : type === SystemType.TaskGate || (type & 0x16) === 6;
    if (!isGate || dplOf(attributes) < v.cpl) return Vector.GP;
    return (attributes & PRESENT) === 0 ? Vector.NP : null;
  }

  #segmentBase(v: Vcpu, selector: number): bigint | null {
    const table = (selector & TABLE_INDICATOR) === 0
      ? this.#tables.tableBase(GDTR)
      : this.#tables.base(LDTR);
    const bytes = this.#bytes.subarray(0, 8);
    const entry = table + BigInt(descriptorOffset(selector));
    if (this.#memory.read(v, entry, bytes) < 8) return null;
    const view = this.#view;
    return BigInt(
      decodeDescriptor(view.getUint32(0, true), view.getUint32(4, true)).base,
    );
  }
}
