/**
 * Moves, exchanges, conditional moves and sets, LEA, flags, no-operations
 * (SDM vol.2).
 *
 * @module
 */
import type { Builder } from "../builder.ts";
import type { Feature } from "../features.ts";
import type { Family, Form } from "../form.ts";
import { DATA, DS, Flag, RAX, RBX, RCX, RDX } from "../layout.ts";
import {
  anyRegister,
  immediate,
  registerOrMemory,
  SIZES,
  WIDE_SIZES,
} from "./shared.ts";

export const CONDITIONS = [
  "O",
  "NO",
  "B",
  "AE",
  "E",
  "NE",
  "BE",
  "A",
  "S",
  "NS",
  "P",
  "NP",
  "L",
  "GE",
  "LE",
  "G",
];

function moveForms(): Form[] {
  const forms: Form[] = [];
  for (const size of SIZES) {
    const wide = size === 8 ? 0 : 1;
    const byteRegisters = size === 8;
    const bytes = Math.min(size / 8, 4);
    const pair = (name: string, opcode: number) =>
      forms.push({
        name,
        build(g) {
          g.begin(size);
          const reg = anyRegister(g);
          const rm = registerOrMemory(g, size);
          g.emit({ opcode: [opcode], size, byteRegisters, reg, rm });
        },
      });
    pair(`MOV r/m${size}, r${size}`, 0x88 + wide);
    pair(`MOV r${size}, r/m${size}`, 0x8a + wide);
    pair(`XCHG r/m${size}, r${size}`, 0x86 + wide);
    forms.push({
      name: `LOCK XCHG m${size}, r${size}`,
      build(g) {
        g.begin(size);
        const reg = anyRegister(g);
        const rm = g.memory(size / 8, { natural: true });
        g.emit({
          opcode: [0x86 + wide],
          size,
          byteRegisters,
          reg,
          rm,
          lock: true,
        });
      },
    }, {
      name: `MOV r/m${size}, imm${8 * bytes}`,
      build(g) {
        g.begin(size);
        const rm = registerOrMemory(g, size);
        g.emit({
          opcode: [0xc6 + wide],
          size,
          byteRegisters,
          reg: 0,
          rm,
          immediate: immediate(g, bytes),
        });
      },
    }, {
      name: `MOV r${size}, imm${size}`,
      build(g) {
        g.begin(size);
        const reg = anyRegister(g);
        // An empty REX makes AH to BH into SPL to DIL.
        if (g.mode === 64 && size === 8 && reg < 8 && g.rng.chance(30)) {
          g.code.push(0x40);
        }
        g.plain(size, reg, size === 8 ? 0xb0 : 0xb8);
        for (let left = size / 8; left > 0; left -= 4) {
          g.code.push(...immediate(g, Math.min(left, 4)));
        }
      },
    });
    for (const store of [false, true]) {
      forms.push({
        name: store
          ? `MOV moffs${size}, accumulator`
          : `MOV accumulator, moffs${size}`,
        build(g) {
          g.begin(size);
          const target = g.target(size / 8, {});
          g.patchValues(target, size / 8, "i32");
          const offset = target - g.segmentBase(DS);
          const other = g.rng.chance(30);
          let width: number = g.mode;
          if (other) width = g.mode === 32 ? 16 : 32;
          const fits = width > 16 || (offset >= 0 && offset < 0x1_0000);
          if (!fits) width = 32;
          if (width !== g.mode) g.code.push(0x67);
          g.plain(size, 0, (store ? 0xa2 : 0xa0) + wide);
          for (let i = 0; i < width / 8; i++) {
            g.code.push(i < 4 ? (offset >> (8 * i)) & 0xff : 0);
          }
          // Now and then an address that is not canonical.
          if (width === 64 && g.rng.chance(3)) g.code[g.code.length - 1] = 0x55;
        },
      });
    }
  }
  for (const size of WIDE_SIZES) {
    forms.push({
      name: `XCHG accumulator, r${size}`,
      build(g) {
        g.begin(size);
        const reg = anyRegister(g);
        g.plain(size, reg, 0x90); // with reg 0 it is NOP
      },
    }, {
      name: `MOV r${size}, Sreg`,
      build(g) {
        g.begin(size);
        const reg = g.rng.pick([0, 1, 2, 3, 4, 5]);
        const rm = g.rng.chance(50) ? anyRegister(g) : g.memory(2);
        g.emit({ opcode: [0x8c], size, reg, rm });
      },
    }, {
      name: `LEA r${size}, m`,
      build(g) {
        g.begin(size);
        const target = g.rng.chance(50)
          ? g.rng.u32()
          : DATA + g.rng.int(0x2000);
        const rm = g.address(target, true);
        g.emit({ opcode: [0x8d], size, reg: anyRegister(g), rm });
      },
    });
  }
  for (const size of [32, 64]) {
    forms.push({
      name: `MOVNTI m${size}, r${size}`,
      feature: "sse2",
      build(g) {
        g.begin(size);
        const reg = anyRegister(g);
        g.emit({ opcode: [0x0f, 0xc3], size, reg, rm: g.memory(size / 8) });
      },
    });
  }
  return forms;
}

function extensionForms(): Form[] {
  const forms: Form[] = [];
  const table: [string, number, number][] = [
    ["MOVZX", 0xb6, 8],
    ["MOVZX", 0xb7, 16],
    ["MOVSX", 0xbe, 8],
    ["MOVSX", 0xbf, 16],
  ];
  for (const [op, opcode, from] of table) {
    for (const size of WIDE_SIZES) {
      forms.push({
        name: `${op} r${size}, r/m${from}`,
        build(g) {
          g.begin(from);
          const reg = anyRegister(g);
          const rm = registerOrMemory(g, from);
          const byteRegisters = from === 8;
          g.emit({ opcode: [0x0f, opcode], size, byteRegisters, reg, rm });
        },
      });
    }
  }
  for (const size of WIDE_SIZES) {
    forms.push({
      name: `MOVSXD r${size}, r/m${Math.min(size, 32)}`,
      build(g) {
        g.begin(32);
        const reg = anyRegister(g);
        // With a 16-bit operand size Intel reads 2 bytes, AMD 4.
        const faults = size !== 16;
        if (!faults) g.flags &= ~Flag.AC;
        const rm = registerOrMemory(g, Math.min(size, 32), { faults });
        g.emit({ opcode: [0x63], size, reg, rm });
      },
    });
  }
  return forms;
}

function conditionForms(): Form[] {
  return CONDITIONS.flatMap((condition, code): Form[] => [
    {
      name: `SET${condition} r/m8`,
      build(g) {
        g.begin(8);
        const rm = registerOrMemory(g, 8);
        const opcode = [0x0f, 0x90 | code];
        g.emit({ opcode, byteRegisters: true, reg: g.rng.int(8), rm });
      },
    },
    ...WIDE_SIZES.map((size): Form => ({
      name: `CMOV${condition} r${size}, r/m${size}`,
      feature: "cmov",
      build(g) {
        g.begin(size);
        const reg = anyRegister(g);
        const rm = registerOrMemory(g, size);
        g.emit({ opcode: [0x0f, 0x40 | code], size, reg, rm });
      },
    })),
  ]);
}

function exchangeForms(): Form[] {
  const forms: Form[] = [];
  for (const size of SIZES) {
    const wide = size === 8 ? 0 : 1;
    for (const lock of [false, true]) {
      const prefix = lock ? "LOCK " : "";
      const operand = lock ? `m${size}` : `r/m${size}`;
      const rmOf = (g: Builder) =>
        lock
          ? g.memory(size / 8, { natural: true })
          : registerOrMemory(g, size);
      forms.push({
        name: `${prefix}XADD ${operand}, r${size}`,
        build(g) {
          g.begin(size);
          const reg = anyRegister(g);
          g.emit({
            opcode: [0x0f, 0xc0 + wide],
            size,
            lock,
            byteRegisters: size === 8,
            reg,
            rm: rmOf(g),
          });
        },
      }, {
        name: `${prefix}CMPXCHG ${operand}, r${size}`,
        build(g) {
          g.begin(size);
          const mask = (1n << BigInt(size)) - 1n;
          g.pin(RAX);
          let rm = rmOf(g);
          if (g.rng.chance(50)) {
            // Make it equal to the accumulator.
            if (typeof rm === "number") {
              if (rm !== 4) {
                g.setGpr(rm, g.gpr[rm] & ~mask | g.gpr[RAX] & mask);
              }
            } else {
              const bytes = new Uint8Array(size / 8);
              for (let i = 0; i < bytes.length; i++) {
                bytes[i] = Number(g.gpr[RAX] >> BigInt(8 * i) & 0xffn);
              }
              rm = g.memory(bytes.length, {
                natural: lock,
                content: bytes,
                faults: false,
              });
            }
          }
          g.emit({
            opcode: [0x0f, 0xb0 + wide],
            size,
            lock,
            byteRegisters: size === 8,
            reg: anyRegister(g),
            rm,
          });
        },
      });
    }
  }
  for (const lock of [false, true]) {
    for (
      const [op, size, feature] of [
        ["CMPXCHG8B", 64, "cx8"],
        ["CMPXCHG16B", 128, "cx16"],
      ] as [string, number, Feature][]
    ) {
      forms.push({
        name: `${lock ? "LOCK " : ""}${op} m${size}`,
        feature,
        build(g) {
          g.begin(64);
          g.pin(RAX, RDX, RCX, RBX);
          const content = new Uint8Array(size / 8);
          const half = content.length / 2;
          const equal = g.rng.chance(50);
          for (let i = 0; i < content.length; i++) {
            const value = i < half ? g.gpr[RAX] : g.gpr[RDX];
            content[i] = Number(value >> BigInt(8 * (i % half)) & 0xffn);
          }
          if (!equal) content[g.rng.int(content.length)] ^= 1 << g.rng.int(8);
          const rm = g.memory(size / 8, {
            content,
            faults: false,
            natural: lock,
            align: size === 128 ? 16 : 1,
          });
          g.emit({
            opcode: [0x0f, 0xc7],
            rexW: size === 128,
            lock,
            reg: 1,
            rm,
          });
        },
      });
    }
  }
  return forms;
}

function flagForms(): Form[] {
  const table: [string, number[], Feature?][] = [
    ["CLC", [0xf8]],
    ["STC", [0xf9]],
    ["CMC", [0xf5]],
    ["CLD", [0xfc]],
    ["STD", [0xfd]],
    ["LAHF", [0x9f], "lahf64"],
    ["SAHF", [0x9e], "lahf64"],
    ["NOP", [0x90]],
    ["PAUSE", [0xf3, 0x90]],
    ["LFENCE", [0x0f, 0xae, 0xe8], "sse2"],
    ["MFENCE", [0x0f, 0xae, 0xf0], "sse2"],
    ["SFENCE", [0x0f, 0xae, 0xf8], "sse"],
  ];
  const forms = table.map(([name, code, feature]): Form => ({
    name,
    feature,
    build(g) {
      g.begin(8);
      g.code.push(...code);
    },
  }));
  forms.push({
    name: "NOP r/m",
    build(g) {
      g.begin(64);
      const opcode = [0x0f, 0x1f];
      g.emit({
        opcode,
        size: g.rng.pick(WIDE_SIZES),
        reg: 0,
        rm: registerOrMemory(g, 32),
      });
    },
  }, {
    name: "PREFETCHh m8",
    feature: "sse",
    build(g) {
      g.begin(64);
      g.emit({ opcode: [0x0f, 0x18], reg: g.rng.int(4), rm: g.memory(1) });
    },
  }, {
    name: "PREFETCHW m8",
    build(g) {
      g.begin(64);
      g.emit({ opcode: [0x0f, 0x0d], reg: 1, rm: g.memory(1) });
    },
  }, {
    name: "CLFLUSH m8",
    feature: "sse2",
    build(g) {
      g.begin(64);
      g.emit({ opcode: [0x0f, 0xae], reg: 7, rm: g.memory(1) });
    },
  }, {
    name: "XLAT",
    build(g) {
      g.begin(8);
      const target = g.target(1, {});
      const al = g.words[2 * RAX] & 0xff;
      g.setPointer(RBX, DS, target - al);
      g.code.push(0xd7);
    },
  });
  return forms;
}

function baseForms(): Form[] {
  const names = ["RDFSBASE", "RDGSBASE", "WRFSBASE", "WRGSBASE"];
  return names.flatMap((op, digit) =>
    [32, 64].map((size): Form => ({
      name: `${op} r${size}`,
      feature: "fsgsbase",
      build(g) {
        g.begin(64);
        g.address(DATA); // gives FS or GS a base now and then
        const rm = anyRegister(g);
        g.emit({
          opcode: [0x0f, 0xae],
          mandatory: 0xf3,
          rexW: size === 64,
          reg: digit,
          rm,
        });
      },
    }))
  );
}

export const move: Family[] = [
  { name: "MOV XCHG LEA", forms: moveForms() },
  { name: "MOVZX MOVSX", forms: extensionForms() },
  { name: "CMOVcc SETcc", forms: conditionForms() },
  { name: "XADD CMPXCHG", forms: exchangeForms() },
  { name: "flags and hints", forms: flagForms() },
  { name: "FS and GS base", forms: baseForms() },
];
