/**
 * ELF files (System V ABI, "Object Files"; x86-64 psABI) as far as a loader
 * needs them: the header, the program headers, the notes. Every number is
 * checked against the file before it is used.
 */
import { BootError, hex } from "./image.ts";

const MAGIC = 0x7f454c46;
const CLASS_32 = 1, CLASS_64 = 2, LITTLE_ENDIAN = 1;
const ET_EXEC = 2, ET_DYN = 3;
const EM_386 = 3, EM_X86_64 = 62;
const PT_LOAD = 1, PT_NOTE = 4;
/** What other machines' files are called in the message. */
const MACHINES: Record<number, string> = {
  2: "SPARC",
  8: "MIPS",
  20: "PowerPC",
  21: "64-bit PowerPC",
  22: "S/390",
  40: "ARM",
  50: "Itanium",
  183: "AArch64",
  243: "RISC-V",
  258: "LoongArch",
};

/** A part of the file that goes into memory. */
export interface ElfSegment {
  readonly vaddr: bigint;
  readonly paddr: bigint;
  /** Bytes in memory; those past `bytes` are zero. */
  readonly memsz: bigint;
  readonly bytes: Uint8Array;
}

/** An entry of a PT_NOTE segment. */
export interface ElfNote {
  readonly owner: string;
  readonly type: number;
  readonly bytes: Uint8Array;
}

/** An executable for this machine. */
export interface ElfFile {
  readonly bits: 32 | 64;
  readonly entry: bigint;
  readonly segments: readonly ElfSegment[];
  readonly notes: readonly ElfNote[];
}

/** True if `file` begins as ELF files do. */
export function isElf(file: Uint8Array): boolean {
  return file.length >= 4 && view(file).getUint32(0) === MAGIC;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Takes a file apart; throws a BootError when it is torn or foreign. */
export function parseElf(file: Uint8Array, name: string): ElfFile {
  const torn = (what: string) =>
    new BootError(`${name}: torn ELF file: ${what} lies beyond its end`);
  if (file.length < 20) throw torn("the header");
  const data = view(file);
  const fileClass = file[4];
  if (fileClass !== CLASS_32 && fileClass !== CLASS_64) {
    throw new BootError(`${name}: ELF file of unknown class ${fileClass}`);
  }
  if (file[5] !== LITTLE_ENDIAN) {
    throw new BootError(
      `${name}: big-endian ELF file, not for an x86 processor`,
    );
  }
  const machine = data.getUint16(18, true);
  const wide = fileClass === CLASS_64;
  if (machine !== EM_X86_64 && machine !== EM_386) {
    throw new BootError(
      `${name}: ELF file for ${
        MACHINES[machine] ?? `machine ${machine}`
      }, not for an x86 processor`,
    );
  }
  if (file.length < (wide ? 64 : 52)) throw torn("the header");
  const type = data.getUint16(16, true);
  if (type !== ET_EXEC && type !== ET_DYN) {
    throw new BootError(
      `${name}: ELF file of type ${type}, not an executable (was it linked?)`,
    );
  }
  const word = (at: number) =>
    wide ? data.getBigUint64(at, true) : BigInt(data.getUint32(at, true));
  const entry = word(24);
  const tableAt = word(wide ? 32 : 28);
  const entrySize = data.getUint16(wide ? 54 : 42, true);
  const count = data.getUint16(wide ? 56 : 44, true);
  if (count > 0 && entrySize < (wide ? 56 : 32)) {
    throw new BootError(`${name}: ELF program headers of ${entrySize} bytes`);
  }
  if (tableAt + BigInt(count * entrySize) > BigInt(file.length)) {
    throw torn("the table of program headers");
  }
  const segments: ElfSegment[] = [];
  const notes: ElfNote[] = [];
  for (let i = 0; i < count; i++) {
    const at = Number(tableAt) + i * entrySize;
    const kind = data.getUint32(at, true);
    if (kind !== PT_LOAD && kind !== PT_NOTE) continue;
    const field = (narrow: number, offset: number) =>
      word(at + (wide ? offset : narrow));
    const offset = field(4, 8);
    const filesz = field(16, 32);
    const memsz = field(20, 40);
    if (offset + filesz > BigInt(file.length)) throw torn(`segment ${i}`);
    const bytes = file.subarray(Number(offset), Number(offset + filesz));
    if (kind === PT_NOTE) {
      notes.push(...parseNotes(bytes));
    } else if (memsz < filesz) {
      throw new BootError(
        `${name}: ELF segment ${i} has ${hex(filesz)} bytes for ${
          hex(memsz)
        } of memory`,
      );
    } else if (memsz > 0n) {
      segments.push({
        vaddr: field(8, 16),
        paddr: field(12, 24),
        memsz,
        bytes,
      });
    }
  }
  if (segments.length === 0) {
    throw new BootError(`${name}: ELF file with nothing to load`);
  }
  return { bits: wide ? 64 : 32, entry, segments, notes };
}

/** Notes up to the first that is torn: they are advice, not the program. */
function parseNotes(bytes: Uint8Array): ElfNote[] {
  const notes: ElfNote[] = [];
  const data = view(bytes);
  const pad = (length: number) => (length + 3) & ~3;
  let at = 0;
  while (at + 12 <= bytes.length) {
    const nameSize = data.getUint32(at, true);
    const size = data.getUint32(at + 4, true);
    const content = at + 12 + pad(nameSize);
    if (nameSize > bytes.length || content + size > bytes.length) break;
    const name = bytes.subarray(at + 12, at + 12 + Math.max(0, nameSize - 1));
    notes.push({
      owner: new TextDecoder("latin1").decode(name),
      type: data.getUint32(at + 8, true),
      bytes: bytes.subarray(content, content + size),
    });
    at = content + pad(size);
  }
  return notes;
}

/** True for an address that a processor with four levels of paging can form. */
export function isCanonical(address: bigint): boolean {
  return BigInt.asUintN(64, BigInt.asIntN(48, address)) === address;
}

/**
 * Throws a BootError for an entry point where nothing of the file is: neither
 * by its virtual nor by its physical addresses.
 */
export function checkElfEntry(elf: ElfFile, entry: bigint, name: string): void {
  if (elf.bits === 64 && !isCanonical(entry)) {
    throw new BootError(
      `${name}: entry point ${hex(entry)} is no canonical address`,
    );
  }
  const inside = elf.segments.some(({ vaddr, paddr, memsz }) =>
    entry >= vaddr && entry < vaddr + memsz ||
    entry >= paddr && entry < paddr + memsz
  );
  if (!inside) {
    throw new BootError(
      `${name}: entry point ${
        hex(entry)
      } lies in no segment (has the program ` +
        `the symbol that ld's ENTRY names?)`,
    );
  }
}

/** The physical address of `entry`: a virtual one is translated as GRUB does. */
export function physicalEntry(elf: ElfFile): bigint {
  for (const { vaddr, paddr, memsz } of elf.segments) {
    if (elf.entry >= vaddr && elf.entry < vaddr + memsz) {
      return elf.entry - vaddr + paddr;
    }
  }
  return elf.entry;
}
