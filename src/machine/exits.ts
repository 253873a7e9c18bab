/**
 * Carrying out what a processor exited for: ports, memory-mapped devices,
 * MSRs, CPUID, end of interrupt. One handler serves all processors.
 */
import { MemoryAccessType } from "../../ffi/enums.ts";
import { INTERRUPT_SHADOW } from "../../ffi/values.ts";
import { ICEBP_ACCESS as ACCESS } from "../../ffi/icebp.ts";
import { Reg } from "../../ffi/registers.ts";
import {
  type AccessHandlers,
  carryOut,
  Completer,
} from "../platform/completer.ts";
import { Emulator } from "../platform/emulator.ts";
import { PlatformError } from "../platform/errors.ts";
import type {
  CpuidExit,
  Exit,
  IoPortExit,
  MemoryExit,
  MsrExit,
} from "../platform/exits.ts";
import type { MaskedCpuidResult } from "../platform/partition.ts";
import type { VirtualProcessor } from "../platform/virtual_processor.ts";
import type { WinHvPlatform } from "../../ffi/mod.ts";
import { RFLAGS_RF } from "../x86/flags.ts";
import { codeBitsOf, LONG, type Segment } from "../x86/segments.ts";
import { Vector } from "../x86/vectors.ts";
import { RegisterBatch } from "./batch.ts";
import type { MmioBus, PortBus } from "./bus.ts";
import { adjustCpuid } from "./cpuid.ts";
import type { EoiListener } from "./device.ts";
import type { CpuidAnswer } from "./host.ts";
import type { GuestMemory } from "./memory.ts";
import type { Msrs } from "./msrs.ts";
import {
  COMPLETED,
  CONTINUE,
  EXECUTED,
  type InstructionFault,
  type MachineEvent,
  type Outcome,
  type Power,
} from "./outcome.ts";
import { TolerantBatch } from "./refusable.ts";

/**
 * The guest did what this machine cannot carry out; one line for the user.
 *
 * @example
 * ```ts
 * import { MachineError } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * // What the guest did to its machine, without the stack of a fault of icebp's.
 * const say = (error: unknown): string =>
 *   error instanceof MachineError ? error.message : `${error}`;
 * assertEquals(say(new MachineError("CPU0: HLT exited")), "CPU0: HLT exited");
 * ```
 */
export class MachineError extends Error {
  /** The error's name. */
  override readonly name: string = "MachineError";
}

/** What the handler works on. */
export interface ExitWiring {
  readonly platform: WinHvPlatform;
  readonly ports: PortBus;
  readonly mmio: MmioBus;
  readonly memory: GuestMemory;
  /** What CPUID answers where it exits. */
  readonly cpuid: readonly MaskedCpuidResult[];
  readonly eoi: () => EoiListener;
  /** Registers that the platform leaves to us, by processor. */
  readonly msrs: readonly Msrs[];
}

/** RDMSR, WRMSR and CPUID are two bytes whatever the exit says. */
const TWO_BYTES = 2n;
const EFLAGS_IP_MASK = 0xffffffffn;

/** #GP(0): what access to an MSR that is not there comes to. */
const GENERAL_PROTECTION: InstructionFault = {
  kind: "fault",
  vector: Vector.GP,
  errorCode: 0,
};

/** An instruction that accesses a port. */
export interface PortAccess {
  readonly vp: VirtualProcessor;
  readonly rip: bigint;
  readonly cs: Segment;
  readonly rax: bigint;
}

/**
 * How often each kind of exit came, by its name.
 *
 * @example
 * ```ts
 * import { type ExitCounts, Machine, openSoft } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 1 << 20 });
 * const machine = new Machine({
 *   platform,
 *   guestMemory: platform.guestMemory,
 *   clock: platform.clock,
 *   entropy: { fill: (into) => into.fill(4) },
 *   cpus: 1,
 *   ramBytes: 1 << 20,
 * });
 * const counts: ExitCounts = machine.exitCounts;
 * assertEquals(counts, {}); // it has not run
 * ```
 */
export type ExitCounts = Readonly<Record<string, number>>;

export class ExitHandler {
  /** What ended the machine: processors return with it after the instruction that
   * they are at. Null while nothing has. */
  ended: Power | null = null;
  readonly #wiring: ExitWiring;
  readonly #handlers: AccessHandlers;
  /** Null where the platform cannot; what the emulator cannot either fails then. */
  readonly #completer: Completer | null;
  readonly #emulator: Emulator;
  readonly #counts = new Map<string, number>();
  readonly #ripRax = new RegisterBatch(Reg.Rip, Reg.Rax);
  readonly #rip = new RegisterBatch(Reg.Rip);
  readonly #ripRaxRdx = new RegisterBatch(Reg.Rip, Reg.Rax, Reg.Rdx);
  readonly #cpuid = new RegisterBatch(
    Reg.Rip,
    Reg.Rax,
    Reg.Rbx,
    Reg.Rcx,
    Reg.Rdx,
  );
  readonly #answer: CpuidAnswer = [0, 0, 0, 0];
  /** What is being carried out, or was last; no exit for what made none. */
  #vp: VirtualProcessor | null = null;
  #exit: Exit | null = null;
  /** Whether what made none was an access to a port. */
  #isPort = false;
  #answeredPorts = 0;
  #answeredMemory = 0;

  constructor(wiring: ExitWiring) {
    this.#wiring = wiring;
    const { ports, mmio, memory } = wiring;
    const stopped = () => this.ended !== null;
    this.#handlers = {
      readMemory: (gpa, size) => mmio.read(gpa, size),
      writeMemory(gpa, size, value) {
        // What is written to ROM vanishes.
        if (memory.offsetOf(gpa) < 0) mmio.write(gpa, size, value);
      },
      readPort: (port, size) => ports.read(port, size as 1 | 2 | 4),
      writePort: (port, size, value) =>
        ports.write(port, size as 1 | 2 | 4, value),
      get stopped() {
        return stopped();
      },
    };
    this.#completer = Completer.of(wiring.platform, this.#handlers);
    this.#emulator = new Emulator(wiring.platform, {
      ioPort(access) {
        const size = access.size as 1 | 2 | 4;
        if (access.isWrite) ports.write(access.port, size, access.data);
        else access.data = ports.read(access.port, size);
      },
      memory(access) {
        const gpa = Number(access.gpa);
        const { data, size } = access;
        // Source and destination of a string instruction: one may be RAM.
        if (memory.offsetOf(gpa) >= 0) {
          if (!access.isWrite) memory.read(gpa, data);
          else if (memory.kindOf(gpa) === "ram") memory.write(gpa, data);
          return;
        }
        if (access.isWrite) {
          let value = 0n;
          for (let i = size - 1; i >= 0; i--) {
            value = (value << 8n) | BigInt(data[i]);
          }
          mmio.write(gpa, size, value);
        } else {
          let value = mmio.read(gpa, size);
          for (let i = 0; i < size; i++) {
            data[i] = Number(value & 0xffn);
            value >>= 8n;
          }
        }
      },
    });
  }

  get counts(): ExitCounts {
    const counts = new Map(this.#counts);
    const add = (reason: Exit["reason"], n: number) => {
      if (n > 0) counts.set(reason, (counts.get(reason) ?? 0) + n);
    };
    add("ioPort", this.#answeredPorts);
    add("memory", this.#answeredMemory);
    return Object.fromEntries(counts);
  }

  count(exit: Exit): void {
    const reason = exit.reason;
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
  }

  /** Which instruction a device is being accessed by, for messages: a device has
   * no other way to tell. */
  where(): string {
    const vp = this.#vp;
    if (vp === null) return "before the guest has run";
    const { rip, cs } = this.#place(vp);
    return `CPU${vp.index} at ${placeOf(rip, cs)}`;
  }

  #place(vp: VirtualProcessor): { rip: bigint; cs: Segment } {
    return this.#exit ?? { rip: vp.get(Reg.Rip), cs: vp.getSegment(Reg.Cs) };
  }

  /** The processor that accesses a port, and its instruction; null if none does. */
  get portAccess(): PortAccess | null {
    const vp = this.#vp;
    const exit = this.#exit;
    const isPort = exit === null ? this.#isPort : exit.reason === "ioPort";
    if (vp === null || !isPort) return null;
    const { rip, cs } = this.#place(vp);
    const rax = exit?.reason === "ioPort" ? exit.rax : vp.get(Reg.Rax);
    return { vp, rip, cs, rax };
  }

  /** Carries out an access (ICEBP_ACCESS) that makes no exit. */
  answer(vp: VirtualProcessor, access: DataView): void {
    this.#vp = vp;
    this.#exit = null;
    const isPort = this.#isPort = ACCESS.IsPort.get(access) !== 0;
    if (ACCESS.IsFirst.get(access) !== 0) {
      if (isPort) this.#answeredPorts++;
      else this.#answeredMemory++;
    }
    carryOut(this.#handlers, access, 0);
  }

  /** Releases the emulator. */
  close(): void {
    this.#emulator.close();
  }

  /** The machine has come to an end; the first one counts. */
  end(event: MachineEvent): void {
    this.ended ??= { kind: "power", event };
  }

  /** Carries out an exit. Throws a MachineError for what nobody can carry out,
   * and the platform's errors. */
  handle(vp: VirtualProcessor, exit: Exit): Outcome {
    this.#vp = vp;
    this.#exit = exit;
    const outcome = this.#carryOut(vp, exit);
    if (
      outcome === COMPLETED &&
      (exit.interruptShadow || (exit.rflags & RFLAGS_RF) !== 0n)
    ) endsShadow(vp);
    return this.ended ?? outcome;
  }

  #carryOut(vp: VirtualProcessor, exit: Exit): Outcome {
    switch (exit.reason) {
      case "ioPort":
        return this.#ioPort(vp, exit);
      case "memory":
        return this.#memoryAccess(vp, exit);
      case "msr":
        return this.#msr(vp, exit);
      case "cpuid":
        return this.#cpuidLeaf(vp, exit);
      case "apicEoi":
        this.#wiring.eoi().endOfInterrupt(exit.vector);
        return CONTINUE;
      case "unrecoverable":
        this.end({ kind: "triple-fault", processor: vp.index });
        return CONTINUE;
      case "halt":
        throw new MachineError(
          `CPU${vp.index}: HLT exited, which it does only without a local APIC`,
        );
      case "invalidState":
        throw new MachineError(
          `CPU${vp.index}: the platform cannot run with its registers ` +
            `(RIP ${hex(exit.rip)})`,
        );
      case "unsupportedFeature":
        throw new MachineError(
          `CPU${vp.index}: the platform does not support what the guest did ` +
            `(feature ${exit.feature}, RIP ${hex(exit.rip)})`,
        );
      default:
        throw new MachineError(
          `CPU${vp.index}: unexpected exit: ${exit.reason}` +
            (exit.reason === "unknown" ? ` ${hex(exit.code)}` : ""),
        );
    }
  }

  #ioPort(vp: VirtualProcessor, exit: IoPortExit): Outcome {
    if (exit.isString || exit.isRep) {
      if (this.#completer !== null) return this.#complete(vp, exit);
      const port = `port ${hex(exit.port)}`;
      this.#emulated(vp, exit, port, () => this.#emulator.tryIo(vp, exit));
      return COMPLETED;
    }
    const size = exit.size as 1 | 2 | 4;
    const rip = nextRip(exit, BigInt(exit.instructionLength));
    const ports = this.#wiring.ports;
    if (exit.isWrite) {
      // RIP first: a device may reset the machine from inside the write.
      this.#rip.set(0, rip);
      this.#rip.write(vp);
      const eax = exit.eax;
      ports.write(
        exit.port,
        size,
        size === 1 ? eax & 0xff : size === 2 ? eax & 0xffff : eax,
      );
      return COMPLETED;
    }
    const batch = this.#ripRax;
    batch.set(0, rip);
    const value = ports.read(exit.port, size);
    if (size === 4) batch.set(1, BigInt(value >>> 0));
    else {
      batch.set(1, exit.rax);
      if (size === 1) batch.view.setUint8(16, value);
      else batch.view.setUint16(16, value, true);
    }
    batch.write(vp);
    return COMPLETED;
  }

  #memoryAccess(vp: VirtualProcessor, exit: MemoryExit): Outcome {
    const gpa = exit.gpaNumber;
    if (exit.interruptionPending) {
      throw new MachineError(
        `CPU${vp.index}: delivering an event touched ${hex(gpa)}, ` +
          `which is not memory (RIP ${hex(exit.rip)})`,
      );
    }
    if (exit.access === MemoryAccessType.Execute) {
      throw new MachineError(
        `CPU${vp.index}: RIP ${hex(exit.rip)} is at ${hex(gpa)}, ` +
          `which is not memory`,
      );
    }
    if (this.#completer !== null) return this.#complete(vp, exit);
    this.#emulated(vp, exit, hex(gpa), () => this.#emulator.tryMmio(vp, exit));
    return COMPLETED;
  }

  /** Has the platform complete the instruction. */
  #complete(vp: VirtualProcessor, exit: Exit): Outcome {
    const completion = this.#completer!.complete(vp);
    switch (completion.kind) {
      case "done":
        return EXECUTED;
      case "run":
        return CONTINUE;
      case "tables":
        throw new MachineError(
          `CPU${vp.index}: a page table is at ${hex(completion.address)}, ` +
            `which is not memory (RIP ${hex(exit.rip)})`,
        );
    }
  }

  /** Has the emulator carry out an instruction that accesses `what`. */
  #emulated(
    vp: VirtualProcessor,
    exit: Exit,
    what: string,
    carryOut: () => void,
  ): void {
    try {
      carryOut();
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      throw new MachineError(
        `CPU${vp.index}: the platform cannot emulate the instruction at RIP ` +
          `${hex(exit.rip)}, which accesses ${what}: ${error.message}`,
        { cause: error },
      );
    }
  }

  #msr(vp: VirtualProcessor, exit: MsrExit): Outcome {
    const batch = this.#ripRaxRdx;
    const msrs = this.#wiring.msrs[vp.index];
    if (exit.isWrite) {
      if (!msrs.write(exit.msr, exit.value)) return GENERAL_PROTECTION;
      this.#rip.set(0, nextRip(exit, TWO_BYTES));
      this.#rip.write(vp);
      return COMPLETED;
    }
    const value = msrs.read(exit.msr);
    if (value === undefined) return GENERAL_PROTECTION;
    batch.set(0, nextRip(exit, TWO_BYTES));
    batch.set(1, value & 0xffffffffn);
    batch.set(2, value >> 32n);
    batch.write(vp);
    return COMPLETED;
  }

  #cpuidLeaf(vp: VirtualProcessor, exit: CpuidExit): Outcome {
    const answer = this.#answer;
    answer[0] = Number(exit.defaultRax & 0xffffffffn);
    answer[1] = Number(exit.defaultRbx & 0xffffffffn);
    answer[2] = Number(exit.defaultRcx & 0xffffffffn);
    answer[3] = Number(exit.defaultRdx & 0xffffffffn);
    adjustCpuid(this.#wiring.cpuid, exit.leaf, answer);
    const batch = this.#cpuid;
    batch.set(0, nextRip(exit, TWO_BYTES));
    for (let i = 0; i < 4; i++) batch.set(i + 1, BigInt(answer[i] >>> 0));
    batch.write(vp);
    return COMPLETED;
  }
}

const shadow = new TolerantBatch(Reg.Rflags, Reg.InterruptState);

/**
 * An instruction that is complete has cleared RF, and the shadow of the STI or
 * MOV SS before it is over (SDM vol.3, 6.8.3 and 17.3.1.1): what platforms do
 * for those that they carry out themselves.
 */
function endsShadow(vp: VirtualProcessor): void {
  shadow.read(vp);
  shadow.set(0, shadow.get(0) & ~RFLAGS_RF);
  shadow.set(1, shadow.get(1) & ~INTERRUPT_SHADOW);
  shadow.write(vp);
}

/** RIP after an instruction of `length` bytes. */
function nextRip(exit: Exit, length: bigint): bigint {
  const rip = exit.rip + length;
  if (codeBitsOf(exit.cs.attributes, exit.eferLma) === 64) {
    return BigInt.asUintN(64, rip);
  }
  return rip & EFLAGS_IP_MASK;
}

/** An instruction's address, for messages. */
export function placeOf(rip: bigint, cs: Segment): string {
  return cs.base === 0n || (cs.attributes & LONG) !== 0
    ? `RIP ${hex(rip)}`
    : `CS:RIP ${hex(cs.selector)}:${hex(rip)} (linear ${hex(cs.base + rip)})`;
}

function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}
