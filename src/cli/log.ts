/**
 * The only place where logging is set up: LogTape to standard error, one line a
 * record. In raw mode the terminal needs a carriage return as well.
 */
import { configureSync, type LogRecord, resetSync } from "@logtape/logtape";
import type { LogLevels } from "./log_levels.ts";

/** Where log lines go; `line` has no line end. */
export type LogWriter = (line: string) => void;

function format(record: LogRecord): string {
  const area = record.category.slice(1).join(".") || "icebp";
  const text = record.message
    .map((part) => part instanceof Error ? part.message : String(part))
    .join("");
  return `icebp: ${record.level} ${area}: ${text}`;
}

/** Sends records of at least these levels to `write`. */
export function setUpLog(levels: LogLevels, write: LogWriter): void {
  resetSync();
  configureSync({
    sinks: { lines: (record) => write(format(record)) },
    loggers: [
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["lines"] },
      { category: ["icebp"], lowestLevel: levels.all, sinks: ["lines"] },
      ...Object.entries(levels.areas).map(([area, lowestLevel]) => ({
        category: ["icebp", area],
        lowestLevel,
        sinks: ["lines"],
        parentSinks: "override" as const,
      })),
    ],
  });
}
