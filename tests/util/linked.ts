// What the linker makes of an object: bytes, and where its symbols are.

import { runTool } from "./tools.ts";

/** Bytes to put at the lowest address linked for, and labels. */
export interface Linked {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly symbols: ReadonlyMap<string, number>;
}

/** Links `object`, a file whose folder is for this; ld's arguments say where it goes. */
export function linked(object: string, ...args: readonly string[]): Linked {
  const elf = `${object}.elf`, binary = `${object}.bin`;
  runTool("ld", ["-N", "-e0", ...args, "-o", elf, object]);
  runTool("objcopy", ["-O", "binary", elf, binary]);
  const symbols = [...symbolsOf(elf)]
    .map(([name, address]) => [name, Number(address)] as const);
  return { bytes: Deno.readFileSync(binary), symbols: new Map(symbols) };
}

/** Addresses of a file's symbols. */
export function symbolsOf(file: string): Map<string, bigint> {
  const table = new Map<string, bigint>();
  for (const line of runTool("nm", [file]).split("\n")) {
    const [address, , name] = line.split(" ");
    if (name !== undefined) table.set(name, BigInt(`0x${address}`));
  }
  return table;
}
