/**
 * Images without a format: a flat image at an address of the user's choice, and
 * a boot sector as a PC's firmware starts it (at 0000:7C00 in real mode, the
 * drive in DL). There is no firmware: software interrupts do nothing.
 */
import { SECTOR_BYTES } from "../x86/pc.ts";
import {
  BootError,
  type BootImage,
  type BootRequest,
  type FlatChoice,
  hex,
} from "./image.ts";
import { FIRMWARE_PORTS, placeFirmware } from "./firmware.ts";
import { placePageTables } from "./page_tables.ts";
import { Placement } from "./placement.ts";
import { longMode, placeStack, protectedMode, realMode } from "./states.ts";

const BOOT_ADDRESS = 0x7c00;
/** The first hard disk. */
const BOOT_DRIVE = 0x80n;

/** True for exactly one sector that ends in 55 AA. */
export function isBootSector(file: Uint8Array): boolean {
  return file.length === SECTOR_BYTES && file[510] === 0x55 &&
    file[511] === 0xaa;
}

/** Loads a boot sector. */
export function loadBootSector(request: BootRequest): BootImage {
  const placement = new Placement(request.ramBytes);
  placement.place(BOOT_ADDRESS, request.image, request.name);
  placeFirmware(placement, request);
  return {
    kind: "boot-sector",
    segments: placement.writes,
    ports: FIRMWARE_PORTS,
    registers: realMode(0, BOOT_ADDRESS, {
      rdx: BOOT_DRIVE,
      rsp: BigInt(BOOT_ADDRESS),
    }),
    describe: `${request.name}: boot sector entered at ${
      hex(BOOT_ADDRESS)
    } in real mode`,
  };
}

/** Loads a flat image. */
export function loadFlat(request: BootRequest, flat: FlatChoice): BootImage {
  const { image, name } = request;
  const { address, mode, entry = address } = flat;
  const placement = new Placement(request.ramBytes);
  placement.place(address, image, name);
  if (entry < address || entry >= address + image.length) {
    throw new BootError(
      `${name}: entry point ${hex(entry)} lies outside the image, which is at ${
        hex(address)
      } to ${hex(address + image.length - 1)}`,
    );
  }
  placeFirmware(placement, request);
  const rip = BigInt(entry);
  const rsp = () => placeStack(placement);
  return {
    kind: "flat",
    segments: placement.writes,
    ports: FIRMWARE_PORTS,
    registers: mode === 16
      ? flatReal(name, address, entry)
      : mode === 32
      ? protectedMode(placement, { entry: rip, gpr: { rsp: rsp() } })
      : longMode(placement, placePageTables(placement, []), {
        entry: rip,
        gpr: { rsp: rsp() },
      }),
    describe: `${name}: flat image entered at ${
      hex(entry)
    } in ${mode}-bit mode`,
  };
}

/** Real mode at `entry` of an image at `address`: CS is the image's own segment,
 * 0 below 64 KiB as for a boot sector; what that cannot reach (the reset vector
 * of a ROM of 128 KiB) is entered in its 64 KiB, as F000:FFF0. */
function flatReal(name: string, address: number, entry: number) {
  if (entry > 0xfffff) {
    throw new BootError(`${name}: real mode cannot reach ${hex(entry)}`);
  }
  const own = address < 0x10000 ? 0 : address >> 4;
  const segment = entry - own * 16 < 0x10000 ? own : (entry >> 4) & 0xf000;
  return realMode(segment, entry - segment * 16, {
    rdx: BOOT_DRIVE,
    rsp: BigInt(BOOT_ADDRESS),
  });
}
