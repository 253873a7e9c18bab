// Accesses that devices answer in the middle of their instruction: a machine whose
// platform can ask (IcebpSetAccessCallback) and one where each is an exit do the same,
// instruction by instruction.

import { assert, assertEquals } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import type { MmioDevice, PortDevice } from "../../src/machine/device.ts";
import type { Machine } from "../../src/machine/machine.ts";
import { LongMode } from "../debug/long_mode.ts";
import { testPlatform, withoutAnswers, withRuns } from "../util/platform.ts";
import { requireTool } from "../util/tools.ts";
import { picAt } from "../util/pic.ts";

const ignore = !requireTool("gcc", "ld", "nm", "objcopy") ||
  testPlatform() !== "soft";

const PORTS = 0x510, WINDOW = 0xe0000000, WINDOW_BYTES = 8192;
const IRQ = 5;

/** Logs each access with the time; some have effects. */
class Recorder implements PortDevice, MmioDevice {
  readonly log: string[] = [];
  readonly #machine: Machine;
  readonly #counts: () => string;
  #next = 0x1122334455667788n;

  constructor(machine: Machine, counts: () => string) {
    this.#machine = machine;
    this.#counts = counts;
    machine.ports.claim(PORTS, 8, this, "recorder");
    machine.mmio.claim(WINDOW, WINDOW_BYTES, this, "recorder");
  }

  #note(what: string, at: number, size: number, value: bigint): void {
    const place = `${what} ${at.toString(16)} ${size} ${value.toString(16)}`;
    this.log.push(`${place} ${this.#counts()}`);
  }

  #read(what: string, at: number, size: number): bigint {
    this.#next = BigInt.asUintN(
      64,
      this.#next * 6364136223846793005n + 1442695040888963407n,
    );
    const value = BigInt.asUintN(size * 8, this.#next);
    this.#note(what, at, size, value);
    return value;
  }

  readPort(port: number, size: 1 | 2 | 4): number {
    return Number(this.#read("in", port, size));
  }

  writePort(port: number, size: 1 | 2 | 4, value: number): void {
    this.#note("out", port, size, BigInt(value >>> 0));
    const { board, memory } = this.#machine;
    if (port === PORTS + 4) board.irq(IRQ).set((value & 1) !== 0);
    // NOP instead of INC R13D, and back, in code that is being executed
    if (port === PORTS + 5) {
      const inc = [0x41, 0xff, 0xc5], nops = [0x90, 0x90, 0x90];
      const now = memory.readByte(value) === nops[0] ? inc : nops;
      memory.write(value, Uint8Array.from(now));
    }
  }

  readMmio(offset: number, size: number): bigint {
    return this.#read("read", offset, size);
  }

  writeMmio(offset: number, size: number, value: bigint): void {
    this.#note("write", offset, size, value);
  }
}

/** All that can be seen of how a guest went, and how often processors were run. */
async function went(
  source: string,
  cpus: number,
  answers: boolean,
): Promise<{ seen: unknown; log: string[]; runs: number }> {
  let runs = 0;
  const guest = await LongMode.start(
    source,
    cpus,
    {},
    (whole) => (answers ? withRuns : withoutAnswers)(whole, () => runs++),
  );
  const soft = guest.opened.soft!;
  const instructions = () =>
    guest.machine.processors.map(({ index }) => soft.instructionsOf(index));
  const recorder = new Recorder(
    guest.machine,
    () => `${soft.clock.now()} ${soft.clock.instructions()} ${instructions()}`,
  );
  const limit = setTimeout(() => guest.debugger.interrupt(), 30_000);
  const { reason } = await guest.run();
  clearTimeout(limit);
  const { machine } = guest;
  const memory = new Uint8Array(
    await crypto.subtle.digest("SHA-256", machine.memory.view.slice()),
  );
  const seen = {
    reason,
    log: recorder.log,
    memory,
    instructions: instructions(),
    time: soft.clock.now(),
    exits: machine.exitCounts,
    ports: machine.ports.accesses,
    mmio: machine.mmio.accesses,
    counters: machine.processors.map(({ vp }) => {
      const buffer = new Uint8Array(224);
      const call = soft.platform.WHvGetVirtualProcessorCounters!;
      call(vp.partition.handle, vp.index, 1, buffer, 224, new Uint32Array(1));
      return buffer;
    }),
    registers: machine.processors.map(({ vp }) =>
      [
        ...[Reg.Rflags, Reg.Tsc, Reg.Dr6, Reg.Rsp],
        ...Array.from({ length: 16 }, (_, i) => Reg.Rax + i),
      ]
        .map((name) => vp.get(name))
    ),
  };
  guest.close();
  assert(reason.kind === "exited", `${Object.values(reason)}`);
  return { seen, log: recorder.log, runs };
}

/** Runs a guest both ways; returns the log, and how many runs each way took. */
async function both(source: string, cpus = 1) {
  const without = await went(source, cpus, false);
  const answered = await went(source, cpus, true);
  assertEquals(answered.seen, without.seen);
  return { log: answered.log, runs: answered.runs, exits: without.runs };
}

const END = `
        mov $16, %al
        out %al, $0xf4
`;
/** The PIC's interrupts 0 to 7 at vectors 32 to 39, `mask` masked. */
const PIC = (mask: number) => picAt(32, mask);

/** Instructions that access a device, by what they are. R15 is the window. */
const FORMS: Record<string, string> = {
  "IN and OUT": `
        in %dx, %al
        in %dx, %ax
        in %dx, %eax
        out %al, %dx
        out %ax, %dx
        out %eax, %dx
        in $0x80, %al
        out %al, $0x80`,
  "MOV of every size": `
        mov (%r15), %al
        mov 2(%r15), %bx
        mov 4(%r15), %ecx
        mov 8(%r15), %r8
        mov %al, (%r15)
        mov %bx, 2(%r15)
        mov %ecx, 4(%r15)
        mov %r8, 8(%r15)
        movl $7, 16(%r15)`,
  "read, modify, write": `
        add %ecx, (%r15)
        lock xadd %rcx, 8(%r15)
        xchg %r9, (%r15)
        lock cmpxchg %r9d, (%r15)
        btsl $3, (%r15)
        incb 3(%r15)`,
  "across a page": `
        mov 4093(%r15), %r10
        mov %r10, 4091(%r15)
        addq $5, 4090(%r15)`,
  "SSE, x87 and what saves them": `
        movups (%r15), %xmm1
        movups %xmm1, 16(%r15)
        movdqu 4088(%r15), %xmm2
        fildll (%r15)
        fistpll 8(%r15)
        fxsave (%r15)`,
  "the stack": `
        pushq (%r15)
        popq 8(%r15)`,
  "string instructions": `
        mov %r15, %rsi
        lea buffer, %rdi
        movsq
        mov $5, %ecx
        rep movsl
        lea buffer, %rsi
        mov %r15, %rdi
        movsb
        mov $300, %ecx
        rep movsw
        lea buffer, %rdi
        mov $9, %ecx
        rep insb
        lea buffer, %rsi
        outsw
        mov %r15, %rsi
        lea buffer, %rdi
        cmpsl
        mov $7, %ecx
        mov %r15, %rdi
        repne scasb`,
  "faults in the middle": `
        mov %r15, %rsi
        mov $0x40000000, %edi
        mov $1f, %r13d
        movsl
1:      mov $2f, %r13d
        lea buffer, %rsi
        mov %r15, %rdi
        movsl
        mov $0x40000000, %esi
        movsl
2:      mov $3f, %r13d
        mov %r15, %rsi
        mov $0x40000000, %edi
        cmpsl
3:      mov $4f, %r13d
        xor %edx, %edx
        idivl 4(%r15)
        divl (%r15)
        divb (%r15)
4:      mov $next, %r13d
        mov $-1, %edx
        divl (%r15)`,
  "behind STI and with TF": `
        cli
        sti
        mov (%r15), %eax
        cli
        sti
        in %dx, %al
        pushf
        orl $0x100, (%rsp)
        popf
        in %dx, %eax
        mov (%r15), %eax
        out %al, %dx
        pushf
        andl $~0x100, (%rsp)
        popf`,
  "with breakpoints in debug registers": `
        mov %r15, %db0
        mov $0x510, %eax
        mov %rax, %db1
        mov $0xe020f, %eax
        mov %rax, %db7
        mov %cr4, %rax
        or $8, %rax
        mov %rax, %cr4
        mov $0x510, %edx
        mov (%r15), %eax
        mov %eax, (%r15)
        in %dx, %al
        out %al, %dx
        xor %eax, %eax
        mov %rax, %db7`,
  "code that a device changes": `
        lea 1f, %eax
        mov $0x515, %edx
        out %eax, %dx
1:      inc %r13d
        mov $0x510, %edx`,
};

for (const [name, form] of Object.entries(FORMS)) {
  Deno.test({
    name: `answered and exiting accesses are the same: ${name}`,
    ignore,
    async fn() {
      // Handlers note the vector, the time, CR2 and DR6; a fault goes on behind.
      const { log } = await both(`
        mov $0xe0000000, %r15d
        lea notes, %r14
        fninit
        movl $20, count
again:  mov $0x510, %edx
        xor %eax, %eax
        mov $0x1234, %ebx
        ${form}
        .globl next
next:   cld
        decl count
        jnz again
        ${END}
vector0: push $0
        jmp 1f
vector1: push $1
        jmp 2f
vector14: add $8, %rsp
        push $14
1:      mov %r13, 8(%rsp)
2:      push %rax
        push %rdx
        rdtsc
        shl $32, %rdx
        or %rdx, %rax
        mov %rax, (%r14)
        mov %cr2, %rax
        mov %rax, 8(%r14)
        mov %db6, %rax
        mov %rax, 16(%r14)
        mov 16(%rsp), %rax
        mov %rax, 24(%r14)
        mov 24(%rsp), %rax
        mov %rax, 32(%r14)
        add $40, %r14
        pop %rdx
        pop %rax
        add $8, %rsp
        iretq
        .align 64
count:  .long 0
        .align 64
buffer: .fill 1024, 1, 0x5a
notes:  .fill 16384, 1, 0
`);
      assert(log.length >= 20, `${log.length} accesses`);
    },
  });
}

Deno.test({
  name: "accesses that are answered need no run",
  ignore,
  async fn() {
    const { runs, exits } = await both(`
        mov $0xe0000000, %r15d
        mov $0x510, %edx
        mov $5000, %ecx
1:      out %al, %dx
        mov (%r15), %eax
        mov %eax, (%r15)
        in $0x81, %al
        dec %ecx
        jnz 1b
        ${END}`);
    assert(exits > 20_000, `${exits} runs`);
    assert(runs < 50, `${runs} runs`);
  },
});

Deno.test({
  name: "an interrupt that an access raises comes behind its instruction",
  ignore,
  async fn() {
    const { log } = await both(`
        ${PIC(0xff & ~(1 << IRQ))}
        mov $0x514, %edx
        sti
        mov $200, %ecx
1:      mov $1, %al
        out %al, %dx
        inc %r8
        cli
        mov $1, %al
        out %al, %dx
        in %dx, %eax
        in %dx, %eax
        sti
        nop
        in %dx, %eax
        dec %ecx
        jnz 1b
        ${END}
vector${32 + IRQ}: push %rax
        mov $0x510, %edx
        mov 8(%rsp), %eax
        out %eax, %dx
        mov $0x514, %edx
        xor %eax, %eax
        out %al, %dx
        mov $0x20, %al
        out %al, $0x20
        pop %rax
        iretq
`);
    const taken = log.filter((line) => line.startsWith("out 510"));
    assertEquals(taken.length, 400);
  },
});

/** Four processors access devices, wait for each other, and are interrupted: by the PIC,
 * which some of the others raise, and by the timer. */
const CROWD = `
        test %edi, %edi
        jnz 1f
        ${PIC(0xff & ~(1 << IRQ) & ~1)}
        mov $0x34, %al
        out %al, $0x43
        mov $0x30, %al
        out %al, $0x40
        mov $2, %al
        out %al, $0x40
1:      sti
        mov $0xe0000000, %r15d
        mov $0x510, %edx
        mov $2000, %ecx
2:      mov %edi, %eax
        out %al, %dx
        mov (%r15), %ebx
        and $0x3f, %ebx
3:      dec %ebx
        jns 3b
        lock incl shared
        mov shared, %eax
        mov %eax, (%r15)
        test $31, %cl
        jnz 5f
        mov $0x514, %edx
        mov $1, %al
        out %al, %dx
        mov $0x510, %edx
4:      pause
        test $7, %cl
        jnz 5f
        test %edi, %edi
        jz 5f
5:      dec %ecx
        jnz 2b
        lock decl left
        test %edi, %edi
        jnz 7f
6:      pause
        cmpl $0, left
        jne 6b
        ${END}
7:      cli
        hlt
        jmp 7b
vector32: push %rax
        incq ticks
        mov $0x20, %al
        out %al, $0x20
        pop %rax
        iretq
vector${32 + IRQ}: push %rax
        push %rdx
        incq raised
        mov $0x514, %edx
        xor %eax, %eax
        out %al, %dx
        mov $0x20, %al
        out %al, $0x20
        pop %rdx
        pop %rax
        iretq
        .align 64
shared: .long 0
left:   .long 4
ticks:  .quad 0
raised: .quad 0
`;

for (const cpus of [1, 2, 4]) {
  Deno.test({
    name: `${cpus} processors and their interrupts: answered or not, the same`,
    ignore,
    async fn() {
      const { log, runs, exits } = await both(
        CROWD.replace("left:   .long 4", `left:   .long ${cpus}`),
        cpus,
      );
      assert(log.length > cpus * 6000, `${log.length} accesses`);
      assert(runs < exits / 4, `${runs} runs instead of ${exits}`);
    },
  });
}
