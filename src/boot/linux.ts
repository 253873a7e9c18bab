/**
 * Linux' bzImage (Documentation/arch/x86/boot.rst, zero-page.rst): protocol 2.06
 * and later, entered at the 64-bit entry point where the kernel has one, else at
 * the 32-bit one. Nothing of the real-mode part is run.
 */
import { SECTOR_BYTES } from "../x86/pc.ts";
import {
  BootError,
  type BootImage,
  type BootRequest,
  hex,
  size,
} from "./image.ts";
import { HOLE_START } from "../machine/memory.ts";
import { placePageTables } from "./page_tables.ts";
import {
  HIGH_BASE,
  lowRam,
  memoryMap,
  Placement,
  roundUp,
} from "./placement.ts";
import { longMode, placeStack, protectedMode } from "./states.ts";
import { cString } from "./writer.ts";
import { placeAcpi } from "./acpi/tables.ts";

/** Offsets in the file's first sectors, and the same in boot_params. */
const Header = {
  start: 0x1f1,
  setupSects: 0x1f1,
  syssize: 0x1f4,
  vidMode: 0x1fa,
  bootFlag: 0x1fe,
  jump: 0x200,
  magic: 0x202,
  version: 0x206,
  typeOfLoader: 0x210,
  loadflags: 0x211,
  code32Start: 0x214,
  ramdiskImage: 0x218,
  ramdiskSize: 0x21c,
  cmdLinePtr: 0x228,
  initrdAddrMax: 0x22c,
  kernelAlignment: 0x230,
  relocatable: 0x234,
  xloadflags: 0x236,
  cmdlineSize: 0x238,
  prefAddress: 0x258,
  initSize: 0x260,
} as const;
/** Fields of boot_params outside the setup header. */
const Params = {
  rsdp: 0x070,
  e820Entries: 0x1e8,
  e820Table: 0x2d0,
  bytes: 4096,
} as const;

const BOOT_FLAG = 0xaa55, HDRS = 0x53726448;
const LOADED_HIGH = 1, XLF_KERNEL_64 = 1;
/** The first protocol with cmdline_size. */
const LEAST_PROTOCOL = 0x206;
/** The first protocol with init_size and pref_address. */
const SIZED_PROTOCOL = 0x20a;
/** "Loader without an assigned number". */
const UNDEFINED_LOADER = 0xff;
const VIDEO_NORMAL = 0xffff;
/** The 64-bit entry point, from the start of the protected-mode part. */
const ENTRY_64 = 0x200;
const PARAGRAPH = 16;

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** True if the file has Linux' setup header. */
export function isLinux(file: Uint8Array): boolean {
  if (file.length < Header.version + 2) return false;
  const data = view(file);
  return data.getUint16(Header.bootFlag, true) === BOOT_FLAG &&
    data.getUint32(Header.magic, true) === HDRS;
}

/** Whether a Linux image says that it has no 64-bit code; older than protocol
 * 2.12 it says nothing. */
export function isLinux32(file: Uint8Array): boolean {
  const data = view(file);
  return data.getUint16(Header.version, true) >= 0x20c &&
    (data.getUint16(Header.xloadflags, true) & XLF_KERNEL_64) === 0;
}

interface Kernel {
  readonly setupBytes: number;
  readonly is64: boolean;
  /** Where the protected-mode part goes. */
  readonly address: number;
  /** Memory it uses from there on, before it looks at the memory map. */
  readonly initSize: number;
}

function examine({ image, name, ramBytes }: BootRequest): Kernel {
  const data = view(image);
  const version = data.getUint16(Header.version, true);
  if (version < LEAST_PROTOCOL) {
    throw new BootError(
      `${name}: Linux boot protocol ${version >> 8}.${
        version & 0xff
      } is too old, 2.06 is needed`,
    );
  }
  if (image.length < Header.initSize + 4) {
    throw new BootError(`${name}: torn Linux image: no setup header`);
  }
  if (!(image[Header.loadflags] & LOADED_HIGH)) {
    throw new BootError(
      `${name}: a zImage, which is loaded below 1 MiB; build a bzImage`,
    );
  }
  const setupBytes = ((image[Header.setupSects] || 4) + 1) * SECTOR_BYTES;
  // syssize counts paragraphs, the last of which need not be full.
  const expected = setupBytes +
    PARAGRAPH * data.getUint32(Header.syssize, true);
  if (image.length <= expected - PARAGRAPH) {
    throw new BootError(
      `${name}: torn Linux image: ${image.length} of ${expected} bytes`,
    );
  }
  // Linux' is always 1 MiB; programs that only borrow its header (iPXE) have 0.
  if (data.getUint32(Header.code32Start, true) === 0) {
    throw new BootError(
      `${name}: starts in real mode with the help of a BIOS, which icebp does not have`,
    );
  }
  const sized = version >= SIZED_PROTOCOL;
  const address = sized
    ? Number(data.getBigUint64(Header.prefAddress, true))
    : HIGH_BASE;
  const initSize = Math.max(
    sized ? data.getUint32(Header.initSize, true) : 0,
    image.length - setupBytes,
  );
  if (address < HIGH_BASE || address + initSize > HOLE_START) {
    throw new BootError(
      `${name}: the kernel is for ${hex(address)} and ${
        size(initSize)
      } from there on, where no guest has memory to load it to`,
    );
  }
  if (address + initSize > lowRam(ramBytes)) {
    throw new BootError(
      `${name}: the kernel needs ${
        size(roundUp(address + initSize, HIGH_BASE))
      } of memory, the guest has ${size(ramBytes)}`,
    );
  }
  const is64 = version >= 0x20c &&
    (data.getUint16(Header.xloadflags, true) & XLF_KERNEL_64) !== 0;
  return { setupBytes, is64, address, initSize };
}

/** Loads a bzImage. */
export function loadLinux(request: BootRequest): BootImage {
  const { image, name } = request;
  if (request.modules.length > 0) {
    throw new BootError(
      `${name}: a Linux image takes no modules, only --initrd`,
    );
  }
  const kernel = examine(request);
  const placement = new Placement(request.ramBytes);
  const rsdp = placeAcpi(placement, request);
  placement.reserve(kernel.address, kernel.initSize, `${name}: the kernel`);
  placement.fill(kernel.address, image.subarray(kernel.setupBytes));
  const params = placeParams(placement, request, kernel, rsdp);
  const entry = BigInt(kernel.address);
  const gpr = { rsi: BigInt(params), rsp: placeStack(placement) };
  return {
    kind: "linux",
    segments: placement.writes,
    registers: kernel.is64
      ? longMode(placement, placePageTables(placement, []), {
        entry: entry + BigInt(ENTRY_64),
        gpr,
        linux: true,
      })
      : protectedMode(placement, { entry, gpr, linux: true }),
    describe: `${name}: Linux ${kernelVersion(image)} at ${
      hex(kernel.address)
    }, entered in ${kernel.is64 ? 64 : 32}-bit mode`,
  };
}

/** The parameter by which Linux (5.2 and later) takes the TSC's frequency; earlier ones
 * hand it to init. */
const TSC = "tsc_early_khz";

/** What the user asks for, and before it the TSC's frequency, unless he names one or there
 * is no room for it. */
function commandLineOf(
  { commandLine, tscKhz }: BootRequest,
  limit: number,
): Uint8Array {
  const own = cString(commandLine);
  // What follows "--" is init's.
  const [words] = commandLine.split(/(?:^|\s)--(?:\s|$)/, 1);
  const named = words.split(/\s+/).some((word) => word.startsWith(`${TSC}=`));
  if (tscKhz === undefined || named) return own;
  const told = cString(`${TSC}=${tscKhz} ${commandLine}`.trimEnd());
  return told.length - 1 > limit ? own : told;
}

function placeParams(
  placement: Placement,
  request: BootRequest,
  kernel: Kernel,
  rsdp: number,
): number {
  const { image, name, ramBytes } = request;
  const params = new Uint8Array(Params.bytes);
  const data = view(params);
  const headerEnd = Header.magic + image[Header.jump + 1];
  params.set(image.subarray(Header.start, headerEnd), Header.start);
  params[Header.typeOfLoader] = UNDEFINED_LOADER;
  data.setUint16(Header.vidMode, VIDEO_NORMAL, true);
  data.setBigUint64(Params.rsdp, BigInt(rsdp), true);

  const limit = data.getUint32(Header.cmdlineSize, true);
  const line = commandLineOf(request, limit);
  if (line.length - 1 > limit) {
    throw new BootError(
      `${name}: the command line has ${
        line.length - 1
      } bytes, the kernel takes ${limit}`,
    );
  }
  const lineAt = placement.allocateTable(line.length, "the command line");
  placement.fill(lineAt, line);
  data.setUint32(Header.cmdLinePtr, lineAt, true);

  if (request.initrd !== undefined) {
    const { bytes, text } = request.initrd;
    const at = placement.allocateHigh(bytes.length, `initrd ${text}`, {
      from: kernel.address + kernel.initSize,
      below: data.getUint32(Header.initrdAddrMax, true) + 1,
    });
    placement.fill(at, bytes);
    data.setUint32(Header.ramdiskImage, at, true);
    data.setUint32(Header.ramdiskSize, bytes.length, true);
  }

  const map = memoryMap(ramBytes);
  params[Params.e820Entries] = map.length;
  map.forEach(({ base, length, type }, i) => {
    const at = Params.e820Table + 20 * i;
    data.setBigUint64(at, BigInt(base), true);
    data.setBigUint64(at + 8, BigInt(length), true);
    data.setUint32(at + 16, type, true);
  });
  const at = placement.allocate(params.length, "boot_params", {
    from: 0x10000,
  });
  placement.fill(at, params);
  return at;
}

/** The version text that the setup header points to, for the log. */
function kernelVersion(image: Uint8Array): string {
  const pointer = view(image).getUint16(0x20e, true);
  const start = pointer === 0 ? 0 : pointer + SECTOR_BYTES;
  const end = image.indexOf(0, start);
  if (start === 0 || end < 0 || end - start > 256) return "kernel";
  const text = new TextDecoder("latin1").decode(image.subarray(start, end));
  return text.split(" ")[0];
}
