/** Recognises a guest image and hands it to its loader. */
import { getLogger } from "@logtape/logtape";
import { EFER_LMA } from "../x86/control_registers.ts";
import { isElf, parseElf } from "./elf.ts";
import { loadElfDirect } from "./elf_direct.ts";
import { isBootSector, loadBootSector, loadFlat } from "./flat.ts";
import { BootError, type BootImage, type BootRequest } from "./image.ts";
import { checkInitrd } from "./initrd.ts";
import { isLinux, isLinux32, loadLinux } from "./linux.ts";
import {
  almostMultiboot,
  findMultibootHeader,
  loadMultiboot,
} from "./multiboot.ts";
import { loadPvh, pvhEntry } from "./pvh.ts";

const log = getLogger(["icebp", "boot"]);

/** Beginnings of files that people try, and what to tell them. */
const FOREIGN: [string, string][] = [
  ["\x1f\x8b", "gzip data: unpack it first"],
  ["\xfd7zXZ", "xz data: unpack it first"],
  ["(\xb5/\xfd", "zstd data: unpack it first"],
  ["BZh", "bzip2 data: unpack it first"],
  ["PK\x03\x04", "a zip archive"],
  ["QFI\xfb", "a qcow2 disk image, not a kernel"],
  ["KDMV", "a VMware disk image, not a kernel"],
  ["vhdxfile", "a Hyper-V disk image, not a kernel"],
  ["conectix", "a Virtual PC disk image, not a kernel"],
  ["hsqs", "a squashfs file system: is it a --disk?"],
  ["#!", "a script"],
  ["070701", "a cpio archive: is it the --initrd?"],
  ["\xcf\xfa\xed\xfe", "a Mach-O file"],
];

/** Disks by what stands at an offset, the more telling first. */
const DISKS: [number, string, string][] = [
  [0x8001, "CD001", "a CD image (ISO 9660)"],
  [0x200, "EFI PART", "a disk image (GPT)"],
  [0x1fe, "\x55\xaa", "a disk image with a boot sector"],
  [0x438, "\x53\xef", "an ext2, ext3 or ext4 file system"],
];

function describeForeign(file: Uint8Array): string {
  const disk = DISKS.find(([at, magic]) =>
    String.fromCharCode(...file.subarray(at, at + magic.length)) === magic
  );
  if (disk !== undefined) {
    return `${disk[2]}: there is no BIOS to boot it; give a kernel, and this ` +
      "as its --disk";
  }
  const head = String.fromCharCode(...file.subarray(0, 64));
  if (head.slice(0x38, 0x3c) === "ARMd") return "a Linux image for AArch64";
  if (head.slice(0x30, 0x35) === "RISCV") return "a Linux image for RISC-V";
  const known = FOREIGN.find(([magic]) => head.startsWith(magic));
  if (known !== undefined) return known[1];
  if (head.startsWith("MZ")) return "a Windows or EFI program";
  return "neither Linux, multiboot, ELF nor a boot sector " +
    "(for a flat image give its address with --flat)";
}

const ELF_CLASS = 4, ELFCLASS32 = 1;

/** What the code of a guest is, which decides for gdb; undefined where the file
 * does not tell. */
function architectureOf(
  file: Uint8Array,
  { kind, registers }: BootImage,
): BootImage["architecture"] {
  if (isElf(file)) return file[ELF_CLASS] === ELFCLASS32 ? "i386" : "x86-64";
  if ((registers.efer & EFER_LMA) !== 0n) return "x86-64";
  if (kind === "boot-sector" || kind === "flat") return "i386";
  return kind === "linux" && isLinux32(file) ? "i386" : undefined;
}

/**
 * Makes the boot image of `request`.
 *
 * @throws {BootError} The file cannot be booted in this machine: one line for the user.
 *
 * @example
 * ```ts
 * import { type BootRequest, loadGuest } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const request: BootRequest = {
 *   image: Uint8Array.of(0xf4), // hlt
 *   name: "halt.bin",
 *   commandLine: "",
 *   modules: [],
 *   ramBytes: 2 << 20,
 *   cpus: 1,
 *   virtioDevices: 0,
 *   flat: { address: 0x7c00, mode: 32 },
 * };
 * const image = loadGuest(request);
 * assertEquals([image.kind, image.registers.rip], ["flat", 0x7c00n]);
 * ```
 */
export function loadGuest(request: BootRequest): BootImage {
  const image = load(request);
  return {
    ...image,
    architecture: architectureOf(request.image, image),
    isElf: isElf(request.image),
  };
}

function load(request: BootRequest): BootImage {
  const { image, name, flat } = request;
  if (image.length === 0) throw new BootError(`${name}: empty file`);
  if (flat !== undefined) return loadFlat(request, flat);
  if (isLinux(image)) {
    if (request.initrd !== undefined) checkInitrd(request.initrd);
    return loadLinux(request);
  }
  const header = findMultibootHeader(image);
  if (header !== null) return loadMultiboot(request, header);
  if (isElf(image)) {
    const elf = parseElf(image, name);
    const pvh = pvhEntry(elf);
    if (pvh === null) {
      const almost = almostMultiboot(image);
      if (almost?.version === 2) throw new BootError(`${name}: ${almost.what}`);
      // It may be a constant in the program: the ELF file is one all the same.
      if (almost !== null) log.warn("{name}: {what}", { name, ...almost });
      return loadElfDirect(request, elf);
    }
    if (request.initrd !== undefined) checkInitrd(request.initrd);
    return loadPvh(request, elf, pvh);
  }
  if (isBootSector(image)) return loadBootSector(request);
  const almost = almostMultiboot(image);
  if (almost !== null) throw new BootError(`${name}: ${almost.what}`);
  throw new BootError(`${name}: ${describeForeign(image)}`);
}
