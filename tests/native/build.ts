// Builds the native WinHvPlatform and WinHvEmulation for tests: `deno task native`. What
// is up to date is not built again. With --asan the libraries are checked by
// AddressSanitizer; --without=FUNCTION,... leaves exports away. Where mingw-w64 is there
// the DLLs are built, too.

import "../../src/soft/number_types.ts";
import { GUEST } from "../../src/soft/core/layout.ts";
import { haveTool } from "../util/tools.ts";
import { translate } from "./translate.ts";

const HERE = decodeURI(new URL(".", import.meta.url).pathname);
const BUILD = `${HERE}build`;
const WASM = decodeURI(
  new URL("../../src/soft/core.wasm", import.meta.url).pathname,
);
const MINGW = "x86_64-w64-mingw32-gcc";

/** The parts of each library, besides the core. */
const COMMON = ["runtime", "lock", "quirks", "states", "variants"];
const PLATFORM = [
  ...COMMON,
  "calls",
  "complete",
  "doorbells",
  "engine",
  "events",
  "guest_memory",
  "memory",
  "partition",
  "processor",
];
const EMULATION = [...COMMON, "emulation"];

const CFLAGS = [
  "-std=gnu11",
  "-D_GNU_SOURCE",
  `-DGUEST=${GUEST}u`,
  "-fno-strict-aliasing",
];
/** For the core: -O2 takes twice the time (half a minute more) and makes it no faster. */
const TRANSLATED = ["-O1", "-w"];
/** For what is written by hand. */
const STRICT = ["-O2", "-g", "-Wall", "-Wextra", "-Werror"];

/** A kind of library. */
interface Target {
  /** Folder below build/. */
  readonly name: string;
  readonly compiler: string;
  readonly flags: readonly string[];
  readonly linking: readonly string[];
  readonly platform: string;
  readonly emulation: string;
}

const LINUX: Target = {
  name: "linux",
  compiler: "gcc",
  flags: ["-fPIC", "-fvisibility=hidden", "-pthread"],
  linking: ["-lm"],
  platform: "libWinHvPlatform.so",
  emulation: "libWinHvEmulation.so",
};

const ASAN: Target = {
  ...LINUX,
  name: "asan",
  flags: [
    ...LINUX.flags,
    "-fsanitize=address",
    "-fno-omit-frame-pointer",
    // Checks by calls: half the time to compile.
    "--param=asan-instrumentation-with-call-threshold=0",
  ],
};

const WINDOWS: Target = {
  name: "windows",
  compiler: MINGW,
  flags: ["-D_WIN32_WINNT=0x0a00"],
  linking: ["-static-libgcc"],
  platform: "WinHvPlatform.dll",
  emulation: "WinHvEmulation.dll",
};

/** Why the libraries cannot be built on this machine; null if they can. */
export function whyNoNative(
  system: "linux" | "windows" = "linux",
): string | null {
  const compiler = system === "linux" ? LINUX.compiler : WINDOWS.compiler;
  const missing = [compiler, "wasm2c"].filter((tool) => !haveTool(tool));
  return missing.length === 0 ? null : `${missing.join(", ")} not found`;
}

/** What to build. */
export interface NativeOptions {
  /** Checked by AddressSanitizer. */
  readonly asan?: boolean;
  /** Exports that are to be absent. */
  readonly without?: readonly string[];
}

function modified(path: string): number {
  try {
    return Deno.statSync(path).mtime?.getTime() ?? 0;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return -1;
    throw error;
  }
}

/**
 * Makes `target` by a command that is given its path last, unless it is newer than all
 * its inputs and was made by the same command.
 */
async function make(
  target: string,
  inputs: readonly string[],
  tool: string,
  args: readonly string[],
): Promise<void> {
  const record = `${target}.made`;
  const command = [tool, ...args].join("\n");
  const at = modified(target);
  if (
    inputs.every((input) => modified(input) < at) && modified(record) >= 0 &&
    Deno.readTextFileSync(record) === command
  ) return;
  // In another folder until it is whole: others may be using the old one. A DLL keeps
  // the name that it is made by.
  const slash = target.lastIndexOf("/");
  const folder = Deno.makeTempDirSync({ dir: target.slice(0, slash) });
  const temporary = `${folder}${target.slice(slash)}`;
  const { success, stderr } = await new Deno.Command(tool, {
    args: [...args, "-o", temporary],
    cwd: HERE,
    stdin: "null",
  }).output();
  if (!success) {
    throw new Error(
      `${tool} could not make ${target}:\n${new TextDecoder().decode(stderr)}`,
    );
  }
  Deno.renameSync(temporary, target);
  Deno.writeTextFileSync(record, command);
  Deno.removeSync(folder);
}

/** core.c and core.h in build/, from src/soft/core.wasm. */
function translateCore(): void {
  const made = modified(`${BUILD}/core.c`);
  if (modified(WASM) < made && modified(`${HERE}translate.ts`) < made) return;
  const { source, header } = translate(WASM);
  Deno.writeTextFileSync(`${BUILD}/core.h`, header);
  Deno.writeTextFileSync(`${BUILD}/core.c`, source);
}

async function compile(target: Target, part: string): Promise<string> {
  const own = part !== "core";
  const source = own ? `${HERE}${part}.c` : `${BUILD}/core.c`;
  const headers = own
    ? [...Deno.readDirSync(HERE)].map((entry) => entry.name)
      .filter((name) => name.endsWith(".h")).map((name) => HERE + name)
    : [`${HERE}wasm-rt.h`, `${HERE}address.h`];
  const object = `${BUILD}/${target.name}/${part}.o`;
  await make(object, [source, `${BUILD}/core.h`, ...headers], target.compiler, [
    ...CFLAGS,
    ...target.flags,
    ...(own ? STRICT : TRANSLATED),
    `-I${HERE}`,
    `-I${BUILD}`,
    "-c",
    source,
  ]);
  return object;
}

/** Links both libraries into a folder below build/; returns the platform's path. */
async function link(
  target: Target,
  folder: string,
  extra: readonly string[] = [],
): Promise<string> {
  const path = `${BUILD}/${folder}`;
  Deno.mkdirSync(path, { recursive: true });
  for (
    const [library, parts] of [
      [target.platform, PLATFORM],
      [target.emulation, EMULATION],
    ] as const
  ) {
    const objects = ["core", ...parts]
      .map((part) => `${BUILD}/${target.name}/${part}.o`);
    await make(`${path}/${library}`, objects, target.compiler, [
      "-shared",
      ...target.flags,
      ...objects,
      ...target.linking,
      ...extra,
    ]);
  }
  return `${path}/${target.platform}`;
}

async function build(target: Target): Promise<string> {
  Deno.mkdirSync(`${BUILD}/${target.name}`, { recursive: true });
  translateCore();
  const parts = new Set(["core", ...PLATFORM, ...EMULATION]);
  await Promise.all([...parts].map((part) => compile(target, part)));
  return await link(target, target.name);
}

/**
 * Builds what is not up to date; returns the path of libWinHvPlatform.so, which has
 * libWinHvEmulation.so beside it. Throws with the compiler's messages when it fails.
 */
export async function buildNative(
  options: NativeOptions = {},
): Promise<string> {
  const target = options.asan ? ASAN : LINUX;
  const library = await build(target);
  const without = options.without ?? [];
  if (without.length === 0) return library;
  const folder = `${target.name}-without-${without.join("-")}`;
  Deno.mkdirSync(`${BUILD}/${folder}`, { recursive: true });
  const script = `${BUILD}/${folder}/exports`;
  Deno.writeTextFileSync(
    script,
    `{ global: *; local: ${without.map((name) => `${name}; `).join("")}};\n`,
  );
  return await link(target, folder, [`-Wl,--version-script=${script}`]);
}

/** A program in C that uses the libraries, by the name of its folder. */
export type Program = "driver" | "clients";

/** Builds a program against a target's libraries, which are there; returns its path. */
async function program(of: Program, target: Target): Promise<string> {
  const { compiler, flags, platform, emulation } = target;
  const folder = `${BUILD}/${target.name}`;
  const sources = [...Deno.readDirSync(HERE + of)]
    .map((entry) => `${HERE}${of}/${entry.name}`);
  const libraries = [platform, emulation].map((file) => `${folder}/${file}`);
  const path = `${folder}/${of}${target === WINDOWS ? ".exe" : ""}`;
  await make(path, [...sources, `${HERE}winhv.h`, ...libraries], compiler, [
    ...CFLAGS,
    ...flags,
    ...STRICT,
    ...sources.filter((source) => source.endsWith(".c")),
    ...libraries,
    // Windows looks beside the program anyhow.
    ...(target === WINDOWS ? target.linking : [`-Wl,-rpath,${folder}`]),
  ]);
  return path;
}

/** Builds the library and a program that uses it; returns the program's path. */
export async function buildProgram(
  of: Program,
  asan: boolean,
): Promise<string> {
  await buildNative({ asan });
  return await program(of, asan ? ASAN : LINUX);
}

/** Builds the DLLs and clients/, with Windows' own headers; returns clients.exe. */
export async function buildWindowsClients(): Promise<string> {
  await buildWindows();
  return await program("clients", WINDOWS);
}

/** Builds the DLLs with mingw-w64; returns the path of WinHvPlatform.dll. */
export async function buildWindows(): Promise<string> {
  return await build(WINDOWS);
}

if (import.meta.main) {
  const reason = whyNoNative();
  if (reason !== null) {
    console.error(`native: ${reason}`);
    Deno.exit(1);
  }
  const without = Deno.args.flatMap((arg) =>
    arg.startsWith("--without=")
      ? arg.slice("--without=".length).split(",")
      : []
  );
  const asan = Deno.args.includes("--asan");
  const dlls = haveTool(MINGW) && !asan && without.length === 0
    ? buildWindows()
    : null;
  console.log(await buildNative({ asan, without }));
  if (dlls !== null) console.log(await dlls);
}
