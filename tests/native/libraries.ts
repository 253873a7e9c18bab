/** The libraries for a test file, built once, and icebp on them. */
import { requireTool } from "../util/tools.ts";
import {
  buildNative,
  buildProgram,
  type NativeOptions,
  type Program,
} from "./build.ts";

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

/** Path of a program that uses the C interface. */
export function program(of: Program, asan: boolean): Promise<string> {
  return once(`${of} ${asan}`, () => buildProgram(of, asan));
}
