/**
 * What a loader makes: memory to write and the state processor 0 starts in, as
 * plain data. The other processors wait for INIT/SIPI. Loaders suppose that RAM
 * is zero before the writes, as it is at power-on and after a machine reset.
 */

/** A guest that cannot be booted; the message is one line for the user. */
export class BootError extends Error {
  /** The error's name. */
  override readonly name = "BootError";
}

/** A segment register; `attributes` are WHV_X64_SEGMENT_REGISTER's bits. */
export interface InitialSegment {
  /** The linear address it begins at. */
  readonly base: number;
  /** The last valid offset, in bytes. */
  readonly limit: number;
  /** The selector. */
  readonly selector: number;
  /** As WHV_X64_SEGMENT_REGISTER has them. */
  readonly attributes: number;
}

/** GDTR or IDTR. */
export interface InitialTable {
  /** The linear address of the table. */
  readonly base: number;
  /** The last valid offset, in bytes. */
  readonly limit: number;
}

/** General registers by name; those not named start as 0. */
export type InitialGpr = Partial<
  Record<
    | "rax"
    | "rbx"
    | "rcx"
    | "rdx"
    | "rsi"
    | "rdi"
    | "rbp"
    | "rsp"
    | "r8"
    | "r9"
    | "r10"
    | "r11"
    | "r12"
    | "r13"
    | "r14"
    | "r15",
    bigint
  >
>;

/** How processor 0 starts. */
export interface InitialState {
  /** RIP. */
  readonly rip: bigint;
  /** RFLAGS. */
  readonly rflags: bigint;
  /** The general registers. */
  readonly gpr: InitialGpr;
  /** CR0. */
  readonly cr0: bigint;
  /** CR3. */
  readonly cr3: bigint;
  /** CR4. */
  readonly cr4: bigint;
  /** EFER. */
  readonly efer: bigint;
  /** CS. */
  readonly cs: InitialSegment;
  /** DS. */
  readonly ds: InitialSegment;
  /** ES. */
  readonly es: InitialSegment;
  /** FS. */
  readonly fs: InitialSegment;
  /** GS. */
  readonly gs: InitialSegment;
  /** SS. */
  readonly ss: InitialSegment;
  /** The task register. */
  readonly tr: InitialSegment;
  /** LDTR. */
  readonly ldtr: InitialSegment;
  /** GDTR. */
  readonly gdtr: InitialTable;
  /** IDTR. */
  readonly idtr: InitialTable;
}

/** Bytes for guest physical memory. */
export interface MemoryWrite {
  /** The guest physical address. */
  readonly gpa: number;
  /** What to write there. */
  readonly bytes: Uint8Array;
}

/** A byte that firmware has written to a port. */
export interface PortWrite {
  /** The I/O port. */
  readonly port: number;
  /** The byte. */
  readonly value: number;
}

/** A guest ready to be put into a machine. */
export interface BootImage {
  /** How it was recognised: "multiboot", "linux", "elf64", ... */
  readonly kind: string;
  /** Memory to write, before the guest starts. */
  readonly segments: readonly MemoryWrite[];
  /** The state of processor 0. */
  readonly registers: InitialState;
  /** What its code is, as far as the file tells; most of it if it changes. */
  readonly architecture?: "i386" | "x86-64";
  /** Whether the file is an ELF file, which debuggers can read. */
  readonly isElf?: boolean;
  /** How firmware has programmed devices; without it they are as after RESET. */
  readonly ports?: readonly PortWrite[];
  /** One line for the log: what, where, entered how. */
  readonly describe: string;
}

/** A file that comes along with the image, and the text the guest gets with it. */
export interface BootModule {
  /** The file. */
  readonly bytes: Uint8Array;
  /** Its name and arguments. */
  readonly text: string;
}

/** Mode a flat image is entered in: bits of its code segment. */
export type FlatMode = 16 | 32 | 64;

/** How a flat image is loaded. */
export interface FlatChoice {
  /** Where its first byte goes. */
  readonly address: number;
  /** The mode it is entered in. */
  readonly mode: FlatMode;
  /** Where it is entered, an address like the other; without it at the first byte. */
  readonly entry?: number;
}

/** What to boot and in what machine. */
export interface BootRequest {
  /** The guest's file. */
  readonly image: Uint8Array;
  /** The image's name as the user gave it. */
  readonly name: string;
  /** The guest's command line. */
  readonly commandLine: string;
  /** A Linux initial RAM disk. */
  readonly initrd?: BootModule;
  /** Modules of a Multiboot guest. */
  readonly modules: readonly BootModule[];
  /** RAM from address 0 on, bytes. */
  readonly ramBytes: number;
  /** How many processors the machine has. */
  readonly cpus: number;
  /** virtio-mmio transports that the ACPI tables announce. */
  readonly virtioDevices: number;
  /** The time stamp counter's frequency in kHz, where the guest cannot find it out by
   * CPUID. */
  readonly tscKhz?: number;
  /** Load as a flat image. */
  readonly flat?: FlatChoice;
}

/** Hexadecimal as addresses are written. */
export function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}

/** A size in the largest binary unit that keeps it readable. */
export function size(bytes: number | bigint): string {
  const value = Number(bytes);
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
  let unit = 0;
  let scaled = value;
  while (scaled >= 1024 && unit < units.length - 1) {
    scaled /= 1024;
    unit++;
  }
  return `${Number(scaled.toFixed(1))} ${units[unit]}`;
}
