// Declarations of the @std/cli/parse-args function.

/** What {@linkcode parseArgs} should make of the words. */
export interface ParseOptions {
  "--"?: boolean;
  alias?: Record<string, string | readonly string[]>;
  boolean?: boolean | string | readonly string[];
  collect?: string | readonly string[];
  default?: Record<string, unknown>;
  negatable?: string | readonly string[];
  stopEarly?: boolean;
  string?: string | readonly string[];
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** The words by option; those that are no option's are in `_`. */
export interface Args {
  _: (string | number)[];
  "--"?: string[];
  [option: string]: unknown;
}

export function parseArgs(
  args: readonly string[],
  options?: ParseOptions,
): Args;
