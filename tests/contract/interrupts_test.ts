// WHP.md, "Interrupts": injection without the platform's APIC, and what the
// platform's own APIC does with requests, IPIs, start-up and EOIs.

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  InterruptDestinationMode,
  InterruptTriggerMode,
  InterruptType,
  LocalApicEmulationMode,
  PendingEvent,
  PendingInterruption,
} from "../../ffi/enums.ts";
import { ExtendedVmExits } from "../../ffi/flags.ts";
import { Reg } from "../../ffi/registers.ts";
import {
  WHV_INTERNAL_ACTIVITY_REGISTER as ACTIVITY,
  WHV_X64_DELIVERABILITY_NOTIFICATIONS_REGISTER as NOTIFICATIONS,
  WHV_X64_INTERRUPT_STATE_REGISTER as STATE,
  WHV_X64_PENDING_EXCEPTION_EVENT as EXCEPTION_EVENT,
  WHV_X64_PENDING_EXT_INT_EVENT as EXT_INT_EVENT,
  WHV_X64_PENDING_INTERRUPTION_REGISTER as PENDING,
} from "../../ffi/values.ts";
import { PlatformError } from "../../src/platform/mod.ts";
import {
  CODE,
  contract,
  expectExit,
  expectVector,
  type Guest,
  hex,
  IF,
  STACK,
  turns,
} from "./guest.ts";

/** A register's value, written member by member. */
function value(write: (view: DataView) => void): bigint {
  const view = new DataView(new ArrayBuffer(16));
  write(view);
  return (view.getBigUint64(8, true) << 64n) | view.getBigUint64(0, true);
}

function inject(
  guest: Guest,
  type: number,
  vector: number,
  errorCode?: number,
): void {
  guest.vp.set(
    Reg.PendingInterruption,
    value((view) => {
      PENDING.InterruptionPending.set(view, 1);
      PENDING.InterruptionType.set(view, type);
      PENDING.InterruptionVector.set(view, vector);
      if (errorCode === undefined) return;
      PENDING.DeliverErrorCode.set(view, 1);
      PENDING.ErrorCode.set(view, errorCode);
    }),
  );
}

contract("an injected interrupt is delivered before the next instruction", {
  code: "e6 80",
}, async (guest) => {
  guest.setFlags(IF);
  inject(guest, PendingInterruption.Interrupt, 0x41);
  expectVector(await guest.run(), 0x41);
  // The frame: RIP, CS, RFLAGS with IF as it was.
  const { view } = guest;
  assertEquals(view.getBigUint64(STACK - 40, true), BigInt(CODE));
  assertEquals(view.getBigUint64(STACK - 32, true), 8n);
  assertEquals(view.getBigUint64(STACK - 24, true) & IF, IF);
  assertEquals(guest.vp.get(Reg.Rflags) & IF, 0n);
  assertEquals(guest.vp.get(Reg.PendingInterruption) & 1n, 0n);
});

contract("an injected exception has its error code on the stack", {
  code: "90",
}, async (guest) => {
  inject(guest, PendingInterruption.Exception, 13, 0x1234);
  expectVector(await guest.run(), 13);
  assertEquals(guest.view.getBigUint64(STACK - 48, true), 0x1234n);
});

contract("an injected NMI masks further ones until IRET", {
  code: "e6 80 e6 81",
}, async (guest) => {
  guest.write(0x40020, hex("e6 82 48 cf # out 0x82, al; iretq"));
  inject(guest, PendingInterruption.Nmi, 2);
  const handler = expectExit(await guest.run(), "ioPort");
  assertEquals(handler.port, 0x82);
  const view = new DataView(new ArrayBuffer(16));
  view.setBigUint64(0, guest.vp.get(Reg.InterruptState), true);
  assertEquals(STATE.NmiMasked.get(view), 1);
  guest.skip(2);
  assertEquals(expectExit(await guest.run(), "ioPort").port, 0x80);
  view.setBigUint64(0, guest.vp.get(Reg.InterruptState), true);
  assertEquals(STATE.NmiMasked.get(view), 0);
});

function notify(guest: Guest): void {
  guest.vp.set(
    Reg.DeliverabilityNotifications,
    value((view) => NOTIFICATIONS.InterruptNotification.set(view, 1)),
  );
}

contract("an interrupt window opens when interrupts are on and no shadow is", {
  code: "e6 80 fb 90 e6 81 # out; sti; nop; out",
}, async (guest) => {
  notify(guest);
  assertEquals(expectExit(await guest.run(), "ioPort").port, 0x80);
  guest.skip(2);
  const exit = expectExit(await guest.run(), "interruptWindow");
  assertEquals(exit.deliverableType, PendingInterruption.Interrupt);
  // STI holds interrupts off until after the instruction behind it.
  assertEquals(exit.rip, BigInt(CODE + 4));
  assert(exit.rflags & IF);
  // The notification is used up.
  assertEquals(expectExit(await guest.run(), "ioPort").port, 0x81);
});

contract("a window that is open already exits at once", {
  code: "90 e6 80",
}, async (guest) => {
  guest.setFlags(IF);
  notify(guest);
  const exit = expectExit(await guest.run(), "interruptWindow");
  assertEquals(exit.rip, BigInt(CODE));
});

contract("a window wakes nothing while interrupts are off", {
  code: "90 90 e6 80",
}, async (guest) => {
  notify(guest);
  assertEquals(expectExit(await guest.run(), "ioPort").port, 0x80);
});

contract("an exception event is delivered, a page fault with its address", {
  code: "90",
}, async (guest) => {
  guest.vp.set128(
    Reg.PendingEvent,
    value((view) => {
      EXCEPTION_EVENT.EventPending.set(view, 1);
      EXCEPTION_EVENT.EventType.set(view, PendingEvent.Exception);
      EXCEPTION_EVENT.DeliverErrorCode.set(view, 1);
      EXCEPTION_EVENT.Vector.set(view, 14);
      EXCEPTION_EVENT.ErrorCode.set(view, 6);
      EXCEPTION_EVENT.ExceptionParameter.set(view, 0x7000_1234n);
    }),
  );
  expectVector(await guest.run(), 14);
  assertEquals(guest.view.getBigUint64(STACK - 48, true), 6n);
  assertEquals(guest.vp.get(Reg.Cr2), 0x7000_1234n);
});

const XAPIC = { apic: LocalApicEmulationMode.XApic };
const APIC = "bb 00 00 e0 fe # mov ebx, 0xfee00000\n";
/** SVR: the APIC is enabled by software, spurious vector 0xff. */
const ENABLE = APIC + "c7 83 f0 00 00 00 ff 01 00 00 # mov [rbx+0xf0], 0x1ff\n";

function fixed(vector: number, triggerMode: number, destination = 0) {
  return {
    type: InterruptType.Fixed,
    destinationMode: InterruptDestinationMode.Physical,
    triggerMode,
    destination,
    vector,
  };
}

contract("the platform's APIC is at its page: no exit", {
  ...XAPIC,
  code: ENABLE + "8b 43 30 e6 80 8b 83 f0 00 00 00 e6 80",
}, async (guest) => {
  const version = expectExit(await guest.run(), "ioPort").eax;
  assert((version & 0xff) >= 0x10, `version ${version.toString(16)}`);
  guest.skip(2);
  assertEquals(expectExit(await guest.run(), "ioPort").eax, 0x1ff);
});

contract("a requested interrupt is delivered when the guest takes it", {
  ...XAPIC,
  code: ENABLE + "e6 80 fb eb fe # out; sti; jmp .",
}, async (guest) => {
  expectExit(await guest.run(), "ioPort");
  guest.skip(2);
  guest.partition.requestInterrupt(fixed(0x51, InterruptTriggerMode.Edge));
  expectVector(await guest.run(), 0x51);
});

contract("a requested interrupt wakes a halted processor", {
  ...XAPIC,
  code: ENABLE + "fb f4 eb fd",
}, async (guest) => {
  const running = guest.run();
  await turns();
  guest.partition.requestInterrupt(fixed(0x52, InterruptTriggerMode.Edge));
  expectVector(await running, 0x52);
});

contract("vector 0 is refused", XAPIC, (guest) => {
  assertThrows(
    () => guest.partition.requestInterrupt(fixed(0, InterruptTriggerMode.Edge)),
    PlatformError,
  );
});

contract("a level-triggered interrupt's EOI exits, an edge's does not", {
  ...XAPIC,
  code: ENABLE + "e6 80 fb eb fe",
}, async (guest) => {
  expectExit(await guest.run(), "ioPort");
  guest.skip(2);
  // Each handler: EOI, then a port.
  const handler = "c7 83 b0 00 00 00 00 00 00 00 e6 82 48 cf";
  guest.write(0x60000, hex(handler));
  guest.gate(0x53, 0x60000);
  guest.gate(0x54, 0x60000);
  guest.partition.requestInterrupt(fixed(0x53, InterruptTriggerMode.Level));
  const eoi = expectExit(await guest.run(), "apicEoi");
  assertEquals(eoi.vector, 0x53);
  assertEquals(expectExit(await guest.run(), "ioPort").port, 0x82);
  guest.skip(2);
  guest.partition.requestInterrupt(fixed(0x54, InterruptTriggerMode.Edge));
  assertEquals(expectExit(await guest.run(), "ioPort").port, 0x82);
});

contract("an NMI is delivered with interrupts off", {
  ...XAPIC,
  code: "e6 80 eb fe",
}, async (guest) => {
  expectExit(await guest.run(), "ioPort");
  guest.skip(2);
  guest.partition.requestInterrupt({
    ...fixed(0, InterruptTriggerMode.Edge),
    type: InterruptType.Nmi,
  });
  expectVector(await guest.run(), 2);
});

contract("a higher task priority holds an interrupt back", {
  ...XAPIC,
  code: ENABLE + `
    b8 06 00 00 00 44 0f 22 c0   # mov cr8, 6
    fb e6 80                     # sti; out
    31 c0 44 0f 22 c0 90 eb fe   # mov cr8, 0
  `,
}, async (guest) => {
  const running = guest.run();
  expectExit(await running, "ioPort");
  guest.partition.requestInterrupt(fixed(0x55, InterruptTriggerMode.Edge));
  guest.skip(2);
  expectVector(await guest.run(), 0x55);
  assert(guest.view.getBigUint64(STACK - 40, true) > BigInt(CODE + 30));
});

contract("the APIC's timer interrupts", {
  ...XAPIC,
  code: ENABLE + `
    c7 83 e0 03 00 00 0b 00 00 00   # divide by 1
    c7 83 20 03 00 00 56 00 00 00   # LVT timer: one-shot, vector 0x56
    c7 83 80 03 00 00 00 10 00 00   # initial count
    fb f4 eb fd
  `,
}, async (guest) => {
  expectVector(await guest.run(), 0x56);
});

/** Writes ICR: to APIC ID 1, then the command. */
const toOne = (low: string) => `
  c7 83 10 03 00 00 00 00 00 01
  c7 83 00 03 00 00 ${low}
`;
const INIT = toOne("00 45 00 00");
const SIPI = toOne("07 46 00 00");

contract("INIT and SIPI start another processor where they say", {
  ...XAPIC,
  cpus: 2,
  code: ENABLE + INIT + SIPI + "e6 80 f4",
}, async (guest) => {
  guest.write(0x7000, hex("b0 5a e6 83 f4 # 16 bits: mov al, 0x5a; out 0x83"));
  const second = guest.vps[1].run();
  await turns();
  assertEquals(expectExit(await guest.run(), "ioPort").port, 0x80);
  const exit = expectExit(await second, "ioPort");
  assertEquals([exit.port, exit.eax & 0xff], [0x83, 0x5a]);
  assertEquals(exit.cs.selector, 0x700);
  assertEquals(exit.cs.base, 0x7000n);
  assertEquals(exit.rip, 2n);
  assert(!exit.cr0Pe);
});

contract("only the first processor runs before a SIPI", {
  ...XAPIC,
  cpus: 2,
  code: "e6 80",
}, async (guest) => {
  let exited = false;
  const second = guest.vps[1].run().finally(() => exited = true);
  expectExit(await guest.run(), "ioPort");
  await turns();
  assert(!exited);
  guest.vps[1].cancel();
  expectExit(await second, "canceled");
  const view = new DataView(new ArrayBuffer(16));
  view.setBigUint64(0, guest.vps[1].get(Reg.InternalActivityState), true);
  assertEquals(ACTIVITY.StartupSuspend.get(view), 1);
});

contract("INIT and SIPI exit instead if that is asked for", {
  ...XAPIC,
  cpus: 2,
  code: ENABLE + INIT + SIPI + "e6 80 f4",
  extendedVmExits: ExtendedVmExits.X64ApicInitSipiExitTrap,
}, async (guest) => {
  const init = expectExit(await guest.run(), "initSipi");
  assertEquals(init.icr & 0x700n, 0x500n);
  const sipi = expectExit(await guest.run(), "initSipi");
  assertEquals(sipi.icr & 0x7ffn, 0x607n);
  assertEquals(expectExit(await guest.run(), "ioPort").port, 0x80);
});

contract("an IPI reaches the other processor", {
  ...XAPIC,
  cpus: 2,
  code: ENABLE + toOne("57 40 00 00") + "e6 80 f4",
}, async (guest) => {
  guest.write(CODE + 0x200, hex(ENABLE + "fb f4 eb fd"));
  const [, second] = guest.vps;
  guest.start(second, CODE + 0x200);
  second.set(Reg.InternalActivityState, 0n);
  second.set(Reg.Rsp, BigInt(STACK - 0x800));
  const running = second.run();
  await turns();
  expectExit(await guest.run(), "ioPort");
  expectVector(await running, 0x57);
});

contract("an external interrupt event wakes and is taken", {
  ...XAPIC,
  code: "fb f4 eb fd",
}, async (guest) => {
  const { vp } = guest;
  const running = guest.run();
  await turns();
  vp.cancel();
  expectExit(await running, "canceled");
  vp.set(Reg.InternalActivityState, 0n);
  vp.set128(
    Reg.PendingEvent,
    value((view) => {
      EXT_INT_EVENT.EventPending.set(view, 1);
      EXT_INT_EVENT.EventType.set(view, PendingEvent.ExtInt);
      EXT_INT_EVENT.Vector.set(view, 0x58);
    }),
  );
  expectVector(await guest.run(), 0x58);
});

contract("a canceled HLT goes on waiting when run again", {
  ...XAPIC,
  code: ENABLE + "fb f4 e6 80",
}, async (guest) => {
  const { vp } = guest;
  const first = guest.run();
  await turns();
  vp.cancel();
  expectExit(await first, "canceled");
  const view = new DataView(new ArrayBuffer(16));
  view.setBigUint64(0, vp.get(Reg.InternalActivityState), true);
  assertEquals(ACTIVITY.HaltSuspend.get(view), 1);
  let exited = false;
  const second = guest.run().finally(() => exited = true);
  await turns();
  assert(!exited);
  guest.partition.requestInterrupt(fixed(0x59, InterruptTriggerMode.Edge));
  expectVector(await second, 0x59);
});

contract("an interrupt shadow holds an interrupt for one instruction", {
  code: "90 90 e6 80",
}, async (guest) => {
  guest.setFlags(IF);
  guest.vp.set(Reg.InterruptState, 1n);
  notify(guest);
  const exit = expectExit(await guest.run(), "interruptWindow");
  assertEquals(exit.rip, BigInt(CODE + 1));
});
