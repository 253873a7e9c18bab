// Random programs of ring 0 (kernel.ts), as text: loops of what changes how code and data
// are seen, between instructions as there are in every program.

import type { Prng } from "../../../silicon/prng.ts";
import { AT, FUNCTION_PAGES, OWN, SEL } from "./kernel.ts";

const h = (n: number | bigint) => `0x${n.toString(16)}`;
const own = (name: keyof typeof OWN) => h(AT.own + OWN[name]);

/** Registers that snippets may change: RSP is the stack's, R15 counts loops. */
const FREE = "rax rcx rdx rbx rsi rdi r8 r9 r10 r11 r12 r13 r14".split(" ");
const SUFFIX = ["b", "w", "l", "q"] as const;

function sized(name: string, size: number): string {
  if (size === 3) return name;
  if (/^r\d/.test(name)) return name + ["b", "w", "d"][size];
  const word = name.slice(1);
  if (size === 2) return `e${word}`;
  if (size === 1) return word;
  return /x$/.test(word) ? `${word[0]}l` : `${word}l`;
}

/** What a program may do. */
export interface Traits {
  readonly cpus: number;
  /** Interrupts are on. */
  readonly interrupts: boolean;
  /** Ways to real mode: no NMIs then. */
  readonly real: boolean;
}

/** Writes the programs of one seed, for each processor: `name` begins its labels. */
export class Writer {
  readonly #r: Prng;
  readonly #name: string;
  readonly #traits: Traits;
  #lines: string[] = [];
  #labels = 0;
  /** Labels of immediates that can be changed, of all processors. */
  readonly #changeable: string[] = [];

  constructor(r: Prng, name: string, traits: Traits) {
    this.#r = r;
    this.#name = name;
    this.#traits = traits;
  }

  /** The text; processor N begins at `NAME_cpuN`. */
  text(): string {
    for (let cpu = 0; cpu < this.#traits.cpus; cpu++) this.#processor(cpu);
    return this.#lines.join("\n");
  }

  #out(...lines: string[]): void {
    this.#lines.push(...lines);
  }
  #label(): string {
    return `${this.#name}_${this.#labels++}`;
  }

  #processor(cpu: number): void {
    const r = this.#r;
    const loops = 2 + r.int(3);
    const tops = Array.from({ length: loops }, () => this.#label());
    this.#out(
      `.skip ${r.int(300)}, 0x90`,
      `.globl ${this.#name}_cpu${cpu}`,
      `${this.#name}_cpu${cpu}:`,
    );
    for (let n = 0; n < loops; n++) {
      this.#out(
        `${tops[n]}:`,
        `movq $${tops[(n + 1) % loops]}, ${own("restart")}`,
      );
      for (let i = r.int(2); i > 0; i--) this.#special();
      const top = this.#label();
      this.#out(`mov $${r.pick([5, 20, 60, 200, 400])}, %r15d`, `${top}:`);
      const few = r.chance(75);
      for (let i = 2 + r.int(6); i > 0; i--) {
        if (r.chance(few ? 15 : 60)) this.#special();
        else this.#plain();
      }
      this.#out("dec %r15d", `jnz ${top}`);
      if (r.chance(20)) this.#out(`.skip ${r.int(60)}, 0x90`);
    }
    this.#out(`jmp ${tops[0]}`);
  }

  #reg(size = 3): string {
    return `%${sized(this.#r.pick(FREE), size)}`;
  }

  /** A place in what moves; now and then on two pages. */
  #place(bytes = 8): string {
    const r = this.#r;
    const page = r.int(8) * 0x1000;
    const offset = r.chance(10) ? 0x1000 - 1 - r.int(bytes) : r.int(0xff0);
    return h(AT.moving + page + offset);
  }

  /** Leaves the address of a page's entry in RBX: of those that move, by number. */
  #entry(page: number): void {
    this.#out(
      "mov %cr3, %rbx",
      "and $~0xfff, %rbx",
      `add $${h(0x7000 + page * 8)}, %rbx`,
    );
  }
  #anyPage(): number {
    const r = this.#r;
    return r.chance(60)
      ? r.int(8)
      : r.chance(70)
      ? 16 + r.int(FUNCTION_PAGES)
      : r.pick([32, 48, 49, 50]);
  }
  #invalidate(page: number): void {
    this.#out(`invlpg ${h(AT.moving + page * 0x1000)}`);
  }

  /** What follows may fault; a handler goes on behind it. */
  #risky(...lines: string[]): void {
    const after = this.#label();
    this.#out(`movq $${after}, ${own("resume")}`, ...lines, `${after}:`);
  }

  #plain(): void {
    const r = this.#r;
    const size = r.int(4);
    const s = SUFFIX[size];
    const a = this.#reg(size), b = this.#reg(size);
    const op = r.pick("add or adc sbb and sub xor cmp mov test".split(" "));
    switch (r.int(14)) {
      case 0:
      case 1:
        return this.#out(`${op}${s} ${a}, ${b}`);
      case 2:
      case 3:
        return this.#out(`${op}${s} ${a}, ${this.#place()}`);
      case 4:
      case 5:
        if (op === "test") return this.#out(`test${s} ${a}, ${this.#place()}`);
        return this.#out(`${op}${s} ${this.#place()}, ${b}`);
      case 6: {
        const at = this.#label();
        this.#out(`${at}: mov $${r.int(1 << 30)}, ${this.#reg(2)}`);
        // MOV to R8 and further has a REX
        const rex = /%r\d/.test(this.#lines.at(-1)!);
        this.#changeable.push(`${at} + ${rex ? 2 : 1}`);
        return;
      }
      case 7: {
        const over = this.#label();
        const condition = r.pick(
          "z nz c nc s ns o no p np l ge le g be a".split(" "),
        );
        this.#out(`j${condition} ${over}`);
        this.#out(`add${s} ${a}, ${this.#place()}`, `inc${s} ${b}`);
        return this.#out(`${over}:`);
      }
      case 8:
        return this.#out(`push ${this.#reg()}`, `pop ${this.#reg()}`);
      case 9:
        return this.#out(
          `${r.pick(["shl", "shr", "sar", "rol", "rcr"])}${s} $${
            r.int(9)
          }, ${a}`,
        );
      case 10:
        return this.#out(
          `movzb${size === 1 ? "w" : "l"} ${this.#place()}, ${
            this.#reg(size === 1 ? 1 : 2)
          }`,
        );
      case 11:
        return this.#out(
          `imul ${this.#place()}, ${this.#reg(2)}`,
          `set${r.pick(["o", "c", "z", "s"])} ${this.#place(1)}`,
        );
      case 12:
        return this.#out(
          `movups ${this.#place(16)}, %xmm${r.int(8)}`,
          `${r.pick(["paddd", "mulps", "addpd", "pxor", "divps"])} %xmm${
            r.int(8)
          }, %xmm${r.int(8)}`,
          `movups %xmm${r.int(8)}, ${this.#place(16)}`,
        );
      default:
        return this.#out(
          `fldl ${this.#place()}`,
          `fadds ${this.#place(4)}`,
          `fstpl ${this.#place()}`,
        );
    }
  }

  #special(): void {
    const r = this.#r;
    r.pick(this.#specials)();
  }

  readonly #specials: readonly (() => void)[] = [
    // --- paging
    () => this.#out(`invlpg ${this.#place()}`),
    () => this.#out("mov %cr3, %rax", "mov %rax, %cr3"),
    // the other set of tables
    () => {
      this.#out(
        "mov %cr3, %rax",
        "and $~0xfff, %rax",
        "xor $0x8000, %rax",
        "mov %rax, %cr3",
      );
    },
    // PCID
    () => {
      const r = this.#r;
      this.#risky(
        "mov %cr3, %rcx",
        "and $~0xfff, %rcx",
        "mov %rcx, %cr3",
        "mov %cr4, %rax",
        r.chance(75) ? "or $0x20000, %rax" : "and $~0x20000, %rax",
        "mov %rax, %cr4",
        `lea ${r.int(3)}(%rcx), %rax`,
        ...r.chance(60) ? ["bts $63, %rax"] : [],
        "mov %rax, %cr3",
      );
    },
    () => {
      const r = this.#r;
      this.#risky(
        `movq $${r.int(3)}, ${own("spare")} - 8`,
        `movq $${this.#place()}, ${own("spare")}`,
        `mov $${r.int(4)}, %eax`,
        `invpcid ${own("spare")} - 8, %rax`,
      );
    },
    // PGE, SMEP, SMAP; WP
    () => {
      const bit = this.#r.pick([7, 7, 20, 21]);
      this.#risky("mov %cr4, %rax", `btc $${bit}, %rax`, "mov %rax, %cr4");
    },
    () => this.#out(...bitOf("%cr0", this.#r.pick(["btc", "bts"]), 16)),
    () => this.#risky("stac", `mov ${this.#place()}, %eax`, "clac"),
    // TS, and who finds it
    () =>
      this.#out(
        ...bitOf("%cr0", "bts", 3),
        this.#r.pick(["fnop", "pxor %xmm1, %xmm1", "fld1"]),
      ),
    () => this.#out("fldz", "fstp %st(0)"),
    // a bit of a page's entry: present, writable, user, accessed, dirty, global, NX
    () => this.#changeEntry(),
    () => this.#changeEntry(),
    () => this.#changeEntry(),
    // accessed and dirty, read
    () => {
      const page = this.#anyPage();
      this.#entry(page);
      this.#out("mov (%rbx), %rax", "and $0x60, %eax", "add %rax, %r12");
      if (this.#r.chance(50)) this.#out("andb $0x9f, (%rbx)");
      if (this.#r.chance(50)) this.#invalidate(page);
    },
    // two pages change places
    () => this.#swap(),
    () => this.#swap(),
    // a large page's entry in the other tables; large pages are not split by hand
    () =>
      this.#out(
        "mov %cr3, %rbx",
        "and $~0xfff, %rbx",
        `testb $0x80, 0x2010(%rbx)`,
        "jz 1f",
        `${this.#r.pick(["btc", "btr"])}q $${
          this.#r.pick([5, 6, 8])
        }, 0x2010(%rbx)`,
        `1: invlpg ${h(AT.data)}`,
        `mov ${h(AT.data + 0x100)}, %eax`,
      ),
    // NXE
    () =>
      this.#risky(
        "mov $0xc0000080, %ecx",
        "rdmsr",
        "btc $11, %eax",
        "wrmsr",
      ),
    // --- code that moves
    () => this.#callMoving(),
    () => this.#callMoving(),
    () => this.#callMoving(),
    // its immediate, by the other address of its page
    () => {
      const page = this.#r.int(FUNCTION_PAGES);
      this.#out(
        `addl $${this.#r.int(1 << 20)}, ${
          h(AT.functions + page * 0x1000 + 0x42)
        }`,
      );
    },
    () => {
      const page = this.#r.int(FUNCTION_PAGES);
      this.#out(`incw ${h(AT.functions + page * 0x1000)}`);
    },
    // an immediate of this program, or of another processor's
    () => this.#modify(),
    () => this.#modify(),
    () => this.#modify(),
    // --- segments
    () =>
      this.#out(
        `mov $${h(AT.moving)}, %eax`,
        `wr${this.#r.pick(["fs", "gs"])}base %rax`,
        `${this.#r.pick(["addl", "movl"])} %ecx, %${
          this.#r.pick(["fs", "gs"])
        }:${this.#r.int(0x1000)}`,
      ),
    () => this.#risky(`mov %gs:${this.#r.int(64) * 8}, %edx`, "swapgs"),
    () =>
      this.#risky(
        `mov $${this.#r.pick([0, SEL.data, SEL.userData, 0x50, 0x33])}, %eax`,
        `mov %eax, %${this.#r.pick(["fs", "gs", "ds", "es", "ss"])}`,
      ),
    () =>
      this.#risky(
        `mov $0xc000010${this.#r.int(3)}, %ecx`,
        `mov $${h(AT.moving)}, %eax`,
        `mov $${this.#r.pick([0, 0, 0, 0x80000000])}, %edx`,
        "wrmsr",
      ),
    // --- ring 3
    () => this.#user(),
    () => this.#user(),
    // --- debugging
    () =>
      this.#out(
        `movq $${1 + this.#r.int(20)}, ${own("steps")}`,
        "pushf",
        "orl $0x100, (%rsp)",
        "popf",
      ),
    () => {
      const r = this.#r;
      const n = r.int(4);
      const at = this.#label();
      const bits = r.pick([0, 1, 3]), length = r.pick([0, 1, 3]);
      const dr7 = 0x400 | 2 << n * 2 |
        (bits << 16 | (bits === 0 ? 0 : length) << 18) << n * 4;
      const place = bits === 0
        ? at
        : h(AT.moving + r.int(8) * 0x1000 + r.int(64) * 8);
      this.#out(
        `mov $${place}, %eax`,
        `mov %rax, %dr${n}`,
        `mov $${h(dr7 >>> 0)}, %eax`,
        "mov %rax, %dr7",
        `${at}: add $1, %edx`,
      );
    },
    () => this.#out("xor %eax, %eax", "mov %rax, %dr7"),
    () =>
      this.#risky(this.#r.pick(["int3", ".byte 0xf1", "int $4", "int $0x45"])),
    // --- exceptions
    () =>
      this.#risky(
        this.#r.pick([
          "ud2",
          `mov $${h(1n << 63n | 5n)}, %rax\nmov (%rax), %ecx`,
          "xor %ecx, %ecx\ndiv %ecx",
          "mov $0xffff, %eax\nltr %ax",
          "lret $8",
          "movaps 0x600001, %xmm1",
          "mov $-1, %rax\nmov %rax, %cr4",
          "jmp *0x600000",
        ]),
      ),
    // --- flags and interrupts
    () => this.#out(this.#traits.interrupts ? "sti" : "cld"),
    () => this.#out("cli", `add %eax, ${this.#place()}`, this.#sti()),
    () => this.#out("pushf", "cli", "incl %eax", "popf"),
    () => this.#out(`mov $${SEL.data}, %eax`, "mov %eax, %ss", "inc %ecx"),
    () => this.#out(`mov $${this.#r.int(16)}, %eax`, "mov %rax, %cr8"),
    () => this.#out("mov %cr8, %rax", "mov %cr2, %rcx", "add %rax, %rdx"),
    // a timer, and waiting for it
    () => this.#timer(),
    () => this.#timer(),
    () => {
      if (!this.#traits.interrupts) return this.#out("pause");
      this.#timer();
      this.#out("xor %eax, %eax", "mov %rax, %cr8", "sti", "hlt");
    },
    () => this.#out("pause", "pause"),
    () =>
      this.#out(
        "mov $0x34, %al",
        "out %al, $0x43",
        `mov $${10 + this.#r.int(100)}, %al`,
        "out %al, $0x40",
        "xor %eax, %eax",
        "out %al, $0x40",
        `mov $${this.#r.pick([0xfe, 0xff, 0xfe])}, %al`,
        "out %al, $0x21",
      ),
    // --- time, CPUID
    () => this.#out("rdtsc", `mov %eax, ${this.#place()}`),
    () =>
      this.#out(`mov $${this.#r.int(0x17)}, %eax`, "xor %ecx, %ecx", "cpuid"),
    () => this.#out("rdtscp", "add %ecx, %r9d"),
    () => this.#risky("xor %ecx, %ecx", "rdpmc"),
    // --- REP
    () => this.#repeat(),
    () => this.#repeat(),
    // --- devices
    () => this.#mmio(),
    () => this.#mmio(),
    () => this.#port(),
    () => this.#port(),
    // --- floating point
    () =>
      this.#out(
        `movl $${
          this.#r.pick([0x1f80, 0x1f00, 0x9fc0, 0x3f80, 0x7f80, 0x0000, 0x1d80])
        }, ${own("spare")}`,
        `ldmxcsr ${own("spare")}`,
        `divps ${h(AT.moving + this.#r.int(8) * 0x1000 + 64)}, %xmm${
          this.#r.int(8)
        }`,
        `cvtps2dq %xmm${this.#r.int(8)}, %xmm2`,
      ),
    () =>
      this.#out(
        `movw $${this.#r.pick([0x37f, 0x340, 0x27f, 0xf7f, 0x372, 0x37e])}, ${
          own("spare")
        }`,
        `fldcw ${own("spare")}`,
        `fldl ${this.#place()}`,
        `fmull ${this.#place()}`,
        `${this.#r.pick(["fsqrt", "fchs", "frndint", "fld %st(0)", "fsin"])}`,
        `fstps ${this.#place()}`,
      ),
    () => {
      const at = h(AT.data + 0xd000 + this.#r.int(2) * 0x200);
      this.#risky(
        `${this.#r.pick(["fxsave", "fxrstor", "fxsave64"])} ${at}`,
        "stmxcsr 0x600010",
        "ldmxcsr 0x600010",
      );
    },
    () => this.#out("fninit", "fld1", "fldpi"),
    () =>
      this.#risky(
        "mov $3, %eax",
        "xor %edx, %edx",
        `${this.#r.pick(["xsave", "xrstor"])} ${h(AT.data + 0xe000)}`,
      ),
    // --- other processors
    () => this.#out(`lock incl ${h(AT.data + 0x8000 + this.#r.int(16) * 4)}`),
    () =>
      this.#out(
        `mov ${h(AT.data + 0x8000)}, %eax`,
        `lock cmpxchg %ecx, ${h(AT.data + 0x8004)}`,
        `lock xadd %rdx, ${h(AT.data + 0x8008)}`,
      ),
    () => {
      const top = this.#label();
      this.#out(
        `mov $${1 + this.#r.int(200)}, %ecx`,
        `${top}: pause`,
        `cmp ${h(AT.data + 0x8000)}, %eax`,
        `loopne ${top}`,
      );
    },
    () => this.#ipi(),
    () => this.#ipi(),
    // --- other modes
    () => this.#mode(),
    () => this.#mode(),
  ];

  #sti(): string {
    return this.#traits.interrupts ? "sti" : "cld";
  }

  #changeEntry(): void {
    const r = this.#r;
    const page = this.#anyPage();
    const bit = r.pick([0, 0, 1, 1, 2, 5, 6, 8, 63]);
    this.#entry(page);
    this.#out(`${r.pick(["btc", "btr", "bts"])}q $${bit}, (%rbx)`);
    if (r.chance(60)) this.#invalidate(page);
  }

  #swap(): void {
    const r = this.#r;
    const page = r.chance(50) ? r.int(7) : 16 + r.int(FUNCTION_PAGES - 1);
    this.#entry(page);
    const other = r.pick([8, 8, 8, 16]);
    this.#out(
      "mov (%rbx), %rax",
      `xchg ${other}(%rbx), %rax`,
      "mov %rax, (%rbx)",
    );
    if (r.chance(70)) {
      this.#invalidate(page);
      this.#invalidate(page + other / 8);
    }
    if (r.chance(20)) this.#out(`movq $${page}, ${own("swap")}`);
  }

  #callMoving(): void {
    const r = this.#r;
    const page = r.int(FUNCTION_PAGES);
    const offset = r.pick([0x40, 0x40, 0x80, 0xfe0]);
    this.#out(
      `mov $${r.pick([1, 3, 30])}, %edx`,
      `mov $${h(AT.movingFunctions + page * 0x1000 + offset)}, %eax`,
      "call *%rax",
    );
  }

  #modify(): void {
    const r = this.#r;
    if (this.#changeable.length === 0) return this.#plain();
    const at = r.pick(this.#changeable);
    this.#out(`${r.pick(["incl", "addb $3,", "xorw $0x101,"])} ${at}`);
  }

  #user(): void {
    const r = this.#r;
    const back = this.#label();
    const steps = r.chance(15);
    this.#out(
      `movq $${back}, ${own("userBack")}`,
      `mov %rsp, ${own("kernelRsp")}`,
      `movq $${1 + r.int(30)}, ${own("steps")}`,
      `push $${SEL.userData}`,
      `push $${h(AT.userMoving + 0x3f00)}`,
      "pushf",
      `${steps ? "orl" : "andl"} $${steps ? 0x100 : -0x101}, (%rsp)`,
      `push $${SEL.user}`,
      `push $u${r.int(5)} - user_begin + ${h(AT.user)}`,
      "iretq",
      `${back}:`,
    );
  }

  #timer(): void {
    const r = this.#r;
    this.#out("mov $0xfee00000, %eax");
    if (r.chance(30)) {
      this.#out(
        "movl $0x40040, 0x320(%rax)",
        "rdtsc",
        `add $${r.pick([50, 500, 5000])}, %eax`,
        "adc $0, %edx",
        "mov $0x6e0, %ecx",
        "wrmsr",
      );
    } else {
      const mode = r.pick([0x40, 0x40, 0x20040]);
      this.#out(
        `movl $${h(mode)}, 0x320(%rax)`,
        "movl $0xb, 0x3e0(%rax)",
        `movl $${r.pick([20, 100, 1000, 5000]) + r.int(50)}, 0x380(%rax)`,
      );
    }
  }

  #repeat(): void {
    const r = this.#r;
    const size = r.int(4);
    const s = SUFFIX[size];
    const down = r.chance(15);
    const at = () => h(AT.moving + r.int(6) * 0x1000 + 0x800 + r.int(0x700));
    this.#out(
      `mov $${at()}, %edi`,
      `mov $${at()}, %esi`,
      `mov $${r.pick([0, 1, 7, 200, 600]) >> (size > 1 ? 1 : 0)}, %ecx`,
      ...down ? ["std"] : [],
      r.pick([
        `rep movs${s}`,
        `rep stos${s}`,
        `repe cmps${s}`,
        `repne scas${s}`,
        `rep lods${s}`,
      ]),
      "cld",
    );
  }

  #mmio(): void {
    const r = this.#r;
    this.#out("mov $0xfee00000, %ebx");
    this.#out(
      r.pick([
        "mov 0x390(%rbx), %eax",
        "add 0x20(%rbx), %eax",
        "mov 0x30(%rbx), %eax\nmov %eax, 0x600020",
        `mov $${h(0xfec00000)}, %ebx\nmovl $1, (%rbx)\nmov 0x10(%rbx), %eax`,
        "movl $0x30, 0x80(%rbx)\nmovl $0, 0x80(%rbx)",
        "orl $0x100, 0xf0(%rbx)",
        "push 0x300(%rbx)\npop %rax",
        "cmp %eax, 0x390(%rbx)",
        "xchg %eax, 0x3e0(%rbx)",
        "mov $0xc0000000, %ebx\nmov (%rbx), %eax\nincl 4(%rbx)",
      ]),
    );
  }

  #port(): void {
    const r = this.#r;
    this.#out(
      r.pick([
        "out %al, $0x80",
        "in $0x61, %al",
        "in $0x40, %al",
        "xor %eax, %eax\nout %al, $0x43\nin $0x40, %al",
        "in $0x21, %al",
        "mov $0x3fd, %edx\nin %dx, %al",
        "mov $0xb008, %edx\nin %dx, %eax",
        "mov $0x1234, %edx\nout %eax, %dx",
        "mov $0x600100, %edi\nmov $12, %ecx\nmov $0x40, %edx\nrep insb",
        "mov $0x600100, %esi\nmov $12, %ecx\nmov $0x80, %edx\nrep outsb",
        "mov $0xa, %al\nout %al, $0x70\nin $0x71, %al",
      ]),
    );
  }

  #ipi(): void {
    const r = this.#r;
    const { cpus, real } = this.#traits;
    const to = r.int(cpus);
    const nmi = !real && r.chance(30);
    this.#out(
      "mov $0xfee00000, %eax",
      `movl $${h((to << 24) >>> 0)}, 0x310(%rax)`,
      `movl $${
        nmi ? "0x400" : r.pick(["0x4050", "0x44051", "0xc4052", "0x84053"])
      }, 0x300(%rax)`,
    );
  }

  #mode(): void {
    const r = this.#r;
    const back = this.#label(), in32 = this.#label(), top = this.#label();
    const kind = r.int(this.#traits.real ? 3 : 2);
    this.#out(
      `movq $${back}, ${own("resume")}`,
      `movq $${back}, ${own("spare")}`,
      "pushf",
    );
    if (kind > 0) this.#out("cli");
    if (kind === 2) {
      // real mode has no PCIDs, and debug points are not for it
      this.#out(
        "xor %eax, %eax",
        "mov %rax, %dr7",
        "mov %cr3, %rax",
        "and $~0xfff, %rax",
        "mov %rax, %cr3",
        "mov %cr4, %rax",
        "and $~0x20000, %rax",
        "mov %rax, %cr4",
      );
    }
    this.#out(
      `push $${SEL.code32}`,
      `push $${in32}`,
      "lretq",
      ".code32",
      `${in32}:`,
    );
    this.#out(
      `mov $${SEL.data}, %eax`,
      "mov %eax, %ss",
      "mov %eax, %ds",
      "mov %eax, %es",
      `mov $${r.pick([3, 30, 100])}, %ecx`,
      `${top}:`,
    );
    for (let i = 1 + r.int(5); i > 0; i--) {
      this.#out(
        r.pick([
          `addl %ecx, ${this.#place()}`,
          `movw ${this.#place()}, %ax`,
          "push %edx\npop %esi",
          `addr16 mov 0x9000(%bx), %al`,
          "pushw %cx\npopw %di",
          `call 1f\n1: addl $4, %esp`,
          "incl %eax",
          "xchg %ebx, %edx",
          `.byte 0x66\nimul $5, %eax, %eax\n.byte 0x90, 0x90`,
          "aam\naaa\ndaa",
          "push %ebp\nmov %esp, %ebp\nleave",
          "movl $7, %es:0x600000",
          `fildl ${this.#place()}\nfistpl ${this.#place()}`,
        ]),
      );
    }
    this.#out("dec %ecx", `jnz ${top}`, "xor %ebx, %ebx");
    this.#out(
      kind === 0
        ? `ljmp $${SEL.code}, $${back}`
        : kind === 1
        ? `ljmp $${SEL.code16}, $low16`
        : `ljmp $${SEL.code32}, $real_way`,
      ".code64",
      `${back}:`,
      "popf",
      `movq $0, ${own("resume")}`,
    );
  }
}

/** Changes a bit of a control register. */
function bitOf(register: string, how: string, bit: number): string[] {
  return [
    `mov ${register}, %rax`,
    `${how} $${bit}, %rax`,
    `mov %rax, ${register}`,
  ];
}
