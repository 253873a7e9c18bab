// Everything that ffi/ declares, against the C headers as a C compiler sees
// them; and everything the headers declare is in ffi/.

import { assert, assertEquals } from "@std/assert";
import * as apic from "../../ffi/apic.ts";
import * as counters from "../../ffi/counters.ts";
import * as devices from "../../ffi/devices.ts";
import * as emulator from "../../ffi/emulator.ts";
import * as enums from "../../ffi/enums.ts";
import * as exits from "../../ffi/exits.ts";
import * as flags from "../../ffi/flags.ts";
import { HResult } from "../../ffi/hresult.ts";
import { Bits, Field, type Members } from "../../ffi/layout.ts";
import { Reg } from "../../ffi/registers.ts";
import * as structures from "../../ffi/structures.ts";
import * as values from "../../ffi/values.ts";
import * as xsave from "../../ffi/xsave.ts";
import { requireTool } from "../util/tools.ts";
import { haveHeaders, headerText, runC } from "./c_compiler.ts";

const ignore = !requireTool("gcc") || !haveHeaders();

/** The C enumerations, and what their names' beginnings are in C. */
const C_ENUMS: Record<string, string> = {
  CapabilityCode: "WHvCapabilityCode",
  ProcessorVendor: "WHvProcessorVendor",
  MemoryAccessType: "WHvMemoryAccess",
  PartitionPropertyCode: "WHvPartitionPropertyCode",
  CpuidResult2Flag: "WHvX64CpuidResult2Flag",
  MsrAction: "WHvMsrAction",
  ExceptionType: "WHvX64ExceptionType",
  LocalApicEmulationMode: "WHvX64LocalApicEmulationMode",
  MapGpaRangeFlag: "WHvMapGpaRangeFlag",
  TranslateGvaFlag: "WHvTranslateGvaFlag",
  TranslateGvaResult: "WHvTranslateGvaResult",
  CacheType: "WHvCacheType",
  PendingEvent: "WHvX64PendingEvent",
  ExitReason: "WHvRunVpExitReason",
  UnsupportedFeature: "WHvUnsupportedFeature",
  CancelReason: "WhvRunVpCancelReason",
  PendingInterruption: "WHvX64Pending",
  ApicWriteType: "WHvX64ApicWriteType",
  InterruptType: "WHvX64InterruptType",
  InterruptDestinationMode: "WHvX64InterruptDestinationMode",
  InterruptTriggerMode: "WHvX64InterruptTriggerMode",
  PartitionCounterSet: "WHvPartitionCounterSet",
  ProcessorCounterSet: "WHvProcessorCounterSet",
  AdviseGpaRangeCode: "WHvAdviseGpaRangeCode",
  VirtualProcessorStateType: "WHvVirtualProcessorStateType",
  VirtualProcessorPropertyCode: "WHvVirtualProcessorPropertyCode",
  TriggerType: "WHvTriggerType",
  NotificationPortType: "WHvNotificationPortType",
  NotificationPortProperty: "WHvNotificationPortProperty",
  VpciResourceFlag: "WHvAllocateVpciResourceFlag",
  VpciDeviceNotification: "WHvVpciDeviceNotification",
  CreateVpciDeviceFlag: "WHvCreateVpciDeviceFlag",
  VpciDevicePropertyCode: "WHvVpciDevicePropertyCode",
  VpciMmioRangeFlag: "WHvVpciMmioRangeFlag",
  VpciRegisterSpace: "WHvVpci",
  VpciInterruptTargetFlag: "WHvVpciInterruptTargetFlag",
};

/** The C unions of flags. */
const C_FLAGS: Record<string, string> = {
  CapabilityFeatures: "WHV_CAPABILITY_FEATURES",
  ExtendedVmExits: "WHV_EXTENDED_VM_EXITS",
  ProcessorFeatures: "WHV_PROCESSOR_FEATURES",
  ProcessorFeatures1: "WHV_PROCESSOR_FEATURES1",
  SyntheticProcessorFeatures: "WHV_SYNTHETIC_PROCESSOR_FEATURES",
  ProcessorXsaveFeatures: "WHV_PROCESSOR_XSAVE_FEATURES",
  ProcessorPerfmonFeatures: "WHV_PROCESSOR_PERFMON_FEATURES",
  X64MsrExitBitmap: "WHV_X64_MSR_EXIT_BITMAP",
  SchedulerFeatures: "WHV_SCHEDULER_FEATURES",
};

/** Members that are arrays of one structure in C. */
const C_ARRAYS = new Set([
  "CpuidResultList",
  "CpuidResultList2",
  "MsrActionList",
]);

/** Every structure declared, by its C name. */
function layouts(): [string, Members][] {
  const modules = { values, exits, structures, devices, counters, emulator };
  const all = Object.values(modules).flatMap((module) =>
    Object.entries<unknown>(module).filter((
      entry,
    ): entry is [string, Members] => typeof entry[1] === "object")
  );
  all.push(["XSAVE_FORMAT", xsave.XSAVE_FORMAT]);
  return all;
}

/** Collects what to ask the compiler, and what the answer must be. */
class Questions {
  readonly #statements: string[] = [];
  readonly #expected = new Map<string, string>();

  value(name: string, expression: string, expected: number | bigint): void {
    this.#statements.push(`VALUE("${name}", ${expression})`);
    this.#expected.set(name, String(expected));
  }
  member(type: string, member: string, first: number, count: number): void {
    this.#ask("MEMBER", type, member, first, count);
  }
  bits(type: string, member: string, first: number, count: number): void {
    this.#ask("BITS", type, member, first, count);
  }
  #ask(
    how: string,
    type: string,
    member: string,
    first: number,
    count: number,
  ): void {
    const name = `${type}.${member}`;
    this.#statements.push(`${how}("${name}", ${type}, ${member})`);
    this.#expected.set(name, `${first}:${count}`);
  }
  /** Asks; returns how many answers were as expected, throws if one is not. */
  check(): number {
    const answers = runC(this.#statements.join("\n"));
    for (const [name, expected] of this.#expected) {
      assertEquals(answers.get(name), expected, name);
    }
    return this.#expected.size;
  }
}

function askMembers(questions: Questions, type: string, layout: Members) {
  for (const [name, member] of Object.entries(layout)) {
    if (typeof member === "number") continue;
    if (member instanceof Bits) {
      const first = member.offset * 8 + member.shift;
      questions.bits(type, name, first, member.width);
    } else if (member instanceof Field) {
      questions.member(type, name, member.offset * 8, member.width);
    } else {
      const { offset, size } = member as { offset: number; size: number };
      const path = C_ARRAYS.has(name) ? `${name}[0]` : name;
      questions.member(type, path, offset * 8, size * 8);
      askNested(questions, type, path, member, offset);
    }
  }
}

/** A nested structure's members are where its own type has them, moved. */
function askNested(
  questions: Questions,
  type: string,
  path: string,
  layout: Members,
  offset: number,
) {
  for (const [name, member] of Object.entries(layout)) {
    if (typeof member === "number") continue;
    const inner = `${path}.${name}`;
    if (member instanceof Bits) {
      const first = member.offset * 8 + member.shift;
      questions.bits(type, inner, first, member.width);
    } else if (member instanceof Field) {
      questions.member(type, inner, member.offset * 8, member.width);
    } else {
      const at = (member as { offset: number }).offset;
      assert(at >= offset, inner);
      askNested(questions, type, inner, member, offset);
    }
  }
}

Deno.test({
  name: "structures have the sizes and members of the C headers",
  ignore,
  fn() {
    const questions = new Questions();
    for (const [type, layout] of layouts()) {
      assertEquals((layout as { offset: number }).offset, 0, type);
      questions.value(
        `sizeof ${type}`,
        `sizeof(${type})`,
        (layout as { size: number }).size,
      );
      askMembers(questions, type, layout);
    }
    questions.value(
      "sizeof XSAVE_AREA_HEADER",
      "sizeof(XSAVE_AREA_HEADER)",
      xsave.XSAVE_HEADER.size,
    );
    questions.value(
      "XSAVE_HEADER_OFFSET",
      "__builtin_offsetof(XSAVE_AREA, Header)",
      xsave.XSAVE_HEADER_OFFSET,
    );
    questions.value(
      "XSAVE_EXTENDED_OFFSET",
      "sizeof(XSAVE_AREA)",
      xsave.XSAVE_EXTENDED_OFFSET,
    );
    assert(questions.check() > 600);
  },
});

Deno.test({
  name: "every structure of the C headers is declared",
  ignore,
  fn() {
    const declared = new Set([
      ...layouts().map(([name]) => name),
      ...Object.values(C_FLAGS),
    ]);
    const text = headerText();
    const missing = [...text.matchAll(/typedef (?:struct|union)[^;{]*\{/g)]
      .map((match) => nameAfter(text, match.index + match[0].length))
      .filter((name) => !declared.has(name));
    assertEquals(missing, []);
  },
});

/** The name behind the closing brace of a definition's body. */
function nameAfter(text: string, bodyAt: number): string {
  let depth = 1;
  let at = bodyAt;
  for (; depth > 0; at++) {
    if (text[at] === "{") depth++;
    if (text[at] === "}") depth--;
  }
  return /^\s*(\w+)/.exec(text.slice(at))![1];
}

Deno.test({
  name: "constants have the values of the C headers, and none is missing",
  ignore,
  fn() {
    const questions = new Questions();
    const text = headerText();
    const asked = new Set<string>();
    const ask = (name: string, value: number) => {
      questions.value(name, name, value);
      asked.add(name);
    };
    for (const [name, value] of Object.entries(enums)) {
      if (typeof value === "number") {
        // In C as signed long long: WHV_ANY_VP is unsigned there as here.
        questions.value(`WHV_${name}`, `WHV_${name}`, value);
        continue;
      }
      const prefix = C_ENUMS[name];
      assert(prefix, `no C prefix for ${name}`);
      for (const [member, number] of Object.entries(value)) {
        ask(prefix + member, number);
      }
    }
    for (const [member, number] of Object.entries(Reg)) {
      const x64 = `WHvX64Register${member}`;
      const has = new RegExp(`\\b${x64}\\b`).test(text);
      ask(has ? x64 : `WHvRegister${member}`, number);
    }
    assert(questions.check() > 400);
    const enumerators = [...text.matchAll(/typedef enum \w+ \{([^}]*)\}/g)]
      .flatMap((match) => [...match[1].matchAll(/^\s*(\w+)\s*(?:=|,|$)/gm)])
      .map((match) => match[1]);
    assert(enumerators.length > 400);
    assertEquals(enumerators.filter((name) => !asked.has(name)), []);
  },
});

Deno.test({
  name: "flags are the bits of the C headers, and none is missing",
  ignore,
  fn() {
    const questions = new Questions();
    const text = headerText();
    for (const [name, bits] of Object.entries(flags)) {
      const type = C_FLAGS[name];
      assert(type, `no C type for ${name}`);
      const names = new Set(Object.keys(bits));
      for (const [member, mask] of Object.entries(bits)) {
        questions.bits(type, member, mask.toString(2).length - 1, 1);
      }
      const body = new RegExp(`typedef union _?${type} \\{[^]*?\\} ${type}\\b`)
        .exec(text)![0];
      const missing = [...body.matchAll(/(\w+)\s*:\s*1;/g)]
        .map((match) => match[1])
        .filter((member) => !/^Reserved/.test(member) && !names.has(member));
      assertEquals(missing, [], type);
    }
    assert(questions.check() > 150);
  },
});

Deno.test({
  name: "general HRESULTs have the values of winerror.h",
  ignore,
  fn() {
    const questions = new Questions();
    for (const [name, code] of Object.entries(HResult)) {
      if (!/^[SE]_/.test(name)) continue;
      questions.value(name, name, code);
    }
    assert(questions.check() >= 10);
  },
});

Deno.test("the platform's HRESULTs are errors of the hypervisor's facility", () => {
  for (const [name, code] of Object.entries(HResult)) {
    if (!name.startsWith("WHV_")) continue;
    assertEquals((code >>> 16).toString(16), "8037", name);
  }
});

Deno.test("the APIC page has a register at every architectural offset", () => {
  assertEquals(apic.APIC_STATE.size, 4096);
  for (const [name, member] of Object.entries(apic.APIC_STATE)) {
    if (typeof member === "number") continue;
    assertEquals(member.offset % 16, 0, name);
  }
  // The register name's low byte is the page's offset / 16.
  const pairs: [keyof typeof Reg, { offset: number }][] = [
    ["ApicId", apic.APIC_STATE.Id],
    ["ApicVersion", apic.APIC_STATE.Version],
    ["ApicTpr", apic.APIC_STATE.Tpr],
    ["ApicPpr", apic.APIC_STATE.Ppr],
    ["ApicEoi", apic.APIC_STATE.Eoi],
    ["ApicLdr", apic.APIC_STATE.Ldr],
    ["ApicSpurious", apic.APIC_STATE.Svr],
    ["ApicIsr0", apic.APIC_STATE.Isr0],
    ["ApicIsr7", apic.APIC_STATE.Isr7],
    ["ApicTmr0", apic.APIC_STATE.Tmr0],
    ["ApicIrr7", apic.APIC_STATE.Irr7],
    ["ApicEse", apic.APIC_STATE.Esr],
    ["ApicIcr", apic.APIC_STATE.IcrLow],
    ["ApicLvtTimer", apic.APIC_STATE.LvtTimer],
    ["ApicLvtThermal", apic.APIC_STATE.LvtThermal],
    ["ApicLvtPerfmon", apic.APIC_STATE.LvtPerfmon],
    ["ApicLvtLint0", apic.APIC_STATE.LvtLint0],
    ["ApicLvtLint1", apic.APIC_STATE.LvtLint1],
    ["ApicLvtError", apic.APIC_STATE.LvtError],
    ["ApicInitCount", apic.APIC_STATE.InitialCount],
    ["ApicCurrentCount", apic.APIC_STATE.CurrentCount],
    ["ApicDivide", apic.APIC_STATE.DivideConfiguration],
  ];
  for (const [name, register] of pairs) {
    assertEquals((Reg[name] & 0xff) << 4, register.offset, name);
  }
});
