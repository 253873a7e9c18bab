/**
 * The machine: a partition with its processors, memory, buses and the board's
 * devices. It knows how to carry out exits and to reset; when processors run
 * and stop is run control's business.
 */
import { getLogger } from "@logtape/logtape";
import type { WinHvPlatform } from "../../ffi/mod.ts";
import { APIC_STATE } from "../../ffi/apic.ts";
import { MapGpaRangeFlag as Map_ } from "../../ffi/enums.ts";
import { ExtendedVmExits } from "../../ffi/flags.ts";
import { Reg } from "../../ffi/registers.ts";
import { PlatformError, refused } from "../platform/errors.ts";
import type {
  InterruptRequest,
  MaskedCpuidResult,
  Partition,
} from "../platform/partition.ts";
import { LOST } from "../platform/optional.ts";
import type { VirtualProcessor } from "../platform/virtual_processor.ts";
import { Subscribers } from "../util/subscribers.ts";
import { APIC_BASE_X2 } from "../x86/apic_base.ts";
import { Vector, vectorBits } from "../x86/vectors.ts";
import { MmioBus, PortBus } from "./bus.ts";
import { cpuidChanges } from "./cpuid.ts";
import type { Clock, Device, Entropy, PowerEvent } from "./device.ts";
import { Board } from "./devices/board.ts";
import { Doorbells } from "./doorbells.ts";
import type { DmaMemory } from "./devices/virtio/queue.ts";
import { type ExitCounts, ExitHandler, placeOf } from "./exits.ts";
import type { HostFacts } from "./host.ts";
import { GuestMemory } from "./memory.ts";
import type { MachineEvent, StartupReturn } from "./outcome.ts";
import { type ExtIntInput, Processor } from "./processor.ts";
import { Msrs } from "./msrs.ts";
import { TolerantBatch } from "./refusable.ts";
import {
  checkRegisters,
  loadRegisters,
  resetRegisters,
  saveRegisters,
} from "./reset.ts";
import {
  type BoardState,
  type MachineState,
  type OwnState,
  ownState,
  saveBoard,
} from "./saved.ts";
import { BrokenStateError } from "./state.ts";
import { type ApicKind, EXITS, makePartition } from "./setup.ts";
import { type StartupIpi, startupIpi } from "./startup_ipis.ts";
import { stubEntryOf } from "./stub_entry.ts";
import { Timers } from "./timers.ts";

const log = getLogger(["icebp", "machine"]);

/** Processors whose registers were saved. */
type SavedProcessors = Extract<MachineState["processors"], readonly unknown[]>;

/**
 * What a machine is made of.
 *
 * @example
 * ```ts
 * import { Machine, type MachineOptions, openSoft } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 1 << 20 });
 * const options: MachineOptions = {
 *   platform,
 *   guestMemory: platform.guestMemory,
 *   clock: platform.clock,
 *   entropy: { fill: (into) => crypto.getRandomValues(into) },
 *   cpus: 2,
 *   ramBytes: 1 << 20,
 *   startTime: BigInt(Date.UTC(2025, 0, 1) / 1000),
 *   // What is decoded of memory that the host writes is stale.
 *   onHostWrite: (_gpa, length, offset) => platform.hostWrote(offset, length),
 * };
 * const machine = new Machine(options);
 * assertEquals(machine.memory.ramBytes, 1 << 20);
 * await machine.close();
 * ```
 */
export interface MachineOptions {
  /** The platform that runs it. */
  readonly platform: WinHvPlatform;
  /** The bytes behind guest memory, page aligned; RAM takes the first ones. */
  readonly guestMemory: Uint8Array;
  /** Guest time. */
  readonly clock: Clock;
  /** Where devices get random bytes. */
  readonly entropy: Entropy;
  /** Processors, 1 to 64. */
  readonly cpus: number;
  /** What the guest can make of its local APICs; xAPIC's page alone if absent. */
  readonly apic?: ApicKind;
  /** Whole pages. */
  readonly ramBytes: number;
  /** Unix seconds that the RTC shows at guest time 0. */
  readonly startTime?: bigint;
  /** What COM1 sends; the array is used again. */
  readonly serialOut?: (bytes: Uint8Array) => void;
  /** Called after the host wrote guest memory (GuestMemory.onHostWrite). */
  readonly onHostWrite?: (gpa: number, length: number, offset: number) => void;
  /** What the platform's host does, as askHost() found out; without it nothing is known,
   * and nothing is done about it. */
  readonly host?: HostFacts;
  /** What CPUID answers in some bits, above what the machine itself changes. */
  readonly cpuid?: readonly MaskedCpuidResult[];
  /** Puts more devices on the buses and returns them, to be reset and saved
   * with the board's. */
  readonly attach?: (machine: Machine) => readonly Device[];
}

/**
 * A PC: partition, memory, buses, the board's devices and processors.
 *
 * @example
 * ```ts
 * import {
 *   attachDebugger,
 *   loadGuest,
 *   Machine,
 *   openSoft,
 *   startGuest,
 * } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const ramBytes = 2 << 20;
 * const platform = await openSoft({ memoryBytes: ramBytes });
 * const machine = new Machine({
 *   platform,
 *   guestMemory: platform.guestMemory,
 *   clock: platform.clock,
 *   entropy: { fill: (into) => into.fill(4) },
 *   cpus: 1,
 *   ramBytes,
 * });
 * startGuest(
 *   machine,
 *   loadGuest({
 *     image: Uint8Array.from([0xb0, 0x2a, 0xe6, 0xf4]), // mov al, 42; out 0xf4, al
 *     name: "ends",
 *     commandLine: "",
 *     modules: [],
 *     ramBytes,
 *     cpus: 1,
 *     virtioDevices: 0,
 *     flat: { address: 0x7000, mode: 16 },
 *   }),
 * );
 * const target = attachDebugger(machine);
 * const stopped = Promise.withResolvers<unknown>();
 * target.onStop.subscribe((stop) => stopped.resolve(stop.reason));
 * target.resume([{ kind: "continue" }]);
 * // Port 0xF4 ends the machine with (value << 1) | 1.
 * assertEquals(await stopped.promise, { kind: "exited", code: 85 });
 * await machine.close();
 * ```
 */
export class Machine {
  /** What it was made with. */
  readonly options: MachineOptions;
  /** The platform's partition. */
  readonly partition: Partition;
  /** Guest physical memory. */
  readonly memory: GuestMemory;
  /** I/O ports. */
  readonly ports = new PortBus(() => this.#exits.where());
  /** Memory-mapped registers. */
  readonly mmio = new MmioBus(() => this.#exits.where());
  /**
   * Writes that need no exit.
   * @internal
   */
  readonly doorbells: Doorbells;
  /** Alarms at guest times. */
  readonly timers: Timers;
  /**
   * The chip set.
   * @internal
   */
  readonly board: Board;
  /**
   * The processors, by index.
   * @internal
   */
  readonly processors: readonly Processor[];
  /** Whether what the machine does has been done before: nobody is to be told again. */
  repeating = false;
  /** What was booted, for people: its kind, and a line about it. */
  booted: {
    readonly kind: string;
    readonly describe: string;
    readonly architecture?: "i386" | "x86-64";
    readonly isElf?: boolean;
  } | null = null;
  /** Told at the end of reset(): who loads the guest and sets its registers. */
  readonly onReset = new Subscribers<[]>();
  /** Told behind every access of a device to memory. */
  readonly onDma = new Subscribers<[access: DmaAccess]>();
  readonly #exits: ExitHandler;
  readonly #msrs: readonly Msrs[];
  readonly #extInt: ExtIntInput;
  /** The local APICs as they were made: what RESET brings back. */
  readonly #lapics: readonly (Uint8Array | null)[];
  /** The board's, and those attached. */
  readonly #devices: readonly Device[];
  /** What ends being told of a standstill. */
  readonly #watch: () => void;
  /** What ends being asked about accesses. */
  readonly #unanswered: () => void;
  #standstillTold = false;
  #timeStands = false;
  #bitmap = 0n;
  /** Whether INIT and start-up IPIs exit; null while nobody has asked for it. */
  #startupTrap: boolean | null = null;
  /** The exceptions that the host can intercept, as far as known. */
  #interceptable = 0xffffffffn;

  /**
   * Sets up everything; the processors are in their state after RESET.
   *
   * @throws {PlatformError} The platform fails or refuses; what was made is deleted.
   * @throws {RangeError} The RAM is not whole pages, or more than there is memory; or
   * two devices have one name.
   */
  constructor(options: MachineOptions) {
    this.options = options;
    this.memory = new GuestMemory(options.guestMemory, options.ramBytes);
    if (options.onHostWrite !== undefined) {
      this.memory.onHostWrite.subscribe(options.onHostWrite);
    }
    this.timers = new Timers(options.clock);
    const timers = options.clock.realTime ? this.timers : null;
    this.#extInt = { level: false, source: null, timers };
    const cpuid = cpuidChanges(options.host?.clocks, options.cpuid);
    this.partition = makePartition(
      options.platform,
      options.cpus,
      options.apic ?? "xapic",
      cpuid,
    );
    this.doorbells = new Doorbells(this.partition, options.platform);
    this.#msrs = Array.from({ length: options.cpus }, () => new Msrs());
    let handler: ExitHandler | null = null;
    try {
      this.board = this.#makeBoard();
      this.#extInt.source = this.board.pic;
      this.#exits = handler = new ExitHandler({
        platform: options.platform,
        ports: this.ports,
        mmio: this.mmio,
        memory: this.memory,
        cpuid,
        eoi: () => this.board.ioapic,
        msrs: this.#msrs,
      });
      this.processors = Array.from(
        { length: options.cpus },
        (_, i) =>
          new Processor(
            this.partition.createVirtualProcessor(i),
            this.#exits,
            i === 0 ? this.#extInt : null,
          ),
      );
      this.#lapics = this.processors.map(({ vp }) => this.#lapicAtReset(vp));
      this.#devices = [
        ...this.board.devices,
        ...options.attach?.(this) ?? [],
      ];
      refuseTwins(this.#devices);
      this.#mapMemory();
      this.#resetProcessors();
      this.#unanswered = this.partition.setAccessCallback((vp, access) =>
        this.processors[vp].answer(access)
      );
      this.#watch = this.partition.onStandstill(() => this.#standstill());
    } catch (error) {
      handler?.close();
      this.doorbells.close();
      this.partition.delete();
      throw error;
    }
  }

  #makeBoard(): Board {
    const { options } = this;
    return new Board({
      ports: this.ports,
      mmio: this.mmio,
      timers: this.timers,
      clock: options.clock,
      cpus: options.cpus,
      ramBytes: options.ramBytes,
      startTime: options.startTime ?? 0n,
      requestInterrupt: (request) => this.requestInterrupt(request),
      extInt: { set: (level) => this.#setExtInt(level) },
      power: (event) => this.power(event),
      where: () => this.#exits.where(),
      stubEntry: () => {
        const access = this.#exits.portAccess;
        return access && stubEntryOf(access, this.memory);
      },
      serialOut: (bytes) => {
        if (!this.repeating) options.serialOut?.(bytes);
      },
    });
  }

  #mapMemory(): void {
    for (const { gpa, bytes, offset, kind } of this.memory.regions) {
      this.partition.mapGpaRange(
        this.memory.view.subarray(offset, offset + bytes),
        gpa,
        Map_.Read | Map_.Execute | (kind === "ram" ? Map_.Write : 0),
      );
    }
  }

  #setExtInt(level: boolean): void {
    this.#extInt.level = level;
    if (level && this.processors !== undefined) {
      this.processors[0].extIntRaised();
    }
  }

  /** What stopped the machine; null while nothing has. */
  get event(): MachineEvent | null {
    return this.#exits.ended?.event ?? null;
  }

  /** All processors that run take no interrupts: said once. */
  #standstill(): void {
    if (
      this.#standstillTold || this.event !== null ||
      this.board.ioapic.reachesDeaf || this.processors.some((p) => !p.inRun)
    ) return;
    this.#standstillTold = true;
    log.warn(
      "all processors are halted with interrupts off, and nothing wakes them: " +
        "{where}",
      { where: this.processors.map(({ vp }) => restingPlace(vp)).join(", ") },
    );
  }

  /** Memory as a device reaches it; `onDma` is told of what it does there. */
  dma(device: string): DmaMemory {
    const { memory } = this;
    const tell = (gpa: number, length: number, isWrite: boolean) =>
      this.onDma.tell({ device, gpa, length, isWrite });
    return {
      read(gpa, into) {
        const done = memory.read(gpa, into);
        tell(gpa, done, false);
        return done;
      },
      write(gpa, bytes) {
        const done = memory.write(gpa, bytes);
        tell(gpa, done, true);
        return done;
      },
    };
  }

  /** Ends the machine, or resets it, as a device of it would. */
  power(event: PowerEvent): void {
    this.#exits.end(event);
  }

  /**
   * Has the platform's local APICs deliver an interrupt.
   *
   * @throws {PlatformError} The platform fails; what it refuses is dropped.
   */
  requestInterrupt(request: InterruptRequest): void {
    try {
      this.partition.requestInterrupt(request);
    } catch (error) {
      // A guest can program any vector into an IOAPIC; real ones drop it too.
      if (!refused(error)) throw error;
      log.debug("interrupt refused: {message}", { message: error.message });
    }
  }

  /** Guest time stands still, the platform's and the devices'; no processor runs.
   * Where the platform's cannot, the devices' goes on with it. */
  suspendTime(): void {
    this.#timeStands = true;
    if (this.partition.suspendTime()) this.options.clock.suspend?.();
    this.doorbells.hold();
  }

  /** Guest time goes on. */
  resumeTime(): void {
    this.#timeStands = false;
    this.partition.resumeTime();
    // Where that failed the next run does it.
    this.options.clock.resume?.();
    this.doorbells.release();
  }

  /** Writes processors' time registers: their TSCs count from the same moment
   * only if time stands still until all are written. */
  #whileTimeStands(write: () => void): void {
    if (this.#timeStands) return write();
    this.suspendTime();
    try {
      write();
    } finally {
      this.resumeTime();
    }
  }

  /**
   * Which exceptions exit: a bit for every vector. No processor runs. A host
   * that cannot intercept all of them intercepts #DB and #BP.
   *
   * @throws {PlatformError} The platform fails, or cannot intercept even these.
   */
  setExceptionBitmap(wanted: bigint): void {
    const bitmap = wanted & this.#interceptable;
    if (bitmap === this.#bitmap) return;
    try {
      this.partition.setExceptionExitBitmap(bitmap);
    } catch (error) {
      if (!refused(error) || (bitmap & ~DEBUG_EXCEPTIONS) === 0n) throw error;
      log.warn(
        "this host intercepts debug exceptions only: " +
          "a step that faults will not stop in the fault's handler",
      );
      this.#interceptable = DEBUG_EXCEPTIONS;
      this.setExceptionBitmap(wanted);
      return;
    }
    this.#bitmap = bitmap;
  }

  /** The vectors that exit, a bit each. */
  get exceptionBitmap(): bigint {
    return this.#bitmap;
  }

  /** Has INIT and start-up IPIs exit ("startup") from now on; false where the host does
   * not take that. No processor runs. */
  trapStartupIpis(): boolean {
    if (this.#startupTrap === null) {
      const bits = EXITS | ExtendedVmExits.X64ApicInitSipiExitTrap;
      try {
        this.partition.setExtendedVmExits(bits);
        this.#startupTrap = true;
      } catch (error) {
        if (!refused(error)) throw error;
        this.#startupTrap = false;
        log.debug("{message}", { message: error.message });
      }
    }
    return this.#startupTrap;
  }

  /**
   * The INIT or start-up IPI that a processor has exited for.
   * @internal
   */
  startupIpi({ index, vp }: Processor, { exit }: StartupReturn): StartupIpi {
    // Where it is refused nothing but xAPIC mode is known to work.
    const base = new TolerantBatch(Reg.ApicBase);
    base.read(vp);
    const x2apic = (base.get(0) & APIC_BASE_X2) !== 0n;
    return startupIpi(exit.icr, index, this.processors.length, x2apic);
  }

  /** Exits so far, by reason. */
  get exitCounts(): ExitCounts {
    return this.#exits.counts;
  }

  /**
   * RESET: devices, processors, and then the guest anew (`onReset`). RAM is
   * what the loader leaves of it. No processor runs.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  reset(): void {
    this.forgetEvent();
    for (const device of this.#devices) device.reset();
    this.#resetProcessors();
    this.onReset.tell();
  }

  #resetProcessors(): void {
    this.#whileTimeStands(() =>
      this.processors.forEach((processor, i) => {
        const lapic = this.#lapics[i];
        if (lapic !== null) this.#setLapic(processor.vp, lapic);
        resetRegisters(processor.vp, i);
        this.#msrs[i].reset();
        processor.reset();
      })
    );
  }

  /** Some hosts refuse writes to their local APICs. */
  #setLapic(vp: VirtualProcessor, lapic: Uint8Array): void {
    try {
      vp.setLapic(lapic);
    } catch (error) {
      this.#lose(error, LOST.WHvSetVirtualProcessorInterruptControllerState);
    }
  }

  /** Others reads. */
  #lapicAtReset(vp: VirtualProcessor): Uint8Array | null {
    try {
      return lapicAtReset(vp);
    } catch (error) {
      this.#lose(error, LOST.WHvGetVirtualProcessorInterruptControllerState);
      return null;
    }
  }

  /** Goes on without what was refused, and says so once for a platform. */
  #lose(error: unknown, lost: string): void {
    if (!refused(error)) throw error;
    const { platform } = this.options;
    const said = lapicLosses.get(platform) ?? new Set();
    lapicLosses.set(platform, said);
    if (said.has(lost)) return;
    said.add(lost);
    // Of a function that is absent the message tells that, too.
    const { message } = error;
    const what = message.includes(lost) ? message : `${message}: ${lost}`;
    log.warn("{what}", { what });
  }

  /**
   * Everything that makes the machine what it is, or without `memory` all but that; no
   * processor runs, or where the platform saves them all are between two instructions.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  save({ memory = true }: { readonly memory?: boolean } = {}): MachineState {
    const { platform, clock, entropy } = this.options;
    const own: OwnState = {
      time: clock.now(),
      msrs: this.#msrs.map(({ state }) => ({ ...state })),
      extInt: this.#extInt.level,
      windows: this.processors.map((processor) => processor.save()),
      timers: this.timers.save(),
      entropy: entropy.save?.() ?? null,
    };
    return {
      processors: platform.timeTravel?.save() ??
        this.processors.map(({ vp }) => ({
          registers: saveRegisters(vp),
          lapic: optionally(() => vp.getLapic()),
          xsave: optionally(() => vp.getXsave()),
        })),
      board: saveBoard(own, this.#devices),
      memory: memory ? this.memory.view.slice(0, this.memory.ramBytes) : null,
    };
  }

  /**
   * Takes a state made by save() of a machine with the same options; guest time is that
   * of then. `memory` is called once the state is known to fit, and puts memory to what
   * it was; that of the state, if it has any, unless it is given.
   *
   * @throws {ForeignStateError} Another icebp saved it. Nothing has changed.
   * @throws {TypeError} The state is none, or of a machine with other options. Nothing
   * has changed.
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  load(
    state: MachineState,
    memory: () => void = () => this.#loadMemory(state.memory),
  ): void {
    const { processors, board } = state;
    const { platform, clock } = this.options;
    const own = ownState(board, this.#devices);
    if (processors === null || typeof processors !== "object") {
      throw new BrokenStateError("saved state: processors expected");
    }
    const whole = "core" in processors ? processors : null;
    if (
      own.msrs.length !== this.processors.length ||
      own.windows.length !== this.processors.length ||
      state.memory !== null && state.memory.length !== this.memory.ramBytes
    ) {
      throw new BrokenStateError(
        "the saved machine has other processors or memory",
      );
    }
    const timer = own.timers.find(({ name }) => !this.timers.has(name));
    if (timer !== undefined) {
      throw new BrokenStateError(
        `the saved machine has another timer: ${timer.name}`,
      );
    }
    if (whole === null) {
      if (clock.set === undefined) {
        throw new BrokenStateError(
          "this clock cannot be set to a saved machine's time",
        );
      }
      this.#checkRegisters(processors as SavedProcessors);
    } else {
      const why = platform.timeTravel === undefined
        ? "the saved processors are another platform's"
        : platform.timeTravel.refusal(whole);
      if (why !== null) throw new BrokenStateError(why);
    }
    this.#loadDevices(board, own.entropy);
    memory();
    if (whole === null) {
      this.#whileTimeStands(() => {
        this.#loadRegisters(processors as SavedProcessors);
        clock.set!(own.time);
      });
    } else {
      platform.timeTravel!.load(whole);
      if (clock.now() !== own.time) clock.set!(own.time);
    }
    this.#msrs.forEach((msrs, i) => msrs.state = own.msrs[i]);
    this.#extInt.level = own.extInt;
    this.timers.load(own.timers);
    this.processors.forEach((processor, i) => processor.load(own.windows[i]));
    this.forgetEvent();
    this.doorbells.again();
    this.partition.changes++;
  }

  /** The devices' states, and where the entropy is: all, or where one of them throws
   * none. */
  #loadDevices({ devices }: BoardState, at: string | null): void {
    const { entropy } = this.options;
    const before = this.#devices.map((device) => device.save());
    let tried = 0;
    try {
      for (const device of this.#devices) {
        tried++;
        device.load(devices[device.name].state);
      }
      if (at !== null) entropy.load?.(at);
    } catch (error) {
      this.#devices.slice(0, tried).forEach((device, i) =>
        device.load(before[i])
      );
      throw error;
    }
  }

  #checkRegisters(saved: SavedProcessors): void {
    if (
      !Array.isArray(saved) || saved.length !== this.processors.length
    ) {
      throw new BrokenStateError("the saved machine has other processors");
    }
    for (const { registers, lapic, xsave } of saved) {
      for (const bytes of [lapic, xsave]) {
        if (bytes === null || bytes instanceof Uint8Array) continue;
        throw new BrokenStateError("saved state: a processor's bytes expected");
      }
      checkRegisters(registers);
    }
  }

  #loadMemory(bytes: Uint8Array | null): void {
    if (bytes === null) return;
    for (const { gpa, bytes: length, offset, kind } of this.memory.regions) {
      if (kind !== "ram") continue;
      this.memory.write(gpa, bytes.subarray(offset, offset + length));
    }
  }

  #loadRegisters(saved: SavedProcessors): void {
    this.processors.forEach((processor, i) => {
      const { registers, lapic, xsave } = saved[i];
      if (xsave !== null) processor.vp.setXsave(xsave);
      if (lapic !== null) this.#setLapic(processor.vp, lapic);
      loadRegisters(processor.vp, registers);
      processor.reset();
    });
  }

  /** What stopped the machine is of another time. */
  forgetEvent(): void {
    this.#exits.ended = null;
  }

  /** Deletes the partition; no processor runs, nothing is used again. The
   * platform itself may be closed when the promise resolves. */
  close(): Promise<void> {
    this.#watch();
    this.#unanswered();
    const rung = this.doorbells.close();
    this.#exits.close();
    for (const { vp } of this.processors) vp.delete();
    this.partition.delete();
    return rung;
  }
}

/**
 * What a device did with guest memory.
 *
 * @example
 * ```ts
 * import { type DmaAccess, Machine, openSoft } from "@icebp/icebp";
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
 * const seen: DmaAccess[] = [];
 * machine.onDma.subscribe((access) => seen.push(access));
 * machine.dma("disk").write(0x1000, new Uint8Array(512));
 * assertEquals(seen, [
 *   { device: "disk", gpa: 0x1000, length: 512, isWrite: true },
 * ]);
 * ```
 */
export interface DmaAccess {
  /** The device's name. */
  readonly device: string;
  /** The first guest physical address. */
  readonly gpa: number;
  /** Bytes. */
  readonly length: number;
  /** False where it only read. */
  readonly isWrite: boolean;
}

/** Devices are saved by their names. */
function refuseTwins(devices: readonly Device[]): void {
  const names = new Set<string>();
  for (const { name } of devices) {
    if (names.has(name)) throw new RangeError(`two devices are called ${name}`);
    names.add(name);
  }
}

/** A local APIC as it was made, with the ID that guests are told of: a host's
 * own may be another. */
function lapicAtReset(vp: VirtualProcessor): Uint8Array {
  const state = vp.getLapic();
  APIC_STATE.Id.set(new DataView(state.buffer), vp.index << 24);
  return state;
}

/** Where a processor that does not run on is, for messages. */
function restingPlace(vp: VirtualProcessor): string {
  const activity = new TolerantBatch(Reg.InternalActivityState);
  activity.read(vp);
  return `CPU${vp.index} ` +
    (activity.get(0) & STARTUP_SUSPEND
      ? "waits for a SIPI"
      : `at ${placeOf(vp.get(Reg.Rip), vp.getSegment(Reg.Cs))}`);
}

/** WHV_INTERNAL_ACTIVITY_REGISTER.StartupSuspend. */
const STARTUP_SUSPEND = 1n;

/** What was said to be lost of local APICs. */
const lapicLosses = new WeakMap<WinHvPlatform, Set<string>>();

const DEBUG_EXCEPTIONS = vectorBits(Vector.DB, Vector.BP);

/** Null where the platform lacks the function; it has been said then. */
function optionally<T>(call: () => T): T | null {
  try {
    return call();
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    log.debug("{message}", { message: error.message });
    return null;
  }
}
