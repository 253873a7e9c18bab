/**
 * A processor's state in the forms that hosts of different ages have (states.c), in
 * buffers that every host takes: what is read is right, and what is written arrives.
 */
import { assertEquals, assertThrows } from "@std/assert";
import { APIC_STATE } from "../../ffi/apic.ts";
import { LocalApicEmulationMode } from "../../ffi/enums.ts";
import { Reg } from "../../ffi/registers.ts";
import { Partition, PlatformError } from "../../src/platform/mod.ts";
import { openNative } from "../../src/platform/native.ts";
import type { VirtualProcessor } from "../../src/platform/virtual_processor.ts";
import { canBuild, library } from "./libraries.ts";

const BY_TYPE = ["WHvGetVirtualProcessorState", "WHvSetVirtualProcessorState"];
const SECOND = ["Get", "Set"].map((way) =>
  `WHv${way}VirtualProcessorInterruptControllerState2`
);

/** Runs `fn` with a processor of the library that has `quirks` and lacks `without`. */
async function onProcessor(
  quirks: string,
  without: readonly string[],
  fn: (vp: VirtualProcessor) => void,
): Promise<void> {
  const path = await library({ without });
  Deno.env.set("ICEBP_NATIVE", quirks);
  try {
    const platform = openNative(path);
    const partition = Partition.create(platform);
    try {
      partition.setProcessorCount(2);
      partition.setLocalApicEmulationMode(LocalApicEmulationMode.XApic);
      partition.setup();
      const vps = [0, 1].map((i) => partition.createVirtualProcessor(i));
      fn(vps[1]);
      vps.forEach((vp) => vp.delete());
    } finally {
      partition.delete();
      platform.close();
    }
  } finally {
    Deno.env.delete("ICEBP_NATIVE");
  }
}

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `native: ${name}`, ignore: !canBuild, fn });
}

/** One value for each register that can be set to any. */
const SET = {
  Tpr: 0x50,
  Ldr: 0x0200_0000,
  Dfr: 0x0fff_ffff,
  Svr: 0x1f7,
  Isr3: 0x100,
  Tmr4: 0x40,
  Irr5: 0x8,
  IcrLow: 0x4051,
  IcrHigh: 0x0100_0000,
  LvtTimer: 0x200ec,
  LvtThermal: 0x10021,
  LvtPerfmon: 0x10022,
  LvtLint0: 0x10700,
  LvtLint1: 0x400,
  LvtError: 0xfe,
  DivideConfiguration: 0xb,
} as const;

for (
  const [form, quirks, without] of [
    ["by its type", "", []],
    ["by the second call", "", BY_TYPE],
    ["by its type where the second call is refused", "oldapic", SECOND],
    ["by the first release's call, a page", "", [...BY_TYPE, ...SECOND]],
    [
      "by the first release's call, packed",
      "oldapic",
      [...BY_TYPE, ...SECOND],
    ],
    [
      "by the first release's call where the others are refused",
      ["C0350005", "80070057"].map((code, i) =>
        [...BY_TYPE, ...SECOND].filter((_, k) => k % 2 === i)
          .map((call) => `fail=${call}:${code}:1`).join()
      ).join(),
      [],
    ],
  ] as const
) {
  test(`a local APIC's state ${form}`, async () => {
    await onProcessor(quirks, without, (vp) => {
      const page = vp.getLapic();
      const view = new DataView(page.buffer);
      // As after a reset.
      assertEquals(page.length, 4096);
      assertEquals(APIC_STATE.Id.get(view), 1 << 24);
      assertEquals(APIC_STATE.Svr.get(view), 0xff);
      assertEquals(APIC_STATE.LvtLint0.get(view), 0x10000);
      assertEquals(APIC_STATE.Dfr.get(view), 0xffffffff);
      const names = Object.keys(SET) as (keyof typeof SET)[];
      for (const name of names) APIC_STATE[name].set(view, SET[name]);
      vp.setLapic(page);
      const after = new DataView(vp.getLapic().buffer);
      const values = names.map((name) => [name, APIC_STATE[name].get(after)]);
      assertEquals(Object.fromEntries(values), SET);
      // As the registers have it.
      assertEquals(vp.get(Reg.Cr8), 5n);
    });
  });
}

for (const without of [[], BY_TYPE]) {
  // With AMX, and beyond what one WebAssembly page holds.
  for (const bytes of [576, 11_008, 70_016]) {
    test(`all ${bytes} bytes of XSAVE state, without ${without}`, async () => {
      await onProcessor(`xsave=${bytes}`, without, (vp) => {
        vp.set128(Reg.Xmm3, 0x1234n);
        const state = vp.getXsave();
        assertEquals(state.length, bytes);
        if (bytes > 576) {
          assertEquals(state.at(-1), ((bytes - 577) * 7 + 1) & 0xff);
        }
        state.fill(0x5a, 576);
        vp.set128(Reg.Xmm3, 0n);
        vp.setXsave(state);
        assertEquals(vp.get(Reg.Xmm3), 0x1234n);
        assertEquals(vp.getXsave(), state);
        // The host knows how much it needs.
        assertThrows(
          () => vp.setXsave(state.subarray(0, 512)),
          PlatformError,
        );
      });
    });
  }
}

test("register values are aligned, whatever the caller's are", async () => {
  await onProcessor("aligned", [], (vp) => {
    const names = new Uint32Array([Reg.Rax, Reg.Xmm1]);
    const buffer = new Uint8Array(64);
    // One of these is not aligned, wherever the allocator puts the buffer.
    for (const at of [0, 8]) {
      const values = buffer.subarray(at, at + 32);
      values.fill(at + 1);
      vp.setRegisters(names, values);
      values.fill(0);
      vp.getRegisters(names, values);
      assertEquals([...values.subarray(16)], Array(16).fill(at + 1));
      assertEquals([...values.subarray(0, 8)], Array(8).fill(at + 1));
    }
    // What the library would say of another: the host would fault.
    const raw = vp.partition.functions.platform.WHvGetVirtualProcessorRegisters;
    const results = [0, 8].map((at) =>
      raw(vp.partition.handle, 1, names, 2, buffer.subarray(at, at + 32))
    );
    assertEquals(results.some((hresult) => hresult < 0), true);
  });
});

test("too short an APIC state is refused, packed or not", async () => {
  for (const quirks of ["", "oldapic"]) {
    await onProcessor(quirks, [...BY_TYPE, ...SECOND], (vp) => {
      const state = vp.getLapic();
      assertThrows(() => vp.setLapic(state.subarray(0, 176)), PlatformError);
    });
  }
});
