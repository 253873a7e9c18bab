// Guest images made by hand for the loaders' tests.
import type { BootImage, BootRequest } from "../../src/boot/image.ts";
import { ByteWriter } from "../../src/boot/writer.ts";

export const MIB = 1024 * 1024;

/** A request with everything usual. */
export function request(
  image: Uint8Array,
  changes: Partial<BootRequest> = {},
): BootRequest {
  return {
    image,
    name: "guest",
    commandLine: "",
    modules: [],
    ramBytes: 64 * MIB,
    cpus: 2,
    virtioDevices: 0,
    ...changes,
  };
}

export interface ElfPart {
  vaddr: number | bigint;
  paddr?: number | bigint;
  bytes: Uint8Array;
  memsz?: number | bigint;
  type?: number;
}

/** An ELF file of `bits` with these program segments. */
export function elf(
  bits: 32 | 64,
  entry: number | bigint,
  parts: ElfPart[],
  machine = bits === 64 ? 62 : 3,
): Uint8Array {
  const wide = bits === 64;
  const w = new ByteWriter();
  const word = (value: number | bigint) =>
    wide ? w.u64(value) : w.u32(Number(value));
  const headerBytes = wide ? 64 : 52, entryBytes = wide ? 56 : 32;
  w.u8(0x7f).text("ELF").u8(wide ? 2 : 1, 1, 1).padTo(16);
  w.u16(2).u16(machine).u32(1);
  word(entry);
  word(headerBytes);
  word(0);
  w.u32(0).u16(headerBytes).u16(entryBytes).u16(parts.length)
    .u16(0).u16(0).u16(0);
  let offset = headerBytes + parts.length * entryBytes;
  for (const { vaddr, paddr = vaddr, bytes, memsz, type = 1 } of parts) {
    const size = memsz ?? bytes.length;
    w.u32(type);
    if (wide) {
      w.u32(7).u64(offset).u64(vaddr).u64(paddr).u64(bytes.length).u64(size)
        .u64(16);
    } else {
      w.u32(offset).u32(Number(vaddr)).u32(Number(paddr)).u32(bytes.length)
        .u32(Number(size)).u32(7).u32(16);
    }
    offset += bytes.length;
  }
  for (const { bytes } of parts) w.bytes(bytes);
  return w.done();
}

/** A multiboot header; `addresses` are the a.out kludge's five fields. */
export function multibootHeader(
  flags: number,
  addresses: number[] = [],
): Uint8Array {
  const w = new ByteWriter().u32(0x1badb002).u32(flags)
    .u32(-(0x1badb002 + flags));
  for (const value of addresses) w.u32(value);
  return w.done();
}

/** Bytes of guest memory after the image's writes, zeros elsewhere. */
export class GuestView {
  constructor(readonly image: BootImage) {}

  bytes(gpa: number, length: number): Uint8Array {
    const out = new Uint8Array(length);
    for (const write of this.image.segments) {
      for (let i = 0; i < length; i++) {
        const at = gpa + i - write.gpa;
        if (at >= 0 && at < write.bytes.length) out[i] = write.bytes[at];
      }
    }
    return out;
  }

  u32(gpa: number): number {
    return new DataView(this.bytes(gpa, 4).buffer).getUint32(0, true);
  }

  u64(gpa: number): number {
    return Number(
      new DataView(this.bytes(gpa, 8).buffer).getBigUint64(0, true),
    );
  }

  text(gpa: number): string {
    const bytes = this.bytes(gpa, 1024);
    return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
  }

  /** Physical address of `gva` by the image's page tables; null if none. */
  walk(gva: bigint): number | null {
    let table = Number(this.image.registers.cr3);
    for (let level = 3; level >= 0; level--) {
      const index = Number((gva >> BigInt(12 + 9 * level)) & 511n);
      const entry = this.u64(table + 8 * index);
      if (!(entry & 1)) return null;
      const base = Math.floor(entry / 4096) * 4096;
      if (level === 0) return base + Number(gva & 0xfffn);
      if (level === 1 && entry & 0x80) return base + Number(gva & 0x1fffffn);
      table = base;
    }
    return null;
  }
}

/** A pattern that shows where it came from. */
export function pattern(length: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + seed) & 0xff);
}
