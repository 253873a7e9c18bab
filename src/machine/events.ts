/**
 * Giving a processor an event: an exception, or the PIC's interrupt. Both go
 * through WHvRegisterPendingEvent; the processor must not be running.
 */
import { PendingEvent } from "../../ffi/enums.ts";
import { Reg } from "../../ffi/registers.ts";
import {
  WHV_INTERNAL_ACTIVITY_REGISTER as ACTIVITY,
  WHV_X64_PENDING_EXCEPTION_EVENT as EXCEPTION,
  WHV_X64_PENDING_EXT_INT_EVENT as EXT_INT,
  WHV_X64_PENDING_INTERRUPTION_REGISTER as INTERRUPTION,
} from "../../ffi/values.ts";
import { refused } from "../platform/errors.ts";
import { type RegisterAccess, RegisterBatch } from "./batch.ts";
import { TolerantBatch } from "./refusable.ts";

/** Vectors that the machine itself raises. */
export const Vector = {
  DB: 1,
  BP: 3,
  UD: 6,
  DF: 8,
  NP: 11,
  GP: 13,
  PF: 14,
} as const;

const exception = new RegisterBatch(Reg.PendingEvent);
const pageFault = new RegisterBatch(Reg.PendingEvent, Reg.Cr2);

/** Has `vp` take an exception before its next instruction. `errorCode` is null
 * for those without one; `parameter` is the address of a #PF. */
export function injectException(
  vp: RegisterAccess,
  vector: number,
  errorCode: number | null,
  parameter = 0n,
): void {
  // Not every host loads CR2 from the parameter.
  const batch = vector === Vector.PF ? pageFault : exception;
  const view = batch.view;
  batch.set(0, 0n);
  EXCEPTION.EventPending.set(view, 1);
  EXCEPTION.EventType.set(view, PendingEvent.Exception);
  EXCEPTION.DeliverErrorCode.set(view, errorCode === null ? 0 : 1);
  EXCEPTION.Vector.set(view, vector);
  EXCEPTION.ErrorCode.set(view, errorCode ?? 0);
  EXCEPTION.ExceptionParameter.set(view, parameter);
  if (batch === pageFault) batch.set(1, parameter);
  batch.write(vp);
}

const extInt = new TolerantBatch(Reg.PendingEvent, Reg.InternalActivityState);
const halted = new RegisterBatch(
  Reg.InternalActivityState,
  Reg.Rflags,
  Reg.PendingEvent,
  Reg.PendingInterruption,
);
const RFLAGS_IF = 0x200;
/** Bytes from one value of a batch to the next. */
const VALUE = 16;

/** Has `vp`, which can take interrupts now, take the PIC's `vector`. A halted
 * processor is woken: the event alone would not. */
export function injectExtInt(vp: RegisterAccess, vector: number): void {
  extInt.set(0, 0n);
  EXT_INT.EventPending.set(extInt.view, 1);
  EXT_INT.EventType.set(extInt.view, PendingEvent.ExtInt);
  EXT_INT.Vector.set(extInt.view, vector);
  // A host that keeps its processors' activity to itself wakes them itself.
  extInt.set(1, 0n);
  extInt.write(vp);
}

/** Whether `vp` halts and would take the PIC's interrupt, were it woken. */
export function canTakeExtIntHalted(vp: RegisterAccess): boolean {
  try {
    halted.read(vp);
  } catch (error) {
    if (!refused(error)) throw error;
    return false;
  }
  return ACTIVITY.HaltSuspend.get(halted.view) !== 0 &&
    (halted.low(1) & RFLAGS_IF) !== 0 &&
    EXT_INT.EventPending.get(halted.view, 2 * VALUE) === 0 &&
    INTERRUPTION.InterruptionPending.get(halted.view, 3 * VALUE) === 0;
}
