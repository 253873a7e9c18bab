/**
 * Chooses addressing forms that lead to a given linear address, and sets the
 * registers they use.
 *
 * @module
 */
import type { Builder } from "./builder.ts";
import type { Memory } from "./encode.ts";
import { Case, DS, ES, FS, GS, RBP, RBX, RDI, RSI, RSP, SS } from "./layout.ts";

const MASK = {
  16: 0xffffn,
  32: 0xffff_ffffn,
  64: 0xffff_ffff_ffff_ffffn,
} as const;

/** Prefix bytes by segment register number: ES, CS, SS, DS, FS, GS. */
const SEGMENT_PREFIX = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];

/** Registers of the 16-bit forms by ModRM.rm (SDM vol.2, table 2-1). */
const FORMS_16: [number, number][] = [
  [RBX, RSI],
  [RBX, RDI],
  [RBP, RSI],
  [RBP, RDI],
  [RSI, -1],
  [RDI, -1],
  [RBP, -1],
  [RBX, -1],
];

type Width = keyof typeof MASK;

function blank(target: number): Memory {
  return {
    target,
    base: -1,
    index: -1,
    scale: 0,
    displacement: 0,
    displacementBytes: 0,
    ripRelative: false,
    segment: 0,
    otherAddressSize: false,
    rm16: -1,
  };
}

/**
 * An addressing form whose linear address is `target`; with `wild`, now and
 * then one that is not canonical.
 */
export function chooseAddress(
  g: Builder,
  target: number,
  wild: boolean,
): Memory {
  return g.mode === 64
    ? longAddress(g, target, wild)
    : legacyAddress(g, target);
}

function longAddress(g: Builder, target: number, wild: boolean): Memory {
  const { rng } = g;
  const m = blank(target);
  m.otherAddressSize = rng.chance(12);
  const width: Width = m.otherAddressSize ? 32 : 64;
  let effective = BigInt(target);
  if (rng.chance(8)) {
    m.segment = rng.chance(50) ? 0x64 : 0x65;
    let base = BigInt(rng.u32() & 0x0fff_ffff);
    if (width === 64 && rng.chance(30)) base |= 0x7000_0000_0000n;
    if (rng.chance(30)) base = -base;
    g.setBase(m.segment === 0x64 ? Case.fsBase : Case.gsBase, base);
    effective = (effective - base) & MASK[width];
  } else if (rng.chance(3)) {
    m.segment = rng.pick([0x26, 0x2e, 0x36, 0x3e]); // without meaning
  }
  // With a segment base, AMD checks the offset too, Intel the sum alone.
  if (wild && m.segment < 0x64 && width === 64 && rng.chance(2)) {
    effective ^= 1n << BigInt(47 + rng.int(16));
  }
  const kind = rng.int(10);
  if (kind === 0 && fits(width, effective)) {
    m.displacement = Number(BigInt.asIntN(32, effective));
    m.displacementBytes = 4;
  } else if (kind === 1 && fits(width, effective - BigInt(g.rip))) {
    m.ripRelative = true;
    m.displacementBytes = 4;
    m.displacement = Number(BigInt.asIntN(32, effective));
  } else {
    baseAndIndex(g, m, effective, width, kind >= 6, kind === 6);
  }
  return m;
}

/** Compatibility mode: every segment has a base and a limit. */
function legacyAddress(g: Builder, target: number): Memory {
  const { rng } = g;
  const m = blank(target);
  m.otherAddressSize = rng.chance(20);
  const short = (g.mode === 16) !== m.otherAddressSize;
  let segment = -1;
  if (rng.chance(20)) segment = rng.pick([ES, SS, DS, FS, GS]);
  if (short) {
    // The offset must have 16 bits, so the segment must begin nearby.
    const near = (s: number) => {
      const offset = target - g.segmentBase(s);
      return offset >= 0 && offset < 0x1_0000;
    };
    if (segment < 0 || !near(segment)) {
      segment = [DS, SS, ES, FS, GS].find(near) ?? -1;
    }
    if (segment < 0) {
      m.otherAddressSize = !m.otherAddressSize;
      segment = rng.pick([DS, ES]);
    }
  }
  if (short && segment >= 0 && (g.mode === 16) !== m.otherAddressSize) {
    shortForm(g, m, BigInt(target - g.segmentBase(segment)));
  } else {
    const offset = BigInt(target - g.segmentBase(segment < 0 ? DS : segment));
    const kind = rng.int(10);
    if (kind === 0) {
      m.displacement = Number(BigInt.asIntN(32, offset));
      m.displacementBytes = 4;
    } else {
      baseAndIndex(g, m, offset, 32, kind >= 6, kind === 6);
    }
  }
  // The default segment is SS with a base of EBP or ESP, else DS.
  const natural = m.base === RBP || m.base === RSP ? SS : DS;
  if (segment < 0) segment = DS;
  if (segment !== natural || rng.chance(3)) m.segment = SEGMENT_PREFIX[segment];
  return m;
}

function shortForm(g: Builder, m: Memory, offset: bigint): void {
  const { rng } = g;
  const candidates = [0, 1, 2, 3, 4, 5, 6, 7].filter((rm) =>
    !FORMS_16[rm].some((reg) => reg >= 0 && g.isPinned(reg))
  );
  if (candidates.length === 0 || rng.chance(12)) {
    m.rm16 = 6;
    m.displacement = Number(offset);
    m.displacementBytes = 2;
    return;
  }
  m.rm16 = rng.pick(candidates);
  [m.base, m.index] = FORMS_16[m.rm16];
  m.displacementBytes = rng.pick([0, 1, 2]);
  if (m.displacementBytes === 1) m.displacement = (rng.u32() << 24) >> 24;
  else if (m.displacementBytes === 2) m.displacement = rng.u32() & 0xffff;
  let rest = offset - BigInt(m.displacement);
  if (m.index >= 0) {
    g.pin(m.index);
    rest -= g.gpr[m.index];
  }
  g.pin(m.base);
  const garbage = BigInt(rng.u32() & 0xffff) << 16n;
  g.gpr[m.base] = (rest & MASK[16]) | garbage;
}

/** Whether a displacement of 32 bits can be `value`. */
function fits(width: Width, value: bigint): boolean {
  if (width !== 64) return true;
  const signed = BigInt.asIntN(64, value);
  return BigInt.asIntN(31, signed) === signed;
}

function baseAndIndex(
  g: Builder,
  m: Memory,
  effective: bigint,
  width: Width,
  indexed: boolean,
  alone: boolean,
): void {
  const { rng } = g;
  const mask = MASK[width];
  m.displacementBytes = rng.pick([0, 1, 4]);
  if (m.displacementBytes === 1) m.displacement = (rng.u32() << 24) >> 24;
  else if (m.displacementBytes === 4) m.displacement = rng.u32() | 0;
  let rest = effective - BigInt(m.displacement);
  if (indexed) {
    m.index = addressRegister(g);
    m.scale = rng.int(4);
    if (alone) { // no base: a 32-bit displacement and the index
      indexAlone(g, m, effective, width);
      return;
    }
    g.pin(m.index);
    rest -= g.gpr[m.index] << BigInt(m.scale);
  }
  const stack = effective - g.gpr[RSP];
  if (g.mode === 64 && rng.chance(6) && fits(width, stack)) {
    m.base = RSP;
    m.index = -1;
    m.displacementBytes = 4;
    m.displacement = Number(BigInt.asIntN(32, stack));
    return;
  }
  m.base = addressRegister(g);
  g.pin(m.base);
  const garbage = g.mode === 64 && width === 32 ? BigInt(rng.u32()) << 32n : 0n;
  g.gpr[m.base] = (rest & mask) | garbage;
}

function indexAlone(
  g: Builder,
  m: Memory,
  effective: bigint,
  width: Width,
): void {
  const { rng } = g;
  m.displacementBytes = 4;
  const value = BigInt(rng.u32() & 0x0fff_ffff);
  const left = effective - (value << BigInt(m.scale));
  if (fits(width, left)) {
    g.gpr[m.index] = value;
    m.displacement = Number(BigInt.asIntN(32, left));
  } else {
    m.scale = 0;
    m.displacement = rng.int(0x1000);
    g.gpr[m.index] = (effective - BigInt(m.displacement)) & MASK[width];
  }
}

function addressRegister(g: Builder): number {
  for (;;) {
    const reg = g.anyRegister();
    if (!g.isPinned(reg)) return reg;
  }
}
