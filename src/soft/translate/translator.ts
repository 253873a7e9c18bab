// Translates what is hot: asks the core for records that were sampled often, forms a region
// around each (regions.ts), has it generated and compiled, and lets the records lead
// to it. When that happens is nothing a guest can see: a region does what the interpreter
// would, instruction by instruction.

import "../number_types.ts";
import {
  CODE_DROPS,
  HOT,
  HOT_COUNT,
  POOL,
  REGION_ENTRIES,
  REGION_USED,
  REGIONS,
} from "../core/layout.ts";
import { IS_REGION, REGION } from "../core/shared.ts";
import type { Instance } from "../module.ts";
import { generate, type Lookup } from "./generator.ts";
import { instructionRows } from "./instructions.ts";
import { type Block, Records } from "./records.ts";
import { formRegion } from "./regions.ts";
import { sharedModule } from "./shared_functions.ts";

/** Whether hot code is translated: not at all, when it pays, or as soon as it runs. */
export type TranslateMode = "never" | "auto" | "always";

/** How often samples are taken, in instructions, and the heat that is enough: a sample counts
 * 256, each time that translated code is left for a record 1 (core/code/regions.ts). */
const SAMPLING = {
  auto: { every: 16_384, heat: 16_000 },
  always: { every: 32, heat: 1 },
} as const;

/** A page whose code was dropped this often while it was translated is left alone. */
const MOST_DROPS = 16;
/** Guest instructions after which a go ends: with its last region, of 512 at most, some
 * milliseconds' worth. What is left over comes with the next. */
const MOST_AT_ONCE = 200;

interface Entry {
  readonly p: number;
  readonly cell: number;
  /** The record's own case. */
  readonly own: number;
}

interface Region {
  /** In the module's table. */
  readonly index: number;
  /** Which of the regions that are kept it is. */
  readonly slot: number;
  readonly page: number;
  readonly entries: readonly Entry[];
}

/** What translation has done. */
export interface TranslationCounters {
  /** Regions there are. */
  readonly regions: number;
  /** Regions made since the start. */
  readonly translated: number;
  /** Guest instructions in them. */
  readonly translatedInstructions: number;
  /** Bytes of WebAssembly in them. */
  readonly translatedBytes: number;
  /** Host time spent, in ms. */
  readonly translatingMs: number;
  /** The longest of it for which the guest stood still, in ms. */
  readonly longestMs: number;
}

export class Translator {
  readonly #instance: Instance;
  readonly #records: Records;
  readonly #lookup: Lookup;
  /** What regions import. */
  readonly #env: WebAssembly.ModuleImports;
  readonly #regions = new Map<number, Region>();
  /** Indices in the table, and slots, of regions that were given up. */
  readonly #free: number[] = [];
  readonly #freeSlots: number[] = [];
  /** Slots that were ever used. */
  #slots = 0;
  readonly #drops = new Map<number, number>();
  readonly #waiting: number[] = [];
  readonly #most: number;
  /** Whether code that changes all the time is left to the interpreter. */
  readonly #patient: boolean;
  #seenDrops = 0;
  #translated = 0;
  #instructions = 0;
  #bytes = 0;
  #ms = 0;
  #longestMs = 0;

  constructor(
    instance: Instance,
    mode: "auto" | "always",
    mostRegions = REGION_ENTRIES,
  ) {
    this.#instance = instance;
    this.#records = new Records(instance);
    this.#lookup = instructionRows(instance.view);
    const { wasmMemory: memory, table } = instance;
    const env = { memory, table };
    const shared = new WebAssembly.Module(sharedModule() as BufferSource);
    this.#env = {
      ...env,
      ...new WebAssembly.Instance(shared, {
        env: { ...env, unwatched: instance.core.unwatched },
      }).exports,
    };
    this.#most = Math.min(mostRegions, REGION_ENTRIES);
    this.#patient = mode === "auto";
    const { every, heat } = SAMPLING[mode];
    instance.core.setTranslation(every, heat);
  }

  counters(): TranslationCounters {
    return {
      regions: this.#regions.size,
      translated: this.#translated,
      translatedInstructions: this.#instructions,
      translatedBytes: this.#bytes,
      translatingMs: this.#ms,
      longestMs: this.#longestMs,
    };
  }

  /** Translates what the core found hot; between two runs of it. */
  translate(): void {
    const { view } = this.#instance;
    const count = view.getUint32(HOT_COUNT, true);
    for (let n = 0; n < count; n++) {
      this.#waiting.push(view.getUint32(HOT + n * 4, true));
    }
    view.setUint32(HOT_COUNT, 0, true);
    const began = performance.now();
    this.#sweep();
    const enough = this.#instructions + MOST_AT_ONCE;
    while (this.#waiting.length > 0 && this.#instructions < enough) {
      this.#translate(this.#waiting.shift()!);
    }
    const took = performance.now() - began;
    this.#ms += took;
    this.#longestMs = Math.max(this.#longestMs, took);
  }

  /** Whether translate() has something to do. */
  get due(): boolean {
    return this.#waiting.length > 0 ||
      this.#instance.view.getUint32(HOT_COUNT, true) > 0;
  }

  #translate(p: number): void {
    const { view, memory, table } = this.#instance;
    const cell = cellOf(p);
    // it may have been dropped, or become part of a region, meanwhile
    if ((view.getUint32(cell, true) & IS_REGION) !== 0) return;
    const blocks = formRegion(this.#records, p);
    if (blocks.length === 0) return;
    const page = blocks[0].host >>> 12;
    if (this.#patient && (this.#drops.get(page) ?? 0) > MOST_DROPS) return;
    if (this.#regions.size >= this.#most) this.#evict();
    const slot = this.#freeSlots.pop() ?? this.#slots++;
    const { bytes, instructions } = generate(
      blocks,
      this.#lookup,
      slot,
    );
    const module = new WebAssembly.Module(bytes as BufferSource);
    const { exports } = new WebAssembly.Instance(module, { env: this.#env });
    const index = this.#free.pop() ?? table.grow(1);
    table.set(index, exports.run as unknown as never);
    const entries: Entry[] = [];
    blocks.forEach((block: Block, n) => {
      const p = block.head;
      const cell = cellOf(p);
      if ((view.getUint32(cell, true) & IS_REGION) !== 0) return;
      entries.push({ p, cell, own: memory[p + 3] });
      memory[p + 3] = REGION;
      view.setUint32(cell, (IS_REGION | n << 20 | index) >>> 0, true);
    });
    this.#regions.set(index, { index, slot, page, entries });
    this.#translated++;
    this.#instructions += instructions;
    this.#bytes += bytes.length;
  }

  /** Forgets regions whose code was dropped. */
  #sweep(): void {
    const { view } = this.#instance;
    const drops = view.getUint32(CODE_DROPS, true);
    if (drops === this.#seenDrops) return;
    this.#seenDrops = drops;
    for (const region of this.#regions.values()) {
      if (region.entries.some((e) => this.#leads(e, region))) continue;
      this.#remove(region);
      const before = this.#drops.get(region.page) ?? 0;
      this.#drops.set(region.page, before + 1);
    }
  }

  #leads({ cell }: Entry, { index }: Region): boolean {
    const value = this.#instance.view.getUint32(cell, true);
    return (value & IS_REGION) !== 0 && (value & 0xfffff) === index;
  }

  /** Takes a region away that was not entered for longest, about: its records are
   * interpreted again. One that was since it was last looked at waits behind the others. */
  #evict(): void {
    const { view, memory } = this.#instance;
    let [region] = this.#regions.values();
    while (memory[REGION_USED + region.slot] !== 0) {
      memory[REGION_USED + region.slot] = 0;
      this.#regions.delete(region.index);
      this.#regions.set(region.index, region);
      [region] = this.#regions.values();
    }
    for (const entry of region.entries) {
      if (!this.#leads(entry, region)) continue;
      memory[entry.p + 3] = entry.own;
      view.setUint32(entry.cell, 0, true);
    }
    this.#remove(region);
  }

  /** Gives up a region that no record leads to. */
  #remove({ index, slot }: Region): void {
    this.#regions.delete(index);
    this.#freeSlots.push(slot);
    this.#instance.memory[REGION_USED + slot] = 0;
    this.#instance.table.set(index, null);
    this.#free.push(index);
  }
}

function cellOf(p: number): number {
  return REGIONS + ((p - POOL) >>> 3);
}
