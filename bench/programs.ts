// The C programs of bench/guests as multiboot kernels.

import { runTool } from "../tests/util/tools.ts";

const SOURCES = new URL("guests", import.meta.url).pathname;

/** A program, how it is compiled, and how often it turns in a second or two. */
export interface Program {
  readonly name: string;
  readonly source: string;
  readonly bits: 32 | 64;
  readonly flags?: readonly string[];
  readonly turns: number;
}

/** Takes no time itself: starting is all there is. */
export const EMPTY: Program = {
  name: "empty",
  source: "empty",
  bits: 64,
  turns: 0,
};

export const PROGRAMS: readonly Program[] = [
  { name: "integer 64", source: "integer", bits: 64, turns: 300 },
  { name: "integer 32", source: "integer", bits: 32, turns: 300 },
  {
    name: "SHA-256",
    source: "sha256",
    bits: 64,
    flags: ["-Os"],
    turns: 2000,
  },
  { name: "fibonacci", source: "fibonacci", bits: 64, turns: 150 },
  { name: "pointer chase", source: "chase", bits: 64, turns: 40 },
  {
    name: "x87",
    source: "floats",
    bits: 64,
    flags: ["-DREAL=long double"],
    turns: 150,
  },
  {
    name: "SSE, scalar",
    source: "floats",
    bits: 64,
    flags: ["-DREAL=double"],
    turns: 500,
  },
  { name: "SSE, packed", source: "vectors", bits: 64, turns: 20000 },
  { name: "rep, memcpy", source: "strings", bits: 64, turns: 200 },
];

/** Compiles a program into `folder`; the image's path. */
export function build(
  { name, source, bits, flags = [], turns }: Program,
  folder: string,
): string {
  const path = `${folder}/${name.replaceAll(/\W+/g, "-")}`;
  runTool("gcc", [
    `-m${bits}`,
    ...bits === 32 ? ["-march=i686"] : ["-mno-red-zone"],
    ...["-O2", "-fomit-frame-pointer", "-ffreestanding", "-fno-builtin"],
    ...["-fno-tree-loop-distribute-patterns", "-fno-stack-protector"],
    ...["-fno-pic", "-no-pie", "-fno-asynchronous-unwind-tables"],
    ...["-static", "-nostdlib", "-Wall", "-Werror"],
    "-Wl,-n,-Ttext=0x100000,--build-id=none,-z,noexecstack",
    ...flags,
    `-DTURNS=${turns}`,
    `${SOURCES}/start.S`,
    `${SOURCES}/${source}.c`,
    "-o",
    `${path}.own`,
  ]);
  // QEMU's multiboot loader takes 32-bit ELF only, whatever is in it
  runTool("objcopy", ["-O", "elf32-i386", `${path}.own`, path]);
  return path;
}
