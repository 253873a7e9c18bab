/**
 * Images without a format: a flat image at an address of the user's choice, and
 * a boot sector as a PC's firmware starts it (at 0000:7C00 in real mode, the
 * drive in DL). There is no firmware: software interrupts do nothing.
 */
import {
  BootError,
  type BootImage,
  type BootRequest,
  type FlatMode,
  hex,
} from "./image.ts";
import { placePageTables } from "./page_tables.ts";
import { Placement } from "./placement.ts";
import { longMode, protectedMode, realMode } from "./states.ts";

const SECTOR_BYTES = 512;
const BOOT_ADDRESS = 0x7c00;
/** The first hard disk. */
const BOOT_DRIVE = 0x80n;
const IVT_BYTES = 1024;
/** Where IBM's BIOS has its IRET, and every vector of ours points. */
const IRET_SEGMENT = 0xf000, IRET_OFFSET = 0xff53;
const IRET = 0xcf;

/** True for exactly one sector that ends in 55 AA. */
export function isBootSector(file: Uint8Array): boolean {
  return file.length === SECTOR_BYTES && file[510] === 0x55 &&
    file[511] === 0xaa;
}

/** Loads a boot sector. */
export function loadBootSector(request: BootRequest): BootImage {
  const placement = new Placement(request.ramBytes);
  placement.place(BOOT_ADDRESS, request.image, request.name);
  placeVectors(placement);
  return {
    kind: "boot-sector",
    segments: placement.writes,
    registers: realMode(0, BOOT_ADDRESS, {
      rdx: BOOT_DRIVE,
      rsp: BigInt(BOOT_ADDRESS),
    }),
    describe: `${request.name}: boot sector entered at ${
      hex(BOOT_ADDRESS)
    } in real mode`,
  };
}

function placeVectors(placement: Placement): void {
  const vectors = new Uint32Array(IVT_BYTES / 4).fill(
    (IRET_SEGMENT << 16 | IRET_OFFSET) >>> 0,
  );
  placement.place(0, new Uint8Array(vectors.buffer), "the interrupt vectors");
  placement.place(
    IRET_SEGMENT * 16 + IRET_OFFSET,
    Uint8Array.of(IRET),
    "the interrupt stub",
  );
}

/** Loads a flat image and enters it at its first byte. */
export function loadFlat(
  request: BootRequest,
  address: number,
  mode: FlatMode,
): BootImage {
  const placement = new Placement(request.ramBytes);
  placement.place(address, request.image, request.name);
  const entry = BigInt(address);
  const rsp = () => BigInt(placement.allocateTable(4096, "the stack") + 4096);
  return {
    kind: "flat",
    segments: placement.writes,
    registers: mode === 16
      ? flatReal(request, address)
      : mode === 32
      ? protectedMode(placement, { entry, gpr: { rsp: rsp() } })
      : longMode(placement, placePageTables(placement, []), {
        entry,
        gpr: { rsp: rsp() },
      }),
    describe: `${request.name}: flat image entered at ${
      hex(address)
    } in ${mode}-bit mode`,
  };
}

function flatReal(request: BootRequest, address: number) {
  if (address > 0xfffff) {
    throw new BootError(
      `${request.name}: real mode cannot reach ${hex(address)}`,
    );
  }
  // Below 64 KiB the segment is 0, as for a boot sector.
  const segment = address < 0x10000 ? 0 : address >> 4;
  return realMode(segment, address - segment * 16, {
    rdx: BOOT_DRIVE,
    rsp: BigInt(BOOT_ADDRESS),
  });
}
