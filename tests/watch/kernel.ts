/**
 * A supervisor's guest for single instructions made of the core's table, in 64, 32 and
 * 16-bit code. All it has, page tables apart, is in the first 64 KiB, linear addresses
 * are physical ones, and what is no code is HLT.
 *
 * @module
 */
import { LocalApicEmulationMode } from "../../ffi/enums.ts";
import { Reg } from "../../ffi/registers.ts";
import { Partition, type VirtualProcessor } from "../../src/platform/mod.ts";
import type { SoftPlatform } from "../../src/soft/mod.ts";
import type { Mode } from "../silicon/encode.ts";
import type { Prng } from "../silicon/prng.ts";
import { type Cell, named } from "./table.ts";
import { ALIAS, type Ground } from "./ground.ts";

export const KERNEL_BYTES = 0x2_0000;
const GDT = 0x1000, IDT = 0x2000, TSS = 0x3000, OTHER_TSS = 0x3400;
const LDT = 0x3800, OPERANDS = 0x5000, STRINGS = 0x7000, CODE = 0x8000;
const STACK = 0x9000, END = 0xb000;
/** Where the stack begins. */
const STACK_TOP = STACK + 0x800;
const PML4 = 0x1_0000, PDPT = 0x1_1000, PD = 0x1_2000, PT = 0x1_3000;
/** Page directory pointers of 32-bit paging with PAE. */
const PDPT32 = 0x1_4000;
/** Where the case is, and where far transfers go. */
const ENTRY = CODE + 0x800, LANDING = CODE + 0x100;
const HLT = 0xf4;

const Selector = {
  code: 0x08,
  data: 0x10,
  tss: 0x18,
  otherTss: 0x28,
  ldt: 0x38,
  userCode: 0x4b,
  userData: 0x53,
} as const;

/** MXCSR is the third word of its register. */
const MXCSR = Uint32Array.of(Reg.XmmControlStatus);
const ALL_MASKED = new Uint8Array(
  Uint32Array.of(0, 0, 0x1f80, 0xffff).buffer,
);

const EVERY_VECTOR = 0xf_7dfbn;
const EXCEPTION_EXIT = 4n;

const CONTENTS = [
  "random",
  "zeros",
  "frame16",
  "frame32",
  "frame64",
  "user frame16",
  "user frame32",
  "user frame64",
  "user return16",
  "user return32",
  "user return64",
  "far16 data",
  "far32 data",
  "data selector",
  "TSS selector",
  "LDT selector",
  "compacted XSAVE area",
  "bounds16",
  "bounds32",
  "random",
  "random",
] as const;

/** How many contents there are to try. */
export const TRIES = CONTENTS.length;

function fill(what: typeof CONTENTS[number], rng: Prng): Uint8Array {
  const bytes = new Uint8Array(0x300);
  const view = new DataView(bytes.buffer);
  const stack = STACK + 0xa00;
  const { code, data, userCode, userData } = Selector;
  const put = (size: number, values: readonly number[]) =>
    values.forEach((
      value,
      i,
    ) =>
      size === 2
        ? view.setUint16(2 * i, value, true)
        : view.setUint32(size * i, value, true)
    );
  switch (what) {
    case "random":
      for (let i = 0; i < bytes.length; i++) bytes[i] = rng.int(256);
      break;
    case "frame16":
      put(2, [LANDING, code, 2, stack, data]);
      break;
    case "user frame16":
      put(2, [LANDING, userCode, 2, stack, userData]);
      break;
    case "user return16":
      put(2, [LANDING, userCode, stack, userData]);
      break;
    case "frame32":
      put(4, [LANDING, code, 2, stack, data]);
      break;
    case "user frame32":
      put(4, [LANDING, userCode, 2, stack, userData]);
      break;
    case "user return32":
      put(4, [LANDING, userCode, stack, userData]);
      break;
    case "frame64":
      put(8, [LANDING, code, 2, stack, data]);
      break;
    case "user frame64":
      put(8, [LANDING, userCode, 2, stack, userData]);
      break;
    case "user return64":
      put(8, [LANDING, userCode, stack, userData]);
      break;
    case "far16 data":
      view.setUint16(2, Selector.data, true);
      break;
    case "far32 data":
      view.setUint16(4, Selector.data, true);
      break;
    case "data selector":
      view.setUint16(0, Selector.data, true);
      break;
    case "TSS selector":
      view.setUint16(0, Selector.otherTss, true);
      break;
    case "LDT selector":
      view.setUint16(0, Selector.ldt, true);
      break;
    case "compacted XSAVE area":
      view.setBigUint64(512 + 8, 1n << 63n | 3n, true);
      break;
    case "bounds16":
      view.setUint16(2, 0x7fff, true);
      break;
    case "bounds32":
      view.setUint32(4, 0x7fff, true);
      break;
  }
  return bytes;
}

/** Descriptors of the GDT: code, data, tasks and the LDT; long mode has wider ones. */
function descriptors(mode: Mode): bigint[] {
  const flags = { 64: 0xan, 32: 0xcn, 16: 0x0n }[mode];
  const flat = (type: bigint, flags: bigint) =>
    0xffffn | type << 40n | 0xfn << 48n | flags << 52n;
  const system = (base: number, limit: number, type: bigint) =>
    BigInt(limit) | BigInt(base) << 16n | type << 40n;
  return [
    0n,
    flat(0x9an, flags),
    flat(0x92n, mode === 16 ? 0n : 0xcn),
    system(TSS, 0x67, 0x8bn),
    0n,
    system(OTHER_TSS, 0x67, 0x89n),
    0n,
    system(LDT, 0xff, 0x82n),
    0n,
    flat(0xfan, flags),
    flat(0xf2n, mode === 16 ? 0n : 0xcn),
  ];
}

/** Runs single instructions. */
export class Kernel implements Ground {
  readonly partition: Partition;
  readonly vp: VirtualProcessor;
  readonly memory: Uint8Array;
  readonly touched = [GDT, END] as const;
  readonly operands = [OPERANDS, CODE] as const;
  readonly #platform: SoftPlatform;
  readonly #view: DataView;
  readonly #names = [
    ...Array.from({ length: 18 }, (_, i) => Reg.Rax + i),
    ...[Reg.Cr0, Reg.Cr3, Reg.Cr4, Reg.Efer, Reg.Dr6, Reg.Dr7],
    ...Array.from({ length: 16 }, (_, i) => Reg.Xmm0 + i),
    ...[Reg.FpControlStatus, Reg.XmmControlStatus],
    ...Array.from({ length: 8 }, (_, i) => Reg.FpMmx0 + i),
    ...Array.from({ length: 6 }, (_, i) => Reg.Es + i),
    ...[Reg.Ldtr, Reg.Tr, Reg.Gdtr, Reg.Idtr],
  ];
  readonly #wanted = new Uint32Array(this.#names);
  readonly #values = new Uint8Array(16 * this.#names.length);
  #image = new Uint8Array();
  #registers: readonly [number, bigint][] = [];
  #mode: Mode = 64;

  constructor(platform: SoftPlatform) {
    this.#platform = platform;
    this.memory = platform.guestMemory.subarray(0, KERNEL_BYTES);
    this.#view = new DataView(
      this.memory.buffer,
      this.memory.byteOffset,
      KERNEL_BYTES,
    );
    const partition = Partition.create(platform);
    partition.setProcessorCount(1);
    partition.setLocalApicEmulationMode(LocalApicEmulationMode.None);
    partition.setExtendedVmExits(EXCEPTION_EXIT);
    partition.setExceptionExitBitmap(EVERY_VECTOR);
    partition.setup();
    partition.mapGpaRange(this.memory, 0, 7);
    this.partition = partition;
    this.vp = partition.createVirtualProcessor(0);
    this.#quad(PML4, BigInt(PDPT) | 7n);
    this.#quad(PDPT, BigInt(PD) | 7n);
    this.#quad(PDPT32, BigInt(PD) | 1n);
    this.#quad(PD, BigInt(PT) | 7n);
    this.map(false);
  }

  #quad(at: number, value: bigint): void {
    this.#view.setBigUint64(at, value, true);
  }

  map(device: boolean): void {
    for (let at = 0; at < 0x2_0000; at += 0x1000) {
      const by = device && at >= GDT && at < END && at !== CODE ? ALIAS : 0;
      // Who goes astray does not run data, for ever maybe.
      const noExecute = at === CODE ? 0n : 1n << 63n;
      this.#quad(PT + at / 0x200, BigInt(at + by) | 0x67n | noExecute);
    }
    this.vp.set(Reg.Cr3, BigInt(PML4));
  }

  linearOf(gpa: number): bigint {
    return BigInt(gpa);
  }

  /** Makes a case: an instruction with the `attempt`th contents. Returns its address. */
  make(
    mode: Mode,
    code: readonly number[],
    attempt: number,
    rng: Prng,
  ): number {
    this.#mode = mode;
    const { memory } = this;
    memory.fill(0, GDT, END);
    for (let at = OPERANDS; at < CODE; at++) memory[at] = rng.int(256);
    memory.fill(HLT, CODE, CODE + 0x1000);
    memory.set(code, ENTRY);
    descriptors(mode).forEach((value, i) => this.#quad(GDT + 8 * i, value));
    const what = CONTENTS[attempt];
    const content = fill(what, rng);
    const operand = OPERANDS + 0x400 + 64 * rng.int(48) +
      (rng.chance(30) ? rng.int(64) : 0);
    memory.set(content, operand);
    memory.set(content.subarray(0, 0x100), STACK_TOP);
    this.#image = memory.slice(GDT, END);
    this.#platform.hostWrote(CODE, 0x1000);
    const number = () => BigInt(rng.u32());
    this.#registers = [
      [Reg.Rax, 3n],
      [Reg.Rcx, 3n],
      [Reg.Rdx, 0n],
      [Reg.Rbx, BigInt(operand)],
      [Reg.Rsp, BigInt(STACK_TOP)],
      [Reg.Rbp, BigInt(STACK + 0x900)],
      [Reg.Rsi, BigInt(STRINGS + 0x100 + rng.int(0x300))],
      [Reg.Rdi, BigInt(STRINGS + 0x800 + rng.int(0x300))],
      ...Array.from(
        { length: 8 },
        (_, i): [number, bigint] => [Reg.R8 + i, mode === 64 ? number() : 0n],
      ),
      [Reg.Rip, BigInt(ENTRY)],
      [Reg.Rflags, 2n],
      ...Array.from(
        { length: 16 },
        (_, i): [number, bigint] => [Reg.Xmm0 + i, number()],
      ),
      ...Array.from(
        { length: 8 },
        (_, i): [number, bigint] => [Reg.FpMmx0 + i, number()],
      ),
    ];
    return operand;
  }

  /** Changes the memory that the case finds, by guest physical address. */
  change(by: (view: DataView) => void): void {
    this.memory.set(this.#image, GDT);
    by(this.#view);
    this.#image = this.memory.slice(GDT, END);
  }

  /** Writes a 32-bit task that goes to LANDING. */
  makeTask(view: DataView): void {
    const word = (at: number, value: number) =>
      view.setUint32(OTHER_TSS + at, value, true);
    word(0x1c, PDPT32);
    word(0x20, LANDING);
    word(0x24, 2);
    word(0x38, STACK_TOP + 0x200);
    word(0x4c, Selector.code);
    for (const at of [0x48, 0x50, 0x54, 0x58, 0x5c]) word(at, Selector.data);
  }

  place(): void {
    const { vp } = this;
    const long = this.#mode === 64;
    this.memory.set(this.#image, GDT);
    vp.set(Reg.Efer, long ? 0xd01n : 0x801n);
    vp.set(Reg.Cr4, 0x4_06a0n);
    vp.set(Reg.Cr3, BigInt(long ? PML4 : PDPT32));
    vp.set(Reg.Cr0, 0x8005_0033n);
    vp.set(Reg.XCr0, 3n);
    vp.set(Reg.Dr6, 0xffff0ff0n);
    vp.set(Reg.Dr7, 0x400n);
    const code = { 64: 0xa09b, 32: 0xc09b, 16: 0x009b }[this.#mode];
    const limit = this.#mode === 16 ? 0xffff : 0xffff_ffff;
    const segment = (selector: number, attributes: number) => ({
      base: 0n,
      limit,
      selector,
      attributes,
    });
    vp.setSegment(Reg.Cs, segment(Selector.code, code));
    const data = this.#mode === 16 ? 0x0093 : 0xc093;
    for (const name of [Reg.Es, Reg.Ss, Reg.Ds, Reg.Fs, Reg.Gs]) {
      vp.setSegment(name, segment(Selector.data, data));
    }
    vp.setSegment(Reg.Tr, {
      base: BigInt(TSS),
      limit: 0x67,
      selector: Selector.tss,
      attributes: 0x8b,
    });
    vp.setSegment(Reg.Ldtr, {
      base: BigInt(LDT),
      limit: 0xff,
      selector: Selector.ldt,
      attributes: 0x82,
    });
    vp.setTable(Reg.Gdtr, { base: BigInt(GDT), limit: 0x57 });
    vp.setTable(Reg.Idtr, { base: BigInt(IDT), limit: 0xfff });
    // First, as FpMmx0 is what TOP says.
    vp.set(Reg.FpControlStatus, 0x37fn);
    vp.setRegisters(MXCSR, ALL_MASKED);
    for (const [name, value] of this.#registers) vp.set(name, value);
    vp.set(Reg.InterruptState, 0n);
  }

  registers(): Uint8Array {
    this.vp.getRegisters(this.#wanted, this.#values);
    return this.#values;
  }
}

/** RIP of a case that has come to the HLT behind it, or null. A user may not halt. */
export function landed(reason: string, rip: bigint): bigint | null {
  if (reason === "halt") return rip - 1n;
  return reason === "exception 13, 0" && rip === BigInt(LANDING) ? rip : null;
}

export { ENTRY };

/** Where things are. */
export const Place = {
  GDT,
  IDT,
  TSS,
  OTHER_TSS,
  LANDING,
  OPERANDS,
  STACK_TOP,
  Selector,
} as const;

/** One encoding of a cell. */
export interface Encoding {
  readonly code: number[];
  readonly lock: boolean;
}

/** The encodings of a cell by operand size, LOCK and, where it is free, ModRM.reg. */
export function encodings(cell: Cell, mode: Mode): Encoding[] {
  const { map, prefix, opcode, flags, operand } = cell;
  const has = (name: string) => (flags & named(name)) !== 0;
  if (has(mode === 64 ? "INV64" : "ONLY64")) return [];
  const vex = map > 3;
  const all: Encoding[] = [];
  const regs = cell.reg >= 0
    ? [cell.reg]
    : operand === "modrm"
    ? [1, 2, 3]
    : [0];
  for (const reg of regs) {
    for (const other of prefix > 1 && !vex ? [false, true] : [prefix === 1]) {
      for (const wide of mode === 64 ? [false, true] : [false]) {
        for (
          const lock of has("LOCKOK") && operand === "modrm"
            ? [false, true]
            : [false]
        ) {
          const code: number[] = [];
          const size = wide ? 64 : other === (mode !== 16) ? 16 : 32;
          if (lock) code.push(0xf0);
          if (vex) {
            // R, X and B are 1 as there is none; vvvv names RDX, or nothing.
            const vvvv = has("VVVV") ? 0xd : 0xf;
            code.push(
              0xc4,
              0xe0 | map - 3,
              (wide ? 0x80 : 0) | vvvv << 3 | prefix,
            );
          } else {
            if (other) code.push(0x66);
            if (prefix > 1) code.push(prefix === 2 ? 0xf3 : 0xf2);
            if (wide) code.push(0x48);
            code.push(...[[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]][map]);
          }
          code.push(opcode);
          if (operand === "modrm") code.push(reg << 3 | (mode === 16 ? 7 : 3));
          all.push({ code: [...code, ...immediates(flags, size, mode)], lock });
        }
      }
    }
  }
  return all;
}

function immediates(flags: number, size: number, mode: Mode): number[] {
  const bytes = (value: number, count: number) =>
    Array.from({ length: count }, (_, i) => i < 4 ? value >>> 8 * i & 255 : 0);
  const kind = flags & named("IMM_MASK");
  switch (kind) {
    case named("IMM_B"):
      return [1];
    case named("REL8"):
      return [0];
    case named("IMM_Z"):
      return bytes(8, size === 16 ? 2 : 4);
    case named("RELZ"):
      return bytes(0, size === 16 && mode !== 64 ? 2 : 4);
    case named("IMM_V"):
      return bytes(8, size / 8);
    case named("IMM_W"):
      return bytes(8, 2);
    case named("IMM_WB"):
      return [...bytes(8, 2), 2];
    case named("IMM_FAR"):
      return [
        ...bytes(LANDING, size === 16 ? 2 : 4),
        ...bytes(Selector.code, 2),
      ];
    case named("IMM_MOFFS"):
      return bytes(OPERANDS + 0x6f8, mode / 8);
    case named("IMM_BB"):
      return [8, 8];
    default:
      return [];
  }
}
