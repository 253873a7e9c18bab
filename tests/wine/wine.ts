/**
 * Wine with the Windows build of Deno, for tests: a Debian trixie tree of its own (older
 * Wine cannot start V8), made once and kept below dist/. Every command runs in a mount
 * namespace of its own, so that nothing stays mounted.
 */

import { exists } from "../util/files.ts";
import { haveTool } from "../util/tools.ts";

const ROOT = decodeURI(new URL("../../", import.meta.url).pathname);
/** Where the tree is kept. */
const CACHE = `${ROOT}dist/wine`;
const TREE = `${CACHE}/trixie`;
const SUITE = "trixie";
/** Needed here; the rest is in the tree. */
const TOOLS = ["debootstrap", "chroot", "unshare", "npm", "tar"];
/** Paths inside the tree. */
const REPOSITORY = "/icebp", LIBRARIES = "/whp", DENO_CACHE = "/deno-cache";

/** Wine cannot be had here; the message is one line. */
export class WineError extends Error {
  override readonly name = "WineError";
}

async function run(command: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, {
    args,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  if (success) return new TextDecoder().decode(stdout);
  const said = new TextDecoder().decode(stderr).trim().split("\n").at(-1);
  throw new WineError(`${command} ${args.join(" ")}: ${said}`);
}

/** Makes something once: what is complete is marked by a file. */
async function once(
  name: string,
  say: (line: string) => void,
  make: () => Promise<void>,
): Promise<void> {
  const mark = `${CACHE}/${name}.done`;
  if (await exists(mark)) return;
  say(`wine: ${name}`);
  await make();
  await Deno.writeTextFile(mark, "");
}

/** Why Wine cannot be had on this machine; null if nothing speaks against it. */
export function whyNoWine(): string | null {
  if (Deno.build.target !== "x86_64-unknown-linux-gnu") {
    return `it needs x86-64 Linux, this is ${Deno.build.target}`;
  }
  if (Deno.uid() !== 0) return "debootstrap and chroot need root";
  const missing = TOOLS.filter((tool) => !haveTool(tool));
  return missing.length === 0 ? null : `${missing.join(", ")} not found`;
}

/** How a command is run. */
export interface WineOptions {
  /** Environment variables on top of what Wine and Deno need. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whether WinHvPlatform.dll can be found by name. */
  readonly libraries?: boolean;
  readonly stdin?: "null" | "piped";
  /** On a terminal of its own, which the pipes are the user of. */
  readonly terminal?: boolean;
}

/** A word as sh takes it. */
function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A set-up Wine. */
export class Wine {
  /** Makes what is not there yet: a minute or two the first time. Throws a
   * WineError where it cannot. */
  static async setUp(say: (line: string) => void): Promise<Wine> {
    const reason = whyNoWine();
    if (reason !== null) throw new WineError(reason);
    await Deno.mkdir(CACHE, { recursive: true });
    const wine = new Wine();
    await once(`Debian ${SUITE}`, say, async () => {
      // What an interrupted try left would be in the way.
      if (await exists(TREE)) await Deno.remove(TREE, { recursive: true });
      await run("debootstrap", "--variant=minbase", SUITE, TREE);
    });
    for (const folder of [REPOSITORY, LIBRARIES, DENO_CACHE]) {
      await Deno.mkdir(TREE + folder, { recursive: true });
    }
    await once("Wine", say, async () => {
      await wine.#chroot("apt-get update -qq");
      await wine.#chroot(
        "DEBIAN_FRONTEND=noninteractive apt-get install -y -qq " +
          "--no-install-recommends wine64 wine >/dev/null",
      );
    });
    await once(`Deno ${Deno.version.deno} for Windows`, say, async () => {
      const file = (await run(
        "npm",
        "pack",
        "--silent",
        "--pack-destination",
        CACHE,
        `@deno/win32-x64@${Deno.version.deno}`,
      )).trim().split("\n").at(-1)!;
      await run("tar", "-C", CACHE, "-xf", `${CACHE}/${file}`);
      await Deno.mkdir(`${TREE}/deno`, { recursive: true });
      await Deno.copyFile(`${CACHE}/package/deno.exe`, `${TREE}/deno/deno.exe`);
    });
    await once("prefix", say, async () => {
      await wine.deno(["--version"]);
    });
    return wine;
  }

  /** A path of the repository as programs in Wine know it. */
  static path(relative: string): string {
    return `Z:${REPOSITORY}/${relative}`.replaceAll("/", "\\");
  }

  /** A file or folder in C:, as this system knows it. */
  static driveC(path: string): string {
    return `${TREE}/root/.wine/drive_c/${path}`;
  }

  /** Runs a shell command in the tree. */
  #chroot(command: string): Promise<string> {
    return run("unshare", ...this.#arguments(["sh", "-ec", command]));
  }

  /** unshare's arguments: mounts that only the command sees. */
  #arguments(command: readonly string[], libraries?: string): string[] {
    const mounts = [
      ["/proc", "/proc"],
      ["/dev", "/dev"],
      [ROOT, REPOSITORY],
      [this.#cache, DENO_CACHE],
      ...libraries === undefined ? [] : [[libraries, LIBRARIES]],
    ];
    const script = [
      ...mounts.map(([from, to]) => `mount --rbind '${from}' '${TREE}${to}'`),
      'exec chroot "$@"',
    ].join(" && ");
    return ["--mount", "sh", "-ec", script, "sh", TREE, ...command];
  }

  /** npm packages are the same for both systems. */
  get #cache(): string {
    return Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;
  }

  /** A command that runs the Windows build of Deno in the repository. */
  command(args: readonly string[], options: WineOptions = {}): Deno.Command {
    const { env = {}, libraries = false, stdin = "null", terminal } = options;
    const variables = {
      HOME: "/root",
      WINEPREFIX: "/root/.wine",
      WINEDEBUG: "-all",
      XDG_RUNTIME_DIR: "/tmp",
      DENO_DIR: `Z:${DENO_CACHE}`,
      DENO_NO_UPDATE_CHECK: "1",
      NO_COLOR: "1",
      ...(libraries ? { WINEPATH: `Z:${LIBRARIES}` } : {}),
      ...env,
    };
    const words = Object.entries(variables).map(([k, v]) => `${k}=${v}`);
    // Wine 10 ends where TMPDIR is set, be it /tmp.
    const within = ["env", "-C", REPOSITORY, "-u", "TMPDIR", ...words];
    const unshare = this.#arguments(
      [...within, "wine", "/deno/deno.exe", ...args],
      libraries ? `${ROOT}tests/native/build/windows` : undefined,
    );
    const line = ["unshare", ...unshare].map(quote).join(" ");
    return new Deno.Command(terminal ? "script" : "unshare", {
      args: terminal ? ["-qec", line, "/dev/null"] : unshare,
      stdin,
      stdout: "piped",
      stderr: "piped",
    });
  }

  /**
   * Runs it to its end. Once more, and says so, where a thread in Wine fell over behind
   * the end of its process: once in a hundred runs of a busy machine, the exit code and
   * the output being right.
   */
  async deno(
    args: readonly string[],
    options?: WineOptions,
  ): Promise<{ code: number; out: string; err: string }> {
    const once = async () => {
      const { code, stdout, stderr } = await this.command(args, options)
        .output();
      const text = (bytes: Uint8Array) =>
        new TextDecoder().decode(bytes).replaceAll("\r\n", "\n");
      return { code, out: text(stdout), err: text(stderr) };
    };
    const first = await once();
    if (!/^wine: Unhandled page fault /m.test(first.err)) return first;
    console.log(`once more, code ${first.code}: ${first.err}`);
    return await once();
  }
}

if (import.meta.main) {
  try {
    await Wine.setUp(console.log);
    console.log(`Wine is set up in ${CACHE}`);
  } catch (error) {
    if (!(error instanceof WineError)) throw error;
    console.error(`wine: ${error.message}`);
    Deno.exit(1);
  }
}
