/**
 * What a loader makes: memory to write and the state processor 0 starts in, as
 * plain data. The other processors wait for INIT/SIPI. Loaders suppose that RAM
 * is zero before the writes, as it is at power-on and after a machine reset.
 */

import type { Segment, Table } from "../x86/segments.ts";

/**
 * A guest that cannot be booted; the message is one line for the user.
 *
 * @example
 * ```ts
 * import { BootError, loadGuest } from "@icebp/icebp";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const error = assertThrows(
 *   () =>
 *     loadGuest({
 *       image: new TextEncoder().encode("#!/bin/sh"),
 *       name: "script",
 *       commandLine: "",
 *       modules: [],
 *       ramBytes: 1 << 20,
 *       cpus: 1,
 *       virtioDevices: 0,
 *     }),
 *   BootError,
 * );
 * assertEquals(error.message, "script: a script");
 * ```
 */
export class BootError extends Error {
  /** The error's name. */
  override readonly name = "BootError";
}

/**
 * A segment register; `attributes` are WHV_X64_SEGMENT_REGISTER's bits.
 *
 * @example
 * ```ts
 * import {
 *   type BootRequest,
 *   type InitialSegment,
 *   loadGuest,
 * } from "@icebp/icebp";
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
 * const cs: InitialSegment = loadGuest(request).registers.cs;
 * assertEquals([cs.base, cs.limit], [0, 0xffffffff]);
 * ```
 */
export type InitialSegment = Segment<number>;

/**
 * GDTR or IDTR.
 *
 * @example
 * ```ts
 * import {
 *   type BootRequest,
 *   type InitialTable,
 *   loadGuest,
 * } from "@icebp/icebp";
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
 * const gdtr: InitialTable = loadGuest(request).registers.gdtr;
 * assertEquals(gdtr.limit % 8, 7); // whole descriptors
 * ```
 */
export type InitialTable = Table<number>;

/**
 * General registers by name; those not named start as 0.
 *
 * @example
 * ```ts
 * import { type BootRequest, type InitialGpr, loadGuest } from "@icebp/icebp";
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
 * const gpr: InitialGpr = loadGuest(request).registers.gpr;
 * assertEquals(gpr.rax ?? 0n, 0n);
 * ```
 */
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

/**
 * How processor 0 starts.
 *
 * @example
 * ```ts
 * import {
 *   type BootRequest,
 *   type InitialState,
 *   loadGuest,
 * } from "@icebp/icebp";
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
 * const state: InitialState = loadGuest(request).registers;
 * assertEquals([state.cr0 & 1n, state.efer], [1n, 0n]); // protected mode
 * ```
 */
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

/**
 * Bytes for guest physical memory.
 *
 * @example
 * ```ts
 * import {
 *   type BootRequest,
 *   loadGuest,
 *   type MemoryWrite,
 * } from "@icebp/icebp";
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
 * const [write]: readonly MemoryWrite[] = loadGuest(request).segments;
 * assertEquals([write.gpa, write.bytes[0]], [0x7c00, 0xf4]);
 * ```
 */
export interface MemoryWrite {
  /** The guest physical address. */
  readonly gpa: number;
  /** What to write there. */
  readonly bytes: Uint8Array;
}

/**
 * A byte that firmware has written to a port.
 *
 * @example
 * ```ts
 * import { type BootRequest, loadGuest, type PortWrite } from "@icebp/icebp";
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
 * const writes: readonly PortWrite[] = loadGuest(request).ports ?? [];
 * assertEquals(writes[0], { port: 0x20, value: 0x11 }); // ICW1 of the PIC
 * ```
 */
export interface PortWrite {
  /** The I/O port. */
  readonly port: number;
  /** The byte. */
  readonly value: number;
}

/**
 * A guest ready to be put into a machine.
 *
 * @example
 * ```ts
 * import { type BootImage, type BootRequest, loadGuest } from "@icebp/icebp";
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
 * const image: BootImage = loadGuest(request);
 * assertEquals([image.kind, image.architecture], ["flat", "i386"]);
 * ```
 */
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

/**
 * A file that comes along with the image, and the text the guest gets with it.
 *
 * @example
 * ```ts
 * import type { BootModule } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const module: BootModule = {
 *   bytes: await Deno.readFile("deno.json"),
 *   text: "deno.json verbose",
 * };
 * assertEquals(module.bytes[0], 0x7b);
 * ```
 */
export interface BootModule {
  /** The file. */
  readonly bytes: Uint8Array;
  /** Its name and arguments. */
  readonly text: string;
}

/**
 * Mode a flat image is entered in: bits of its code segment.
 *
 * @example
 * ```ts
 * import type { FlatMode } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = (mode: FlatMode): number => mode / 8;
 * assertEquals(bytes(64), 8);
 * ```
 */
export type FlatMode = 16 | 32 | 64;

/**
 * How a flat image is loaded.
 *
 * @example
 * ```ts
 * import type { FlatChoice } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * // As --flat 0xe0000,16,0xffff0 has it: a BIOS.
 * const bios: FlatChoice = { address: 0xe0000, mode: 16, entry: 0xffff0 };
 * assertEquals(bios.entry! - bios.address, 0x1fff0);
 * ```
 */
export interface FlatChoice {
  /** The guest physical address that its first byte goes to. */
  readonly address: number;
  /** The mode it is entered in. */
  readonly mode: FlatMode;
  /** Where it is entered, an address like the other; without it at the first byte. */
  readonly entry?: number;
}

/**
 * What to boot and in what machine.
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
 * assertEquals(loadGuest(request).segments[0].gpa, 0x7c00);
 * ```
 */
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
