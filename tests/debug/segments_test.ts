// Selectors set by a debugger bring what belongs to them.

import { assertEquals, assertThrows } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { registerNumber } from "../../src/debug/guest/registers.ts";
import { TargetError } from "../../src/debug/target.ts";
import { requireTool } from "../util/tools.ts";
import { LongMode } from "./long_mode.ts";
import { Toy } from "./toy.ts";

const selector = (value: number) => new Uint8Array([value, value >> 8, 0, 0]);

Deno.test("in real mode a selector sets the base", () => {
  const toy = new Toy("90");
  const { vp } = toy.machine.processors[0];
  const before = vp.getSegment(Reg.Cs);
  toy.debugger.writeRegisters(0, registerNumber("cs"), 1, selector(0xf000));
  assertEquals(vp.getSegment(Reg.Cs), {
    ...before,
    selector: 0xf000,
    base: 0xf0000n,
  });
});

Deno.test({
  name: "in protected mode a selector loads its descriptor, or says why not",
  ignore: !requireTool("gcc"),
  fn: async () => {
    const guest = await LongMode.start("nop");
    try {
      const { vp } = guest.machine.processors[0];
      const set = (name: string, value: number) =>
        guest.debugger.writeRegisters(
          0,
          registerNumber(name),
          1,
          selector(value),
        );
      set("ds", 8 | 3);
      assertEquals(vp.getSegment(Reg.Ds), {
        selector: 11,
        base: 0n,
        limit: 0xffffffff,
        attributes: 0xa09b,
      });
      set("fs", 0);
      assertEquals(vp.getSegment(Reg.Fs).selector, 0);
      const cs = vp.getSegment(Reg.Cs);
      for (
        const [name, value, why] of [
          ["cs", 16, "is no code segment"],
          ["cs", 0, "is null"],
          ["ss", 8, "is no stack segment"],
          ["es", 24, "is beyond the GDT"],
        ] as const
      ) {
        assertThrows(
          () => set(name, value),
          TargetError,
          `${name}: selector 0x${value.toString(16)} ${why}`,
        );
      }
      assertEquals(vp.getSegment(Reg.Cs), cs, "as it was");
    } finally {
      guest.close();
    }
  },
});
