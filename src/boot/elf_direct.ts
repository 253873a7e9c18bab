/**
 * ELF images without a boot protocol. ELF64: entered in 64-bit mode at the entry
 * point, as documented in the README ("Guests"):
 *   paging on: 4 GiB identity-mapped with 2 MiB pages, writable and executable;
 *   segments linked elsewhere are also mapped at their virtual addresses
 *   CS 0x08, data segments 0x10, in a GDT; no IDT; interrupts off; SSE on
 *   RSP the top of a 16 KiB stack, 16-byte aligned
 *   RDI (and RBX) the multiboot information, RSI (and RAX) 0x2BADB002
 * ELF32: entered in flat 32-bit protected mode with EAX, EBX and ESP as above.
 */
import {
  checkElfEntry,
  type ElfFile,
  isCanonical,
  physicalEntry,
} from "./elf.ts";
import { BootError, type BootImage, type BootRequest, hex } from "./image.ts";
import { BOOTLOADER_MAGIC, placeMultibootInfo } from "./multiboot.ts";
import { placePageTables } from "./page_tables.ts";
import { Placement } from "./placement.ts";
import { longMode, protectedMode } from "./states.ts";
import { FIRMWARE_PORTS, placeFirmware } from "./firmware.ts";
import { placeAcpi } from "./acpi/tables.ts";

const STACK_BYTES = 16 * 1024;

/** Loads an ELF file and enters it directly. */
export function loadElfDirect(request: BootRequest, elf: ElfFile): BootImage {
  const placement = new Placement(request.ramBytes);
  placeAcpi(placement, request);
  elf.segments.forEach(({ paddr, memsz, bytes }, i) => {
    placement.reserve(paddr, memsz, `${request.name}: segment ${i}`);
    placement.fill(Number(paddr), bytes);
  });
  placeFirmware(placement, request);
  checkElfEntry(elf, elf.entry, request.name);
  elf.segments.forEach(({ vaddr }, i) => {
    if (elf.bits === 64 && !isCanonical(vaddr)) {
      throw new BootError(
        `${request.name}: segment ${i} is linked to ${
          hex(vaddr)
        }, no canonical address`,
      );
    }
  });
  const info = BigInt(placeMultibootInfo(placement, request));
  const stack = placement.allocateTable(STACK_BYTES, "the stack");
  const gpr = {
    rax: BOOTLOADER_MAGIC,
    rbx: info,
    rsi: BOOTLOADER_MAGIC,
    rdi: info,
    rsp: BigInt(stack + STACK_BYTES),
  };
  if (elf.bits === 32) {
    const entry = physicalEntry(elf);
    return {
      kind: "elf32",
      segments: placement.writes,
      ports: FIRMWARE_PORTS,
      registers: protectedMode(placement, { entry, gpr }),
      describe: `${request.name}: 32-bit ELF entered at ${
        hex(entry)
      } in protected mode`,
    };
  }
  const cr3 = placePageTables(
    placement,
    elf.segments.filter(({ vaddr, paddr }) => vaddr !== paddr).map((
      { vaddr, paddr, memsz },
    ) => ({ gva: vaddr, gpa: paddr, length: memsz })),
  );
  return {
    kind: "elf64",
    segments: placement.writes,
    ports: FIRMWARE_PORTS,
    registers: longMode(placement, cr3, { entry: elf.entry, gpr }),
    describe: `${request.name}: 64-bit ELF entered at ${
      hex(elf.entry)
    } in 64-bit mode`,
  };
}
