/**
 * The core as a CpuUnderTest that runs its cases translated: each batch is run once so
 * that its code is decoded, then every case's code is translated, and the batch run again.
 *
 * @module
 */
import "../../src/soft/number_types.ts";
import { GUEST, HOT, HOT_COUNT } from "../../src/soft/core/layout.ts";
import { SoftEmulator } from "../../src/soft/emulator.ts";
import { SoftPlatform } from "../../src/soft/mod.ts";
import { type Instance, instantiate } from "../../src/soft/module.ts";
import { KEY_16, KEY_64 } from "../../src/soft/core/shared.ts";
import { Records } from "../../src/soft/translate/records.ts";
import { Translator } from "../../src/soft/translate/translator.ts";
import type { Batch, Results } from "./batch.ts";
import { CoreCpu } from "./core_cpu.ts";
import { Gpa, GUEST_BYTES } from "./guest.ts";
import { Case, CODE } from "./layout.ts";
import { hiddenPart } from "./ldt.ts";

export class TranslatedCpu extends CoreCpu {
  readonly #instance: Instance;
  readonly #records: Records;
  readonly #translator: Translator;
  readonly #soft: SoftPlatform;

  static async open(): Promise<TranslatedCpu> {
    const emulator = new SoftEmulator();
    const instance = await instantiate(GUEST_BYTES, emulator.host);
    const soft = new SoftPlatform(instance, emulator, "virtual", "never");
    return new TranslatedCpu(instance, soft);
  }

  constructor(instance: Instance, soft: SoftPlatform) {
    super(soft);
    this.#instance = instance;
    this.#soft = soft;
    this.#records = new Records(instance);
    this.#translator = new Translator(instance, "always");
  }

  /** Instructions that ran translated. */
  get translated(): bigint {
    return this.#soft.counters().translated;
  }

  override async runBatch(batch: Batch): Promise<Results> {
    await super.runBatch(batch);
    for (let n = 0; n < batch.length; n++) {
      const record = batch.offsets[n];
      const cs = batch.view.getUint16(record + Case.segments + 2, true);
      const address = batch.view.getUint32(record + Case.rip, true) +
        (hiddenPart(cs)?.base ?? 0);
      this.#translate(GUEST + Gpa.code + address - CODE);
    }
    return await this.runCases(batch);
  }

  /** Translates the code at a host address. */
  #translate(host: number): void {
    const { view } = this.#instance;
    for (let key = KEY_16; key <= KEY_64; key++) {
      const p = this.#records.find(host, key);
      if (p === 0) continue;
      view.setUint32(HOT, p, true);
      view.setUint32(HOT_COUNT, 1, true);
      this.#translator.translate();
    }
  }
}
