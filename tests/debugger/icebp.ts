/**
 * icebp and a debugger as two programs, as a user has them: the test guest is
 * built, icebp runs it, gdb or lldb or a test's own client attaches.
 */
import { symbolsOf } from "../util/linked.ts";
import { testPlatform, translation } from "../util/platform.ts";
import { kill, runTool } from "../util/tools.ts";

const ROOT = new URL("../../", import.meta.url);

/** Compiler options that give code of a known shape, with source lines. */
const CFLAGS = [
  "-m64",
  "-ffreestanding",
  "-nostdlib",
  "-static",
  "-fno-pic",
  "-no-pie",
  "-fno-stack-protector",
  "-mno-red-zone",
  "-mgeneral-regs-only",
  "-fcf-protection=none",
  "-fno-asynchronous-unwind-tables",
  "-g",
  "-Wall",
  "-Wextra",
  "-Werror",
  "-Wl,--build-id=none,-T,guest.ld,-z,max-page-size=4096",
];

/** A debugger that takes longer, in seconds, waits for what does not come. */
const PATIENCE = 60;

let built: string | undefined;

/** Builds the test guest once; returns the path of the ELF file. */
export function buildGuest(): string {
  if (built === undefined) {
    const folder = Deno.makeTempDirSync({ prefix: "icebp-guest-" });
    globalThis.addEventListener("unload", () => {
      Deno.removeSync(folder, { recursive: true });
    });
    built = `${folder}/guest.elf`;
    runTool("gcc", [...CFLAGS, "-o", built, "start.S", "main.c"], {
      cwd: new URL("guest/", import.meta.url).pathname,
    });
  }
  return built;
}

/** Addresses of a guest's symbols, the test guest's if absent. */
export function symbols(image = buildGuest()): Map<string, bigint> {
  return symbolsOf(image);
}

const CFLAGS32 = CFLAGS.filter((flag) =>
  !["-m64", "-mno-red-zone"].includes(flag)
);
let built32: string | undefined;
let modes: string | undefined;

/** Builds the kernel that goes through all modes; returns the path of the ELF file. */
export function buildModes(): string {
  if (modes === undefined) {
    const folder = Deno.makeTempDirSync({ prefix: "icebp-guest-" });
    globalThis.addEventListener("unload", () => {
      Deno.removeSync(folder, { recursive: true });
    });
    modes = `${folder}/modes.elf`;
    const link =
      "-Wl,--build-id=none,--no-warn-rwx-segments,-Ttext=0x100000,-N";
    runTool(
      "gcc",
      ["-m32", "-nostdlib", "-static", "-no-pie", link, "-o", modes, "modes.S"],
      { cwd: new URL("guest_modes/", import.meta.url).pathname },
    );
  }
  return modes;
}

/** Builds the 32-bit guest once; returns the path of the ELF file. */
export function buildGuest32(): string {
  if (built32 === undefined) {
    const folder = Deno.makeTempDirSync({ prefix: "icebp-guest-" });
    globalThis.addEventListener("unload", () => {
      Deno.removeSync(folder, { recursive: true });
    });
    built32 = `${folder}/guest32.elf`;
    runTool(
      "gcc",
      ["-m32", ...CFLAGS32, "-o", built32, "start.S", "main.c"],
      { cwd: new URL("guest32/", import.meta.url).pathname },
    );
  }
  return built32;
}

/** A TCP port that nobody has. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return port;
}

export interface IcebpOptions {
  readonly cpus?: number;
  /** What --platform is; the tests' platform if absent. */
  readonly platform?: string;
  /** Path of the guest; the test guest if absent. */
  readonly image?: string;
  /** Where it listens; 127.0.0.1 if absent. A path is a unix socket's. */
  readonly listen?: string;
  /** More of the command line. */
  readonly args?: readonly string[];
  /** Whether something is to be typed at the console; else it has no input. */
  readonly typed?: boolean;
  /** Environment variables on top of this process's. */
  readonly env?: Readonly<Record<string, string>>;
}

/** icebp, running the test guest or another. */
export class Icebp {
  readonly port = freePort();
  /** Where it listens, as gdb wants it. */
  readonly address: string;
  /** The guest's ELF file. */
  readonly image: string;
  readonly #child: Deno.ChildProcess;
  readonly #keyboard: WritableStreamDefaultWriter<Uint8Array> | null;
  readonly #output: Promise<string>;
  readonly #errors: Promise<string>;

  constructor(options: IcebpOptions = {}) {
    const { cpus = 2, platform = testPlatform(), args = [], env = {} } =
      options;
    const { listen = "127.0.0.1" } = options;
    const isPath = listen.startsWith("/");
    this.address = isPath ? listen : `${listen}:${this.port}`;
    this.image = options.image ?? buildGuest();
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--no-check",
        new URL("mod.ts", ROOT).pathname,
        `--gdb=${isPath ? "unix:" : ""}${this.address}`,
        `--platform=${platform}`,
        "--cpus",
        `${cpus}`,
        "--memory",
        "64M",
        ...translation(args),
        ...args,
        this.image,
      ],
      env: { ...env },
      stdin: options.typed ? "piped" : "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#keyboard = options.typed ? this.#child.stdin.getWriter() : null;
    this.#output = new Response(this.#child.stdout).text();
    this.#errors = new Response(this.#child.stderr).text();
  }

  /** Types at the guest's console. */
  async type(text: string): Promise<void> {
    await this.#keyboard!.write(new TextEncoder().encode(text));
  }

  /** Waits for its end; returns the exit code and what the guest printed. */
  async ended(): Promise<{ code: number; output: string; errors: string }> {
    const { code } = await this.#child.status;
    return { code, output: await this.#output, errors: await this.#errors };
  }

  /** Ends it in any case. */
  async [Symbol.asyncDispose](): Promise<void> {
    kill(this.#child);
    await this.#keyboard?.abort();
    await this.ended();
  }
}

/**
 * A debugger's command line that runs `lines` and shows everything. With `patience` the
 * process is the guard that ends it; without, it is the debugger itself.
 */
function debuggerCommand(
  tool: "gdb" | "extended gdb" | "lldb",
  address: string,
  lines: readonly string[],
  patience = true,
  file: string | null = buildGuest(),
): Deno.Command {
  const run = (flag: string, all: readonly string[]) =>
    all.flatMap((line) => [flag, line]);
  const files = file === null ? [] : [file];
  const kind = tool === "gdb" ? "remote" : "extended-remote";
  const args = tool !== "lldb"
    ? [
      "-nx",
      "-batch",
      ...run("-ex", ["set width 0", "set pagination off"]),
      ...run("-ex", [`target ${kind} ${address}`, ...lines]),
      ...files,
    ]
    : [
      "-x",
      "-b",
      ...run("-o", [`gdb-remote ${address}`, ...lines]),
      ...files,
    ];
  // What it says and what it complains of, in order.
  const guard = patience ? ["timeout", "-s", "KILL", `${PATIENCE}`] : [];
  return new Deno.Command("sh", {
    args: [
      "-c",
      'exec "$@" 2>&1',
      "sh",
      ...guard,
      tool.split(" ").at(-1)!,
      ...args,
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  });
}

/** Runs a debugger to its end; returns what it said. */
export async function debug(
  tool: "gdb" | "extended gdb" | "lldb",
  icebp: Icebp,
  ...lines: string[]
): Promise<string> {
  return await debugFile(tool, icebp, buildGuest(), ...lines);
}

/** The same with another guest's symbols, or none. */
export async function debugFile(
  tool: "gdb" | "extended gdb" | "lldb",
  icebp: Icebp,
  file: string | null,
  ...lines: string[]
): Promise<string> {
  const { stdout } = await debuggerCommand(
    tool,
    icebp.address,
    lines,
    true,
    file,
  )
    .output();
  return new TextDecoder().decode(stdout);
}

/** Starts gdb and leaves it to the caller: the process is gdb. */
export function startGdb(icebp: Icebp, ...lines: string[]): Deno.ChildProcess {
  return debuggerCommand("gdb", icebp.address, lines, false).spawn();
}
