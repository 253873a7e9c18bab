/**
 * The registers a debugger sees, by number, and where the platform keeps them.
 *
 * Numbers 0-65 and their sizes are those of QEMU's x86-64 stub, so that tools
 * made for it fit; those after are ours. No size depends on the CPU's mode. A
 * debugger of 32-bit guests sees another set (register_sets.ts).
 * Source of facts: QEMU's gdb-xml/i386-64bit.xml for the order,
 * winhvplatformdefs.h (WHV_REGISTER_VALUE) for the layouts, Intel SDM 1,
 * section 8.1.7 and 10.5.1.1 for the two forms of the x87 tag word.
 */
import { Reg } from "../../../ffi/registers.ts";

/** One register as a debugger sees it. */
export interface Register {
  readonly name: string;
  /** Its size. */
  readonly bytes: number;
  /** WHV_REGISTER_NAME of the value that holds it. */
  readonly source: number;
  /** Where it begins in that 16-byte value. */
  readonly offset: number;
  /** Its size there; the rest reads as zero. */
  readonly width: number;
}

/** The part of a virtual processor this file needs; 16 bytes a value. */
export interface RegisterAccess {
  getRegisters(names: Uint32Array, values: Uint8Array): void;
  setRegisters(names: Uint32Array, values: Uint8Array): void;
}

const VALUE_BYTES = 16;

function register(
  name: string,
  bytes: number,
  source: number,
  offset = 0,
  width = bytes,
): Register {
  return { name, bytes, source, offset, width };
}

const quad = (name: string, source: number) => register(name, 8, source);

// WHV_X64_SEGMENT_REGISTER and WHV_X64_TABLE_REGISTER, byte offsets.
const SEGMENT_BASE = 0;
const SEGMENT_LIMIT = 8;
const SEGMENT_SELECTOR = 12;
const SEGMENT_ATTRIBUTES = 14;
const TABLE_LIMIT = 6;
const TABLE_BASE = 8;
// WHV_X64_FP_CONTROL_STATUS_REGISTER and WHV_X64_XMM_CONTROL_STATUS_REGISTER.
const FP_STATUS = 2;
const FP_TAG = 4;
const FP_OPCODE = 6;
const FP_RIP = 8;
const FP_CS = 12;
const XMM_RDP = 0;
const XMM_DS = 4;
const XMM_MXCSR = 8;

const SEGMENTS: readonly (readonly [string, number])[] = [
  ["cs", Reg.Cs],
  ["ss", Reg.Ss],
  ["ds", Reg.Ds],
  ["es", Reg.Es],
  ["fs", Reg.Fs],
  ["gs", Reg.Gs],
];

const selector = ([name, source]: readonly [string, number]) =>
  register(name, 4, source, SEGMENT_SELECTOR, 2);
const base = ([name, source]: readonly [string, number]) =>
  register(`${name}_base`, 8, source, SEGMENT_BASE);
const limit = ([name, source]: readonly [string, number]) =>
  register(`${name}_limit`, 4, source, SEGMENT_LIMIT);
const attributes = ([name, source]: readonly [string, number]) =>
  register(`${name}_attr`, 4, source, SEGMENT_ATTRIBUTES, 2);

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);

/** The registers of a 64-bit debugger; the index is the number. */
export const registers: readonly Register[] = [
  quad("rax", Reg.Rax),
  quad("rbx", Reg.Rbx),
  quad("rcx", Reg.Rcx),
  quad("rdx", Reg.Rdx),
  quad("rsi", Reg.Rsi),
  quad("rdi", Reg.Rdi),
  quad("rbp", Reg.Rbp),
  quad("rsp", Reg.Rsp),
  ...upTo(8).map((i) => quad(`r${8 + i}`, Reg.R8 + i)),
  quad("rip", Reg.Rip),
  register("eflags", 4, Reg.Rflags),
  ...SEGMENTS.map(selector),
  base(["fs", Reg.Fs]),
  base(["gs", Reg.Gs]),
  quad("k_gs_base", Reg.KernelGsBase),
  quad("cr0", Reg.Cr0),
  quad("cr2", Reg.Cr2),
  quad("cr3", Reg.Cr3),
  quad("cr4", Reg.Cr4),
  quad("cr8", Reg.Cr8),
  quad("efer", Reg.Efer),
  ...upTo(8).map((i) => register(`st${i}`, 10, Reg.FpMmx0 + i)),
  register("fctrl", 4, Reg.FpControlStatus, 0, 2),
  register("fstat", 4, Reg.FpControlStatus, FP_STATUS, 2),
  register("ftag", 4, Reg.FpControlStatus, FP_TAG, 1),
  register("fiseg", 4, Reg.FpControlStatus, FP_CS, 2),
  register("fioff", 4, Reg.FpControlStatus, FP_RIP),
  register("foseg", 4, Reg.XmmControlStatus, XMM_DS, 2),
  register("fooff", 4, Reg.XmmControlStatus, XMM_RDP),
  register("fop", 4, Reg.FpControlStatus, FP_OPCODE, 2),
  ...upTo(16).map((i) => register(`xmm${i}`, 16, Reg.Xmm0 + i)),
  register("mxcsr", 4, Reg.XmmControlStatus, XMM_MXCSR),
  // QEMU's end here.
  ...SEGMENTS.slice(0, 4).map(base),
  ...SEGMENTS.map(limit),
  ...SEGMENTS.map(attributes),
  register("gdtr_base", 8, Reg.Gdtr, TABLE_BASE),
  register("gdtr_limit", 4, Reg.Gdtr, TABLE_LIMIT, 2),
  register("idtr_base", 8, Reg.Idtr, TABLE_BASE),
  register("idtr_limit", 4, Reg.Idtr, TABLE_LIMIT, 2),
  ...([["ldtr", Reg.Ldtr], ["tr", Reg.Tr]] as const).flatMap((
    s,
  ) => [selector(s), base(s), limit(s), attributes(s)]),
  quad("dr0", Reg.Dr0),
  quad("dr1", Reg.Dr1),
  quad("dr2", Reg.Dr2),
  quad("dr3", Reg.Dr3),
  quad("dr6", Reg.Dr6),
  quad("dr7", Reg.Dr7),
  quad("xcr0", Reg.XCr0),
  quad("tsc", Reg.Tsc),
  quad("tsc_aux", Reg.TscAux),
  quad("apic_base", Reg.ApicBase),
  quad("pat", Reg.Pat),
  quad("star", Reg.Star),
  quad("lstar", Reg.Lstar),
  quad("cstar", Reg.Cstar),
  quad("sfmask", Reg.Sfmask),
  quad("sysenter_cs", Reg.SysenterCs),
  quad("sysenter_esp", Reg.SysenterEsp),
  quad("sysenter_eip", Reg.SysenterEip),
];

/** How many of `registers`, from the first, are QEMU's. */
export const QEMU_REGISTERS = 66;

const GENERAL32: readonly (readonly [string, number])[] = [
  ["eax", Reg.Rax],
  ["ecx", Reg.Rcx],
  ["edx", Reg.Rdx],
  ["ebx", Reg.Rbx],
  ["esp", Reg.Rsp],
  ["ebp", Reg.Rbp],
  ["esi", Reg.Rsi],
  ["edi", Reg.Rdi],
  ["eip", Reg.Rip],
  ["eflags", Reg.Rflags],
];

/** The low half of a register that has 8 bytes elsewhere. */
const half = (name: string) => {
  const { source, offset } = registers[registerNumber(name)];
  return register(name, 4, source, offset);
};

const numbers = new Map(registers.map((r, number) => [r.name, number]));

/** What QEMU's i386 stub has, in its order (gdb-xml/i386-32bit.xml). */
export const registers32: readonly Register[] = [
  ...GENERAL32.map(([name, source]) => register(name, 4, source)),
  ...SEGMENTS.map(selector),
  ..."fs_base gs_base k_gs_base cr0 cr2 cr3 cr4 cr8 efer".split(" ").map(half),
  ...registers.slice(registerNumber("st0"), registerNumber("xmm8")),
  register("mxcsr", 4, Reg.XmmControlStatus, XMM_MXCSR),
];

/** Every register there is, by the number that this room uses: those of
 * `registers`, then those of `registers32`. */
export const allRegisters: readonly Register[] = [...registers, ...registers32];

/** The number of a register by its name; throws RangeError if there is none. */
export function registerNumber(name: string): number {
  const number = numbers.get(name);
  if (number === undefined) throw new RangeError(`no register ${name}`);
  return number;
}

const ST0 = registerNumber("st0");

/** Size in bytes of registers [first, first + count), packed. */
export function registerBytes(first: number, count: number): number {
  return allRegisters.slice(first, first + count)
    .reduce((sum, r) => sum + r.bytes, 0);
}

/** What one platform call must carry for a range of registers. */
interface Layout {
  readonly names: Uint32Array;
  readonly values: Uint8Array;
  /** For every register: offset in the pack, offset in `values`, width, size. */
  readonly fields: Uint32Array;
  /** Offset in the pack of ftag, or -1. */
  readonly tagAt: number;
  /** Offsets in `values` of FpControlStatus and of ST(0). */
  readonly controlAt: number;
  readonly stackAt: number;
}

const layouts = new Map<number, Layout>();

function layoutOf(first: number, count: number): Layout {
  const key = first * allRegisters.length + count;
  let layout = layouts.get(key);
  if (layout === undefined) {
    layout = makeLayout(first, count);
    layouts.set(key, layout);
  }
  return layout;
}

function makeLayout(first: number, count: number): Layout {
  if (first < 0 || count < 1 || first + count > allRegisters.length) {
    throw new RangeError(`no registers ${first} to ${first + count - 1}`);
  }
  const wanted = allRegisters.slice(first, first + count);
  const hasTag = wanted.some((r) => r.name === "ftag");
  const sources = new Set(wanted.map((r) => r.source));
  // The full tag word says whether a value is zero or special.
  if (hasTag) {
    for (let i = 0; i < 8; i++) sources.add(registers[ST0 + i].source);
  }
  const names = [...sources];
  const at = (source: number) => names.indexOf(source) * VALUE_BYTES;
  const fields: number[] = [];
  let packed = 0;
  let tagAt = -1;
  for (const r of wanted) {
    if (r.name === "ftag") tagAt = packed;
    fields.push(packed, at(r.source) + r.offset, r.width, r.bytes);
    packed += r.bytes;
  }
  return {
    names: new Uint32Array(names),
    values: new Uint8Array(names.length * VALUE_BYTES),
    fields: new Uint32Array(fields),
    tagAt,
    controlAt: at(Reg.FpControlStatus),
    stackAt: at(Reg.FpMmx0),
  };
}

/** Reads registers [first, first + count), packed little endian, into the
 * beginning of `into`, with one platform call. Throws what the call throws. */
export function readRegisterRange(
  access: RegisterAccess,
  first: number,
  count: number,
  into: Uint8Array,
): void {
  const layout = layoutOf(first, count);
  const { values, fields, tagAt } = layout;
  access.getRegisters(layout.names, values);
  for (let i = 0; i < fields.length; i += 4) {
    const to = fields[i], from = fields[i + 1];
    const width = fields[i + 2], bytes = fields[i + 3];
    for (let b = 0; b < width; b++) into[to + b] = values[from + b];
    for (let b = width; b < bytes; b++) into[to + b] = 0;
  }
  if (tagAt >= 0) {
    const tag = fullTag(layout);
    into[tagAt] = tag & 0xff;
    into[tagAt + 1] = tag >> 8;
  }
}

/** Writes registers [first, first + count). Only values that differ are
 * written, so that writing back what was read has no effect of its own.
 * A selector is written alone: what loading it brings is segments.ts' to do. Throws what the platform call throws. */
export function writeRegisterRange(
  access: RegisterAccess,
  first: number,
  count: number,
  bytes: Uint8Array,
): void {
  const layout = layoutOf(first, count);
  const { names, values, fields, tagAt } = layout;
  access.getRegisters(names, values);
  const before = values.slice();
  const tagUnchanged = tagAt >= 0 &&
    (bytes[tagAt] | bytes[tagAt + 1] << 8) === fullTag(layout);
  for (let i = 0; i < fields.length; i += 4) {
    if (fields[i] === tagAt) continue;
    const to = fields[i + 1], width = fields[i + 2];
    for (let b = 0; b < width; b++) values[to + b] = bytes[fields[i] + b];
  }
  if (tagAt >= 0 && !tagUnchanged) {
    values[layout.controlAt + FP_TAG] = abridgedTag(
      bytes[tagAt] | bytes[tagAt + 1] << 8,
    );
  }
  const changed = [...names.keys()].filter((n) =>
    values.subarray(n * VALUE_BYTES, (n + 1) * VALUE_BYTES)
      .some((v, b) => v !== before[n * VALUE_BYTES + b])
  );
  if (changed.length === 0) return;
  const out = new Uint8Array(changed.length * VALUE_BYTES);
  changed.forEach((n, i) =>
    out.set(
      values.subarray(n * VALUE_BYTES, (n + 1) * VALUE_BYTES),
      i * VALUE_BYTES,
    )
  );
  access.setRegisters(new Uint32Array(changed.map((n) => names[n])), out);
}

// Two bits a register in the full tag word; one (0: empty) in the abridged.
const TAG_VALID = 0;
const TAG_ZERO = 1;
const TAG_SPECIAL = 2;
const TAG_EMPTY = 3;

function fullTag({ values, controlAt, stackAt }: Layout): number {
  const top = values[controlAt + FP_STATUS + 1] >> 3 & 7;
  let tag = 0;
  for (let physical = 0; physical < 8; physical++) {
    const full = values[controlAt + FP_TAG] >> physical & 1;
    // FpMmx0-7 are ST(0)-ST(7), as in an FXSAVE image.
    const at = stackAt + (physical - top & 7) * VALUE_BYTES;
    tag |= (full ? classify(values, at) : TAG_EMPTY) << physical * 2;
  }
  return tag;
}

function classify(values: Uint8Array, at: number): number {
  const exponent = (values[at + 8] | values[at + 9] << 8) & 0x7fff;
  const zeros = values.subarray(at, at + 8).every((b) => b === 0);
  if (exponent === 0 && zeros) return TAG_ZERO;
  const normal = exponent !== 0 && exponent !== 0x7fff &&
    (values[at + 7] & 0x80) !== 0;
  return normal ? TAG_VALID : TAG_SPECIAL;
}

function abridgedTag(full: number): number {
  let tag = 0;
  for (let i = 0; i < 8; i++) {
    if ((full >> i * 2 & 3) !== TAG_EMPTY) tag |= 1 << i;
  }
  return tag;
}
