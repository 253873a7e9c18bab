/** The libraries for a test file, built once, and icebp on them. */
import { requireTool } from "../util/tools.ts";
import { buildDriver, buildNative, type NativeOptions } from "./build.ts";

/** Whether they can be built; if not, a line on the console says so. */
export const canBuild: boolean = requireTool("gcc", "wasm2c");

const built = new Map<string, Promise<string>>();

function once(key: string, build: () => Promise<string>): Promise<string> {
  let made = built.get(key);
  if (made === undefined) built.set(key, made = build());
  return made;
}

/** Path of libWinHvPlatform.so. */
export function library(options: NativeOptions = {}): Promise<string> {
  return once(JSON.stringify(options), () => buildNative(options));
}

/** Path of the program that drives the C interface. */
export function driver(asan: boolean): Promise<string> {
  return once(`driver ${asan}`, () => buildDriver(asan));
}
