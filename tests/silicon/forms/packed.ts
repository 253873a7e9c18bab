/**
 * Packed integers: MMX, and the same with XMM registers in SSE2, SSSE3 and
 * SSE4 (SDM vol.2).
 *
 * @module
 */
import type { Builder } from "../builder.ts";
import type { Feature } from "../features.ts";
import type { Family, Form } from "../form.ts";
import { RAX, RDI, RDX } from "../layout.ts";
import type { Lane } from "../values.ts";
import { NP, P66, PF2, PF3, vector } from "./vector.ts";

/** name, opcode, lane; NP with MMX registers, 66 with XMM registers. */
const BOTH: [string, number, Lane][] = [
  ["PUNPCKLBW", 0x60, "i8"],
  ["PUNPCKLWD", 0x61, "i16"],
  ["PUNPCKLDQ", 0x62, "i32"],
  ["PACKSSWB", 0x63, "i16"],
  ["PCMPGTB", 0x64, "i8"],
  ["PCMPGTW", 0x65, "i16"],
  ["PCMPGTD", 0x66, "i32"],
  ["PACKUSWB", 0x67, "i16"],
  ["PUNPCKHBW", 0x68, "i8"],
  ["PUNPCKHWD", 0x69, "i16"],
  ["PUNPCKHDQ", 0x6a, "i32"],
  ["PACKSSDW", 0x6b, "i32"],
  ["PCMPEQB", 0x74, "i8"],
  ["PCMPEQW", 0x75, "i16"],
  ["PCMPEQD", 0x76, "i32"],
  ["PSRLW", 0xd1, "i16"],
  ["PSRLD", 0xd2, "i32"],
  ["PSRLQ", 0xd3, "i64"],
  ["PADDQ", 0xd4, "i64"],
  ["PMULLW", 0xd5, "i16"],
  ["PSUBUSB", 0xd8, "i8"],
  ["PSUBUSW", 0xd9, "i16"],
  ["PMINUB", 0xda, "i8"],
  ["PAND", 0xdb, "i64"],
  ["PADDUSB", 0xdc, "i8"],
  ["PADDUSW", 0xdd, "i16"],
  ["PMAXUB", 0xde, "i8"],
  ["PANDN", 0xdf, "i64"],
  ["PAVGB", 0xe0, "i8"],
  ["PSRAW", 0xe1, "i16"],
  ["PSRAD", 0xe2, "i32"],
  ["PAVGW", 0xe3, "i16"],
  ["PMULHUW", 0xe4, "i16"],
  ["PMULHW", 0xe5, "i16"],
  ["PSUBSB", 0xe8, "i8"],
  ["PSUBSW", 0xe9, "i16"],
  ["PMINSW", 0xea, "i16"],
  ["POR", 0xeb, "i64"],
  ["PADDSB", 0xec, "i8"],
  ["PADDSW", 0xed, "i16"],
  ["PMAXSW", 0xee, "i16"],
  ["PXOR", 0xef, "i64"],
  ["PSLLW", 0xf1, "i16"],
  ["PSLLD", 0xf2, "i32"],
  ["PSLLQ", 0xf3, "i64"],
  ["PMULUDQ", 0xf4, "i32"],
  ["PMADDWD", 0xf5, "i16"],
  ["PSADBW", 0xf6, "i8"],
  ["PSUBB", 0xf8, "i8"],
  ["PSUBW", 0xf9, "i16"],
  ["PSUBD", 0xfa, "i32"],
  ["PSUBQ", 0xfb, "i64"],
  ["PADDB", 0xfc, "i8"],
  ["PADDW", 0xfd, "i16"],
  ["PADDD", 0xfe, "i32"],
];

/** The MMX forms of these read 32 bits of memory. */
const LOW_HALF = new Set(["PUNPCKLBW", "PUNPCKLWD", "PUNPCKLDQ"]);

/** SSSE3, opcodes 0F 38. */
const SSSE3: [string, number, Lane][] = [
  ["PSHUFB", 0x00, "i8"],
  ["PHADDW", 0x01, "i16"],
  ["PHADDD", 0x02, "i32"],
  ["PHADDSW", 0x03, "i16"],
  ["PMADDUBSW", 0x04, "i8"],
  ["PHSUBW", 0x05, "i16"],
  ["PHSUBD", 0x06, "i32"],
  ["PHSUBSW", 0x07, "i16"],
  ["PSIGNB", 0x08, "i8"],
  ["PSIGNW", 0x09, "i16"],
  ["PSIGND", 0x0a, "i32"],
  ["PMULHRSW", 0x0b, "i16"],
  ["PABSB", 0x1c, "i8"],
  ["PABSW", 0x1d, "i16"],
  ["PABSD", 0x1e, "i32"],
];

/** A shift count in the low qword of every register, small mostly. */
function smallCounts(g: Builder, lane: Lane): void {
  if (g.rng.chance(30)) return;
  const words = new Uint32Array(g.fx.buffer, g.fxAt + 160, 64);
  for (let i = 0; i < 64; i += 8) {
    words[i] = g.rng.int(lane === "i64" ? 70 : lane === "i32" ? 36 : 20);
    words[i + 1] = 0;
  }
  for (let i = 0; i < 8; i += 2) {
    g.fx.setUint32(g.fxAt + 32 + 16 * i, g.rng.int(70), true);
    g.fx.setUint32(g.fxAt + 36 + 16 * i, 0, true);
  }
}

const isShift = (name: string) => /^PS[RL][LA][WDQ]$/.test(name);

function pair(
  name: string,
  opcode: number[],
  lane: Lane,
  mm: Feature,
  xmm: Feature,
): Form[] {
  const prepare = isShift(name)
    ? (g: Builder) => smallCounts(g, lane)
    : undefined;
  return [
    vector(`${name} mm, mm/m64`, mm, NP, opcode, lane, {
      bytes: LOW_HALF.has(name) ? 4 : 8,
      mmx: lane,
      prepare,
    }),
    vector(`${name} xmm, xmm/m128`, xmm, P66, opcode, lane, { prepare }),
  ];
}

/** Added by SSE, not by MMX itself. */
const WITH_SSE = new Set([
  "PMINUB",
  "PMAXUB",
  "PAVGB",
  "PAVGW",
  "PMULHUW",
  "PMINSW",
  "PMAXSW",
  "PSADBW",
]);
const WITH_SSE2 = new Set(["PADDQ", "PSUBQ", "PMULUDQ"]);

function mmxFeature(name: string): Feature {
  return WITH_SSE.has(name) ? "sse" : WITH_SSE2.has(name) ? "sse2" : "mmx";
}

function arithmeticForms(): Form[] {
  return BOTH.flatMap(([name, opcode, lane]) =>
    pair(name, [opcode], lane, mmxFeature(name), "sse2")
  );
}

function shiftForms(): Form[] {
  const table: [string, number, number, Lane][] = [
    ["PSRLW", 0x71, 2, "i16"],
    ["PSRAW", 0x71, 4, "i16"],
    ["PSLLW", 0x71, 6, "i16"],
    ["PSRLD", 0x72, 2, "i32"],
    ["PSRAD", 0x72, 4, "i32"],
    ["PSLLD", 0x72, 6, "i32"],
    ["PSRLQ", 0x73, 2, "i64"],
    ["PSLLQ", 0x73, 6, "i64"],
  ];
  const counts = Array.from({ length: 70 }, (_, i) => i);
  const forms = table.flatMap(([name, opcode, digit, lane]) => [
    vector(`${name} mm, imm8`, "mmx", NP, [opcode], lane, {
      bytes: 0,
      digit,
      mmx: lane,
      immediate: counts,
    }),
    vector(`${name} xmm, imm8`, "sse2", P66, [opcode], lane, {
      bytes: 0,
      digit,
      immediate: counts,
    }),
  ]);
  for (const [name, digit] of [["PSRLDQ", 3], ["PSLLDQ", 7]] as const) {
    forms.push(
      vector(`${name} xmm, imm8`, "sse2", P66, [0x73], "i8", {
        bytes: 0,
        digit,
        immediate: counts.slice(0, 18),
      }),
    );
  }
  return forms;
}

function moveForms(): Form[] {
  const forms: Form[] = [];
  const mm = { mmx: "i64" } as const;
  for (const rexW of [false, true]) {
    const bytes = rexW ? 8 : 4;
    const suffix = rexW ? "MOVQ" : "MOVD";
    const rm = `r/m${8 * bytes}`;
    forms.push(
      vector(`${suffix} mm, ${rm}`, "mmx", NP, [0x6e], "i32", {
        ...mm,
        bytes,
        rexW,
      }),
      vector(`${suffix} ${rm}, mm`, "mmx", NP, [0x7e], "i32", {
        ...mm,
        bytes,
        rexW,
      }),
      vector(`${suffix} xmm, ${rm}`, "sse2", P66, [0x6e], "i32", {
        bytes,
        rexW,
      }),
      vector(`${suffix} ${rm}, xmm`, "sse2", P66, [0x7e], "i32", {
        bytes,
        rexW,
      }),
    );
  }
  forms.push(
    vector("MOVQ mm, mm/m64", "mmx", NP, [0x6f], "i64", { ...mm, bytes: 8 }),
    vector("MOVQ mm/m64, mm", "mmx", NP, [0x7f], "i64", { ...mm, bytes: 8 }),
    vector("MOVQ xmm, xmm/m64", "sse2", PF3, [0x7e], "i64", { bytes: 8 }),
    vector("MOVQ xmm/m64, xmm", "sse2", P66, [0xd6], "i64", { bytes: 8 }),
    vector("MOVDQA xmm, xmm/m128", "sse2", P66, [0x6f], "i64"),
    vector("MOVDQA xmm/m128, xmm", "sse2", P66, [0x7f], "i64"),
    vector("MOVDQU xmm, xmm/m128", "sse2", PF3, [0x6f], "i64", {
      aligned: false,
    }),
    vector("MOVDQU xmm/m128, xmm", "sse2", PF3, [0x7f], "i64", {
      aligned: false,
    }),
    vector("LDDQU xmm, m128", "sse3", PF2, [0xf0], "i64", {
      aligned: false,
      memoryOnly: true,
    }),
    vector("MOVQ2DQ xmm, mm", "sse2", PF3, [0xd6], "i64", { ...mm, bytes: 0 }),
    vector("MOVDQ2Q mm, xmm", "sse2", PF2, [0xd6], "i64", { ...mm, bytes: 0 }),
    vector("MOVNTQ m64, mm", "sse", NP, [0xe7], "i64", {
      ...mm,
      bytes: 8,
      memoryOnly: true,
    }),
    vector("MOVNTDQ m128, xmm", "sse2", P66, [0xe7], "i64", {
      memoryOnly: true,
    }),
    vector("MOVNTDQA xmm, m128", "sse41", P66, [0x38, 0x2a], "i64", {
      memoryOnly: true,
    }),
    vector("PMOVMSKB r32, mm", "sse", NP, [0xd7], "i8", {
      mmx: "i8",
      bytes: 0,
    }),
    vector("PMOVMSKB r32, xmm", "sse2", P66, [0xd7], "i8", { bytes: 0 }),
    vector("MASKMOVQ mm, mm", "sse", NP, [0xf7], "i8", {
      mmx: "i8",
      bytes: 0,
      prepare: (g) => g.setAddress(RDI, g.target(8, { faults: false })),
    }),
    vector("MASKMOVDQU xmm, xmm", "sse2", P66, [0xf7], "i8", {
      bytes: 0,
      prepare: (g) => g.setAddress(RDI, g.target(16, { faults: false })),
    }),
  );
  return forms;
}

function shuffleForms(): Form[] {
  const immediate = true;
  return [
    vector("PSHUFW mm, mm/m64, imm8", "sse", NP, [0x70], "i16", {
      mmx: "i16",
      bytes: 8,
      immediate,
    }),
    vector("PSHUFD xmm, xmm/m128, imm8", "sse2", P66, [0x70], "i32", {
      immediate,
    }),
    vector("PSHUFHW xmm, xmm/m128, imm8", "sse2", PF3, [0x70], "i16", {
      immediate,
    }),
    vector("PSHUFLW xmm, xmm/m128, imm8", "sse2", PF2, [0x70], "i16", {
      immediate,
    }),
    vector("PUNPCKLQDQ xmm, xmm/m128", "sse2", P66, [0x6c], "i64"),
    vector("PUNPCKHQDQ xmm, xmm/m128", "sse2", P66, [0x6d], "i64"),
    vector("PINSRW mm, r32/m16, imm8", "sse", NP, [0xc4], "i16", {
      mmx: "i16",
      bytes: 2,
      immediate,
    }),
    vector("PINSRW xmm, r32/m16, imm8", "sse2", P66, [0xc4], "i16", {
      bytes: 2,
      immediate,
    }),
    vector("PEXTRW r32, mm, imm8", "sse", NP, [0xc5], "i16", {
      mmx: "i16",
      bytes: 0,
      immediate,
    }),
    vector("PEXTRW r32, xmm, imm8", "sse2", P66, [0xc5], "i16", {
      bytes: 0,
      immediate,
    }),
    ...SSSE3.flatMap(([name, opcode, lane]) =>
      pair(name, [0x38, opcode], lane, "ssse3", "ssse3")
    ),
    vector("PALIGNR mm, mm/m64, imm8", "ssse3", NP, [0x3a, 0x0f], "i8", {
      mmx: "i8",
      bytes: 8,
      immediate: Array.from({ length: 18 }, (_, i) => i),
    }),
    vector("PALIGNR xmm, xmm/m128, imm8", "ssse3", P66, [0x3a, 0x0f], "i8", {
      immediate: Array.from({ length: 34 }, (_, i) => i),
    }),
  ];
}

/** SSE4.1 and SSE4.2, opcodes 66 0F 38: name, opcode, lane, memory bytes. */
const SSE4: [string, number, Lane, number, Feature][] = [
  ["PBLENDVB", 0x10, "i8", 16, "sse41"],
  ["BLENDVPS", 0x14, "i32", 16, "sse41"],
  ["BLENDVPD", 0x15, "i64", 16, "sse41"],
  ["PTEST", 0x17, "i64", 16, "sse41"],
  ["PMOVSXBW", 0x20, "i8", 8, "sse41"],
  ["PMOVSXBD", 0x21, "i8", 4, "sse41"],
  ["PMOVSXBQ", 0x22, "i8", 2, "sse41"],
  ["PMOVSXWD", 0x23, "i16", 8, "sse41"],
  ["PMOVSXWQ", 0x24, "i16", 4, "sse41"],
  ["PMOVSXDQ", 0x25, "i32", 8, "sse41"],
  ["PMULDQ", 0x28, "i32", 16, "sse41"],
  ["PCMPEQQ", 0x29, "i64", 16, "sse41"],
  ["PACKUSDW", 0x2b, "i32", 16, "sse41"],
  ["PMOVZXBW", 0x30, "i8", 8, "sse41"],
  ["PMOVZXBD", 0x31, "i8", 4, "sse41"],
  ["PMOVZXBQ", 0x32, "i8", 2, "sse41"],
  ["PMOVZXWD", 0x33, "i16", 8, "sse41"],
  ["PMOVZXWQ", 0x34, "i16", 4, "sse41"],
  ["PMOVZXDQ", 0x35, "i32", 8, "sse41"],
  ["PCMPGTQ", 0x37, "i64", 16, "sse42"],
  ["PMINSB", 0x38, "i8", 16, "sse41"],
  ["PMINSD", 0x39, "i32", 16, "sse41"],
  ["PMINUW", 0x3a, "i16", 16, "sse41"],
  ["PMINUD", 0x3b, "i32", 16, "sse41"],
  ["PMAXSB", 0x3c, "i8", 16, "sse41"],
  ["PMAXSD", 0x3d, "i32", 16, "sse41"],
  ["PMAXUW", 0x3e, "i16", 16, "sse41"],
  ["PMAXUD", 0x3f, "i32", 16, "sse41"],
  ["PMULLD", 0x40, "i32", 16, "sse41"],
  ["PHMINPOSUW", 0x41, "i16", 16, "sse41"],
  ["AESIMC", 0xdb, "i8", 16, "aes"],
  ["AESENC", 0xdc, "i8", 16, "aes"],
  ["AESENCLAST", 0xdd, "i8", 16, "aes"],
  ["AESDEC", 0xde, "i8", 16, "aes"],
  ["AESDECLAST", 0xdf, "i8", 16, "aes"],
];

function sse4Forms(): Form[] {
  const insert = (name: string, opcode: number, bytes: number, rexW = false) =>
    vector(name, "sse41", P66, [0x3a, opcode], "i8", {
      bytes,
      rexW,
      immediate: true,
    });
  return [
    ...SSE4.map(([name, opcode, lane, bytes, feature]) =>
      vector(
        `${name} xmm, xmm/m${8 * bytes}`,
        feature,
        P66,
        [0x38, opcode],
        lane,
        { bytes },
      )
    ),
    vector("PBLENDW xmm, xmm/m128, imm8", "sse41", P66, [0x3a, 0x0e], "i16", {
      immediate: true,
    }),
    vector("BLENDPS xmm, xmm/m128, imm8", "sse41", P66, [0x3a, 0x0c], "i32", {
      immediate: true,
    }),
    vector("BLENDPD xmm, xmm/m128, imm8", "sse41", P66, [0x3a, 0x0d], "i64", {
      immediate: true,
    }),
    vector("MPSADBW xmm, xmm/m128, imm8", "sse41", P66, [0x3a, 0x42], "i8", {
      immediate: true,
    }),
    insert("PEXTRB r/m8, xmm, imm8", 0x14, 1),
    insert("PEXTRW r/m16, xmm, imm8", 0x15, 2),
    insert("PEXTRD r/m32, xmm, imm8", 0x16, 4),
    insert("PEXTRQ r/m64, xmm, imm8", 0x16, 8, true),
    insert("EXTRACTPS r/m32, xmm, imm8", 0x17, 4),
    insert("PINSRB xmm, r32/m8, imm8", 0x20, 1),
    insert("INSERTPS xmm, xmm/m32, imm8", 0x21, 4),
    insert("PINSRD xmm, r/m32, imm8", 0x22, 4),
    insert("PINSRQ xmm, r/m64, imm8", 0x22, 8, true),
    vector(
      "AESKEYGENASSIST xmm, xmm/m128, imm8",
      "aes",
      P66,
      [0x3a, 0xdf],
      "i8",
      { immediate: true },
    ),
    vector(
      "PCLMULQDQ xmm, xmm/m128, imm8",
      "pclmulqdq",
      P66,
      [0x3a, 0x44],
      "i64",
      { immediate: [0x00, 0x01, 0x10, 0x11] },
    ),
  ];
}

/** Text: few distinct characters, so that comparisons find something. */
function text(g: Builder): void {
  const bytes = new Uint8Array(g.fx.buffer, g.fxAt + 160, 256);
  const alphabet = [0, 1, 2, 3, 0x41, 0x61, 0x80, 0xff];
  const wide = g.rng.chance(40);
  const few = g.rng.chance(75);
  for (let i = 0; i < 256; i++) {
    bytes[i] = few ? g.rng.pick(alphabet) : g.rng.int(256);
    if (wide && i % 2) bytes[i] = g.rng.pick([0, 0, 0, 0x80]);
    // Terminators must not end every string at once.
    if (bytes[i] === 0 && !wide && g.rng.chance(80)) bytes[i] = 0x62;
  }
  for (const reg of [RAX, RDX]) {
    g.pin(reg);
    if (g.rng.chance(90)) g.setGpr(reg, BigInt(g.rng.int(41) - 20));
  }
}

function stringForms(): Form[] {
  const table: [string, number, boolean][] = [
    ["PCMPESTRM", 0x60, true],
    ["PCMPESTRI", 0x61, true],
    ["PCMPISTRM", 0x62, false],
    ["PCMPISTRI", 0x63, false],
  ];
  return table.flatMap(([name, opcode, explicit]) =>
    (explicit ? [false, true] : [false]).map((rexW) =>
      vector(
        `${name} xmm, xmm/m128, imm8${rexW ? " (REX.W)" : ""}`,
        "sse42",
        P66,
        [0x3a, opcode],
        "i8",
        { immediate: true, rexW, aligned: false, prepare: text },
      )
    )
  );
}

export const packed: Family[] = [
  { name: "packed integers", forms: arithmeticForms() },
  { name: "packed shifts", forms: shiftForms() },
  { name: "vector moves", forms: moveForms() },
  { name: "shuffles, SSSE3", forms: shuffleForms() },
  { name: "SSE4, AES, PCLMULQDQ", forms: sse4Forms() },
  { name: "SSE4.2 strings", forms: stringForms() },
];
