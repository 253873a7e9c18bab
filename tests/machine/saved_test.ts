// A whole machine saved, and loaded into another one: exactly where the platform saves
// its processors, by their registers elsewhere.

import { assert, assertEquals, assertThrows } from "@std/assert";
import type { WinHvPlatform } from "../../ffi/mod.ts";
import { Reg } from "../../ffi/registers.ts";
import { type Clock, ForeignStateError } from "../../src/machine/device.ts";
import type { MachineState } from "../../src/machine/saved.ts";
import { LongMode } from "../debug/long_mode.ts";
import { testPlatform } from "../util/platform.ts";
import { requireTool } from "../util/tools.ts";
import { picAt } from "../util/pic.ts";

const soft = testPlatform() === "soft";
const ignore = !requireTool("gcc", "ld", "nm", "objcopy");

/** Takes 20 interrupts of the PIT, one every ms, by way of the PIC, and reads the RTC's
 * flags and the PM timer meanwhile; ends then. */
const GUEST = `
        ${picAt(32, 0xfe)}
        mov $0x34, %al
        out %al, $0x43
        mov $0xa9, %al
        out %al, $0x40
        mov $4, %al
        out %al, $0x40
        sti
wait:   hlt
        mov $0x608, %edx
        in %dx, %eax
        mov %eax, timer
        cmp $20, %r15
        jb wait
        mov $20, %al
        out %al, $0xf4
vector32: inc %r15
        push %rax
        mov $0x20, %al
        out %al, $0x20
        pop %rax
        iretq
        .align 8
timer:  .quad 0
`;
const PM_TIMER_HZ = 3579545;

/** Another clock's time from some moment on, as a host's is. */
class OtherClock implements Clock {
  base: Clock | null = null;
  #offset = 0n;
  #alarm: { readonly ns: bigint; readonly fn: () => void } | null = null;

  now(): bigint {
    return this.base!.now() + this.#offset;
  }

  setAlarm(ns: bigint | null, fn: () => void): void {
    this.#alarm = ns === null ? null : { ns, fn };
    this.base!.setAlarm(ns === null ? null : ns - this.#offset, fn);
  }

  set(ns: bigint): void {
    this.#offset = ns - this.base!.now();
    const alarm = this.#alarm;
    if (alarm !== null) this.setAlarm(alarm.ns, alarm.fn);
  }
}

/** The platform without what a host has not. */
function asOnHosts(platform: WinHvPlatform): WinHvPlatform {
  return {
    name: platform.name,
    platform: platform.platform,
    emulation: platform.emulation,
    extensions: platform.extensions,
    events: platform.events,
    callback: (kind, fn) => platform.callback(kind, fn),
    debugPointFilter: platform.debugPointFilter &&
      ((fn) => platform.debugPointFilter!(fn)),
    standstillCallback: platform.standstillCallback &&
      ((fn) => platform.standstillCallback!(fn)),
    accessCallback: platform.accessCallback &&
      ((fn) => platform.accessCallback!(fn)),
    close: () => platform.close(),
  };
}

/** A guest on a platform that does not save its processors. */
async function onHost(): Promise<LongMode> {
  if (!soft) return await LongMode.start(GUEST);
  const clock = new OtherClock();
  return await LongMode.start(GUEST, 1, { clock }, (platform) => {
    clock.base = (platform as WinHvPlatform & { readonly clock: Clock }).clock;
    return asOnHosts(platform);
  });
}

async function ticks(guest: LongMode, count: number): Promise<void> {
  guest.break("vector32");
  for (let i = 0; i < count; i++) await guest.run();
  guest.unbreak("vector32");
}

async function toTheEnd(guest: LongMode): Promise<number> {
  const stopped = guest.run();
  const timer = setTimeout(() => guest.debugger.interrupt(), 5000);
  const { reason } = await stopped;
  clearTimeout(timer);
  assert(reason.kind === "exited", `${Object.values(reason)}`);
  return reason.code;
}

/** Through a file, but for the bytes. */
function kept({ board, ...others }: MachineState): MachineState {
  return { ...others, board: JSON.parse(JSON.stringify(board)) };
}

Deno.test({
  name: "by registers: another machine goes on at the guest time of then",
  ignore,
  async fn() {
    const first = await onHost();
    await ticks(first, 12);
    const saved = kept(first.machine.save());
    assert(Array.isArray(saved.processors));
    assertEquals(await toTheEnd(first), 41);
    const end = first.machine.options.clock.now();
    // Some platforms have one machine at a time.
    first.close();
    const second = await onHost();
    const { clock } = second.machine.options;
    second.machine.load(saved);
    const then = BigInt(String(saved.board.own.time).slice(0, -1));
    const now = clock.now();
    assert(now >= then, `${now}, saved at ${then}`);
    if (soft) assertEquals(now, then);
    assertEquals(second.reg(Reg.R15), 11n);
    assertEquals(await toTheEnd(second), 41);
    assert(second.reg(Reg.R15) >= 20n);
    // What counts guest time has gone on from where it was.
    const elapsed = Number(clock.now()) / 1e9;
    const shown = Number(second.quad("timer")) / PM_TIMER_HZ;
    assert(shown > 0.018 && shown <= elapsed, `${shown} of ${elapsed} s`);
    if (soft) {
      assert(clock.now() - end < 10_000n && end - clock.now() < 10_000n);
    }
    second.close();
  },
});

Deno.test({
  name: "exactly: another machine makes the same of it, to the instruction",
  ignore: ignore || !soft,
  async fn() {
    const first = await LongMode.start(GUEST);
    await ticks(first, 7);
    const saved = kept(first.machine.save());
    assertEquals(await toTheEnd(first), 41);
    const second = await LongMode.start("hlt");
    second.machine.load(saved);
    assertEquals(await toTheEnd(second), 41);
    assertEquals(second.instructions, first.instructions);
    const [a, b] = [first, second].map(({ machine }) => machine.save());
    assertEquals(b.board, a.board);
    assertEquals(b.memory, a.memory);
    assertEquals(b.processors, a.processors);
    for (const guest of [first, second]) guest.close();
  },
});

Deno.test({
  name: "what does not fit is refused, and nothing changes",
  ignore: ignore || !soft,
  async fn() {
    const guest = await LongMode.start(GUEST);
    await ticks(guest, 3);
    const { machine } = guest;
    const saved = machine.save();
    await ticks(guest, 3);
    const now = machine.save();
    const refuses = (
      changed: Partial<MachineState>,
      kind: typeof TypeError | typeof ForeignStateError,
      why: string,
    ) => {
      assertThrows(() => machine.load({ ...saved, ...changed }), kind, why);
      const { board, memory, processors } = machine.save();
      assertEquals([board, processors], [now.board, now.processors]);
      assertEquals(memory, now.memory);
    };
    const board = (changed: object) => ({
      board: { ...saved.board, ...changed },
    });
    const { devices } = saved.board;
    refuses(
      board({ version: "another" }),
      ForeignStateError,
      "saved by another icebp, whose machine keeps its state otherwise",
    );
    refuses(
      board({
        devices: { ...devices, i8254: { ...devices.i8254, version: "0" } },
      }),
      ForeignStateError,
      "saved by another icebp, whose i8254 keeps its state otherwise",
    );
    refuses(
      board({ devices: { ...devices, hpet: devices.i8254 } }),
      ForeignStateError,
      "saved by another icebp, whose machine has a hpet",
    );
    const own = (changed: object) =>
      board({ own: { ...saved.board.own, ...changed } });
    refuses(own({ time: 1 }), TypeError, "saved state machine.time");
    const other = "the saved machine has other processors or memory";
    refuses(own({ windows: [false, false] }), TypeError, other);
    refuses({ memory: new Uint8Array(4096) }, TypeError, other);
    // The last device, and what is looked at behind the devices.
    const last = Object.keys(devices).at(-1)!;
    const broken = { ...devices[last], state: {} };
    refuses(
      board({ devices: { ...devices, [last]: broken } }),
      TypeError,
      `saved state ${last}: `,
    );
    refuses(board({ devices: null }), TypeError, "saved state: a board");
    refuses(
      own({ timers: [{ name: "none", deadline: "1n" }] }),
      TypeError,
      "the saved machine has another timer: none",
    );
    assert("core" in saved.processors);
    const core = saved.processors;
    const processorsAre = (changed: object, why: string) =>
      refuses({ processors: { ...core, ...changed } }, TypeError, why);
    processorsAre({ core: core.core.slice(4) }, "the saved processors are");
    processorsAre(
      { core: core.core.slice(0, 100) },
      "the saved processors are",
    );
    processorsAre({ turn: { ...core.turn, owner: 1 } }, "another turn");
    processorsAre({ time: core.time + 1n }, "of another moment");
    // The software platform's own time cannot be set by itself.
    const host = await onHost();
    const { processors } = host.machine.save();
    refuses({ processors }, TypeError, "this clock cannot be set");
    assert(Array.isArray(processors));
    const [{ registers, ...others }] = processors;
    const hostNow = host.machine.save();
    const half = { ...registers, [Reg.Cr3]: "0" };
    assertThrows(
      () =>
        host.machine.load({
          ...hostNow,
          processors: [{ ...others, registers: half }],
        }),
      TypeError,
      `saved state: register ${Reg.Cr3}`,
    );
    assertEquals(host.machine.save().processors, hostNow.processors);
    assertThrows(
      () => host.machine.load(saved),
      TypeError,
      "the saved processors are another platform's",
    );
    host.close();
    guest.close();
  },
});

Deno.test({
  name: "two devices of one name are refused: they are saved by it",
  ignore,
  async fn() {
    const again: WinHvPlatform[] = [];
    let message = "";
    try {
      await LongMode.start(GUEST, 1, {
        attach: (machine) => [machine.board.serial],
      }, (platform) => {
        again.push(platform);
        return platform;
      });
    } catch (error) {
      assert(error instanceof RangeError);
      message = error.message;
    }
    assertEquals(message, "two devices are called serial0");
    again[0].close();
  },
});
