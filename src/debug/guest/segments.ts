/**
 * Segment registers as a debugger sets them: a selector brings what belongs to
 * it, as when the guest loads it, without the checks of privilege.
 *
 * Source of facts: Intel SDM 3, 3.4.5 (segment descriptors), 20.1.1 (real mode),
 * 20.2 (virtual-8086 mode).
 */
import { Reg } from "../../../ffi/registers.ts";
import {
  ACCESSED,
  Attributes,
  CODE,
  CODE_OR_DATA,
  decodeDescriptor,
  descriptorOffset,
  PRESENT,
  READ_OR_WRITE,
  realBase,
  TABLE_INDICATOR,
} from "../../x86/segments.ts";
import { TargetError } from "../target.ts";
import type { Vcpu } from "./vcpu.ts";
import type { VirtualMemory } from "./vmemory.ts";

/** The registers that a selector loads. */
export const SEGMENTS: ReadonlyMap<number, string> = new Map([
  [Reg.Cs, "cs"],
  [Reg.Ss, "ss"],
  [Reg.Ds, "ds"],
  [Reg.Es, "es"],
  [Reg.Fs, "fs"],
  [Reg.Gs, "gs"],
]);

/** Loads `selector` into one of SEGMENTS of a stopped processor (read). Throws a
 * TargetError if the guest's tables have nothing to load. */
export function loadSegment(
  v: Vcpu,
  memory: VirtualMemory,
  register: number,
  selector: number,
): void {
  const old = v.getSegment(register);
  if (!v.protectedMode) {
    // Limit and attributes stay, as the processor leaves them.
    v.setSegment(register, {
      ...old,
      selector,
      base: BigInt(realBase(selector)),
    });
    return;
  }
  if (v.v86) {
    v.setSegment(register, {
      selector,
      base: BigInt(realBase(selector)),
      limit: 0xffff,
      attributes: Attributes.v86,
    });
    return;
  }
  const name = SEGMENTS.get(register)!;
  const refuse = (why: string): never => {
    throw new TargetError(
      `${name}: selector 0x${selector.toString(16)} ${why}`,
    );
  };
  if ((selector & ~3) === 0) {
    if (register === Reg.Cs || (register === Reg.Ss && v.codeBits !== 64)) {
      refuse("is null");
    }
    v.setSegment(register, {
      selector,
      base: 0n,
      limit: 0,
      attributes: Attributes.unusable,
    });
    return;
  }
  const local = (selector & TABLE_INDICATOR) !== 0;
  const table = local ? v.getSegment(Reg.Ldtr) : v.getTable(Reg.Gdtr);
  const offset = descriptorOffset(selector);
  const bytes = new Uint8Array(8);
  if (offset + 7 > table.limit) refuse(`is beyond the ${local ? "L" : "G"}DT`);
  if (memory.read(v, table.base + BigInt(offset), bytes) < bytes.length) {
    refuse("has a descriptor that is not mapped");
  }
  const data = new DataView(bytes.buffer);
  const { base, limit, attributes } = decodeDescriptor(
    data.getUint32(0, true),
    data.getUint32(4, true),
  );
  if ((attributes & CODE_OR_DATA) === 0) refuse("is no code or data segment");
  if ((attributes & PRESENT) === 0) refuse("is not present");
  const code = (attributes & CODE) !== 0;
  const rw = (attributes & READ_OR_WRITE) !== 0;
  if (register === Reg.Cs && !code) refuse("is no code segment");
  if (register === Reg.Ss && (code || !rw)) refuse("is no stack segment");
  if (register !== Reg.Cs && code && !rw) refuse("cannot be read");
  v.setSegment(register, {
    selector,
    base: BigInt(base),
    limit,
    attributes: attributes | ACCESSED,
  });
}
