/**
 * The built-in guest: a two-processor kernel to try the debugger on. Embedded,
 * so that nothing has to be read or fetched; its sources come along for the
 * debugger's listings.
 */
import { DEMO_BASE64 } from "./image.ts";

/** Name of the file that holds the kernel with its symbols. */
export const DEMO_ELF = "demo.elf";

/** The files of the demo: the kernel's ELF file and its sources. */
export type DemoFile = keyof typeof DEMO_BASE64;

/** The bytes of one file of the demo. */
export function demoFile(name: DemoFile): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromBase64(DEMO_BASE64[name]);
}

/** The names of all files of the demo. */
export function demoFileNames(): DemoFile[] {
  return Object.keys(DEMO_BASE64) as DemoFile[];
}
