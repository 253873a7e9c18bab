/**
 * What each kind of instruction needs when it is stepped, and where it goes: one table,
 * by which the stepper chooses its way, and a fence is put around a range.
 *
 * Whoever adds a kind to the decoder says here what it needs.
 */
import { Reg } from "../../../ffi/registers.ts";
import { Kind } from "../../x86/decode.ts";
import type { Vcpu } from "../guest/vcpu.ts";

/** How an instruction is stepped where the platform does not:
 * - "trap flag": with RFLAGS.TF and an interrupt shadow; TF is taken out of wherever the
 *   instruction leaves it
 * - "spin": likewise, but a JMP to itself waits for an interrupt
 * - "next": without TF, up to the instruction behind it: it holds the trap back
 * - "handler": without TF, up to the handler of its vector: TF would be gone there
 * - "entry": without TF, up to where `entry` says that it goes, with new flags
 * - "halt": carried out by the debugger, unless it faults: then by the trap flag
 * - "debug register": likewise, for the guest has registers of its own
 */
export type StepWay =
  | "trap flag"
  | "spin"
  | "next"
  | "handler"
  | "entry"
  | "halt"
  | "debug register";

/** Where an instruction goes, as far as its bytes tell:
 * - "next": to the one behind it
 * - "target": where it says
 * - "target or next"
 * - "next, stepped": as a rule to the one behind it, but only a step tells
 * - "anywhere": only a step tells
 * - "anew": likewise, and the bytes behind it may be other ones then
 */
export type Goes =
  | "next"
  | "target"
  | "target or next"
  | "next, stepped"
  | "anywhere"
  | "anew";

export type Needs =
  & {
    readonly goes: Goes;
    /** RFLAGS behind it are what it has loaded, TF too. */
    readonly loadsFlags?: true;
    /** RFLAGS are at the top of the stack behind it. */
    readonly pushesFlags?: true;
    /** It may be a task switch, which saves EFLAGS in the old task's TSS. */
    readonly switchesTask?: true;
    /** The interrupt shadow behind it is its own. */
    readonly ownShadow?: true;
  }
  & ({ readonly step: Exclude<StepWay, "entry"> } | {
    readonly step: "entry";
    /** The linear address that it goes to from where a processor is. */
    readonly entry: (v: Vcpu) => bigint;
  });

/** By kind of instruction. */
export const NEEDS: Readonly<Record<Kind, Needs>> = {
  [Kind.Plain]: { step: "trap flag", goes: "next" },
  [Kind.Jump]: { step: "spin", goes: "target" },
  [Kind.Branch]: { step: "trap flag", goes: "target or next" },
  [Kind.Call]: { step: "trap flag", goes: "anywhere", switchesTask: true },
  [Kind.Leave]: { step: "trap flag", goes: "anywhere", switchesTask: true },
  [Kind.Pushf]: { step: "trap flag", goes: "next", pushesFlags: true },
  [Kind.Popf]: { step: "trap flag", goes: "next, stepped", loadsFlags: true },
  [Kind.Iret]: {
    step: "trap flag",
    goes: "anywhere",
    loadsFlags: true,
    switchesTask: true,
  },
  [Kind.Interrupt]: {
    step: "handler",
    goes: "next, stepped",
    switchesTask: true,
  },
  [Kind.Syscall]: {
    step: "entry",
    goes: "anywhere",
    entry: (v) => v.get(v.codeBits === 64 ? Reg.Lstar : Reg.Cstar),
  },
  [Kind.Sysret]: {
    step: "entry",
    goes: "anywhere",
    entry: (v) => v.get(Reg.Rcx),
  },
  [Kind.Sysenter]: {
    step: "entry",
    goes: "anywhere",
    entry: (v) => v.get(Reg.SysenterEip),
  },
  [Kind.Sysexit]: {
    step: "entry",
    goes: "anywhere",
    entry: (v) => v.get(Reg.Rdx),
  },
  [Kind.Halt]: { step: "halt", goes: "next, stepped" },
  [Kind.Sti]: { step: "trap flag", goes: "next", ownShadow: true },
  [Kind.LoadSs]: { step: "next", goes: "next, stepped" },
  [Kind.MoveDr]: { step: "debug register", goes: "next" },
  [Kind.System]: { step: "trap flag", goes: "anew" },
  [Kind.Unknown]: { step: "trap flag", goes: "anywhere" },
};
