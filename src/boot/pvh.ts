/**
 * PVH boot (Xen, docs/misc/pvh.pandoc; public/arch-x86/hvm/start_info.h): an ELF
 * file whose XEN_ELFNOTE_PHYS32_ENTRY note gives a 32-bit entry point. Linux'
 * vmlinux has it.
 */
import { checkElfEntry, type ElfFile } from "./elf.ts";
import { type BootImage, type BootRequest, hex } from "./image.ts";
import { allModules } from "./multiboot.ts";
import { HIGH_BASE, memoryMap, Placement } from "./placement.ts";
import { protectedMode } from "./states.ts";
import { FIRMWARE_PORTS, placeFirmware } from "./firmware.ts";
import { ByteWriter, cString } from "./writer.ts";
import { placeAcpi } from "./acpi/tables.ts";

const XEN_ELFNOTE_PHYS32_ENTRY = 18;
const START_MAGIC = 0x336ec578;
const START_VERSION = 1;

/** The PVH entry point, or null when the file has none. */
export function pvhEntry(elf: ElfFile): bigint | null {
  const note = elf.notes.find(({ owner, type, bytes }) =>
    owner === "Xen" && type === XEN_ELFNOTE_PHYS32_ENTRY && bytes.length >= 4
  );
  if (note === undefined) return null;
  const data = new DataView(note.bytes.buffer, note.bytes.byteOffset);
  return BigInt(data.getUint32(0, true));
}

/** Loads an ELF file by its PVH note. */
export function loadPvh(
  request: BootRequest,
  elf: ElfFile,
  entry: bigint,
): BootImage {
  const placement = new Placement(request.ramBytes);
  const rsdp = placeAcpi(placement, request);
  elf.segments.forEach(({ paddr, memsz, bytes }, i) => {
    placement.reserve(paddr, memsz, `${request.name}: segment ${i}`);
    placement.fill(Number(paddr), bytes);
  });
  placeFirmware(placement, request);
  checkElfEntry(elf, entry, request.name);
  const table = (bytes: Uint8Array, what: string) => {
    const at = placement.allocateTable(bytes.length, what);
    placement.fill(at, bytes);
    return at;
  };
  const modules = allModules(request);
  const list = new ByteWriter();
  for (const [i, { bytes, text }] of modules.entries()) {
    // As high as possible: the kernel's own early allocations follow its end.
    const at = placement.allocateHigh(bytes.length, `module ${i}`, {
      from: HIGH_BASE,
    });
    placement.fill(at, bytes);
    list.u64(at).u64(bytes.length)
      .u64(table(cString(text), "a module's string")).u64(0);
  }
  const map = new ByteWriter();
  const ranges = memoryMap(request.ramBytes);
  for (const { base, length, type } of ranges) {
    map.u64(base).u64(length).u32(type).u32(0);
  }
  const start = new ByteWriter()
    .u32(START_MAGIC).u32(START_VERSION).u32(0).u32(modules.length)
    .u64(modules.length > 0 ? table(list.done(), "the module list") : 0)
    .u64(table(cString(request.commandLine), "the command line"))
    .u64(rsdp)
    .u64(table(map.done(), "the memory map"))
    .u32(ranges.length).u32(0);
  return {
    kind: "pvh",
    segments: placement.writes,
    ports: FIRMWARE_PORTS,
    registers: protectedMode(placement, {
      entry,
      gpr: { rbx: BigInt(table(start.done(), "the PVH start information")) },
    }),
    describe: `${request.name}: PVH image entered at ${
      hex(entry)
    } in 32-bit protected mode`,
  };
}
