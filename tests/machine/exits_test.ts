// What the machine does with exits, from inside a guest on the software
// platform: ports, devices in memory, MSRs, CPUID, interrupts of the PIC,
// resets and power-off.

import { assert, assertEquals } from "@std/assert";
import { PartitionPropertyCode } from "../../ffi/enums.ts";
import { HResult } from "../../ffi/hresult.ts";
import type { WinHvPlatform } from "../../ffi/mod.ts";
import { Reg } from "../../ffi/registers.ts";
import type { PortDevice } from "../../src/machine/device.ts";
import { LongMode } from "../debug/long_mode.ts";
import { testPlatform, withProperties } from "../util/platform.ts";
import { requireTool } from "../util/tools.ts";
import { picAt } from "../util/pic.ts";

const ignore = !requireTool("gcc", "ld", "nm", "objcopy");

/** Runs until the guest ends itself through the debug exit; its code. */
async function toTheEnd(guest: LongMode): Promise<number> {
  const stopped = guest.run();
  const timer = setTimeout(() => guest.debugger.interrupt(), 5000);
  const { reason } = await stopped;
  clearTimeout(timer);
  assert(reason.kind === "exited", `${Object.values(reason)}`);
  return reason.code;
}

class Recorder implements PortDevice {
  readonly log: string[] = [];
  next = 0x11223344;
  readPort(port: number, size: 1 | 2 | 4): number {
    this.log.push(`in ${port.toString(16)} ${size}`);
    const value = this.next;
    return size === 1 ? value & 0xff : size === 2 ? value & 0xffff : value;
  }
  writePort(port: number, size: 1 | 2 | 4, value: number): void {
    this.log.push(`out ${port.toString(16)} ${size} ${value.toString(16)}`);
  }
}

Deno.test({
  name: "IN and OUT of every width change just what they should",
  ignore,
  async fn() {
    const guest = await LongMode.start(`
        mov $0xaabbccddeeff0011, %rax
        mov $0x510, %edx
        out %al, %dx
        out %ax, %dx
        out %eax, %dx
        in %dx, %al
        mov %rax, %r8
        in %dx, %ax
        mov %rax, %r9
        in %dx, %eax
        mov %rax, %r10
        in $0xea, %al
        mov %rax, %r11
        mov $1, %al
        out %al, $0xf4
        jmp .
`);
    const recorder = new Recorder();
    guest.machine.ports.claim(0x510, 4, recorder, "recorder");
    assertEquals(await toTheEnd(guest), 3);
    assertEquals(recorder.log, [
      "out 510 1 11",
      "out 510 2 11",
      "out 510 4 eeff0011",
      "in 510 1",
      "in 510 2",
      "in 510 4",
    ]);
    assertEquals(guest.reg(Reg.R8), 0xaabbccddeeff0044n);
    assertEquals(guest.reg(Reg.R9), 0xaabbccddeeff3344n);
    assertEquals(guest.reg(Reg.R10), 0x11223344n);
    assertEquals(guest.reg(Reg.R11), 0x112233ffn, "nobody is at 0xea");
    guest.close();
  },
});

Deno.test({
  name: "string I/O and devices in memory",
  ignore,
  async fn() {
    const guest = await LongMode.start(`
        lea text(%rip), %rsi
        mov $6, %ecx
        mov $0x510, %edx
        rep outsb
        lea buffer(%rip), %rdi
        mov $3, %ecx
        rep insl
        mov $0xfe000000, %ebx
        movl $0x12345678, 8(%rbx)
        mov 16(%rbx), %r8
        movzbl 3(%rbx), %r9d
        lock addl $5, 8(%rbx)
        mov -0x1000000(%rbx), %r10d
        mov $0, %al
        out %al, $0xf4
text:   .ascii "serial"
buffer: .quad 0, 0
`);
    const recorder = new Recorder();
    guest.machine.ports.claim(0x510, 4, recorder, "recorder");
    const log: string[] = [];
    guest.machine.mmio.claim(0xfe000000, 0x1000, {
      readMmio(offset, size) {
        log.push(`read ${offset} ${size}`);
        return 0x8877665544332211n & ((1n << BigInt(8 * size)) - 1n);
      },
      writeMmio(offset, size, value) {
        log.push(`write ${offset} ${size} ${value.toString(16)}`);
      },
    }, "window");
    assertEquals(await toTheEnd(guest), 1);
    const letters = recorder.log.slice(0, 6)
      .map((line) => String.fromCharCode(parseInt(line.slice(10), 16)));
    assertEquals(letters.join(""), "serial");
    assertEquals(guest.quad("buffer"), 0x1122334411223344n);
    assertEquals(log, [
      "write 8 4 12345678",
      "read 16 8",
      "read 3 1",
      "read 8 4",
      "write 8 4 44332216",
    ]);
    assertEquals(guest.reg(Reg.R8), 0x8877665544332211n);
    assertEquals(guest.reg(Reg.R9), 0x11n);
    assertEquals(guest.reg(Reg.R10), 0xffffffffn);
    guest.close();
  },
});

Deno.test({
  name: "ROM reads, and writes to it vanish",
  ignore,
  async fn() {
    const guest = await LongMode.start(
      `
        mov $0xfffff000, %ebx
        mov (%rbx), %r8
        movq $0, (%rbx)
        mov (%rbx), %r9
        out %al, $0xf4
`,
      1,
      {
        ramBytes: 3 << 20,
        attach: (machine) => {
          machine.memory.addRom(
            0xfffff000,
            new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]),
          );
          return [];
        },
      },
    );
    await toTheEnd(guest);
    assertEquals(guest.reg(Reg.R8), 0x0807060504030201n);
    assertEquals(guest.reg(Reg.R9), 0x0807060504030201n);
    guest.close();
  },
});

Deno.test({
  name: "unknown MSRs fault, harmless ones read and ignore writes",
  ignore,
  async fn() {
    const guest = await LongMode.start(`
        mov $0x8b, %ecx
        xor %eax, %eax
        xor %edx, %edx
        wrmsr
        rdmsr
        mov $0x12345678, %ecx
        rdmsr
after:  mov $0x12345678, %ecx
        wrmsr
        mov $2, %al
        out %al, $0xf4
vector13: mov (%rsp), %r8
        incq %r9
        add $8, %rsp
        addq $2, (%rsp)
        iretq
`);
    assertEquals(await toTheEnd(guest), 5);
    assertEquals(guest.reg(Reg.R9), 2n);
    assertEquals(guest.reg(Reg.R8), 0n);
    guest.close();
  },
});

/** A platform that does not know CpuidResultList2. */
function withoutMaskedCpuid(whole: WinHvPlatform): WinHvPlatform {
  return withProperties(
    whole,
    (set, partition, code, buffer, bytes) =>
      code === PartitionPropertyCode.CpuidResultList2
        ? HResult.WHV_E_UNKNOWN_PROPERTY
        : set(partition, code, buffer, bytes),
  );
}

for (const masked of [true, false]) {
  const how = masked ? "by itself" : "by exits";
  Deno.test({
    name: `CPUID names the hypervisor and hides virtualization, ${how}`,
    ignore,
    async fn() {
      const guest = await LongMode.start(
        `
        mov $0x40000000, %eax
        cpuid
        mov %rbx, %r8
        mov %rcx, %r9
        mov %rdx, %r10
        mov $0x40000001, %eax
        mov $-1, %rbx
        cpuid
        or %ebx, %eax
        or %ecx, %eax
        or %edx, %eax
        mov %rax, %r12
        mov $0x80000001, %eax
        cpuid
        mov %rcx, %r13
        mov $1, %eax
        cpuid
        mov %rcx, %r11
        mov %rbx, %r14
        out %al, $0xf4
`,
        1,
        {},
        masked ? undefined : withoutMaskedCpuid,
      );
      await toTheEnd(guest);
      const name = new Uint8Array(12);
      const view = new DataView(name.buffer);
      [Reg.R8, Reg.R9, Reg.R10].forEach((r, i) =>
        view.setUint32(i * 4, Number(guest.reg(r)), true)
      );
      assertEquals(new TextDecoder().decode(name), "icebpicebp\0\0");
      assertEquals(guest.reg(Reg.R12), 0n, "nothing is in other leaves");
      assertEquals(guest.reg(Reg.R13) >> 2n & 1n, 0n, "no SVM");
      const ecx = guest.reg(Reg.R11);
      assertEquals(ecx >> 31n & 1n, 1n, "a hypervisor is there");
      assertEquals(ecx >> 5n & 1n, 0n, "no VMX");
      // The rest is the platform's: SSE3, and the processors' count.
      assertEquals(ecx & 1n, 1n);
      assertEquals(guest.reg(Reg.R14) >> 16n & 0xffn, 1n);
      assertEquals(guest.machine.exitCounts.cpuid ?? 0, masked ? 0 : 4);
      guest.close();
    },
  });
}

const PIT_GUEST = `
        ${picAt(32, 0xfe)}
        mov $0x34, %al
        out %al, $0x43
        mov $0xa9, %al
        out %al, $0x40
        mov $4, %al
        out %al, $0x40
        sti
wait:   hlt
        cmp $20, %r15
        jb wait
        mov %r15, %rax
        out %al, $0xf4
vector32: inc %r15
        push %rax
        mov $0x20, %al
        out %al, $0x20
        pop %rax
        iretq
`;

Deno.test({
  name: "the PIC's interrupts wake a halted processor",
  ignore,
  async fn() {
    const guest = await LongMode.start(PIT_GUEST);
    assertEquals(await toTheEnd(guest), 41);
    // 20 periods of 1193 / 1193182 Hz.
    const ms = Number(guest.opened.clock.now() / 1_000_000n);
    // Counted time is exact; a busy host may be late.
    assert(ms >= 19 && (ms < 40 || !guest.opened.soft), `${ms} ms`);
    guest.close();
  },
});

Deno.test({
  name: "the PIC's interrupts are as many while another processor halts",
  ignore: ignore || testPlatform() !== "soft",
  async fn() {
    const guest = await LongMode.start(
      `
        cmp $0, %edi
        jne off
${PIT_GUEST}
off:    cli
        hlt
`,
      2,
    );
    assertEquals(await toTheEnd(guest), 41);
    const ms = Number(guest.opened.clock.now() / 1_000_000n);
    // No time is skipped before the processor that is to take one is back.
    assert(ms >= 19 && ms < 40, `${ms} ms`);
    guest.close();
  },
});

Deno.test({
  name: "the same run twice: same instructions, same time",
  ignore: ignore || testPlatform() !== "soft",
  async fn() {
    const times: unknown[] = [];
    for (let i = 0; i < 2; i++) {
      const guest = await LongMode.start(PIT_GUEST);
      await toTheEnd(guest);
      times.push(guest.instructions, guest.opened.clock.now());
      guest.close();
    }
    assertEquals(times.slice(0, 2), times.slice(2));
  },
});

Deno.test({
  name: "a guest that resets the machine starts anew and goes on",
  ignore,
  async fn() {
    const guest = await LongMode.start(`
        mov $0x9000, %ebx
        incb (%rbx)
        cmpb $3, (%rbx)
        je done
        mov $0xfe, %al
        out %al, $0x64
        jmp .
done:   mov %cr0, %rax
        mov $7, %al
        out %al, $0xf4
`);
    assertEquals(await toTheEnd(guest), 15);
    guest.close();
  },
});

Deno.test({
  name: "a triple fault stops; going on from it resets",
  ignore,
  async fn() {
    const guest = await LongMode.start(`
        mov $0x9000, %ebx
        incb (%rbx)
        cmpb $2, (%rbx)
        je done
        lidt empty
        ud2
done:   mov $0, %al
        out %al, $0xf4
empty:  .quad 0, 0
`);
    assertEquals((await guest.run()).reason, { kind: "exception", vector: 8 });
    assertEquals(await toTheEnd(guest), 1);
    guest.close();
  },
});

Deno.test({
  name: "a machine is saved, spoilt, loaded, and goes on as if nothing was",
  ignore,
  async fn() {
    const guest = await LongMode.start(PIT_GUEST);
    guest.break("vector32");
    for (let i = 0; i < 5; i++) await guest.run();
    const saved = guest.machine.save();
    for (let i = 0; i < 5; i++) await guest.run();
    guest.machine.memory.fill(0x100000, 64, 0xf4);
    const { vp } = guest.machine.processors[0];
    vp.set(Reg.R15, 77n);
    vp.set(Reg.Cr3, 0n);
    guest.machine.load(saved);
    assertEquals(guest.reg(Reg.R15), 4n);
    guest.unbreak("vector32");
    assertEquals(await toTheEnd(guest), 41);
    guest.close();
  },
});
