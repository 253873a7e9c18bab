/**
 * `info mtree` of QEMU's monitor: what is where in the two address spaces, as a
 * tree or (`-f`) flat. Names are this machine's own, but for the RAM's.
 * Source of facts: QEMU 7.2's monitor, asked.
 */
import { APIC_STATE_SIZE } from "../../../../ffi/apic.ts";
import { Reg } from "../../../../ffi/registers.ts";
import type { Guest } from "../../guest/guest.ts";
import type { MonitorContext } from "../command.ts";
import {
  APIC_BASE_ENABLED,
  APIC_BASE_PAGE,
  APIC_BASE_X2,
} from "../../../x86/apic_base.ts";

const ALL = 0xffffffffffffffffn;
const PORTS = 0xffffn;
/** A local APIC hides whatever else is there. */
const APIC_PRIORITY = 4096;

interface Range {
  readonly first: bigint;
  readonly last: bigint;
  readonly kind: "ram" | "rom" | "i/o";
  readonly name: string;
  readonly priority?: number;
  /** Where it begins in what it is a part of. */
  readonly offset?: bigint;
}

const hex = (value: bigint) => value.toString(16).padStart(16, "0");

function line(depth: number, range: Range): string {
  const { first, last, kind, name, priority = 0, offset = 0n } = range;
  return `${"  ".repeat(depth)}${hex(first)}-${hex(last)} ` +
    `(prio ${priority}, ${kind}): ${name}${
      offset === 0n ? "" : ` @${hex(offset)}`
    }\n`;
}

export function showTree(
  target: MonitorContext,
  processor: number,
  flat: boolean,
): string {
  const spaces = [
    { name: "memory", root: "system", ranges: memory(target.guest, processor) },
    { name: "I/O", root: "io", ranges: ports(target.guest) },
  ];
  return spaces.map(({ name, root, ranges }, i) => {
    if (!flat) {
      const last = name === "memory" ? ALL : PORTS;
      return `address-space: ${name}\n` +
        line(1, { first: 0n, last, kind: "i/o", name: root }) +
        ranges.map((range) => line(2, range)).join("") + "\n";
    }
    return `FlatView #${i}\n AS "${name}", root: ${root}\n` +
      ` Root memory region: ${root}\n` +
      ranges.map((range) => line(1, range)).join("") + "\n";
  }).join("");
}

const byAddress = (a: Range, b: Range) => a.first < b.first ? -1 : 1;

function memory({ machine, vcpus }: Guest, processor: number): Range[] {
  let ram = 0n;
  const ranges: Range[] = machine.memory.regions.map(({ gpa, bytes, kind }) => {
    const first = BigInt(gpa), last = first + BigInt(bytes) - 1n;
    if (kind === "rom") return { first, last, kind, name: "pc.rom" };
    const offset = ram;
    ram += BigInt(bytes);
    return { first, last, kind, name: "pc.ram", offset };
  });
  for (const { first, count, name } of machine.mmio.claims) {
    ranges.push({
      first: BigInt(first),
      last: BigInt(first + count - 1),
      kind: "i/o",
      name,
    });
  }
  const base = vcpus[processor].get(Reg.ApicBase);
  if ((base & APIC_BASE_ENABLED) !== 0n && (base & APIC_BASE_X2) === 0n) {
    const first = base & APIC_BASE_PAGE;
    ranges.push({
      first,
      last: first + BigInt(APIC_STATE_SIZE) - 1n,
      kind: "i/o",
      name: "apic",
      priority: APIC_PRIORITY,
    });
  }
  return ranges.sort(byAddress);
}

function ports({ machine }: Guest): Range[] {
  return machine.ports.claims.map(({ first, count, name }): Range => ({
    first: BigInt(first),
    last: BigInt(first + count - 1),
    kind: "i/o",
    name,
  })).sort(byAddress);
}
