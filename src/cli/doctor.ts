/**
 * `icebp doctor`: what this machine offers to run guests on, why not where it does
 * not, and what --platform will be.
 */
import {
  CapabilityFeatures,
  ExtendedVmExits,
  ProcessorFeatures,
} from "../../ffi/flags.ts";
import type { WinHvPlatform } from "../../ffi/mod.ts";
import {
  type Capabilities,
  missingFunctions,
  openNative,
  PlatformError,
  readCapabilities,
  WHP,
} from "../platform/mod.ts";
import { type HostFacts, tellsTsc, tscKhzToTell } from "../machine/host.ts";
import { askHost } from "../machine/probe.ts";
import { MAX_GUEST_BYTES } from "../soft/mod.ts";
import { VERSION } from "./help.ts";
import { openPlatform, SOFT } from "./platform.ts";

const MIB = 1024 * 1024;

/** Names of the bits that are set. */
function namesOf(
  bits: bigint,
  names: Readonly<Record<string, bigint>>,
): string {
  const set = Object.keys(names).filter((name) => (bits & names[name]) !== 0n);
  return set.join(", ") || "none";
}

function hertz(frequency: bigint | null): string {
  return frequency === null
    ? "not said"
    : `${(Number(frequency) / 1e6).toFixed(1)} MHz`;
}

/** What the capabilities say, a line each. */
function capabilityLines(capabilities: Capabilities): string[] {
  const { exceptionExitBitmap } = capabilities;
  return [
    `features: ${namesOf(capabilities.features, CapabilityFeatures)}`,
    `exits: ${namesOf(capabilities.extendedVmExits, ExtendedVmExits)}`,
    exceptionExitBitmap === 0n
      ? "exceptions that can exit: not said (debugging needs vector 1)"
      : `exceptions that can exit: 0x${exceptionExitBitmap.toString(16)}`,
    `processor: ${namesOf(capabilities.processorFeatures, ProcessorFeatures)}`,
    `processor clock: ${hertz(capabilities.processorClockFrequency)}, ` +
    `APIC clock: ${hertz(capabilities.interruptClockFrequency)}`,
  ];
}

const USABLE = "usable: a machine was made and ran its first instructions";

/** How breakpoints are held on a platform. */
function breakpointLine(
  { extensions }: WinHvPlatform,
  { int1Exits }: HostFacts,
): string {
  if (extensions.IcebpSetDebugPoint !== null) {
    return "breakpoints and watchpoints: in the processor, any number of them";
  }
  const why = "(lacks IcebpSetDebugPoint, which no Windows has)";
  if (int1Exits === null) {
    return `breakpoints: none, debug exceptions do not exit ${why}`;
  }
  const what = int1Exits
    ? "INT1 in guest memory"
    : "four debug registers, then INT3 in guest memory: INT1 does not exit here";
  return `breakpoints: ${what}; watchpoints: four debug registers ${why}`;
}

/** Where a guest has the frequency of its time stamp counter from. */
function tscLine({ clocks }: HostFacts): string {
  const { tscHz } = clocks;
  if (tscHz === null) return "time stamp counter: nobody tells its frequency";
  const told = tellsTsc(clocks)
    ? "as CPUID tells"
    : tscKhzToTell(clocks) === null
    ? "which guests are told by CPUID 0x15, though the host's does not"
    : "which CPUID does not tell: Linux is told by tsc_early_khz";
  return `time stamp counter: ${(tscHz / 1e6).toFixed(1)} MHz, ${told}`;
}

/** How exact the system's timers are, where they can be asked to be. */
function timerLines({ timerMs }: WinHvPlatform): string[] {
  if (Deno.build.os !== "windows") return [];
  return [
    typeof timerMs === "number"
      ? `timers: exact to ${timerMs} ms, as asked for`
      : "timers: as coarse as the system has them (15.6 ms): a guest's ticks " +
        "come some at a time",
  ];
}

/** What a library offers. */
interface Finding {
  readonly usable: boolean;
  /** What is known of it; the first line is the verdict. */
  readonly lines: readonly string[];
}

async function examine(name: string): Promise<Finding> {
  let platform: WinHvPlatform;
  try {
    platform = openNative(name);
  } catch (error) {
    return { usable: false, lines: [`not usable: ${reason(error)}`] };
  }
  try {
    const lines = [
      ...capabilityLines(readCapabilities(platform)),
      ...timerLines(platform),
    ];
    const missing = missingFunctions(platform.platform).map(({ call, lost }) =>
      `lacks ${call}: ${lost}`
    );
    let host: HostFacts;
    try {
      host = await askHost(platform);
    } catch (error) {
      const verdict = `not usable: no machine can be made: ${reason(error)}`;
      return { usable: false, lines: [verdict, ...lines, ...missing] };
    }
    return {
      usable: true,
      lines: [
        USABLE,
        ...lines,
        tscLine(host),
        breakpointLine(platform, host),
        ...(missing.length > 0 ? missing : ["no function is missing"]),
      ],
    };
  } finally {
    platform.close();
  }
}

/** Why a platform cannot be opened; throws what is no such reason. */
function reason(error: unknown): string {
  if (error instanceof Deno.errors.NotCapable) {
    return "looking needs the permission --allow-ffi";
  }
  if (error instanceof PlatformError) return error.message;
  throw error;
}

async function examineSoft(): Promise<Finding> {
  const { platform, guestMemory } = await openPlatform(SOFT, MIB, "virtual");
  try {
    const host = await askHost(platform, guestMemory);
    return {
      usable: true,
      lines: [
        USABLE,
        `guest memory: up to ${Math.floor(MAX_GUEST_BYTES / MIB)} MiB`,
        breakpointLine(platform, host),
      ],
    };
  } finally {
    platform.close();
  }
}

function show(
  name: string,
  { lines: [verdict, ...more] }: Finding,
  say: (line: string) => void,
): void {
  say(`${name}: ${verdict}`);
  for (const line of more) say(`  ${line}`);
}

/** The system's version, as far as Deno may say. */
function release(): string {
  const may = { name: "sys", kind: "osRelease" } as const;
  return Deno.permissions.querySync(may).state === "granted"
    ? Deno.osRelease()
    : "(--allow-sys tells its version)";
}

/**
 * Says what this machine offers; `choice` is what --platform names, if anything.
 * Returns false if what it names cannot be used.
 */
export async function examineMachine(
  choice: string | undefined,
  say: (line: string) => void,
): Promise<boolean> {
  const { os, arch } = Deno.build;
  say(`icebp ${VERSION}, Deno ${Deno.version.deno}, V8 ${Deno.version.v8}`);
  say(
    `host: ${os} ${release()}, ${arch}, ` +
      `${navigator.hardwareConcurrency} processors`,
  );
  const onWindows = os === "windows";
  const whp: Finding = onWindows || choice === WHP
    ? await examine(WHP)
    : { usable: false, lines: [`not usable: part of Windows, this is ${os}`] };
  show(WHP, whp, say);
  const soft = await examineSoft();
  show(SOFT, soft, say);
  const library = choice === undefined || choice === WHP || choice === SOFT
    ? null
    : await examine(choice);
  if (library !== null) show(choice!, library, say);
  const chosen = choice ?? (onWindows && whp.usable ? WHP : SOFT);
  const usable = library?.usable ?? (chosen === WHP ? whp : soft).usable;
  say(`--platform is ${chosen}${usable ? "" : ", which cannot be used"}`);
  return usable;
}
