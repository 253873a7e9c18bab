/** Recognises a guest image and hands it to its loader. */
import { isElf, parseElf } from "./elf.ts";
import { loadElfDirect } from "./elf_direct.ts";
import { isBootSector, loadBootSector, loadFlat } from "./flat.ts";
import { BootError, type BootImage, type BootRequest } from "./image.ts";
import { checkInitrd } from "./initrd.ts";
import { isLinux, loadLinux } from "./linux.ts";
import { findMultibootHeader, loadMultiboot } from "./multiboot.ts";
import { loadPvh, pvhEntry } from "./pvh.ts";

/** Beginnings of files that people try, and what to tell them. */
const FOREIGN: [string, string][] = [
  ["\x1f\x8b", "gzip data: unpack it first"],
  ["\xfd7zXZ", "xz data: unpack it first"],
  ["(\xb5/\xfd", "zstd data: unpack it first"],
  ["BZh", "bzip2 data: unpack it first"],
  ["PK\x03\x04", "a zip archive"],
  ["QFI\xfb", "a qcow2 disk image, not a kernel"],
  ["#!", "a script"],
  ["070701", "a cpio archive: is it the --initrd?"],
  ["\xcf\xfa\xed\xfe", "a Mach-O file"],
];

function describeForeign(file: Uint8Array): string {
  const head = String.fromCharCode(...file.subarray(0, 64));
  if (head.slice(0x38, 0x3c) === "ARMd") return "a Linux image for AArch64";
  if (head.slice(0x30, 0x35) === "RISCV") return "a Linux image for RISC-V";
  const known = FOREIGN.find(([magic]) => head.startsWith(magic));
  if (known !== undefined) return known[1];
  if (head.startsWith("MZ")) return "a Windows or EFI program";
  return "neither Linux, multiboot, ELF nor a boot sector " +
    "(for a flat image give its address with --flat)";
}

/**
 * Makes the boot image of `request`; throws a BootError with one line for the
 * user when the file cannot be booted in this machine.
 */
export function loadGuest(request: BootRequest): BootImage {
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
    if (pvh === null) return loadElfDirect(request, elf);
    if (request.initrd !== undefined) checkInitrd(request.initrd);
    return loadPvh(request, elf, pvh);
  }
  if (isBootSector(image)) return loadBootSector(request);
  throw new BootError(`${name}: ${describeForeign(image)}`);
}
