/**
 * Multiboot 1 (specification 0.6.96): the header in the image's first 8 KiB,
 * ELF images of both classes and the a.out kludge, the information structure
 * with command line, modules and memory map. Where the specification leaves a
 * choice, QEMU's is taken: the command line begins with the image's name, a
 * module's string with the file's, modules follow the image on page boundaries.
 */
import { getLogger } from "@logtape/logtape";
import { checkElfEntry, isElf, parseElf, physicalEntry } from "./elf.ts";
import {
  BootError,
  type BootImage,
  type BootModule,
  type BootRequest,
  hex,
} from "./image.ts";
import {
  HIGH_BASE,
  LOW_END,
  lowRam,
  memoryMap,
  Placement,
} from "./placement.ts";
import { placeStack, protectedMode } from "./states.ts";
import { FIRMWARE_PORTS, placeFirmware } from "./firmware.ts";
import { ByteWriter, cString } from "./writer.ts";
import { placeAcpi } from "./acpi/tables.ts";

const log = getLogger(["icebp", "boot"]);

const HEADER_MAGIC = 0x1badb002;
/** What EAX holds at entry. */
export const BOOTLOADER_MAGIC = 0x2badb002n;
const SEARCH_BYTES = 8192;
/** Header flag: the address fields are valid, the file need not be ELF. */
const ADDRESS_FIELDS = 1 << 16;
/** Information flags. */
const Info = {
  memory: 0x001,
  bootDevice: 0x002,
  commandLine: 0x004,
  modules: 0x008,
  memoryMap: 0x040,
  loaderName: 0x200,
} as const;
/** "First hard disk, no partition", as QEMU says. */
const BOOT_DEVICE = 0x8000ffff;
/** Information structure up to and with boot_loader_name. */
const INFO_BYTES = 0x44;

interface Header {
  /** Its offset in the file. */
  readonly at: number;
  readonly flags: number;
}

/** Bits of the flags that a loader must know or refuse, and those known here. */
const REQUIRED = 0xffff, PAGE_ALIGN = 1, MEMORY_INFO = 2, VIDEO = 4;
const HEADER_2 = { magic: 0xe85250d6, search: 32768, align: 8 } as const;

/** What speaks of multiboot in a file without a header of version 1: a line for
 * the user; null if nothing does. */
export function almostMultiboot(
  file: Uint8Array,
): { readonly version: 1 | 2; readonly what: string } | null {
  const data = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const end2 = Math.min(HEADER_2.search, file.length) - 16;
  for (let at = 0; at <= end2; at += HEADER_2.align) {
    const field = (index: number) => data.getUint32(at + 4 * index, true);
    if (field(0) !== HEADER_2.magic) continue;
    if ((field(0) + field(1) + field(2) + field(3)) % 2 ** 32 !== 0) continue;
    return {
      version: 2,
      what: "a multiboot 2 image; icebp boots multiboot 1, PVH and plain ELF",
    };
  }
  const end = Math.min(SEARCH_BYTES, file.length) - 12;
  for (let at = 0; at <= end; at += 4) {
    if (data.getUint32(at, true) !== HEADER_MAGIC) continue;
    return {
      version: 1,
      what: `the multiboot header at offset ${hex(at)} has a wrong checksum`,
    };
  }
  return null;
}

/** Throws a BootError for what the header asks for and nobody gives. */
function checkFlags(flags: number, name: string): void {
  const unknown = flags & REQUIRED & ~(PAGE_ALIGN | MEMORY_INFO | VIDEO);
  if (unknown !== 0) {
    throw new BootError(
      `${name}: the multiboot header requires what no loader knows (flags ${
        hex(unknown)
      })`,
    );
  }
  if (flags & VIDEO) {
    log.warn(
      "{name}: the multiboot header asks for a video mode; there is no display",
      { name },
    );
  }
}

/** Finds the header: a magic number on a 4-byte boundary whose sum is 0. */
export function findMultibootHeader(file: Uint8Array): Header | null {
  const data = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const end = Math.min(SEARCH_BYTES, file.length);
  for (let at = 0; at + 12 <= end; at += 4) {
    if (data.getUint32(at, true) !== HEADER_MAGIC) continue;
    const flags = data.getUint32(at + 4, true);
    const checksum = data.getUint32(at + 8, true);
    if ((HEADER_MAGIC + flags + checksum) >>> 0 === 0) return { at, flags };
  }
  return null;
}

/** Loads an image that has a multiboot header. */
export function loadMultiboot(request: BootRequest, header: Header): BootImage {
  checkFlags(header.flags, request.name);
  const placement = new Placement(request.ramBytes);
  placeAcpi(placement, request);
  const entry = header.flags & ADDRESS_FIELDS
    ? placeByAddressFields(placement, request, header)
    : placeElf(placement, request);
  placeFirmware(placement, request);
  const info = placeMultibootInfo(placement, request);
  return {
    kind: "multiboot",
    segments: placement.writes,
    ports: FIRMWARE_PORTS,
    registers: protectedMode(placement, {
      entry,
      gpr: {
        rax: BOOTLOADER_MAGIC,
        rbx: BigInt(info),
        rsp: placeStack(placement),
      },
    }),
    describe: `${request.name}: multiboot image entered at ${
      hex(entry)
    } in 32-bit protected mode`,
  };
}

function placeElf(placement: Placement, request: BootRequest): bigint {
  if (!isElf(request.image)) {
    throw new BootError(
      `${request.name}: multiboot header without addresses in a file that is not ELF`,
    );
  }
  const elf = parseElf(request.image, request.name);
  elf.segments.forEach(({ paddr, memsz, bytes }, i) => {
    placement.reserve(paddr, memsz, `${request.name}: segment ${i}`);
    placement.fill(Number(paddr), bytes);
  });
  checkElfEntry(elf, elf.entry, request.name);
  return physicalEntry(elf);
}

/** The a.out kludge: the header says what goes where. */
function placeByAddressFields(
  placement: Placement,
  request: BootRequest,
  header: Header,
): bigint {
  const { image, name } = request;
  if (header.at + 32 > image.length) {
    throw new BootError(`${name}: torn multiboot header`);
  }
  const data = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const field = (index: number) =>
    data.getUint32(header.at + 12 + 4 * index, true);
  const [headerAddress, load, loadEnd, bssEnd, entry] = [0, 1, 2, 3, 4]
    .map(field);
  const from = header.at - (headerAddress - load);
  if (headerAddress < load || from < 0) {
    throw new BootError(
      `${name}: multiboot header at ${hex(headerAddress)} with load address ${
        hex(load)
      } begins before the file`,
    );
  }
  if (loadEnd !== 0 && loadEnd < load) {
    throw new BootError(
      `${name}: multiboot load end ${hex(loadEnd)} is below its start ${
        hex(load)
      }`,
    );
  }
  const length = loadEnd === 0 ? image.length - from : loadEnd - load;
  if (from + length > image.length) {
    throw new BootError(
      `${name}: torn multiboot image: ${
        from + length - image.length
      } bytes are missing`,
    );
  }
  if (loadEnd !== 0 && bssEnd !== 0 && bssEnd < loadEnd) {
    throw new BootError(
      `${name}: multiboot bss end ${hex(bssEnd)} is below its load end ${
        hex(loadEnd)
      }`,
    );
  }
  const end = Math.max(load + length, bssEnd);
  placement.reserve(load, end - load, name);
  placement.fill(load, image.subarray(from, from + length));
  if (entry < load || entry >= end) {
    throw new BootError(
      `${name}: entry point ${hex(entry)} lies outside the image, which is at ${
        hex(load)
      } to ${hex(end - 1)}`,
    );
  }
  return BigInt(entry);
}

/** The modules of a request: the initrd first. */
export function allModules(request: BootRequest): BootModule[] {
  return request.initrd === undefined
    ? [...request.modules]
    : [request.initrd, ...request.modules];
}

/** The command line as multiboot guests get it: with the image's name. */
function fullCommandLine(request: BootRequest): string {
  return request.commandLine === ""
    ? request.name
    : `${request.name} ${request.commandLine}`;
}

/** Puts modules, strings and the information structure into memory. */
export function placeMultibootInfo(
  placement: Placement,
  request: BootRequest,
): number {
  const table = (bytes: Uint8Array, what: string) => {
    const at = placement.allocateTable(bytes.length, what);
    placement.fill(at, bytes);
    return at;
  };
  const above = Math.max(HIGH_BASE, placement.top);
  const modules = allModules(request);
  const list = new ByteWriter();
  for (const [i, { bytes, text }] of modules.entries()) {
    const what = `module ${i} (${text.split(" ")[0]})`;
    const at = placement.allocate(bytes.length, what, { from: above });
    placement.fill(at, bytes);
    list.u32(at).u32(at + bytes.length)
      .u32(table(cString(text), "a module's string")).u32(0);
  }
  const map = new ByteWriter();
  for (const { base, length, type } of memoryMap(request.ramBytes)) {
    map.u32(20).u64(base).u64(length).u32(type);
  }
  const flags = Info.memory | Info.bootDevice | Info.commandLine |
    (modules.length > 0 ? Info.modules : 0) | Info.memoryMap | Info.loaderName;
  const commandLine = table(
    cString(fullCommandLine(request)),
    "the command line",
  );
  const info = new ByteWriter()
    .u32(flags)
    .u32(Math.floor(LOW_END / 1024))
    .u32(Math.floor((lowRam(request.ramBytes) - HIGH_BASE) / 1024))
    .u32(BOOT_DEVICE)
    .u32(commandLine)
    .u32(modules.length)
    .u32(modules.length > 0 ? table(list.done(), "the module list") : 0)
    .padTo(0x2c) // no symbols
    .u32(map.length)
    .u32(table(map.done(), "the memory map"))
    .padTo(0x40) // no drives, no configuration table
    .u32(table(cString("icebp"), "the loader's name"));
  if (info.length !== INFO_BYTES) throw new RangeError("multiboot info layout");
  return table(info.padTo(0x78).done(), "the multiboot information");
}
