/**
 * Where an interrupt or exception goes: the first instruction of its handler,
 * from the IDT or the real-mode vector table (Intel SDM volume 3, chapter 6).
 */
import { Reg } from "../../ffi/registers.ts";
import { RegisterBatch } from "../machine/batch.ts";
import {
  decodeDescriptor,
  descriptorOffset,
  PRESENT,
  realBase,
  SYSTEM_32_BIT,
  TABLE_INDICATOR,
  TASK_GATE,
} from "../x86/segments.ts";
import type { Vcpu } from "./vcpu.ts";
import type { VirtualMemory } from "./vmemory.ts";

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
    this.#tables.read(v.processor.vp);
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
    if (!present || type === TASK_GATE) return null;
    if (size === 16) {
      const high = BigInt(view.getUint32(8, true));
      return (high << 32n) | (middle << 16n) | low;
    }
    // 286 gates (types 6 and 7) have 16 bits of offset.
    const offset = (type & SYSTEM_32_BIT) === 0 ? low : (middle << 16n) | low;
    const segment = this.#segmentBase(v, selector);
    return segment === null ? null : (segment + offset) & 0xffffffffn;
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
