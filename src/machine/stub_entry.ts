/** Finds out what has brought a processor to a stub of firmware
 * (devices/bios_calls.ts). */
import { Reg } from "../../ffi/registers.ts";
import { CR0_PE } from "../x86/control_registers.ts";
import { Vector } from "../x86/vectors.ts";
import { realBase } from "../x86/segments.ts";
import type { StubEntry } from "./device.ts";
import { STUB, STUB_OFFSET, STUB_SEGMENT } from "./devices/bios_calls.ts";
import { placeOf, type PortAccess } from "./exits.ts";
import type { GuestMemory } from "./memory.ts";

const INT3 = 0xcc, INT = 0xcd, INTO = 0xce;
const FIRST_STUB = realBase(STUB_SEGMENT) + STUB_OFFSET;

/** Null if the port is not accessed by a stub, in real mode. */
export function stubEntryOf(
  { vp, rip, cs: stub, rax }: PortAccess,
  memory: GuestMemory,
): StubEntry | null {
  const vector = Number(stub.base + rip - BigInt(FIRST_STUB)) /
    STUB.length;
  const isStub = Number.isInteger(vector) && vector >= 0 && vector < 256;
  if (!isStub || (vp.get(Reg.Cr0) & CR0_PE) !== 0n) return null;
  const word = (at: number) =>
    memory.readByte(at) | memory.readByte(at + 1) << 8;
  const stack = Number(vp.getSegment(Reg.Ss).base);
  const sp = Number(vp.get(Reg.Rsp) & 0xffffn);
  const ip = word(stack + sp), cs = word(stack + (sp + 2 & 0xffff));
  const before = (bytes: number) =>
    memory.readByte(realBase(cs) + (ip - bytes & 0xffff));
  const length = before(2) === INT && before(1) === vector
    ? 2
    : before(1) === INT3 && vector === Vector.BP ||
        before(1) === INTO && vector === Vector.OF
    ? 1
    : 0;
  const place = placeOf(BigInt(ip - length & 0xffff), {
    selector: cs,
    base: BigInt(realBase(cs)),
    limit: 0xffff,
    attributes: 0,
  });
  return {
    vector,
    isCall: length > 0,
    ah: Number(rax >> 8n) & 0xff,
    where: `CPU${vp.index} at ${place}`,
  };
}
