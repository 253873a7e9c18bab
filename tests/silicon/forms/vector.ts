/**
 * How tables of MMX and SSE instructions become forms.
 *
 * @module
 */
import type { Builder, MemoryOptions } from "../builder.ts";
import type { Instruction } from "../encode.ts";
import type { Feature } from "../features.ts";
import type { Form } from "../form.ts";
import type { Lane } from "../values.ts";

/** Mandatory prefixes by the manual's names. */
export const NP = 0;
export const P66 = 0x66;
export const PF3 = 0xf3;
export const PF2 = 0xf2;

export interface VectorOptions {
  /** Bytes of the memory operand; 0: there is none. Default 16, 8 for MMX. */
  bytes?: number;
  /** The memory operand must be aligned. Default: those of 16 bytes. */
  aligned?: boolean;
  /** Only the memory form exists. */
  memoryOnly?: boolean;
  /** An immediate byte; its values, or all of them. */
  immediate?: boolean | number[];
  /** ModRM.reg as an opcode extension. */
  digit?: number;
  /** Lanes of the MMX registers. */
  mmx?: Lane;
  rexW?: boolean;
  /** Lanes of the memory operand, if not those of the registers. */
  memoryLane?: Lane;
  faults?: boolean;
  /** More to set up, after the registers have their values. */
  prepare?(g: Builder): void;
}

/** A form with one ModRM byte whose registers and memory hold `lane`s. */
export function vector(
  name: string,
  feature: Feature,
  mandatory: number,
  opcode: number[],
  lane: Lane,
  options: VectorOptions = {},
): Form {
  const bytes = options.bytes ?? 16;
  const memory: MemoryOptions = {
    lane: options.memoryLane ?? lane,
    align: (options.aligned ?? bytes === 16) ? 16 : 1,
    faults: options.faults,
  };
  return {
    name,
    feature,
    fx: true,
    build(g) {
      g.begin(lane === "i8" ? 8 : lane === "i16" ? 16 : 32, lane);
      if (options.mmx) g.fillMmx(options.mmx);
      options.prepare?.(g);
      const fromMemory = options.memoryOnly ||
        (bytes !== 0 && g.rng.chance(55));
      const instruction: Instruction = {
        opcode: [0x0f, ...opcode],
        mandatory: mandatory || undefined,
        rexW: options.rexW,
        reg: options.digit ?? g.anyRegister(),
        rm: fromMemory ? g.memory(bytes, memory) : g.anyRegister(),
      };
      const { immediate } = options;
      if (immediate) {
        const value = immediate === true || g.rng.chance(10)
          ? g.rng.int(256)
          : g.rng.pick(immediate);
        instruction.immediate = [value];
      }
      g.emit(instruction);
    },
  };
}
