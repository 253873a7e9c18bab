/**
 * A processor under run control: the registers that stepping looks at, read in
 * one call, and what the debugger remembers between stops.
 */
import { PendingEvent } from "../../../ffi/enums.ts";
import { Reg } from "../../../ffi/registers.ts";
import {
  INTERRUPT_SHADOW,
  WHV_INTERNAL_ACTIVITY_REGISTER as ACTIVITY,
  WHV_X64_PENDING_EXCEPTION_EVENT as EVENT_REGISTER,
  WHV_X64_PENDING_EXT_INT_EVENT as EXT_INT,
} from "../../../ffi/values.ts";
import { type RegisterAccess, RegisterBatch } from "../../machine/batch.ts";
import { injectException } from "../../machine/events.ts";
import type { Processor } from "../../machine/processor.ts";
import type { DebugHit, VirtualProcessor } from "../../platform/mod.ts";
import { CR0_PE, EFER_LMA } from "../../x86/control_registers.ts";
import { DR6_BS, DR6_HITS } from "../../x86/debug_registers.ts";
import { RFLAGS_RF, RFLAGS_VM } from "../../x86/flags.ts";
import {
  BIG,
  codeBitsOf,
  dplOf,
  type Segment,
  type Table,
} from "../../x86/segments.ts";
import { setRefusable, TolerantBatch } from "../../machine/refusable.ts";
import type { StopReason } from "../target.ts";
import type { Paging } from "../paging/walk.ts";

/** In guestTrap: a debug exception without a bit in DR6, INT1's. */
export const TRAP_INT1 = 1n << 63n;

// Places in the context batch.
const RIP = 0, RFLAGS = 1, CS = 2, SS = 3, CR0 = 4, CR3 = 5, CR4 = 6, EFER = 7;
const DR6 = 8, INTERRUPT = 9, ACTIVITY_AT = 10, RSP = 11, EVENT = 12;
const DEBUG_EVENT = 13, DR7 = 14;

export class Vcpu implements Paging, RegisterAccess {
  readonly index: number;
  readonly processor: Processor;
  readonly #vp: VirtualProcessor;
  /** Linear address of a breakpoint, or a step's end, that was told to the
   * debugger: running on from there does not stop there again. */
  toldAt: bigint | null = null;
  /** As toldAt, of a breakpoint that nobody wants to be told of and that could not be
   * stepped over before the guest stopped: it has been decided on. */
  passAt: bigint | null = null;
  /** Stops found while another one was told; told at the next resume. */
  readonly untold: StopReason[] = [];
  /** The guest's own debug exception, which has exited or our step has taken, as
   * bits of DR6; 0 is none. The guest gets it when it goes on. */
  guestTrap = 0n;
  /** Where, at a breakpoint, the guest was just given a trap of its own. */
  trapAt: bigint | null = null;

  /** A debug register has stopped it, nobody wants to be told of that, and it is stepped
   * from there: at a JMP to itself, where stopped at every turn it would hardly get on,
   * and in a REP, each iteration of which is judged. */
  isStepped = false;

  readonly #context = new TolerantBatch(
    Reg.Rip,
    Reg.Rflags,
    Reg.Cs,
    Reg.Ss,
    Reg.Cr0,
    Reg.Cr3,
    Reg.Cr4,
    Reg.Efer,
    Reg.Dr6,
    Reg.InterruptState,
    Reg.InternalActivityState,
    Reg.Rsp,
    Reg.PendingEvent,
    Reg.PendingDebugException,
    Reg.Dr7,
  );
  readonly #past = new RegisterBatch(Reg.Rip, Reg.Rflags);
  // The context as last read.
  rip = 0n;
  rflags = 0n;
  cr0 = 0n;
  cr3 = 0n;
  cr4 = 0n;
  efer = 0n;
  dr6 = 0n;
  interruptState = 0n;
  rsp = 0n;
  /** The partition's changes at that time. */
  #readAt = -1;

  constructor(processor: Processor) {
    this.processor = processor;
    this.#vp = processor.vp;
    this.index = processor.index;
  }

  /** Reads the context, unless nothing has changed since it was read; the
   * processor is not running. */
  read(): void {
    const vp = this.#vp;
    if (this.#readAt === vp.partition.changes) return;
    const context = this.#context;
    context.read(vp);
    this.#readAt = vp.partition.changes;
    this.rip = context.get(RIP);
    this.rflags = context.get(RFLAGS);
    this.cr0 = context.get(CR0);
    this.cr3 = context.get(CR3);
    this.cr4 = context.get(CR4);
    this.efer = context.get(EFER);
    this.dr6 = context.get(DR6);
    this.interruptState = context.get(INTERRUPT);
    this.rsp = context.get(RSP);
  }

  /** Tells the platform whether it is about to be run (VirtualProcessor.expectRun()). */
  expectRun(expected: boolean): void {
    this.#vp.expectRun(expected);
  }

  getRegisters(names: Uint32Array, values: Uint8Array): void {
    this.#vp.getRegisters(names, values);
  }

  setRegisters(names: Uint32Array, values: Uint8Array): void {
    this.#vp.setRegisters(names, values);
  }

  /** A register as it is now. */
  get(register: number): bigint {
    return this.#vp.get(register);
  }

  set(register: number, value: bigint): void {
    this.#vp.set(register, value);
  }

  getSegment(register: number): Segment {
    return this.#vp.getSegment(register);
  }

  setSegment(register: number, segment: Segment): void {
    this.#vp.setSegment(register, segment);
  }

  getTable(register: number): Table {
    return this.#vp.getTable(register);
  }

  /** The local APIC's registers. Throws a PlatformError where the platform keeps them to
   * itself. */
  getLapic(): Uint8Array {
    return this.#vp.getLapic();
  }

  /** Has it take an exception before its next instruction. */
  inject(vector: number, code: number | null, parameter = 0n): void {
    injectException(this.#vp, vector, code, parameter);
  }

  /** Has no debug point stop it at its next instruction; `how` is a DebugPass. */
  passDebugPoints(how?: number): void {
    this.#vp.passDebugPoints(how);
  }

  /** The data that an instruction, carried out for an exit, was found to have
   * accessed. */
  takeDebugHits(): readonly DebugHit[] {
    return this.#vp.takeDebugHits();
  }

  /** Sets the interrupt shadow, and whatever else is in that register, where the host
   * lets one. */
  setInterruptState(state: bigint): void {
    setRefusable(this.#vp, Reg.InterruptState, state);
  }

  /** No debug exception is about to be raised any more. */
  dropPendingDebug(): void {
    setRefusable(this.#vp, Reg.PendingDebugException, 0n);
  }

  /** It neither halts nor waits for a start-up IPI any more. */
  wake(): void {
    setRefusable(this.#vp, Reg.InternalActivityState, 0n);
  }

  /** Goes behind the instruction of `length` bytes at RIP, which is complete, and with it
   * RF and the interrupt shadow. */
  passInstruction(length: number): void {
    this.passTrap(length);
    if ((this.interruptState & INTERRUPT_SHADOW) === 0n) return;
    this.setInterruptState(this.interruptState & ~INTERRUPT_SHADOW);
  }

  /** Goes behind a trap of the guest's own, an INT1 or INT3 of `length` bytes at RIP that
   * was intercepted: it is complete, and RF with it. */
  passTrap(length: number): void {
    this.#past.set(0, this.rip + BigInt(length));
    this.#past.set(1, this.rflags & ~RFLAGS_RF);
    this.#past.write(this.#vp);
  }

  /** What a step has written after the last read(). */
  stepped(rflags: bigint, interruptState: bigint, dr6: bigint): void {
    this.rflags = rflags;
    this.interruptState = interruptState;
    this.dr6 = dr6;
    this.#context.set(DEBUG_EVENT, 0n);
    this.#readAt = this.#vp.partition.changes;
  }

  /** An INIT has undone whatever the processor was about. */
  startsAnew(): void {
    this.toldAt = this.passAt = this.trapAt = null;
    this.guestTrap = 0n;
  }

  /** The code segment's default: how instructions decode. */
  get codeBits(): 16 | 32 | 64 {
    return codeBitsOf(this.#context.attributes(CS), this.longMode);
  }

  get protectedMode(): boolean {
    return (this.cr0 & CR0_PE) !== 0n;
  }

  get longMode(): boolean {
    return (this.efer & EFER_LMA) !== 0n;
  }

  get v86(): boolean {
    return (this.rflags & RFLAGS_VM) !== 0n;
  }

  /** Current privilege level: SS's DPL. */
  get cpl(): number {
    if (!this.protectedMode) return 0;
    return dplOf(this.#context.attributes(SS));
  }

  /** The linear address of the next instruction. */
  get linear(): bigint {
    return this.linearOf(this.rip);
  }

  /** The linear address of an offset in the code segment. */
  linearOf(offset: bigint): bigint {
    if (this.codeBits === 64) return offset;
    return (this.#context.base(CS) + offset) & 0xffffffffn;
  }

  /** The linear address of the top of the stack. */
  get stack(): bigint {
    return this.stackAt(0);
  }

  /** The linear address `bytes` above the top of the stack. */
  stackAt(bytes: number): bigint {
    const rsp = this.rsp + BigInt(bytes);
    if (this.codeBits === 64) return BigInt.asUintN(64, rsp);
    const big = (this.#context.attributes(SS) & BIG) !== 0;
    const offset = rsp & (big ? 0xffffffffn : 0xffffn);
    return (this.#context.base(SS) + offset) & 0xffffffffn;
  }

  /** The vector of an event that the processor is about to take; -1 if none. */
  get pendingVector(): number {
    const view = this.#context.view;
    const at = EVENT * 16;
    if (EVENT_REGISTER.EventPending.get(view, at) === 0) return -1;
    return EVENT_REGISTER.EventType.get(view, at) === PendingEvent.ExtInt
      ? EXT_INT.Vector.get(view, at)
      : EVENT_REGISTER.Vector.get(view, at);
  }

  /** Whether that event is an interrupt of the PIC's: none of the instruction's own. */
  get pendingInterrupt(): boolean {
    return this.pendingVector >= 0 &&
      EVENT_REGISTER.EventType.get(this.#context.view, EVENT * 16) ===
        PendingEvent.ExtInt;
  }

  /** Debug exceptions that are about to be raised, as bits of DR6. */
  get pendingDebug(): bigint {
    const bits = BigInt(this.#context.low(DEBUG_EVENT));
    return (bits & DR6_HITS) | ((bits & 16n) !== 0n ? DR6_BS : 0n);
  }

  /** How many debug registers are enabled. */
  get ownBreakpoints(): number {
    const enables = this.#context.low(DR7);
    let count = 0;
    for (let i = 0; i < 8; i += 2) if ((enables >> i & 3) !== 0) count++;
    return count;
  }

  get halted(): boolean {
    return ACTIVITY.HaltSuspend.get(this.#context.view, ACTIVITY_AT * 16) !== 0;
  }

  get waitsForSipi(): boolean {
    return ACTIVITY.StartupSuspend.get(
      this.#context.view,
      ACTIVITY_AT * 16,
    ) !== 0;
  }
}
