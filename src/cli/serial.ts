/** Where the first serial port's output goes. */
import { fileProblem } from "./files.ts";
import type { SerialChoice } from "./options.ts";
import { BufferedOutput, type ByteSink } from "./output.ts";

/** An opened destination. */
export interface SerialOutput {
  write(bytes: Uint8Array): void;
  flush(): void;
  close(): void;
}

/** Opens it; `onError` hears of output that cannot be written any more. */
export function openSerial(
  choice: SerialChoice,
  onError: (error: unknown) => void,
): SerialOutput {
  if (choice.kind === "null") {
    return { write() {}, flush() {}, close() {} };
  }
  let sink: ByteSink & { close(): void };
  let name = "standard output";
  if (choice.kind === "stdio") sink = Deno.stdout;
  else {
    name = choice.path;
    try {
      sink = Deno.openSync(choice.path, {
        write: true,
        create: true,
        truncate: true,
      });
    } catch (error) {
      throw fileProblem(error, choice.path);
    }
  }
  const output = new BufferedOutput(
    sink,
    (error) => onError(fileProblem(error, name)),
  );
  return {
    write: (bytes) => output.write(bytes),
    flush: () => output.flush(),
    close: () => {
      output.flush();
      if (choice.kind === "file") sink.close();
    },
  };
}
