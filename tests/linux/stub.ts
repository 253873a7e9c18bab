// Debian's kernel waiting for gdb: in icebp, and in QEMU as a second opinion.
import { command } from "../cli/icebp.ts";
import { testPlatform, translation } from "../util/platform.ts";
import { kill } from "../util/tools.ts";

/** What to boot. */
export interface Boot {
  readonly kernel: string;
  /** Path of the initramfs. */
  readonly initrd: string;
  readonly commandLine: string;
}

/** A guest that waits for gdb before its first instruction. */
export class Stub implements AsyncDisposable {
  /** What gdb's `target remote` takes. */
  readonly address: string;
  readonly #child: Deno.ChildProcess;
  readonly #output: Promise<string>;
  readonly #errors: Promise<string>;

  private constructor(
    address: string,
    child: Deno.ChildProcess,
    errors: ReadableStream<Uint8Array>,
  ) {
    this.address = address;
    this.#child = child;
    this.#output = new Response(child.stdout).text();
    this.#errors = new Response(errors).text();
  }

  /** Starts icebp, with a port that is free. */
  static async icebp(boot: Boot, ...args: string[]): Promise<Stub> {
    const child = command([
      "--gdb=127.0.0.1:0",
      `--platform=${testPlatform()}`,
      ...translation([]),
      "--memory=256M",
      `--append=${boot.commandLine}`,
      `--initrd=${boot.initrd}`,
      ...args,
      boot.kernel,
    ]).spawn();
    const [first, errors] = child.stderr.tee();
    let said = "";
    for await (const text of first.pipeThrough(new TextDecoderStream())) {
      said += text;
      const address = /'target remote (\S+)'\n/.exec(said)?.[1];
      if (address !== undefined) return new Stub(address, child, errors);
    }
    throw new Error(`icebp does not offer gdb anything:\n${said}`);
  }

  /** Starts QEMU; its gdb stub listens in `folder`. */
  static async qemu(boot: Boot, folder: string, cpu: string): Promise<Stub> {
    const socket = `${folder}/qemu.gdb`;
    const child = new Deno.Command("qemu-system-x86_64", {
      args: [
        ...["-accel", "tcg", "-cpu", cpu, "-m", "256", "-display", "none"],
        ...["-nodefaults", "-no-reboot", "-serial", "stdio"],
        ...["-kernel", boot.kernel, "-initrd", boot.initrd],
        ...["-append", boot.commandLine],
        ...["-S", "-gdb", `unix:${socket},server=on,wait=off`],
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const stub = new Stub(socket, child, child.stderr);
    for (let tries = 0; tries < 500; tries++) {
      try {
        await Deno.stat(socket);
        return stub;
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const { errors } = await stub.ended();
    throw new Error(`QEMU offers no gdb stub:\n${errors}`);
  }

  /** Waits for its end: the exit code, and what the guest's console said. */
  async ended(): Promise<{ code: number; output: string; errors: string }> {
    const { code } = await this.#child.status;
    return {
      code,
      output: (await this.#output).replaceAll("\r", ""),
      errors: await this.#errors,
    };
  }

  /** Ends it in any case. */
  async [Symbol.asyncDispose](): Promise<void> {
    kill(this.#child);
    await this.ended();
  }
}
