/**
 * The host's silicon as a CpuUnderTest: owns the child process that runs the
 * cases and starts it anew when it died or hung.
 *
 * @module
 */
import { type Batch, type CpuUnderTest, Results } from "./batch.ts";
import { SLOT_BYTES } from "./layout.ts";

/** The child's exit code when the host lacks something that it needs. */
export const NOT_HERE = 3;

const CHILD = [
  "run",
  "--allow-ffi",
  "--no-config",
  "--no-lock",
  "--no-check",
  "--quiet",
  new URL("./native_child.ts", import.meta.url).pathname,
];

/** Why the native executor cannot work on this machine, or null. */
export async function whyNoSilicon(): Promise<string | null> {
  if (Deno.build.os !== "linux" || Deno.build.arch !== "x86_64") {
    return "they need Linux on x86-64";
  }
  // Without any case it sets up and ends; other errors are tests' to fail by.
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: CHILD,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  return code === NOT_HERE ? new TextDecoder().decode(stderr).trim() : null;
}

/** A batch takes milliseconds; a child that needs this long hangs. */
const BATCH_LIMIT_MS = 60_000;

/** The child died or hung while running a batch. */
export class NativeDied extends Error {
  override name = "NativeDied";
}

export class NativeCpu implements CpuUnderTest {
  readonly name = "silicon";
  #child: Deno.ChildProcess | null = null;
  #reader: ReadableStreamDefaultReader<Uint8Array> | null = null;
  #writer: WritableStreamDefaultWriter<Uint8Array> | null = null;
  #pending: Uint8Array = new Uint8Array(0);
  /** Settles when the last batch that was asked for has ended, however. */
  #last: Promise<void> = Promise.resolve();

  #start(): void {
    const child = new Deno.Command(Deno.execPath(), {
      args: CHILD,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#child = child;
    this.#reader = child.stdout.getReader();
    this.#writer = child.stdin.getWriter();
    this.#pending = new Uint8Array(0);
  }

  async #read(bytes: number): Promise<Uint8Array<ArrayBuffer>> {
    const into = new Uint8Array(bytes);
    for (let at = 0; at < bytes;) {
      if (this.#pending.length === 0) {
        const chunk = await this.#reader!.read();
        if (chunk.done) throw new NativeDied("the native executor died");
        this.#pending = chunk.value;
      }
      const part = this.#pending.subarray(0, bytes - at);
      into.set(part, at);
      at += part.length;
      this.#pending = this.#pending.subarray(part.length);
    }
    return into;
  }

  async #exchange(batch: Batch): Promise<Results> {
    const header = new Uint32Array([
      batch.length,
      batch.fx ? 1 : 0,
      batch.used,
      batch.slots,
    ]);
    const writer = this.#writer!;
    await writer.write(new Uint8Array(header.buffer));
    await writer.write(batch.pristine);
    await writer.write(batch.code.subarray(0, batch.slots * SLOT_BYTES));
    await writer.write(batch.input.subarray(0, batch.used));
    const size = new Uint32Array((await this.#read(4)).buffer)[0];
    return new Results(await this.#read(size), batch.length);
  }

  /** One batch at a time; throws NativeDied when it killed the child. */
  runBatch(batch: Batch): Promise<Results> {
    const result = this.#last.then(() => this.#run(batch));
    this.#last = result.then(() => {}, () => {});
    return result;
  }

  async #run(batch: Batch): Promise<Results> {
    if (this.#child === null) this.#start();
    const child = this.#child!;
    const watchdog = setTimeout(() => child.kill("SIGKILL"), BATCH_LIMIT_MS);
    try {
      return await this.#exchange(batch);
    } catch (error) {
      this.#child = null;
      const { code, signal } = await child.status;
      throw new NativeDied(
        `the native executor ended: code ${code}, signal ${signal}`,
        { cause: error },
      );
    } finally {
      clearTimeout(watchdog);
    }
  }

  async close(): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    this.#child = null;
    await this.#writer!.close();
    await this.#reader!.cancel();
    await child.status;
  }
}
