// The architecture's facts against numbers that were written down otherwise.

import { assertEquals } from "@std/assert";
import * as control from "../../src/x86/control_registers.ts";
import * as debug from "../../src/x86/debug_registers.ts";
import { mask, maskOf } from "../../src/x86/fields.ts";
import * as flags from "../../src/x86/flags.ts";
import {
  Attributes,
  codeBitsOf,
  decodeDescriptor,
  dplOf,
  encodeDescriptor,
} from "../../src/x86/segments.ts";
import { Vector, vectorBits } from "../../src/x86/vectors.ts";

Deno.test("masks come from fields", () => {
  assertEquals([mask(0), mask(31), mask([12, 13])], [1n, 0x80000000n, 0x3000n]);
  assertEquals(mask(control.CR3_FIELDS.PDBR), 0xfffffffffffff000n);
  assertEquals(control.CR0_AT_RESET, 0x60000010n);
  assertEquals(control.EFER_LME | control.EFER_LMA, 0x500n);
  assertEquals(control.CR4_OSFXSR | control.CR4_OSXMMEXCPT, 0x600n);
  assertEquals(debug.DR6_STATUS, 0xe00fn);
  assertEquals(debug.DR6_STATUS & debug.DR6_CLEAR, 0n);
  assertEquals(debug.DR7_WRITABLE, 0xffff23ffn);
  assertEquals([debug.DR7_ENABLES, debug.DR7_LOCAL], [0xffn, 0x155n]);
  assertEquals(flags.RFLAGS_BITS, 0x3f7fd7n);
  assertEquals(flags.RFLAGS_ARITHMETIC, 0x8d5n);
  assertEquals(flags.MXCSR_BITS, 0xffff);
  assertEquals(control.CR0_BITS, 0xe005003fn);
  assertEquals(maskOf({ A: 0, B: [4, 7] }), 0xf1n);
  assertEquals(debug.DR7_FIXED | debug.DR7_LE_GE | debug.DR7_GD, 0x2700n);
  assertEquals(flags.RFLAGS_TF | flags.RFLAGS_IF, 0x300n);
  assertEquals(flags.RFLAGS_RF | flags.RFLAGS_VM, 0x30000n);
});

Deno.test("no fields of a register overlap, and they ascend", () => {
  for (
    const fields of [
      control.CR0_FIELDS,
      control.CR3_FIELDS,
      control.CR4_FIELDS,
      control.EFER_FIELDS,
      debug.DR6_FIELDS,
      debug.DR7_FIELDS,
      flags.RFLAGS_FIELDS,
      flags.MXCSR_FIELDS,
    ]
  ) {
    let below = 0n;
    for (const [name, field] of Object.entries(fields)) {
      assertEquals(mask(field) > below, true, name);
      assertEquals(mask(field) & below, 0n, name);
      below |= mask(field);
    }
  }
});

Deno.test("attributes of the usual segments", () => {
  assertEquals(Attributes, {
    unusable: 0,
    data16: 0x93,
    code16: 0x9b,
    data32: 0xc093,
    code32: 0xc09b,
    code64: 0xa09b,
    v86: 0xf3,
    ldt: 0x82,
    busyTss: 0x8b,
  });
  assertEquals(dplOf(Attributes.v86), 3);
  const { code16, code32, code64 } = Attributes;
  for (const longMode of [false, true]) {
    assertEquals(codeBitsOf(code16, longMode), 16);
    assertEquals(codeBitsOf(code32, longMode), 32);
    assertEquals(codeBitsOf(code64, longMode), longMode ? 64 : 16);
  }
});

Deno.test("descriptors: decoded, and encoded as they were", () => {
  // Flat 32-bit code, as every boot loader has it.
  assertEquals(decodeDescriptor(0x0000ffff, 0x00cf9b00), {
    base: 0,
    limit: 0xffffffff,
    attributes: 0xc09b,
  });
  // A busy TSS at 0x8abcde10, 104 bytes.
  assertEquals(decodeDescriptor(0xde100067, 0x8a008bbc), {
    base: 0x8abcde10,
    limit: 0x67,
    attributes: 0x8b,
  });
  for (
    const [low, high] of [
      [0x0000ffff, 0x00cf9b00],
      [0xde100067, 0x8a008bbc],
      [0x00010002, 0xff4f93ff],
    ]
  ) {
    assertEquals(encodeDescriptor(decodeDescriptor(low, high)), [low, high]);
  }
});

Deno.test("vectors as bits", () => {
  assertEquals(vectorBits(Vector.DB, Vector.PF), 0x4002n);
  assertEquals(vectorBits(), 0n);
});
