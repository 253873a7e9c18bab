// WHP.md, "State": registers, segments, XSAVE, the APIC's page, translation.

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  LocalApicEmulationMode,
  TranslateGvaFlag,
  TranslateGvaResult,
} from "../../ffi/enums.ts";
import { APIC_STATE } from "../../ffi/apic.ts";
import { HResult } from "../../ffi/hresult.ts";
import { Reg } from "../../ffi/registers.ts";
import {
  XCOMP_COMPACTED,
  XSAVE_FORMAT,
  XSAVE_HEADER,
  XSAVE_HEADER_OFFSET,
} from "../../ffi/xsave.ts";
import { PlatformError } from "../../src/platform/mod.ts";
import {
  CODE,
  contract,
  DATA,
  expectExit,
  hex,
  PD,
  PDPT,
  PML4,
} from "./guest.ts";

contract("general registers are set and read in one call", {}, ({ vp }) => {
  const names = new Uint32Array(16);
  const values = new Uint8Array(256);
  const view = new DataView(values.buffer);
  for (let i = 0; i < 16; i++) {
    names[i] = Reg.Rax + i;
    view.setBigUint64(i * 16, 0x0101_0101_0101_0101n * BigInt(i), true);
  }
  vp.setRegisters(names, values);
  const back = new Uint8Array(256);
  vp.getRegisters(names, back);
  assertEquals(back, values);
  assertEquals(vp.get(Reg.R15), 0x0f0f_0f0f_0f0f_0f0fn);
});

contract("an unknown register is refused, and nothing is set", {}, (guest) => {
  const { vp } = guest;
  vp.set(Reg.Rbx, 1n);
  const names = Uint32Array.of(Reg.Rbx, 0x0fff_0000);
  const values = new Uint8Array(32).fill(9);
  const error = assertThrows(
    () => vp.setRegisters(names, values),
    PlatformError,
  );
  assertEquals(error.hresultName, "WHV_E_INVALID_VP_REGISTER_NAME");
  assertEquals(vp.get(Reg.Rbx), 1n);
  assertEquals(
    assertThrows(() => vp.getRegisters(names, values), PlatformError)
      .hresultName,
    "WHV_E_INVALID_VP_REGISTER_NAME",
  );
});

contract("the guest sees the registers, and they the guest", {
  code: `
    48 01 d8                # add rax, rbx
    4d 31 c0                # xor r8, r8
    66 0f fe c1             # paddd xmm0, xmm1
    e6 80`,
}, async ({ vp }) => {
  vp.set(Reg.Rax, 1n);
  vp.set(Reg.Rbx, 0xffff_ffff_ffff_ffffn);
  vp.set(Reg.R8, 5n);
  vp.set128(Reg.Xmm0, 0x00000004_00000003_00000002_00000001n);
  vp.set128(Reg.Xmm1, 0x00000001_00000001_00000001_ffffffffn);
  expectExit(await vp.run(), "ioPort");
  assertEquals(vp.get(Reg.Rax), 0n);
  assertEquals(vp.get(Reg.R8), 0n);
  assertEquals(vp.get(Reg.Rflags) & 0x45n, 0x44n); // ZF, PF from XOR
  assertEquals(vp.get128(Reg.Xmm0), 0x00000005_00000004_00000003_00000000n);
});

contract("control, debug and model-specific registers keep their values", {}, ({
  vp,
}) => {
  const values: [keyof typeof Reg, bigint][] = [
    ["Cr2", 0x1234_5678_9abcn],
    ["Cr3", BigInt(PML4)],
    ["Dr0", 0x1000n],
    ["Dr3", 0xffff_8000_0000_0000n],
    ["KernelGsBase", 0xffff_8000_0000_1000n],
    ["Star", 0x0023_0010_0000_0000n],
    ["Lstar", 0xffff_8000_0000_2000n],
    ["Sfmask", 0x47700n],
    ["SysenterCs", 8n],
    ["SysenterEip", 0xffff_8000_0000_3000n],
    ["SysenterEsp", 0xffff_8000_0000_4000n],
    ["Pat", 0x0007_0406_0007_0406n],
    ["TscAux", 3n],
  ];
  for (const [name, value] of values) vp.set(Reg[name], value);
  for (const [name, value] of values) {
    assertEquals(vp.get(Reg[name]), value, name);
  }
});

contract("segments and tables keep what they are given", {}, ({ vp }) => {
  const fs = {
    base: 0xffff_8000_1234_5000n,
    limit: 0xfffff,
    selector: 0x23,
    attributes: 0x40f3,
  };
  vp.setSegment(Reg.Fs, fs);
  assertEquals(vp.getSegment(Reg.Fs), fs);
  vp.setTable(Reg.Gdtr, { base: 0xffff_8000_0000_0000n, limit: 0x7f });
  assertEquals(vp.getTable(Reg.Gdtr), {
    base: 0xffff_8000_0000_0000n,
    limit: 0x7f,
  });
});

contract("the base of FS is the guest's base", {
  code: "64 a1 08 00 00 00 00 00 00 00 e6 80 # mov eax, fs:[8]",
}, async ({ vp, memory }) => {
  memory.set(hex("de c0 ad 0b"), DATA + 0x108);
  vp.setSegment(Reg.Fs, {
    base: BigInt(DATA + 0x100),
    limit: 0xffffffff,
    selector: 0x10,
    attributes: 0xc093,
  });
  assertEquals(expectExit(await vp.run(), "ioPort").eax, 0x0badc0de);
});

contract("XSAVE state is the compacted form of what the guest has", {
  code: "db e3 d9 e8 0f 28 c1 e6 80 # fninit; fld1; movaps xmm0, xmm1; out",
}, async ({ vp, provider }) => {
  if (provider.platform.WHvGetVirtualProcessorXsaveState === null) return;
  vp.set128(Reg.Xmm1, 0x1111_2222_3333_4444_5555_6666_7777_8888n);
  expectExit(await vp.run(), "ioPort");
  const state = vp.getXsave();
  const view = new DataView(state.buffer, state.byteOffset, state.length);
  assert(XSAVE_HEADER.CompBv.get(view, XSAVE_HEADER_OFFSET) & XCOMP_COMPACTED);
  assertEquals(
    XSAVE_HEADER.StateBv.get(view, XSAVE_HEADER_OFFSET) & 3n,
    3n,
  );
  const xmm = XSAVE_FORMAT.XmmRegisters.get(view);
  assertEquals([...xmm.subarray(0, 4)], [0x88, 0x88, 0x77, 0x77]);
  // ST0 is 1.0; the stack's top is 7.
  assertEquals(
    [...XSAVE_FORMAT.FloatRegisters.get(view).subarray(0, 10)],
    [0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f],
  );
  assertEquals((XSAVE_FORMAT.StatusWord.get(view) >> 11) & 7, 7);
  assertEquals(XSAVE_FORMAT.TagWord.get(view), 0x80);
  // What is set is what is read, and what the registers show.
  xmm.fill(0xab, 16, 32);
  XSAVE_FORMAT.MxCsr.set(view, 0x1f80 | 0x2000);
  vp.setXsave(state);
  assertEquals(vp.get(Reg.Xmm1), 0xabab_abab_abab_ababn);
  assertEquals(vp.getXsave(), state);
});

contract("x87 and SSE control are registers too", {}, ({ vp }) => {
  const control = (0x037fn) | (0x3800n << 16n) | (0x80n << 32n);
  vp.set128(Reg.FpControlStatus, control);
  assertEquals(vp.get128(Reg.FpControlStatus) & 0xff_ffff_ffffn, control);
  const mxcsr = 0x9fc0n << 64n;
  vp.set128(Reg.XmmControlStatus, mxcsr);
  assertEquals((vp.get128(Reg.XmmControlStatus) >> 64n) & 0xffffn, 0x9fc0n);
  vp.set128(Reg.FpMmx3, (0x4000n << 64n) | 0xc000_0000_0000_0000n);
  assertEquals(
    vp.get128(Reg.FpMmx3),
    (0x4000n << 64n) | 0xc000_0000_0000_0000n,
  );
});

contract("the APIC's state is its register page", {
  apic: LocalApicEmulationMode.XApic,
  cpus: 2,
  code: `
    bb 00 00 e0 fe
    c7 83 f0 00 00 00 ff 01 00 00
    c7 83 50 03 00 00 00 07 00 00
    e6 80 8b 83 50 03 00 00 e6 80`,
}, async (guest) => {
  const { vp, vps } = guest;
  expectExit(await vp.run(), "ioPort");
  const state = vp.getLapic();
  const view = new DataView(state.buffer);
  assertEquals(APIC_STATE.Svr.get(view), 0x1ff);
  assertEquals(APIC_STATE.LvtLint0.get(view), 0x700);
  const second = vps[1].getLapic();
  assertEquals(
    APIC_STATE.Id.get(new DataView(second.buffer)) >>> 24,
    1,
  );
  APIC_STATE.LvtLint0.set(view, 0x10700);
  vp.setLapic(state);
  guest.skip(2);
  assertEquals(expectExit(await vp.run(), "ioPort").eax, 0x10700);
});

contract("a wrong size of APIC state is refused", {
  apic: LocalApicEmulationMode.XApic,
}, ({ vp }) => {
  assertThrows(() => vp.setLapic(new Uint8Array(8)), PlatformError);
});

const { ValidateRead, ValidateWrite, ValidateExecute, PrivilegeExempt } =
  TranslateGvaFlag;

contract("translation walks the guest's page tables", {}, ({ vp, view }) => {
  view.setBigUint64(PD + 8, 0x40_0087n, true); // 2 MiB at 2 MiB: to 4 MiB
  assertEquals(vp.translateGva(0x212345n, ValidateRead), {
    code: TranslateGvaResult.Success,
    gpa: 0x412345n,
  });
  assertEquals(
    vp.translateGva(BigInt(CODE), ValidateExecute).gpa,
    BigInt(CODE),
  );
  assertEquals(
    vp.translateGva(0x80_0000_0000n, ValidateRead).code,
    TranslateGvaResult.PageNotPresent,
  );
});

contract("translation says what forbids an access", {}, ({ vp, view }) => {
  view.setBigUint64(PD + 8, 0x20_0085n, true); // not writable
  assertEquals(
    vp.translateGva(0x200000n, ValidateRead).code,
    TranslateGvaResult.Success,
  );
  assertEquals(
    vp.translateGva(0x200000n, ValidateWrite).code,
    TranslateGvaResult.PrivilegeViolation,
  );
  view.setBigUint64(PD + 16, 0x40_0087n | (1n << 63n), true); // NX
  assertEquals(
    vp.translateGva(0x400000n, ValidateExecute).code,
    TranslateGvaResult.PrivilegeViolation,
  );
});

contract("a user's translation respects supervisor pages unless exempt", {}, (
  guest,
) => {
  const { vp, view } = guest;
  view.setBigUint64(PD + 8, 0x20_0083n, true); // supervisor
  guest.toUser();
  assertEquals(
    vp.translateGva(0x200000n, ValidateRead).code,
    TranslateGvaResult.PrivilegeViolation,
  );
  assertEquals(
    vp.translateGva(0x200000n, ValidateRead | PrivilegeExempt).code,
    TranslateGvaResult.Success,
  );
});

contract("translation touches page tables only if asked to", {}, ({
  vp,
  view,
}) => {
  const entries = () => [
    view.getBigUint64(PML4, true) & 0x60n,
    view.getBigUint64(PDPT, true) & 0x60n,
    view.getBigUint64(PD + 8, true) & 0x60n,
  ];
  view.setBigUint64(PD + 8, 0x20_0087n, true);
  vp.translateGva(0x200000n, ValidateRead | ValidateWrite);
  assertEquals(entries(), [0n, 0n, 0n]);
  vp.translateGva(
    0x200000n,
    ValidateRead | ValidateWrite | TranslateGvaFlag.SetPageTableBits,
  );
  assertEquals(entries(), [0x20n, 0x20n, 0x60n]);
});

contract("guest memory is read and written 16 bytes at most", {}, (guest) => {
  const { WHvReadGpaRange, WHvWriteGpaRange } = guest.provider.platform;
  if (WHvReadGpaRange === null || WHvWriteGpaRange === null) return;
  const { handle } = guest.partition;
  const bytes = hex("00 11 22 33 44 55 66 77 88 99 aa bb cc dd ee ff");
  const at = BigInt(DATA + 4088);
  assertEquals(WHvWriteGpaRange(handle, 0, at, 0n, bytes, 16), HResult.S_OK);
  assertEquals(guest.memory.slice(DATA + 4088, DATA + 4104), bytes);
  const back = new Uint8Array(16);
  assertEquals(WHvReadGpaRange(handle, 0, at, 0n, back, 16), HResult.S_OK);
  assertEquals(back, bytes);
  assert(
    WHvReadGpaRange(handle, 0, at, 0n, new Uint8Array(32), 32) < 0,
  );
});

contract("CPUID's output can be asked for", {
  code: "b8 01 00 00 00 31 c9 0f a2 e6 80",
}, async (guest) => {
  const { WHvGetVirtualProcessorCpuidOutput } = guest.provider.platform;
  if (WHvGetVirtualProcessorCpuidOutput === null) return;
  const output = new Uint32Array(4);
  assertEquals(
    WHvGetVirtualProcessorCpuidOutput(guest.partition.handle, 0, 1, 0, output),
    HResult.S_OK,
  );
  const exit = expectExit(await guest.run(), "ioPort");
  assertEquals(exit.eax, output[0]);
  assertEquals(guest.vp.get(Reg.Rcx), BigInt(output[2]));
});
