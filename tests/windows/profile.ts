/**
 * What a host answered, in a form that tests read back: a report
 * (tests/windows/report.ts) ends with it. The native library (tests/native) can then
 * do as that host does:
 *
 *     ICEBP_NATIVE=$(deno run -A tests/windows/profile.ts REPORT.md) \
 *       deno task test:native
 */

/** Facts about a host, by name. HRESULTs are eight hexadecimal digits. */
export type Profile = Readonly<Record<string, string | number | boolean>>;

/** The HRESULT of a call that worked. */
export const DONE = "00000000";

/** A word of ICEBP_NATIVE, from a fact that not every host has as the library has. */
type Quirk = readonly [
  fact: string,
  word: (value: string | number | boolean) => string | null,
];

const when = (word: string, is: string | number | boolean): Quirk[1] =>
(
  value,
) => value === is ? word : null;
const unless = (word: string, is: string | number | boolean): Quirk[1] =>
(
  value,
) => value === is ? null : word;
const code = (word: string, usual: string | number): Quirk[1] => (value) =>
  value === usual ? null : `${word}=${value}`;

/** In the order in which quirksOf() gives them (tests/native/README.md). */
const QUIRKS: readonly Quirk[] = [
  ["memoryExitLength", when("length0", 0)],
  ["memoryExitBytes", when("nobytes", 0)],
  ["csBase", unless("reset", "0xffff0000")],
  ["segmentG", when("g0", 0)],
  ["exceptionCapability", when("capabilities0", false)],
  ["unknownMsr", when("msrgp", "#GP")],
  ["extIntWakes", when("extintwakes", true)],
  ["activityWithoutApic", when("activity", DONE)],
  ["romWriteLength", unless("writebytes", 0)],
  ["hypervisorBit", when("hypervisor", true)],
  ["apicTpr", unless("noapictpr", DONE)],
  ["mtrrCap", when("mtrrcap", DONE)],
  ["runtimeCounted", when("noruntime", false)],
  ["sseMmio", unless("nosse", "works")],
  ["windowKept", when("windowlost", false)],
  ["windowOnHalt", when("nohaltwindow", false)],
  ["oldApicState", when("oldapic", "packed")],
  ["xsaveBytes", code("xsave", 576)],
  ["apicBase", unless("noregister=2003", DONE)],
  ["activity", unless("noregister=80000005", DONE)],
  ["int1Exits", when("noint1", false)],
  ["cpuid15", when("notsc", "0x0 0x0 0x0 0x0")],
  ["vendor", when("amd", "AuthenticAMD")],
  ["vector0", code("vector0", "c0350005")],
  ["requestWithoutApic", code("noapic", "c0350008")],
];

/** The words of ICEBP_NATIVE that make the native library do as the host did. What the
 * host did not answer is as the library has it. */
export function quirksOf(profile: Profile): string[] {
  return QUIRKS.flatMap(([fact, word]) =>
    profile[fact] === undefined ? [] : word(profile[fact]) ?? []
  );
}

const FENCE = "```";
const BEGIN = `${FENCE}json icebp-profile`;

/** The profile as a part of a report, in lines. */
export function profileLines(profile: Profile): string[] {
  return [BEGIN, ...JSON.stringify(profile, null, 1).split("\n"), FENCE];
}

/** Reads the profile out of a report; throws a TypeError where there is none. */
export function profileOf(report: string): Profile {
  const lines = report.split(/\r?\n/);
  const begin = lines.indexOf(BEGIN);
  const end = lines.indexOf(FENCE, begin);
  if (begin < 0 || end < 0) throw new TypeError("the report has no profile");
  const profile: unknown = JSON.parse(lines.slice(begin + 1, end).join("\n"));
  if (typeof profile !== "object" || profile === null) {
    throw new TypeError("the report's profile is not an object");
  }
  for (const [fact, value] of Object.entries(profile)) {
    if (!["string", "number", "boolean"].includes(typeof value)) {
      throw new TypeError(`the report's profile: ${fact} is not a fact`);
    }
  }
  return profile as Profile;
}

function main(args: readonly string[]): number {
  if (args.length !== 1) {
    console.error("usage: profile.ts REPORT");
    return 2;
  }
  try {
    console.log(quirksOf(profileOf(Deno.readTextFileSync(args[0]))).join(","));
    return 0;
  } catch (error) {
    console.error(`profile: ${args[0]}: ${(error as Error).message}`);
    return 1;
  }
}

if (import.meta.main) Deno.exit(main(Deno.args));
