/** The monitor's commands for time: where the machine is, elsewhere, and who wrote. */
import type { Position } from "../../history/time_travel.ts";
import { PAGE_OFFSET } from "../../x86/paging.ts";
import { TargetError } from "../target.ts";
import type { PhysicalRange, Traveller } from "../control/travel.ts";
import type { Guest } from "../guest/guest.ts";
import type { Vcpu } from "../guest/vcpu.ts";
import { type Commands, type MonitorContext, STALE } from "./command.ts";

export const timeCommands: Commands = {
  when: {
    usage: "when",
    help: "instructions so far, and guest time; what history there is",
    run: showWhen,
  },
  goto: {
    usage: "goto COUNT|TIME|start|end",
    help: "go to an instruction count, or to a guest time (1.5s, 20ms, 7us)",
    run: goTo,
  },
  "last-write": {
    usage: "last-write [phys] ADDRESS [LENGTH]",
    help: "go back to before memory was last written, by whomever",
    run: lastWrite,
  },
};

const UNITS: Readonly<Record<string, number>> = {
  s: 9,
  ms: 6,
  us: 3,
  ns: 0,
};

/** `when`. */
function showWhen(target: MonitorContext): string {
  target.course.needStopped();
  const { time } = target.time.traveller;
  return `${describe(time.now())}${time.inPast ? ", in the past" : ""}\n` +
    `history: from ${describe(time.start())}\n` +
    `           to ${describe(time.end())}\n`;
}

function describe({ instructions, time }: Position): string {
  return `instruction ${instructions}, ${seconds(time)} s`;
}

function seconds(ns: bigint): string {
  return `${ns / 1_000_000_000n}.${
    String(ns % 1_000_000_000n).padStart(9, "0")
  }`;
}

/** `goto`. */
async function goTo(
  target: MonitorContext,
  words: readonly string[],
): Promise<string> {
  target.course.needStopped();
  const { time } = target.time.traveller;
  const [word] = words;
  const place = words.length === 1 ? placeOf(word) : null;
  if (place === null) return "usage: goto COUNT|TIME|start|end\n";
  const start = time.start(), end = time.end();
  const outside = "instructions" in place
    ? place.instructions < start.instructions ||
      place.instructions > end.instructions
    : "time" in place && (place.time < start.time || place.time > end.time);
  if (outside) {
    throw new TargetError(
      `${word} is not in the history: that is from ${describe(start)} ` +
        `to ${describe(end)}`,
    );
  }
  await target.time.visit(async (traveller) => {
    const position = "instructions" in place
      ? place.instructions
      : "time" in place
      ? await traveller.positionAt(place.time)
      : (place.edge === "start" ? start : end).instructions;
    await traveller.goTo(position, true);
  });
  return `${describe(time.now())}\n${where(target.guest)}${STALE}`;
}

type Place =
  | { readonly instructions: bigint }
  | { readonly time: bigint }
  | { readonly edge: "start" | "end" };

/** Null if it is none. */
function placeOf(word: string): Place | null {
  if (word === "start" || word === "end") return { edge: word };
  if (/^\d+$/.test(word)) return { instructions: BigInt(word) };
  const [, whole, fraction = "", unit] =
    /^(\d+)(?:\.(\d+))?(s|ms|us|ns)$/.exec(word) ?? [];
  if (whole === undefined) return null;
  const digits = UNITS[unit];
  const ns = fraction.padEnd(digits, "0").slice(0, digits);
  return { time: BigInt(whole + ns) };
}

/** Every processor's place. */
function where({ vcpus }: Guest): string {
  return vcpus.map((v) => {
    v.read();
    return `CPU${v.index} at 0x${v.linear.toString(16)}\n`;
  }).join("");
}

/** `last-write`. */
async function lastWrite(
  target: MonitorContext,
  words: readonly string[],
  processor: number,
): Promise<string> {
  target.course.needStopped();
  const { time } = target.time.traveller;
  const physical = words[0] === "phys";
  const [address, length] = words.slice(physical ? 1 : 0).map(numberOf);
  if (
    words.length > (physical ? 3 : 2) || address == null || length === null ||
    length === 0n || (length ?? 1n) > 1n << 30n
  ) return "usage: last-write [phys] ADDRESS [LENGTH]\n";
  const bytes = Number(length ?? 1n);
  const v = target.guest.vcpus[processor];
  v.read();
  const ranges = physical
    ? [{ gpa: Number(address), length: bytes }]
    : physicalRanges(target.guest, v, address, bytes);
  const at = time.now().instructions;
  const found = await target.time.visit(async (traveller: Traveller) => {
    const found = await traveller.lastWrite(ranges);
    if (found === null) await traveller.goTo(at);
    else if (found !== "interrupted") {
      await traveller.goTo(found.position, true);
    }
    return found;
  });
  if (found === "interrupted") {
    return `stopped: nobody wrote there since ${
      describe(time.now())
    }\n${STALE}`;
  }
  if (found === null) {
    return `nobody wrote there since ${describe(time.start())}\n`;
  }
  const writer = target.guest.vcpus[found.processor];
  writer.read();
  const cpu = `CPU${found.processor}`;
  const rip = `0x${writer.linear.toString(16)}`;
  return (found.device === undefined
    ? `written by ${cpu} at ${rip}: before it now\n`
    : `written by DMA of ${found.device}, at an instruction of ${cpu} at ` +
      `${rip}: before it now\n`) +
    `${describe(time.now())}; thread ${
      found.processor + 1
    } is ${cpu}\n${STALE}`;
}

/** Decimal, or hexadecimal with 0x; null if it is no number. */
function numberOf(word: string): bigint | null {
  return /^(0x[0-9a-f]{1,16}|\d{1,19})$/i.test(word) ? BigInt(word) : null;
}

/** Where linear addresses are now. */
function physicalRanges(
  { walker, machine }: Guest,
  v: Vcpu,
  address: bigint,
  length: number,
): PhysicalRange[] {
  const ranges: PhysicalRange[] = [];
  const end = address + BigInt(length);
  for (let at = address; at < end;) {
    const next = (at | PAGE_OFFSET) + 1n;
    const until = next < end ? next : end;
    const gpa = walker.translate(v, at);
    if (gpa < 0 || machine.memory.kindOf(gpa) === null) {
      throw new TargetError(`there is no memory at 0x${at.toString(16)} now`);
    }
    ranges.push({ gpa, length: Number(until - at) });
    at = until;
  }
  return ranges;
}
