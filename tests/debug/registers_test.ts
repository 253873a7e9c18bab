import { assertEquals, assertThrows } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import {
  QEMU_REGISTERS,
  readRegisterRange,
  type RegisterAccess,
  registerBytes,
  registerNumber,
  registers,
  writeRegisterRange,
} from "../../src/debug/guest/registers.ts";

/** Registers by name, and what was asked of them. */
class Bank implements RegisterAccess {
  readonly values = new Map<number, Uint8Array>();
  reads = 0;
  readonly written: number[] = [];

  getRegisters(names: Uint32Array, values: Uint8Array): void {
    this.reads++;
    names.forEach((name, i) =>
      values.set(this.values.get(name) ?? new Uint8Array(16), 16 * i)
    );
  }

  setRegisters(names: Uint32Array, values: Uint8Array): void {
    names.forEach((name, i) => {
      this.written.push(name);
      this.values.set(name, values.slice(16 * i, 16 * i + 16));
    });
  }
}

function read(bank: Bank, name: string): bigint {
  const number = registerNumber(name);
  const bytes = new Uint8Array(registers[number].bytes);
  readRegisterRange(bank, number, 1, bytes);
  return bytes.reduceRight((value, byte) => value << 8n | BigInt(byte), 0n);
}

function write(bank: Bank, name: string, value: bigint): void {
  const number = registerNumber(name);
  const bytes = Uint8Array.from(
    { length: registers[number].bytes },
    (_, i) => Number(value >> BigInt(8 * i) & 0xffn),
  );
  writeRegisterRange(bank, number, 1, bytes);
}

Deno.test("numbers and sizes are those of QEMU's stub", () => {
  const expected = new Map([
    ["rax", 0],
    ["rbx", 1],
    ["rcx", 2],
    ["rdx", 3],
    ["rsi", 4],
    ["rdi", 5],
    ["rbp", 6],
    ["rsp", 7],
    ["r8", 8],
    ["r15", 15],
    ["rip", 16],
    ["eflags", 17],
    ["cs", 18],
    ["gs", 23],
    ["fs_base", 24],
    ["k_gs_base", 26],
    ["cr0", 27],
    ["cr8", 31],
    ["efer", 32],
    ["st0", 33],
    ["fctrl", 41],
    ["fop", 48],
    ["xmm0", 49],
    ["mxcsr", 65],
  ]);
  for (const [name, number] of expected) {
    assertEquals(registerNumber(name), number, name);
  }
  // 1216 digits: the length of QEMU 7.2's `g` reply.
  assertEquals(registerBytes(0, QEMU_REGISTERS), 608);
  assertThrows(() => registerNumber("r16"), RangeError);
});

Deno.test("names are unique", () => {
  assertEquals(new Set(registers.map((r) => r.name)).size, registers.length);
});

Deno.test("every register comes back as it was written, alone", () => {
  for (const [number, { name, bytes, width }] of registers.entries()) {
    if (name === "ftag") continue; // has a test of its own
    const bank = new Bank();
    const value = Uint8Array.from({ length: bytes }, (_, i) => 0x81 + i);
    writeRegisterRange(bank, number, 1, value);
    const back = new Uint8Array(bytes);
    readRegisterRange(bank, number, 1, back);
    value.fill(0, width);
    assertEquals(back, value, name);
    // Nothing else moved.
    const others = registers.filter((r) => r.name !== name);
    for (const other of others) {
      if (other.name === "ftag") continue;
      assertEquals(read(bank, other.name), 0n, `${name} moved ${other.name}`);
    }
  }
});

Deno.test("one platform call reads them all", () => {
  const bank = new Bank();
  const all = new Uint8Array(registerBytes(0, registers.length));
  readRegisterRange(bank, 0, registers.length, all);
  assertEquals(bank.reads, 1);
});

Deno.test("only what differs is written", () => {
  const bank = new Bank();
  bank.values.set(Reg.Rbx, new Uint8Array(16).fill(7, 0, 8));
  const all = new Uint8Array(608);
  readRegisterRange(bank, 0, QEMU_REGISTERS, all);
  writeRegisterRange(bank, 0, QEMU_REGISTERS, all);
  assertEquals(bank.written, []);
  all[0] ^= 1;
  writeRegisterRange(bank, 0, QEMU_REGISTERS, all);
  assertEquals(bank.written, [Reg.Rax]);
});

Deno.test("segments and tables are taken apart as the header lays them out", () => {
  const bank = new Bank();
  const segment = new Uint8Array(16);
  const view = new DataView(segment.buffer);
  view.setBigUint64(0, 0x1122334455667788n, true); // Base
  view.setUint32(8, 0xfffff, true); // Limit
  view.setUint16(12, 0x10, true); // Selector
  view.setUint16(14, 0xa09b, true); // Attributes
  bank.values.set(Reg.Cs, segment);
  assertEquals(read(bank, "cs"), 0x10n);
  assertEquals(read(bank, "cs_base"), 0x1122334455667788n);
  assertEquals(read(bank, "cs_limit"), 0xfffffn);
  assertEquals(read(bank, "cs_attr"), 0xa09bn);
  const table = new Uint8Array(16);
  new DataView(table.buffer).setUint16(6, 0xfff, true); // Limit
  new DataView(table.buffer).setBigUint64(8, 0xffff8000n, true); // Base
  bank.values.set(Reg.Idtr, table);
  assertEquals(read(bank, "idtr_limit"), 0xfffn);
  assertEquals(read(bank, "idtr_base"), 0xffff8000n);
});

function withStack(top: number, abridged: number, slots: Uint8Array[]): Bank {
  const bank = new Bank();
  const control = new Uint8Array(16);
  new DataView(control.buffer).setUint16(2, top << 11, true);
  control[4] = abridged;
  bank.values.set(Reg.FpControlStatus, control);
  for (const [i, slot] of slots.entries()) {
    const value = new Uint8Array(16);
    value.set(slot);
    bank.values.set(Reg.FpMmx0 + i, value);
  }
  return bank;
}

// 80-bit values, little endian.
const ONE = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f);
const ZERO = new Uint8Array(10);
const INFINITY = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x7f);
const DENORMAL = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0, 0);

Deno.test("the tag word tells valid, zero, special and empty", () => {
  // TOP 6: ST(0) is R6, ST(1) is R7, ST(2) is R0, ST(3) is R1.
  const bank = withStack(6, 0b1100_0011, [ONE, ZERO, INFINITY, DENORMAL]);
  assertEquals(read(bank, "ftag"), 0b01_00_11_11_11_11_10_10n);
});

Deno.test("writing the tag word keeps empty and not empty", () => {
  const bank = withStack(0, 0, []);
  write(bank, "ftag", 0b11_00_11_01_11_10_11_00n);
  assertEquals(bank.values.get(Reg.FpControlStatus)?.[4], 0b0101_0101);
});
