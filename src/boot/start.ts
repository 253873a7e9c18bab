/** Puts a boot image into a machine, now and after every reset of it. */
import { Reg } from "../../ffi/registers.ts";
import type { Machine } from "../machine/machine.ts";
import type { BootImage, InitialState } from "./image.ts";

const GPR = {
  rax: Reg.Rax,
  rbx: Reg.Rbx,
  rcx: Reg.Rcx,
  rdx: Reg.Rdx,
  rsi: Reg.Rsi,
  rdi: Reg.Rdi,
  rbp: Reg.Rbp,
  rsp: Reg.Rsp,
  r8: Reg.R8,
  r9: Reg.R9,
  r10: Reg.R10,
  r11: Reg.R11,
  r12: Reg.R12,
  r13: Reg.R13,
  r14: Reg.R14,
  r15: Reg.R15,
} as const;

const SEGMENTS = {
  cs: Reg.Cs,
  ds: Reg.Ds,
  es: Reg.Es,
  fs: Reg.Fs,
  gs: Reg.Gs,
  ss: Reg.Ss,
  tr: Reg.Tr,
  ldtr: Reg.Ldtr,
} as const;

/**
 * Loads `image` into a machine that nobody runs and whose RAM is zero. A reset
 * of the machine zeroes RAM and loads it again, as a power cycle would.
 */
export function startGuest(machine: Machine, image: BootImage): void {
  keepGuest(machine, image);
  load(machine, image);
}

/** As startGuest(), but only for resets: what the guest is now, the machine has. */
export function keepGuest(machine: Machine, image: BootImage): void {
  machine.booted = image;
  machine.onReset.subscribe(() => {
    for (const region of machine.memory.regions) {
      if (region.kind === "ram") {
        machine.memory.fill(region.gpa, region.bytes, 0);
      }
    }
    load(machine, image);
  });
}

function load(machine: Machine, image: BootImage): void {
  for (const { gpa, bytes } of image.segments) machine.memory.write(gpa, bytes);
  for (const { port, value } of image.ports ?? []) {
    machine.ports.write(port, 1, value);
  }
  setRegisters(machine, image.registers);
}

function setRegisters(machine: Machine, state: InitialState): void {
  const { vp } = machine.processors[0];
  // EFER.LME before CR0.PG, so that no platform sees an impossible mode.
  vp.set(Reg.Efer, state.efer);
  vp.set(Reg.Cr4, state.cr4);
  vp.set(Reg.Cr3, state.cr3);
  vp.set(Reg.Cr0, state.cr0);
  for (const [name, register] of Object.entries(SEGMENTS)) {
    const segment = state[name as keyof typeof SEGMENTS];
    vp.setSegment(register, { ...segment, base: BigInt(segment.base) });
  }
  for (const [name, register] of Object.entries(GPR)) {
    vp.set(register, state.gpr[name as keyof typeof GPR] ?? 0n);
  }
  vp.setTable(Reg.Gdtr, { ...state.gdtr, base: BigInt(state.gdtr.base) });
  vp.setTable(Reg.Idtr, { ...state.idtr, base: BigInt(state.idtr.base) });
  vp.set(Reg.Rip, state.rip);
  vp.set(Reg.Rflags, state.rflags);
}
