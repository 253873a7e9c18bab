// The platform that a test's guest runs on where any will do, and whether the software one
// translates: ICEBP_TEST_TRANSLATE is never, auto or always.

import type { WinHvPlatform } from "../../ffi/mod.ts";
import {
  setDefaultTranslation,
  type TranslateMode,
} from "../../src/soft/mod.ts";

const mode = Deno.env.get("ICEBP_TEST_TRANSLATE");
if (mode !== undefined) setDefaultTranslation(mode as TranslateMode);

/** What ICEBP_TEST_PLATFORM names (`whp`, or a library's path), else `soft`. */
export function testPlatform(): string {
  return Deno.env.get("ICEBP_TEST_PLATFORM") ?? "soft";
}

/** Of the command's options what has it translate as tests are told to, unless `args` say. */
export function translation(args: readonly string[]): string[] {
  return mode === undefined || args.some((arg) => arg.startsWith("--translate"))
    ? []
    : [`--translate=${mode}`];
}

/** A platform as it is without IcebpSetAccessCallback: every access exits. `ran` is told of
 * every run. */
export function withoutAnswers(
  whole: WinHvPlatform,
  ran: () => void = () => {},
): WinHvPlatform {
  return { ...withRuns(whole, ran), accessCallback: undefined };
}

/** A platform that tells `ran` of every run of a processor. */
export function withRuns(
  whole: WinHvPlatform,
  ran: () => void,
): WinHvPlatform {
  const run = whole.platform.WHvRunVirtualProcessor;
  const counted = withProperties(whole, (set, ...args) => set(...args));
  return {
    ...counted,
    platform: {
      ...counted.platform,
      WHvRunVirtualProcessor: (...args) => {
        ran();
        return run(...args);
      },
    },
  };
}

type SetProperty = WinHvPlatform["platform"]["WHvSetPartitionProperty"];

/** A platform whose partitions' properties go through `set`, which is given the
 * platform's own function first. */
export function withProperties(
  whole: WinHvPlatform,
  set: (
    own: SetProperty,
    ...args: Parameters<SetProperty>
  ) => ReturnType<SetProperty>,
): WinHvPlatform {
  const own = whole.platform.WHvSetPartitionProperty;
  return {
    name: whole.name,
    platform: {
      ...whole.platform,
      WHvSetPartitionProperty: (...args) => set(own, ...args),
    },
    emulation: whole.emulation,
    extensions: whole.extensions,
    events: whole.events,
    callback: (kind, fn) => whole.callback(kind, fn),
    debugPointFilter: (fn) => whole.debugPointFilter!(fn),
    accessCallback: whole.accessCallback &&
      ((fn) => whole.accessCallback!(fn)),
    standstillCallback: (fn) => whole.standstillCallback!(fn),
    close: () => whole.close(),
  };
}
