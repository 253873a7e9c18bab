// The virtio devices, driven as a driver does: through registers and rings.
import { assert, assertEquals } from "@std/assert";
import {
  type BlockStore,
  VirtioBlock,
} from "../../../src/machine/devices/virtio/block.ts";
import { VirtioConsole } from "../../../src/machine/devices/virtio/console.ts";
import {
  type VirtioFunction,
  VirtioMmio,
} from "../../../src/machine/devices/virtio/mmio.ts";
import { VirtioRng } from "../../../src/machine/devices/virtio/rng.ts";
import { carry, Wire } from "./harness.ts";

const MEMORY_BYTES = 0x40000;
const SIZE = 8;
/** Rings of queue q at RINGS + q * 0x1000; buffers from 0x8000 on. */
const RINGS = 0x1000;

interface Part {
  bytes?: Uint8Array;
  /** A buffer for the device to write. */
  room?: number;
}

class Driver {
  readonly ram = new Uint8Array(MEMORY_BYTES);
  readonly view = new DataView(this.ram.buffer);
  readonly irq = new Wire();
  readonly device: VirtioMmio;
  #avail: number[] = [];
  #buffers = 0x8000;

  constructor(fn: VirtioFunction) {
    const { ram } = this;
    this.device = new VirtioMmio(fn, {
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
    }, this.irq);
  }

  get(register: number): number {
    return Number(this.device.readMmio(register, 4));
  }

  set(register: number, value: number): void {
    this.device.writeMmio(register, 4, BigInt(value >>> 0));
  }

  /** The specification's 3.1.1: reset, features, queues, go. */
  start(queues: number): this {
    this.set(0x70, 0);
    this.set(0x70, 3);
    this.set(0x24, 1);
    this.set(0x20, 1); // VERSION_1
    this.set(0x24, 0);
    this.set(0x20, 1 << 28); // indirect descriptors
    this.set(0x70, 11);
    assertEquals(this.get(0x70), 11);
    for (let q = 0; q < queues; q++) {
      this.#avail[q] = 0;
      this.set(0x30, q);
      this.set(0x38, SIZE);
      const base = RINGS + q * 0x1000;
      this.set(0x80, base);
      this.set(0x90, base + 0x400);
      this.set(0xa0, base + 0x800);
      this.set(0x44, 1);
    }
    this.set(0x70, 15);
    return this;
  }

  /** Lays a chain out at descriptors from `head` on; returns its buffers. */
  chain(queue: number, head: number, parts: Part[]): number[] {
    const table = RINGS + queue * 0x1000;
    const at = parts.map((part, i) => {
      const length = part.bytes?.length ?? part.room!;
      const gpa = this.#buffers;
      this.#buffers += length + 64;
      if (part.bytes) this.ram.set(part.bytes, gpa);
      const last = i === parts.length - 1;
      this.descriptor(
        table + 16 * (head + i),
        gpa,
        length,
        (last ? 0 : 1) | (part.bytes ? 0 : 2),
        head + i + 1,
      );
      return gpa;
    });
    this.avail(queue, head);
    return at;
  }

  descriptor(
    at: number,
    gpa: number,
    length: number,
    flags: number,
    next: number,
  ): void {
    this.view.setBigUint64(at, BigInt(gpa), true);
    this.view.setUint32(at + 8, length, true);
    this.view.setUint16(at + 12, flags, true);
    this.view.setUint16(at + 14, next, true);
  }

  avail(queue: number, head: number): void {
    const ring = RINGS + queue * 0x1000 + 0x400;
    this.view.setUint16(ring + 4 + 2 * (this.#avail[queue] % SIZE), head, true);
    this.view.setUint16(ring + 2, ++this.#avail[queue], true);
  }

  notify(queue: number): void {
    this.set(0x50, queue);
  }

  /** [head, written] of the used entries so far. */
  used(queue: number): [number, number][] {
    const ring = RINGS + queue * 0x1000 + 0x800;
    return Array.from(
      { length: this.view.getUint16(ring + 2, true) },
      (_, i) => [
        this.view.getUint32(ring + 4 + 8 * (i % SIZE), true),
        this.view.getUint32(ring + 8 + 8 * (i % SIZE), true),
      ],
    );
  }
}

class Store implements BlockStore {
  readonly data = Uint8Array.from({ length: 8 * 512 }, (_, i) => i >> 4);
  readonly label = "test disk";
  flushes = 0;
  failing = false;
  constructor(readonly readOnly = false) {}
  get bytes() {
    return this.data.length;
  }
  read(offset: number, into: Uint8Array) {
    if (this.failing) throw new Error("input/output error");
    into.set(this.data.subarray(offset, offset + into.length));
  }
  write(offset: number, bytes: Uint8Array) {
    if (this.failing) throw new Error("no space left on device");
    this.data.set(bytes, offset);
  }
  flush() {
    this.flushes++;
  }
}

function header(type: number, sector: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(16));
  view.setUint32(0, type, true);
  view.setBigUint64(8, BigInt(sector), true);
  return new Uint8Array(view.buffer);
}

Deno.test("transport: identity, features, wrong features refused", () => {
  const driver = new Driver(new VirtioBlock("disk0", new Store(true)));
  assertEquals([0, 4, 8].map((r) => driver.get(r)), [0x74726976, 2, 2]);
  assertEquals(driver.get(0x10), 1 << 28 | 1 << 9 | 1 << 6 | 1 << 5 | 1 << 2);
  driver.set(0x14, 1);
  assertEquals(driver.get(0x10), 1);
  assertEquals(driver.get(0x34), 256);
  driver.set(0x30, 1);
  assertEquals(driver.get(0x34), 0);
  assertEquals(driver.get(0xb0), 0xffffffff);
  driver.set(0x70, 3);
  driver.set(0x70, 11); // without VERSION_1
  assertEquals(driver.get(0x70), 3);
  driver.set(0x24, 1);
  driver.set(0x20, 3); // one that was not offered
  driver.set(0x70, 11);
  assertEquals(driver.get(0x70), 3);
  assertEquals(driver.device.readMmio(0x100, 8), 8n);
});

Deno.test("block: read, write, flush, identity; one interrupt", () => {
  const store = new Store();
  const driver = new Driver(new VirtioBlock("disk0", store)).start(1);
  const data = new Uint8Array(1024).fill(0xa5);
  const [, first, second, status] = driver.chain(0, 0, [
    { bytes: header(0, 2) },
    { room: 512 },
    { room: 512 },
    { room: 1 },
  ]);
  driver.chain(0, 4, [{ bytes: header(1, 4) }, { bytes: data }, { room: 1 }]);
  driver.notify(0);
  assertEquals(driver.used(0), [[0, 1025], [4, 1]]);
  assertEquals(
    driver.ram.slice(first, first + 512),
    store.data.slice(1024, 1536),
  );
  assertEquals(
    driver.ram.slice(second, second + 512),
    store.data.slice(1536, 2048),
  );
  assertEquals(driver.ram[status], 0);
  assertEquals(store.data.slice(2048, 3072), data);
  assertEquals([driver.irq.edges, driver.get(0x60)], [1, 1]);
  driver.set(0x64, 1);
  assertEquals(driver.irq.level, false);
  driver.chain(0, 0, [{ bytes: header(4, 0) }, { room: 1 }]);
  const [, id] = driver.chain(0, 2, [
    { bytes: header(8, 0) },
    { room: 20 },
    { room: 1 },
  ]);
  driver.notify(0);
  assertEquals(store.flushes, 1);
  assertEquals(
    new TextDecoder().decode(driver.ram.slice(id, id + 10)),
    "test disk\0",
  );
});

Deno.test("block: what cannot be done is the request's error", () => {
  const store = new Store();
  const driver = new Driver(new VirtioBlock("disk0", store)).start(1);
  const status = (...parts: Part[]) => {
    const at = driver.chain(0, 0, [...parts, { room: 1 }]).at(-1)!;
    driver.ram[at] = 0xee;
    driver.notify(0);
    return driver.ram[at];
  };
  assertEquals(status({ bytes: header(0, 7) }, { room: 1024 }), 1); // end
  assertEquals(status({ bytes: header(0, 0) }, { room: 100 }), 1);
  assertEquals(status({ bytes: header(99, 0) }), 2);
  assertEquals(status({ bytes: header(0, 0).slice(0, 8) }, { room: 512 }), 1);
  store.failing = true;
  assertEquals(status({ bytes: header(0, 0) }, { room: 512 }), 1);
  assertEquals(
    status({ bytes: header(1, 0) }, { bytes: new Uint8Array(512) }),
    1,
  );
  store.failing = false;
  assertEquals(status({ bytes: header(0, 0) }, { room: 512 }), 0);
  const readOnly = new Store(true);
  const other = new Driver(new VirtioBlock("disk0", readOnly)).start(1);
  const at = other.chain(0, 0, [
    { bytes: header(1, 0) },
    { bytes: new Uint8Array(512).fill(9) },
    { room: 1 },
  ])[2];
  other.notify(0);
  assertEquals([other.ram[at], readOnly.data[0]], [1, 0]);
});

Deno.test("queue: indirect chains, rings that wrap, no interrupt when asked", () => {
  const store = new Store();
  const driver = new Driver(new VirtioBlock("disk0", store)).start(1);
  const table = 0x30000;
  driver.ram.set(header(0, 1), 0x31000);
  driver.descriptor(table, 0x31000, 16, 1, 1);
  driver.descriptor(table + 16, 0x32000, 512, 3, 2);
  driver.descriptor(table + 32, 0x33000, 1, 2, 0);
  driver.descriptor(RINGS, table, 48, 4, 0);
  driver.view.setUint16(RINGS + 0x400, 1, true); // NO_INTERRUPT
  for (let i = 0; i < 3 * SIZE; i++) {
    driver.ram[0x33000] = 0xee;
    driver.avail(0, 0);
    driver.notify(0);
    assertEquals(driver.ram[0x33000], 0);
  }
  assertEquals(driver.used(0).length, 3 * SIZE);
  assertEquals(driver.ram.slice(0x32000, 0x32200), store.data.slice(512, 1024));
  assertEquals(driver.irq.edges, 0);
});

Deno.test("queue: a broken ring stops the device until it is reset", () => {
  const broken: ((driver: Driver) => void)[] = [
    (d) => d.descriptor(RINGS, 0x8000, 16, 1, 99), // next outside
    (d) => d.descriptor(RINGS, 0x8000, 16, 1, 0), // a loop
    (d) => d.descriptor(RINGS, 0x8000, 17, 4, 0), // indirect of 17 bytes
    (d) => d.descriptor(RINGS, 0xfffff000, 16, 0, 0), // no memory
    (d) => {
      d.descriptor(RINGS, 0x8000, 16, 3, 1);
      d.descriptor(RINGS + 16, 0x8000, 16, 0, 0); // readable after writable
    },
    (d) => d.view.setUint16(RINGS + 0x402, 500, true),
  ];
  for (const [i, breakIt] of broken.entries()) {
    const driver = new Driver(new VirtioBlock("disk0", new Store())).start(1);
    driver.avail(0, 0);
    breakIt(driver);
    if (i === 3) driver.descriptor(RINGS + 16, 0x9000, 1, 2, 0);
    if (i === 3) driver.descriptor(RINGS, 0xfffff000, 16, 1, 1);
    driver.notify(0);
    assert(driver.get(0x70) & 64, `case ${i}`);
    assertEquals(driver.get(0x60) & 2, 2);
    driver.notify(0); // dead now
    driver.start(1);
    assertEquals([driver.get(0x70), driver.irq.level], [15, false]);
  }
});

Deno.test("console: both directions; input waits for buffers", () => {
  let out = "";
  const port = new VirtioConsole((bytes) =>
    out += String.fromCharCode(...bytes)
  );
  const driver = new Driver(port).start(2);
  driver.chain(1, 0, [
    { bytes: Uint8Array.of(0x68, 0x65) },
    { bytes: Uint8Array.of(0x79) },
  ]);
  driver.notify(1);
  assertEquals([out, driver.used(1)], ["hey", [[0, 0]]]);
  port.type(Uint8Array.of(1, 2, 3, 4, 5));
  driver.device.work((queues) => port.deliver(queues));
  const [at] = driver.chain(0, 0, [{ room: 3 }]);
  driver.notify(0);
  assertEquals(driver.used(0), [[0, 3]]);
  assertEquals(driver.ram.slice(at, at + 3), Uint8Array.of(1, 2, 3));
  const [next] = driver.chain(0, 1, [{ room: 3 }]);
  driver.device.work((queues) => port.deliver(queues));
  assertEquals([driver.used(0)[1], driver.ram[next + 1]], [[1, 2], 5]);
});

Deno.test("console: the driver is told its size when it begins, and when it changes", () => {
  const status = 0x060, acknowledge = 0x064, generation = 0x0fc, config = 0x100;
  const port = new VirtioConsole(() => {}, { columns: 80, rows: 25 });
  const driver = new Driver(port).start(2);
  const size = () => [0, 2].map((at) => driver.device.readMmio(config + at, 2));
  assertEquals(driver.get(status), 0);
  driver.notify(0);
  assertEquals([driver.get(status), driver.irq.level], [2, true]);
  assertEquals(size(), [80n, 25n]);
  driver.device.writeMmio(acknowledge, 4, 2n);
  driver.notify(0);
  assertEquals([driver.get(status), driver.irq.level], [0, false]);
  const before = driver.get(generation);
  assertEquals(port.setSize({ columns: 80, rows: 25 }), false);
  assertEquals(port.setSize({ columns: 132, rows: 50 }), true);
  driver.device.configChanged();
  assertEquals([driver.get(status), driver.irq.level], [2, true]);
  assertEquals(size(), [132n, 50n]);
  assert(driver.get(generation) !== before);
  // Without a terminal there is no such feature, and nothing is told.
  const plain = new Driver(new VirtioConsole(() => {})).start(2);
  plain.notify(0);
  const features = [driver, plain].map((d) => d.get(0x010) & 1);
  assertEquals([plain.get(status), features], [0, [1, 0]]);
});

Deno.test("console: what is typed, and the size, are saved and loaded with it", () => {
  const port = new VirtioConsole(() => {}, { columns: 80, rows: 25 });
  const a = new Driver(port).start(2);
  port.type(new TextEncoder().encode("typed"));
  // On no terminal, as in a file's replay: the driver was told of one.
  const other = new VirtioConsole(() => {});
  const b = new Driver(other);
  assertEquals(b.get(0x010) & 1, 0);
  carry(a, b);
  assertEquals([b.get(0x010) & 1, b.get(0x100)], [1, 80 | 25 << 16]);
  // A driver's reset leaves what came from outside.
  b.start(2);
  const [at] = b.chain(0, 0, [{ room: 8 }]);
  b.notify(0);
  assertEquals(b.used(0), [[0, 5]]);
  assertEquals(new TextDecoder().decode(b.ram.subarray(at, at + 5)), "typed");
  // The machine's leaves the terminal, and what was typed is for nobody.
  a.device.reset();
  b.device.reset();
  assertEquals([a.get(0x100), b.get(0x100)], [80 | 25 << 16, 80 | 25 << 16]);
  assertEquals(port.state.waiting, []);
});

Deno.test("rng: fills what it is given", () => {
  let seed = 0;
  const driver = new Driver(
    new VirtioRng({ fill: (into) => into.fill(++seed) }),
  ).start(1);
  const [at] = driver.chain(0, 0, [{ room: 8 }]);
  driver.chain(0, 1, [{ room: 4 }]);
  driver.notify(0);
  assertEquals(driver.used(0), [[0, 8], [1, 4]]);
  assertEquals(driver.ram[at + 7], 1);
});

Deno.test("saved state carries queues and interrupt", () => {
  const a = new Driver(new VirtioBlock("disk0", new Store())).start(1);
  a.chain(0, 0, [{ bytes: header(0, 0) }, { room: 512 }, { room: 1 }]);
  a.notify(0);
  const b = new Driver(new VirtioBlock("disk0", new Store()));
  b.ram.set(a.ram);
  carry(a, b);
  assertEquals(b.device.save(), a.device.save());
  assertEquals(b.irq.level, true);
  b.view.setUint16(RINGS + 0x404 + 2, 0, true);
  b.view.setUint16(RINGS + 0x402, 2, true);
  b.notify(0);
  assertEquals(b.used(0).length, 2);
});
