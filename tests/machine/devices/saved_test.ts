// Every device there is, in whatever state accesses bring it to: saved, loaded into
// another, it does what the first one does. None is named here: a new one is in it.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { type Device, ForeignStateError } from "../../../src/machine/device.ts";
import { claim } from "../../../src/machine/devices/declaration.ts";
import { VirtioBlock } from "../../../src/machine/devices/virtio/block.ts";
import { VirtioConsole } from "../../../src/machine/devices/virtio/console.ts";
import { virtioTransport } from "../../../src/machine/devices/virtio/layout.ts";
import {
  type VirtioFunction,
  VirtioMmio,
} from "../../../src/machine/devices/virtio/mmio.ts";
import { VirtioRng } from "../../../src/machine/devices/virtio/rng.ts";
import {
  type BoardState,
  type OwnState,
  ownState,
  saveBoard,
} from "../../../src/machine/saved.ts";
import { board } from "./pc.ts";

const RAM_BYTES = 1 << 16;
const PROGRAMS = 200;
const ACCESSES = 150;

/** A generator with a seed (mulberry32): 0 to `below` - 1. */
function random(seed: number) {
  return (below: number) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** The board and virtio devices, with all that comes out of them. */
class Pc {
  readonly board: ReturnType<typeof board>;
  readonly devices: readonly Device[];
  readonly ram = new Uint8Array(RAM_BYTES);
  readonly disk = new Uint8Array(4096);
  readonly console: VirtioConsole;
  readonly transports: readonly VirtioMmio[];
  printed = "";

  constructor(time: bigint, realTime: boolean) {
    this.board = board(time, realTime);
    const { ram, disk } = this;
    this.console = new VirtioConsole((bytes) => {
      this.printed += bytes.toHex();
    }, { columns: 80, rows: 25 });
    const functions: VirtioFunction[] = [
      new VirtioBlock("disk", {
        bytes: disk.length,
        readOnly: false,
        label: "disk",
        read: (at, into) => into.set(disk.subarray(at, at + into.length)),
        write: (at, bytes) => disk.set(bytes, at),
        flush: () => {},
      }),
      this.console,
      new VirtioRng({ fill: (into) => into.fill(4) }),
    ];
    this.transports = functions.map((device, i) => {
      const declaration = virtioTransport(i, device.name);
      const transport = new VirtioMmio(device, {
        read(gpa, into) {
          const part = ram.subarray(gpa, gpa + into.length);
          into.set(part);
          return part.length;
        },
        write(gpa, bytes) {
          const room = Math.max(0, Math.min(bytes.length, ram.length - gpa));
          ram.set(bytes.subarray(0, room), gpa);
          return room;
        },
      }, this.board.pc.irq(declaration.irq));
      claim(this.board, declaration, transport);
      return transport;
    });
    this.devices = [...this.board.pc.devices, ...this.transports];
  }

  /** A driver for each transport, with buffers to be used. */
  drive(): void {
    const view = new DataView(this.ram.buffer);
    this.transports.forEach((_, t) => {
      const { memory: [base] } = virtioTransport(t);
      const set = (register: number, value: number) =>
        this.board.mmio.write(base + register, 4, BigInt(value));
      set(0x70, 3);
      set(0x24, 1);
      set(0x20, 1);
      set(0x70, 11);
      for (let queue = 0; queue < 2; queue++) {
        const rings = 0x1000 + 0x2000 * t + 0x1000 * queue;
        set(0x30, queue);
        set(0x38, 8);
        set(0x80, rings);
        set(0x90, rings + 0x400);
        set(0xa0, rings + 0x800);
        set(0x44, 1);
        for (let i = 0; i < 8; i++) {
          view.setBigUint64(rings + 16 * i, BigInt(0x8000 + 64 * i), true);
          view.setUint32(rings + 16 * i + 8, 32, true);
          view.setUint16(rings + 16 * i + 12, queue === 1 ? 0 : 2, true);
          view.setUint16(rings + 0x404 + 2 * i, i, true);
        }
        view.setUint16(rings + 0x402, 5, true);
      }
      set(0x70, 15);
    });
  }

  /** One thing that happens to it, by chance; what can be seen of it. */
  step(next: (below: number) => number): unknown {
    const { ports, mmio, pc, clock } = this.board;
    const pick = <T>(from: readonly T[]) => from[next(from.length)];
    const size = pick([1, 1, 1, 2, 4] as const);
    // Small and single bits, which registers tell apart, more often than others.
    const value = pick([
      next(16),
      1 << next(8),
      next(256),
      next(0x10000),
      next(0x7fffffff),
    ]);
    switch (next(10)) {
      case 0:
        clock.advance(pick([1_000, 100_000, 10_000_000, 1_100_000_000]));
        return clock.now();
      case 1: {
        const bytes = Uint8Array.from({ length: next(20) }, () => next(256));
        if (next(2) === 0) pc.serial.receive(bytes);
        else {
          this.console.type(bytes);
          this.transports[1].work((queues) => this.console.deliver(queues));
        }
        return bytes;
      }
      case 2: {
        if (next(4) > 0) {
          return this.board.extInt.level ? pc.pic.acknowledge() : null;
        }
        if (this.console.setSize({ columns: next(200), rows: 25 })) {
          this.transports[1].configChanged();
        }
        pc.acpi.pressPowerButton();
        pc.ioapic.endOfInterrupt(next(256));
        return null;
      }
      case 3:
      case 4: {
        const claim = pick(mmio.claims);
        // Of the pages most is empty.
        const gpa = claim.first + 4 * next(0x110 / 4);
        if (next(2) === 0) return mmio.read(gpa, 4);
        mmio.write(gpa, 4, BigInt(value));
        return null;
      }
      default: {
        const claim = pick(ports.claims);
        const port = claim.first + next(claim.count);
        if (next(2) === 0) return ports.read(port, size);
        ports.write(port, size, value);
        return null;
      }
    }
  }

  /** What came out of it so far. */
  get out() {
    const { sent, power, text, extInt } = this.board;
    return {
      sent: sent.splice(0),
      power: power.splice(0),
      text: text(),
      extInt: extInt.level,
      printed: this.printed,
    };
  }

  save(): BoardState {
    const { clock, timers, extInt } = this.board;
    const own: OwnState = {
      time: clock.now(),
      msrs: [],
      extInt: extInt.level,
      windows: [],
      timers: timers.save(),
      entropy: null,
    };
    return saveBoard(own, this.devices);
  }

  load(saved: BoardState): void {
    const own = ownState(saved, this.devices);
    const { clock, timers, extInt } = this.board;
    clock.set(own.time);
    for (const device of this.devices) {
      device.load(saved.devices[device.name].state);
    }
    extInt.level = own.extInt;
    timers.load(own.timers);
  }
}

Deno.test("every device, in any state, goes on in another machine as it would have", () => {
  const seen = new Map<string, Set<string>>();
  for (let program = 0; program < PROGRAMS; program++) {
    const next = random(program);
    const late = program % 3 === 0;
    const a = new Pc(0n, late);
    if (program % 2 === 0) a.drive();
    for (let i = 0; i < ACCESSES; i++) a.step(next);
    const saved = a.save();
    for (const [name, { state }] of Object.entries(saved.devices)) {
      const states = seen.get(name) ?? new Set();
      seen.set(name, states.add(JSON.stringify(state)));
    }
    // Another one, at another time, that has been used.
    const b = new Pc(7_777_777_777n, late);
    for (let i = 0; i < program % 50; i++) b.step(next);
    b.load(JSON.parse(JSON.stringify(saved)));
    b.ram.set(a.ram);
    b.disk.set(a.disk);
    b.printed = a.printed;
    assertEquals(b.save(), saved, `program ${program}`);
    assertEquals(a.save(), saved, "saving changes nothing");
    const { text: before } = a.out, { text: other } = b.out;
    const [one, two] = [random(~program), random(~program)];
    for (let i = 0; i < ACCESSES; i++) {
      assertEquals(b.step(two), a.step(one), `program ${program}, then ${i}`);
    }
    const [left, right] = [a.out, b.out];
    assertEquals(
      { ...right, text: right.text.slice(other.length) },
      { ...left, text: left.text.slice(before.length) },
    );
    assertEquals(b.save(), a.save());
    assertEquals(b.ram, a.ram);
    assertEquals(b.disk, a.disk);
  }
  // Those without a state have one; all others were in many.
  for (const [name, states] of seen) {
    assert(states.size > 3 || states.has("{}"), `${name}: ${states.size}`);
  }
});

Deno.test("a reset makes every device what a new one is", () => {
  for (let program = 0; program < PROGRAMS; program++) {
    const next = random(program);
    const late = program % 3 === 0;
    const used = new Pc(0n, late);
    if (program % 2 === 0) used.drive();
    for (let i = 0; i < ACCESSES; i++) used.step(next);
    for (const device of used.devices) device.reset();
    const fresh = new Pc(used.board.clock.now(), late);
    // The terminal has the size that it has.
    const { size } = used.console.state;
    fresh.console.setSize(size!);
    const [a, b] = [used.save(), fresh.save()];
    // The RTC has a battery.
    const rtc = "mc146818";
    const { epoch } = a.devices[rtc].state;
    Object.assign(b.devices[rtc].state, { epoch });
    assertEquals(a.devices, b.devices, `program ${program}`);
    assertEquals(a.own, b.own, `program ${program}`);
  }
});

Deno.test("what another icebp saved is refused in one line, and nothing changes", () => {
  const pc = new Pc(0n, false);
  const saved = pc.save();
  const used = new Pc(0n, false);
  const next = random(1);
  for (let i = 0; i < 50; i++) used.step(next);
  const before = used.save();
  const refuses = (changed: Partial<BoardState>, why: string) => {
    const error = assertThrows(
      () => used.load({ ...saved, ...changed }),
      ForeignStateError,
      `saved by another icebp, whose ${why}`,
    );
    assertEquals(error.message.includes("\n"), false);
    assertEquals(used.save(), before);
  };
  refuses({ version: "another" }, "machine keeps its state otherwise");
  for (const device of pc.devices) {
    const { [device.name]: own, ...others } = saved.devices;
    refuses(
      { devices: { ...others, [device.name]: { ...own, version: "another" } } },
      `${device.name} keeps its state otherwise`,
    );
    refuses({ devices: others }, `machine has no ${device.name}`);
  }
  refuses(
    { devices: { ...saved.devices, hpet: saved.devices.i8254 } },
    "machine has a hpet",
  );
});
