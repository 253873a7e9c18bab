/**
 * Bit tests and scans, POPCNT, BMI1, BMI2, ADX, CRC32, BSWAP, MOVBE
 * (SDM vol.2).
 *
 * @module
 */
import type { Builder } from "../builder.ts";
import type { Instruction, Memory } from "../encode.ts";
import type { Feature } from "../features.ts";
import type { Family, Form } from "../form.ts";
import {
  AF,
  anyRegister,
  CF,
  OF,
  PF,
  registerOrMemory,
  SF,
  SIZES,
  WIDE_SIZES,
} from "./shared.ts";

/** SDM vol.2 BT: "The OF, SF, AF, and PF flags are undefined." */
const BIT_TEST_UNDEFINED = OF | SF | AF | PF;

const BIT_TESTS: [string, number][] = [
  ["BT", 4],
  ["BTS", 5],
  ["BTR", 6],
  ["BTC", 7],
];

/** A register bit offset that stays near the operand, garbage above it. */
function bitOffset(g: Builder, size: number): number {
  const reg = g.freeGpr();
  const bound = g.rng.chance(50) ? size : 0x400;
  const offset = BigInt(g.rng.int(2 * bound) - bound);
  const low = offset & ((1n << BigInt(size)) - 1n);
  const garbage = size === 64
    ? 0n
    : (BigInt(g.rng.u32()) << 32n | BigInt(g.rng.u32())) >> BigInt(size) <<
      BigInt(size);
  g.setGpr(reg, low | garbage);
  return reg;
}

function bitTestForms(): Form[] {
  return BIT_TESTS.flatMap(([op, digit]) =>
    WIDE_SIZES.flatMap((size): Form[] => {
      const build = (g: Builder, lock: boolean) => {
        g.begin(size);
        g.undefined.flags = BIT_TEST_UNDEFINED;
        const reg = bitOffset(g, size);
        let rm: number | Memory = anyRegister(g);
        if (lock || g.rng.chance(65)) {
          rm = g.memory(size / 8, { margin: 0x80, natural: lock });
        }
        g.emit({ opcode: [0x0f, 0x83 | digit << 3], size, lock, reg, rm });
      };
      const buildImmediate = (g: Builder, lock: boolean) => {
        g.begin(size);
        g.undefined.flags = BIT_TEST_UNDEFINED;
        g.emit({
          opcode: [0x0f, 0xba],
          size,
          lock,
          reg: digit,
          rm: lock
            ? g.memory(size / 8, { natural: true })
            : registerOrMemory(g, size),
          immediate: [g.rng.int(256)],
        });
      };
      const forms: Form[] = [
        {
          name: `${op} r/m${size}, r${size}`,
          build: (g) => build(g, false),
        },
        {
          name: `${op} r/m${size}, imm8`,
          build: (g) => buildImmediate(g, false),
        },
      ];
      if (op === "BT") return forms;
      return [
        ...forms,
        {
          name: `LOCK ${op} m${size}, r${size}`,
          build: (g) => build(g, true),
        },
        {
          name: `LOCK ${op} m${size}, imm8`,
          build: (g) => buildImmediate(g, true),
        },
      ];
    })
  );
}

/** A source that is zero now and then; true if it is. */
function scanSource(
  g: Builder,
  size: number,
): { rm: number | Memory; zero: boolean } {
  const mask = (1n << BigInt(size)) - 1n;
  const zero = g.rng.chance(15);
  if (g.rng.chance(35)) {
    const rm = g.freeGpr();
    if (zero) g.setGpr(rm, g.gpr[rm] & ~mask);
    return { rm, zero: (g.gpr[rm] & mask) === 0n };
  }
  const content = new Uint8Array(size / 8);
  if (!zero) {
    const bit = g.rng.int(size);
    content[bit >> 3] = 1 << (bit & 7);
    if (g.rng.chance(60)) content[g.rng.int(content.length)] |= g.rng.int(256);
  }
  return { rm: g.memory(size / 8, { content, faults: false }), zero };
}

function scanForms(): Form[] {
  const table: [string, number, number, Feature | undefined, number][] = [
    // SDM vol.2 BSF, BSR: "The CF, OF, SF, AF, and PF flags are undefined."
    ["BSF", 0xbc, 0, undefined, CF | OF | SF | AF | PF],
    ["BSR", 0xbd, 0, undefined, CF | OF | SF | AF | PF],
    // SDM vol.2 TZCNT, LZCNT: "OF, SF, PF, and AF flags are undefined."
    ["TZCNT", 0xbc, 0xf3, "bmi1", OF | SF | PF | AF],
    ["LZCNT", 0xbd, 0xf3, "lzcnt", OF | SF | PF | AF],
    ["POPCNT", 0xb8, 0xf3, "popcnt", 0],
  ];
  return table.flatMap(([op, opcode, mandatory, feature, undefinedFlags]) =>
    WIDE_SIZES.map((size): Form => ({
      name: `${op} r${size}, r/m${size}`,
      feature,
      build(g) {
        g.begin(size);
        g.undefined.flags = undefinedFlags;
        const { rm, zero } = scanSource(g, size);
        const reg = anyRegister(g);
        // SDM vol.2 BSF, BSR: "If the content of the source operand is 0, the
        // content of the destination operand is undefined."
        if (zero && mandatory === 0) g.undefined.gprs = 1 << reg;
        g.emit({
          opcode: [0x0f, opcode],
          mandatory: mandatory || undefined,
          size,
          reg,
          rm,
        });
      },
    }))
  );
}

/** A VEX form with two sources; `order` says which of them is r/m. */
interface VexForm {
  name: string;
  opcode: number;
  map: number;
  pp: number;
  feature: Feature;
  undefinedFlags: number;
  /** ModRM.reg as an opcode extension; VEX.vvvv is then the destination. */
  digit?: number;
  immediate?: boolean;
  /** VEX.vvvv is not used. */
  noVvvv?: boolean;
}

/** SDM vol.2, "Flags Affected" of each of these. */
const VEX_FORMS: VexForm[] = [
  {
    name: "ANDN",
    opcode: 0xf2,
    map: 2,
    pp: 0,
    feature: "bmi1",
    undefinedFlags: AF | PF,
  },
  {
    name: "BEXTR",
    opcode: 0xf7,
    map: 2,
    pp: 0,
    feature: "bmi1",
    undefinedFlags: AF | SF | PF,
  },
  {
    name: "BLSR",
    opcode: 0xf3,
    map: 2,
    pp: 0,
    feature: "bmi1",
    undefinedFlags: AF | PF,
    digit: 1,
  },
  {
    name: "BLSMSK",
    opcode: 0xf3,
    map: 2,
    pp: 0,
    feature: "bmi1",
    undefinedFlags: AF | PF,
    digit: 2,
  },
  {
    name: "BLSI",
    opcode: 0xf3,
    map: 2,
    pp: 0,
    feature: "bmi1",
    undefinedFlags: AF | PF,
    digit: 3,
  },
  {
    name: "BZHI",
    opcode: 0xf5,
    map: 2,
    pp: 0,
    feature: "bmi2",
    undefinedFlags: AF | PF,
  },
  {
    name: "PEXT",
    opcode: 0xf5,
    map: 2,
    pp: 2,
    feature: "bmi2",
    undefinedFlags: 0,
  },
  {
    name: "PDEP",
    opcode: 0xf5,
    map: 2,
    pp: 3,
    feature: "bmi2",
    undefinedFlags: 0,
  },
  {
    name: "MULX",
    opcode: 0xf6,
    map: 2,
    pp: 3,
    feature: "bmi2",
    undefinedFlags: 0,
  },
  {
    name: "SARX",
    opcode: 0xf7,
    map: 2,
    pp: 2,
    feature: "bmi2",
    undefinedFlags: 0,
  },
  {
    name: "SHLX",
    opcode: 0xf7,
    map: 2,
    pp: 1,
    feature: "bmi2",
    undefinedFlags: 0,
  },
  {
    name: "SHRX",
    opcode: 0xf7,
    map: 2,
    pp: 3,
    feature: "bmi2",
    undefinedFlags: 0,
  },
  {
    name: "RORX",
    opcode: 0xf0,
    map: 3,
    pp: 3,
    feature: "bmi2",
    undefinedFlags: 0,
    immediate: true,
    noVvvv: true,
  },
];

/** Control values for BEXTR and BZHI are small; so are shift counts. */
function smallControl(g: Builder, reg: number): void {
  if (!g.isPinned(reg) && g.rng.chance(60)) {
    const start = g.rng.int(g.rng.chance(80) ? 65 : 256);
    const length = g.rng.int(g.rng.chance(80) ? 65 : 256);
    const above = BigInt(g.rng.u32()) << 32n;
    g.setGpr(reg, BigInt(start | length << 8) | above);
  }
}

function vexForms(): Form[] {
  return VEX_FORMS.flatMap((form) =>
    [32, 64].map((size): Form => ({
      name: `${form.name} r${size}, r/m${size}`,
      feature: form.feature,
      build(g) {
        g.begin(size);
        g.undefined.flags = form.undefinedFlags;
        const vvvv = form.noVvvv ? 0 : anyRegister(g);
        if (form.digit === undefined) smallControl(g, vvvv);
        g.pin(vvvv);
        g.emit({
          opcode: [form.opcode],
          vex: { map: form.map, pp: form.pp, w: size === 64 ? 1 : 0, vvvv },
          reg: form.digit ?? anyRegister(g),
          rm: registerOrMemory(g, size),
          immediate: form.immediate ? [g.rng.int(256)] : undefined,
        });
      },
    }))
  );
}

function miscellaneousForms(): Form[] {
  const forms: Form[] = [];
  const add = (
    name: string,
    feature: Feature | undefined,
    size: number,
    make: (g: Builder) => Instruction,
  ) =>
    forms.push({
      name,
      feature,
      build(g) {
        g.begin(size);
        g.emit(make(g));
      },
    });
  for (const size of [32, 64]) {
    for (const [op, mandatory] of [["ADCX", 0x66], ["ADOX", 0xf3]] as const) {
      add(`${op} r${size}, r/m${size}`, "adx", size, (g) => ({
        opcode: [0x0f, 0x38, 0xf6],
        mandatory,
        rexW: size === 64,
        reg: anyRegister(g),
        rm: registerOrMemory(g, size),
      }));
    }
    forms.push({
      name: `BSWAP r${size}`,
      build(g) {
        g.begin(size);
        const reg = anyRegister(g);
        g.plain(size, reg, 0x0f, 0xc8);
      },
    });
  }
  for (const size of WIDE_SIZES) {
    add(`MOVBE r${size}, m${size}`, "movbe", size, (g) => ({
      opcode: [0x0f, 0x38, 0xf0],
      size,
      reg: anyRegister(g),
      rm: g.memory(size / 8),
    }));
    add(`MOVBE m${size}, r${size}`, "movbe", size, (g) => ({
      opcode: [0x0f, 0x38, 0xf1],
      size,
      reg: anyRegister(g),
      rm: g.memory(size / 8),
    }));
  }
  for (const size of SIZES) {
    add(`CRC32 r32, r/m${size}`, "sse42", size, (g) => ({
      opcode: [0x0f, 0x38, size === 8 ? 0xf0 : 0xf1],
      mandatory: 0xf2,
      size,
      byteRegisters: size === 8,
      reg: anyRegister(g),
      rm: registerOrMemory(g, size),
    }));
  }
  add("CRC32 r64, r/m8", "sse42", 8, (g) => ({
    opcode: [0x0f, 0x38, 0xf0],
    mandatory: 0xf2,
    rexW: true,
    reg: anyRegister(g),
    rm: registerOrMemory(g, 8),
  }));
  return forms;
}

export const bits: Family[] = [
  { name: "bit tests", forms: bitTestForms() },
  { name: "bit scans", forms: scanForms() },
  { name: "BMI", forms: vexForms() },
  { name: "ADX BSWAP MOVBE CRC32", forms: miscellaneousForms() },
];
