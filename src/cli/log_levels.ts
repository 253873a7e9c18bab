/** The value of --log: a level for all areas, others for some of them. */
import type { LogLevel } from "@logtape/logtape";
import { splitOnce, UsageError } from "./values.ts";

/** The areas that log: the rooms of src. */
export const LOG_AREAS = [
  "boot",
  "cli",
  "debug",
  "gdb",
  "machine",
  "platform",
  "soft",
] as const;

const LEVELS: Record<string, LogLevel | null> = {
  trace: "trace",
  debug: "debug",
  info: "info",
  warning: "warning",
  warn: "warning",
  error: "error",
  fatal: "fatal",
  off: null,
};

/** Least levels that are shown; null shows nothing. */
export interface LogLevels {
  readonly all: LogLevel | null;
  readonly areas: Readonly<Record<string, LogLevel | null>>;
}

function parseLevel(word: string): LogLevel | null {
  const level = LEVELS[word];
  if (level === undefined) {
    throw new UsageError(
      `--log ${word}: a level is one of ${Object.keys(LEVELS).join(", ")}`,
    );
  }
  return level;
}

/** Reads "LEVEL", "AREA=LEVEL" and lists of them. */
export function parseLogLevels(value: string): LogLevels {
  let all: LogLevel | null = "warning";
  const areas: Record<string, LogLevel | null> = {};
  for (const part of value.split(",")) {
    const [first, second] = splitOnce(part, "=");
    if (!part.includes("=")) {
      all = parseLevel(first);
    } else if ((LOG_AREAS as readonly string[]).includes(first)) {
      areas[first] = parseLevel(second);
    } else {
      throw new UsageError(
        `--log ${part}: an area is one of ${LOG_AREAS.join(", ")}`,
      );
    }
  }
  return { all, areas };
}
