/**
 * A case as one line of text, and back: everything that goes into it, so that
 * it can be run again by itself and after the generator has changed.
 *
 * @module
 */
import { Batch, Undefined } from "./batch.ts";
import type { Form } from "./form.ts";
import { Case, SLOT_BYTES, SLOT_ENTRY } from "./layout.ts";

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

function fromHex(text: string): Uint8Array<ArrayBuffer> {
  const pairs = text.match(/../g) ?? [];
  return Uint8Array.from(pairs, (pair) => parseInt(pair, 16));
}

/** Zero bytes are most of a record: `zN.` stands for N of them. */
function pack(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length;) {
    let zeros = 0;
    while (at + zeros < bytes.length && bytes[at + zeros] === 0) zeros++;
    if (zeros >= 4) {
      text += `z${zeros}.`;
      at += zeros;
    } else {
      text += toHex(bytes.subarray(at, at + 1));
      at++;
    }
  }
  return text;
}

function unpack(text: string): Uint8Array<ArrayBuffer> {
  return fromHex(text.replace(/z(\d+)\./g, (_, n) => "00".repeat(Number(n))));
}

/** The case as fields: `form;fx;slot;scratch;undefined;code;record`. */
export function caseLine(form: Form, batch: Batch, index: number): string {
  const u = batch.undefinedOf[index];
  const start = batch.offsets[index];
  const bytes = batch.view.getUint32(start + Case.recordBytes, true);
  return [
    form.name,
    batch.fx ? 1 : 0,
    index + batch.firstSlot,
    batch.scratchSeed,
    [
      u.flags,
      u.gprs,
      u.fsw,
      (u.memory ? 1 : 0) | (u.highHalves ? 2 : 0) | (u.bases ? 4 : 0),
      ...u.ranges.flat(),
    ].join(","),
    toHex(batch.codeOf(index)),
    pack(batch.input.subarray(start, start + bytes)),
  ].join(";");
}

/** The command that runs the case again, translated if it was. */
export function reproduction(form: Form, batch: Batch, index: number): string {
  const mode = Deno.env.get("ICEBP_TEST_TRANSLATE");
  return (mode === undefined ? "" : `ICEBP_TEST_TRANSLATE=${mode} `) +
    `deno run -A tests/silicon/repro.ts '${caseLine(form, batch, index)}'`;
}

/** A batch with the one case of a line. */
export function parseLine(
  line: string,
): { name: string; code: string; batch: Batch } {
  const fields = line.split(";");
  if (fields.length !== 7) throw new Error("a case has seven fields");
  const [name, fx, slot, scratch, masks, code, record] = fields;
  const batch = new Batch(fx === "1", 1);
  batch.scratchSeed = Number(scratch);
  batch.fillScratch();
  batch.clear();
  batch.firstSlot = Number(slot);
  batch.code.set(fromHex(code), batch.firstSlot * SLOT_BYTES + SLOT_ENTRY);
  const bytes = unpack(record);
  batch.input.set(bytes);
  batch.used = bytes.length;
  batch.offsets.push(0);
  batch.lengths.push(code.length / 2);
  const u = new Undefined();
  const values = masks.split(",").map(Number);
  [u.flags, u.gprs, u.fsw] = values;
  u.memory = (values[3] & 1) !== 0;
  u.highHalves = (values[3] & 2) !== 0;
  u.bases = (values[3] & 4) !== 0;
  for (let i = 4; i < values.length; i += 2) {
    u.ranges.push([values[i], values[i + 1]]);
  }
  batch.undefinedOf.push(u);
  return {
    name,
    code,
    batch,
  };
}
