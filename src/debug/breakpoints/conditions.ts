/** Who wants to be told of a breakpoint that a processor is at: conditions, judged. */
import type { VirtualMemory } from "../guest/vmemory.ts";
import { allRegisters, readRegisterRange } from "../guest/registers.ts";
import type { Vcpu } from "../guest/vcpu.ts";
import type { StopReason } from "../target.ts";
import {
  type AgentContext,
  type AgentExpression,
  conditionsHold,
} from "./agent.ts";
import type { WatchSlot } from "./hardware.ts";
import type { SoftwareBreakpoint } from "./table.ts";

const BREAKPOINT: StopReason = { kind: "breakpoint" };
const HARDWARE_BREAKPOINT: StopReason = { kind: "hardwareBreakpoint" };

export class Conditions implements AgentContext {
  readonly #memory: VirtualMemory;
  readonly #bytes = new Uint8Array(16);
  /** The processor that a condition is evaluated for. */
  #subject: Vcpu | null = null;
  #subjectRead = false;

  constructor(memory: VirtualMemory) {
    this.#memory = memory;
  }

  /** What a processor at a breakpoint is told; null if nobody wants to be told: every owner
   * has conditions, and none holds. */
  told(v: Vcpu, breakpoint: SoftwareBreakpoint): StopReason | null {
    const { owners } = breakpoint;
    for (let i = 0; i < owners.length; i++) {
      const { kind, conditions } = owners[i];
      if (conditions.length > 0 && !this.#holds(v, conditions)) continue;
      return kind === "software" ? BREAKPOINT : HARDWARE_BREAKPOINT;
    }
    return null;
  }

  /** Whether somebody wants to be told of a debug register's hit. */
  wanted(v: Vcpu, { kind, owners }: WatchSlot): boolean {
    return kind !== "hardware" ||
      owners.some((conditions) =>
        conditions.length === 0 || this.#holds(v, conditions)
      );
  }

  /** Whether one of an owner's conditions holds for a processor. */
  #holds(v: Vcpu, conditions: readonly AgentExpression[]): boolean {
    this.#subject = v;
    this.#subjectRead = false;
    return conditionsHold(conditions, this);
  }

  register(number: number): bigint {
    const { source, offset, width } = allRegisters[number];
    const v = this.#subject!;
    if (offset === 0 && width === 8) return v.get(source);
    const bytes = this.#bytes.fill(0);
    readRegisterRange(v, number, 1, bytes);
    return new DataView(bytes.buffer).getBigUint64(0, true);
  }

  memory(address: bigint, into: Uint8Array): boolean {
    const v = this.#subject!;
    if (!this.#subjectRead) v.read();
    this.#subjectRead = true;
    return this.#memory.read(v, address, into) === into.length;
  }
}
