// One instruction, or a few, on a device: a probe runs in a guest in which a
// window of 4 KiB is a device that keeps what is written to it, and in one where
// the same addresses are RAM. Whatever the instruction does has to come out the
// same, in every register and byte; what the device sees, and what the manual
// says of the instruction, the probe tells.

import { assert, assertEquals } from "@std/assert";
import { MapGpaRangeFlag as Map_ } from "../../../ffi/enums.ts";
import type { WinHvPlatform } from "../../../ffi/mod.ts";
import { Reg } from "../../../ffi/registers.ts";
import type { MmioDevice } from "../../../src/machine/device.ts";
import { LongMode } from "../../debug/long_mode.ts";

/** What RBX is when a probe begins. */
export const WINDOW = 0xfd000000;
const PAGE = 4096;
/** A page of guest memory that is no RAM: the window of the second guest. */
const SPARE = 3 << 20;
/** Every eight bytes of the window at first. */
export const FILL = 0x8877665544332211n;

type Register =
  | "rax"
  | "rcx"
  | "rdx"
  | "rsp"
  | "rbp"
  | "rsi"
  | "rdi"
  | "r8"
  | "r9"
  | "r10"
  | "r11";

const NUMBERS: Record<Register, number> = {
  rax: Reg.Rax,
  rcx: Reg.Rcx,
  rdx: Reg.Rdx,
  rsp: Reg.Rsp,
  rbp: Reg.Rbp,
  rsi: Reg.Rsi,
  rdi: Reg.Rdi,
  r8: Reg.R8,
  r9: Reg.R9,
  r10: Reg.R10,
  r11: Reg.R11,
};

/** What is done and what is right. */
export interface Probe {
  readonly name: string;
  /** AT&T syntax; `it` is the instruction that faults. */
  readonly code: string;
  /** Quads of the window that are others at first, by offset. */
  readonly window?: Readonly<Record<number, bigint>>;
  /** What the device sees: r or w, offset, bytes, and what is written, in hex or
   * @ and a symbol. */
  readonly log: readonly string[] | null;
  /** Registers at the end. */
  readonly regs?: Partial<Record<Register, bigint>>;
  /** Quads of `buffer` at the end, from its beginning. */
  readonly buffer?: readonly bigint[];
  /** The fault that `it` ends with. */
  readonly fault?: {
    readonly vector: number;
    readonly error?: bigint;
    readonly cr2?: bigint;
  };
  /** Debug traps: the low word of DR6, and what the saved RIP names. */
  readonly traps?: readonly (readonly [bigint, string])[];
}

const WITH_ERROR = [10, 11, 12, 13, 14, 17];
const WITHOUT_ERROR = [0, 4, 5, 6, 7, 16, 19];

/** Faults end the probe: R15 vector, R14 error code, R13 RIP, R12 CR2. */
const HANDLERS =
  WITHOUT_ERROR.map((n) =>
    `vector${n}: mov $${n}, %r15d; mov (%rsp), %r13; jmp taken\n`
  ).join("") + WITH_ERROR.map((n) =>
    `vector${n}: mov $${n}, %r15d; mov (%rsp), %r14; mov 8(%rsp), %r13; jmp taken\n`
  ).join("");

function source(code: string): string {
  return `
        mov $${WINDOW}, %ebx
${code}
done:   out %al, $0xf4
taken:  mov %cr2, %r12
        out %al, $0xf4
vector1: push %rax
        push %rcx
        mov ntraps(%rip), %rcx
        mov %dr6, %rax
        mov %ax, traps(,%rcx,8)
        mov 16(%rsp), %eax
        mov %eax, traps+4(,%rcx,8)
        incq ntraps(%rip)
        orl $0x10000, 32(%rsp)
        mov $0xffff0ff0, %eax
        mov %rax, %dr6
        pop %rcx
        pop %rax
        iretq
${HANDLERS}
        .balign 4096
buffer: .fill 4096, 1, 0
ntraps: .quad 0
traps:  .fill 64, 8, 0
`;
}

class Window implements MmioDevice {
  readonly bytes = new Uint8Array(PAGE);
  readonly log: string[] = [];
  readonly #view = new DataView(this.bytes.buffer);

  constructor(first: Probe["window"]) {
    fill(this.#view, first);
  }

  readMmio(offset: number, size: number): bigint {
    this.log.push(`r ${offset.toString(16)} ${size}`);
    let value = 0n;
    for (let i = size - 1; i >= 0; i--) {
      value = (value << 8n) | BigInt(this.bytes[offset + i]);
    }
    return value;
  }

  writeMmio(offset: number, size: number, value: bigint): void {
    this.log.push(`w ${offset.toString(16)} ${size} ${value.toString(16)}`);
    for (let i = 0; i < size; i++) {
      this.bytes[offset + i] = Number(value >> BigInt(8 * i) & 0xffn);
    }
  }
}

function fill(view: DataView, first: Probe["window"]): void {
  for (let at = 0; at < PAGE; at += 8) view.setBigUint64(at, FILL, true);
  for (const [at, value] of Object.entries(first ?? {})) {
    view.setBigUint64(Number(at), value, true);
  }
}

/** Runs until the guest ends itself. */
async function toTheEnd(guest: LongMode, name: string): Promise<void> {
  const stopped = guest.run();
  const timer = setTimeout(() => guest.debugger.interrupt(), 5000);
  const { reason } = await stopped;
  clearTimeout(timer);
  assert(
    reason.kind === "exited",
    `${name}: ${JSON.stringify(reason)} at ${guest.rip().toString(16)}`,
  );
}

const STATE = [
  "Rax Rcx Rdx Rbx Rsp Rbp Rsi Rdi R8 R9 R10 R11 R12 R13 R14 R15 Rip Rflags",
  "Es Cs Ss Ds Fs Gs Ldtr Tr Idtr Gdtr Cr0 Cr2 Cr3 Cr4 Efer Dr6 Dr7",
].join(" ").split(" ") as (keyof typeof Reg)[];

/** Everything that a probe can change, for comparison. */
function stateOf(guest: LongMode, window: Uint8Array) {
  const { vp } = guest.machine.processors[0];
  return {
    registers: Object.fromEntries(
      STATE.map((name) => [name, vp.get128(Reg[name])]),
    ),
    xsave: vp.getXsave(),
    memory: guest.machine.memory.view.slice(0, SPARE),
    window: window.slice(),
  };
}

/** Checks a probe; `wrap` may put something between the machine and the platform. */
export async function check(
  probe: Probe,
  wrap?: (platform: WinHvPlatform) => WinHvPlatform,
): Promise<void> {
  const seen = await onDevice(probe, wrap);
  const { memory: other, ...expected } = await inRam(probe);
  const { memory, ...state } = seen;
  assertEquals(state, expected);
  const at = memory.findIndex((byte, i) => byte !== other[i]);
  assertEquals(at, -1, `RAM at 0x${at.toString(16)}`);
}

async function onDevice(
  probe: Probe,
  wrap?: (platform: WinHvPlatform) => WinHvPlatform,
) {
  const options = { ramBytes: SPARE };
  const guest = await LongMode.start(source(probe.code), 1, options, wrap);
  const window = new Window(probe.window);
  guest.machine.mmio.claim(WINDOW, PAGE, window, "window");
  try {
    await toTheEnd(guest, probe.name);
    judge(probe, guest, window);
    return stateOf(guest, window.bytes);
  } finally {
    guest.close();
  }
}

async function inRam(probe: Probe) {
  const options = { ramBytes: SPARE };
  const guest = await LongMode.start(source(probe.code), 1, options);
  const ram = guest.opened.guestMemory.subarray(SPARE, SPARE + PAGE);
  fill(new DataView(ram.buffer, ram.byteOffset, PAGE), probe.window);
  guest.machine.partition.mapGpaRange(ram, WINDOW, Map_.Read | Map_.Write);
  try {
    await toTheEnd(guest, `${probe.name}, in RAM`);
    return stateOf(guest, ram);
  } finally {
    guest.close();
  }
}

function judge(probe: Probe, guest: LongMode, window: Window): void {
  const reg = (name: number) => guest.reg(name);
  if (probe.log !== null) {
    assertEquals(
      window.log,
      probe.log.map((line) =>
        line.replace(/@(\w+)/, (_, name) => guest.symbol(name).toString(16))
      ),
    );
  }
  const vector = Number(reg(Reg.R15));
  assertEquals(vector, probe.fault?.vector ?? 0, "vector");
  if (probe.fault !== undefined) {
    const { error, cr2 } = probe.fault;
    assertEquals(Number(reg(Reg.R13)), guest.symbol("it"), "RIP");
    if (error !== undefined) assertEquals(reg(Reg.R14), error, "error code");
    if (cr2 !== undefined) assertEquals(reg(Reg.R12), cr2, "CR2");
  } else assertEquals(guest.rip(), guest.symbol("done") + 2);
  for (const [name, value] of Object.entries(probe.regs ?? {})) {
    assertEquals(reg(NUMBERS[name as Register]), value, name);
  }
  const { view } = guest.machine.memory;
  const memory = new DataView(view.buffer, view.byteOffset);
  probe.buffer?.forEach((value, i) =>
    assertEquals(
      memory.getBigUint64(guest.symbol("buffer") + i * 8, true),
      value,
      `buffer + ${i * 8}`,
    )
  );
  const traps = probe.traps ?? [];
  assertEquals(guest.quad("ntraps"), BigInt(traps.length), "debug traps");
  traps.forEach(([dr6, name], i) => {
    const at = guest.symbol("traps") + i * 8;
    assertEquals(BigInt(memory.getUint16(at, true) & ~0xff0), dr6, "DR6");
    assertEquals(memory.getUint32(at + 4, true), guest.symbol(name), name);
  });
}
