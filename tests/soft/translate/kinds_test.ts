// Translated code does what the interpreter does: programs of 16-bit code, loops of SSE
// and of x87 instructions, and walks to a segment's end run both ways in slices, and every
// slice ends with the same registers, flags, memory and count.
// ICEBP_FUZZ_PROGRAMS says how many, ICEBP_FUZZ_SEED from which on.

import { assertEquals } from "@std/assert";
import { Reg } from "../../../ffi/registers.ts";
import { openSoft, type SoftPlatform } from "../../../src/soft/mod.ts";
import { CODE, DATA, Guest, IDT, PD, STACK } from "../../contract/guest.ts";
import { MEMORY_BYTES } from "../../contract/providers.ts";
import { Prng } from "../../silicon/prng.ts";
import {
  FLOATING_NAMES,
  floatingLoop,
  floatingState,
  loopData,
  numbers,
} from "./floating.ts";
import { type Bits, randomProgram, walk } from "./programs.ts";

const PROGRAMS = Number(Deno.env.get("ICEBP_FUZZ_PROGRAMS") ?? 1500);
const SEED = Number(Deno.env.get("ICEBP_FUZZ_SEED") ?? 1);
/** Instructions after which a program is left alone. */
const MOST = 6000;
const NS_PER_INSTRUCTION = 10n;
const NAMES = Uint32Array.of(
  ...Array.from({ length: 16 }, (_, n) => Reg.Rax + n),
  Reg.Rip,
  Reg.Rflags,
  Reg.Cr2,
  ...FLOATING_NAMES,
);

/** One of the two that are compared. */
class Side {
  readonly soft: SoftPlatform;
  readonly guest: Guest;

  constructor(soft: SoftPlatform) {
    this.soft = soft;
    this.guest = new Guest({
      platform: soft,
      memory: soft.guestMemory,
      wrote: (offset, bytes) => soft.hostWrote(offset, bytes),
    });
  }

  static async open(translate: "never" | "always"): Promise<Side> {
    return new Side(await openSoft({ memoryBytes: MEMORY_BYTES, translate }));
  }

  close(): void {
    this.guest.delete();
    this.soft.close();
  }

  /** Ready to run a program. */
  load(
    program: Uint8Array,
    bits: Bits,
    seed: number,
    { fill, scattered }: Kind,
  ): void {
    const { guest } = this;
    const random = new Prng(seed, "data");
    const data = new Uint32Array(0x1000).map(() => random.u32());
    fill(random, data);
    guest.memory.fill(0, STACK - 0x2000, STACK);
    guest.write(DATA, new Uint8Array(data.buffer));
    guest.write(CODE, new Uint8Array(0x2000));
    guest.write(CODE, program);
    guest.start(guest.vp);
    if (bits === 32) to32(guest);
    if (bits === 16) toReal(guest, random);
    const { vp } = guest;
    for (let n = 0; n < 16; n++) {
      if (n === 4) continue;
      vp.set(
        Reg.Rax + n,
        bits !== 64 || random.chance(30)
          ? BigInt(random.u32())
          : BigInt(random.u32()) << 32n | BigInt(random.u32()),
      );
    }
    vp.setRegisters(Uint32Array.from(FLOATING_NAMES), floatingState(random));
    const elsewhere = scattered && bits === 64;
    vp.set(
      Reg.Rbp,
      BigInt(
        elsewhere ? SCATTERED : bits === 16 ? random.u32() << 16 >>> 0 : DATA,
      ),
    );
    if (elsewhere) scatter(guest, random);
    if (bits !== 64) {
      for (let n = 8; n < 16; n++) vp.set(Reg.Rax + n, 0n);
    }
    for (const segment of bits === 64 ? [Reg.Fs, Reg.Gs] : []) {
      vp.setSegment(segment, {
        base: 0x40n,
        limit: 0xffffffff,
        selector: 0x10,
        attributes: 0xc093,
      });
    }
  }

  /** Runs for so many instructions; what it ended with. */
  async run(instructions: number): Promise<string> {
    const { clock } = this.soft;
    const { vp } = this.guest;
    clock.setAlarm(
      clock.now() + BigInt(instructions) * NS_PER_INSTRUCTION,
      () => vp.cancel(),
    );
    const exit = await vp.run();
    clock.setAlarm(null, () => {});
    return exit.reason;
  }

  /** Registers and count; memory is compared with sameMemory(). */
  state() {
    const { vp } = this.guest;
    vp.getRegisters(NAMES, this.#values);
    return {
      registers: this.#values,
      instructions: this.soft.clock.instructions(),
    };
  }
  readonly #values = new Uint8Array(NAMES.length * 16);
}

/** Address of the first 8 bytes that differ, or -1. */
function difference(a: Side, b: Side): number {
  for (
    const [from, to] of [[STACK - 0x1000, STACK], [CODE, CODE + 0x2000], [
      DATA,
      DATA + 0x4000,
    ]]
  ) {
    const x = words(a, from, to), y = words(b, from, to);
    for (let n = 0; n < x.length; n++) if (x[n] !== y[n]) return from + n * 8;
  }
  return -1;
}

function words({ guest: { memory } }: Side, from: number, to: number) {
  return new BigUint64Array(
    memory.buffer,
    memory.byteOffset + from,
    (to - from) / 8,
  );
}

/** Where 64-bit programs see their data: its pages in another order. */
const SCATTERED = 0x600000;
const PAGE_TABLE = 0x19000;

/** Maps the data's pages at SCATTERED in a random order, so that who goes from one into the
 * next does not find what follows in memory. */
function scatter(guest: Guest, random: Prng): void {
  const { view } = guest;
  view.setBigUint64(PD + (SCATTERED >> 21) * 8, BigInt(PAGE_TABLE) | 7n, true);
  const pages = [0, 1, 2, 3];
  for (let n = 0; n < 4; n++) {
    const [page] = pages.splice(random.int(pages.length), 1);
    const entry = BigInt(DATA + page * 0x1000) | 0x67n;
    view.setBigUint64(PAGE_TABLE + n * 8, entry, true);
  }
}

/** Flat 32-bit protected mode, without paging. */
function to32(guest: Guest): void {
  const { vp } = guest;
  vp.set(Reg.Cr0, 0x0005_0033n);
  vp.set(Reg.Efer, 0n);
  vp.setSegment(Reg.Cs, {
    base: 0n,
    limit: 0xffffffff,
    selector: 8,
    attributes: 0xc09b,
  });
}

/** Offset of real mode's code in CS, whose base is in no page's beginning. */
const OFFSET = 0x230;
/** A HLT, at the end of the code's pages: real mode's vectors lead there. */
const HALT = 0x1fff;

/** Real mode; the data and the stack are in the 64 KiB at DATA, where all other segments
 * begin, one a bit behind the other. */
function toReal(guest: Guest, random: Prng): void {
  const { vp, view } = guest;
  vp.set(Reg.Cr0, 0x10n);
  vp.set(Reg.Efer, 0n);
  const segment = (base: number) => ({
    base: BigInt(base),
    limit: 0xffff,
    selector: base >> 4,
    attributes: 0x93,
  });
  vp.setSegment(Reg.Cs, { ...segment(CODE - OFFSET), attributes: 0x9b });
  [Reg.Ds, Reg.Es, Reg.Ss, Reg.Fs, Reg.Gs].forEach((name, n) =>
    vp.setSegment(name, segment(DATA + n * 0x10))
  );
  vp.set(Reg.Rip, BigInt(OFFSET));
  vp.set(Reg.Rsp, BigInt(random.u32()) << 16n | 0x3f00n);
  guest.write(CODE + HALT, Uint8Array.of(0xf4));
  const vector = (CODE - OFFSET) << 12 | OFFSET + HALT;
  for (let n = 0; n < 256; n++) view.setUint32(IDT + n * 4, vector, true);
}

type State = ReturnType<Side["state"]> & { readonly why: string };

function same([a, b]: readonly State[]): boolean {
  return a.why === b.why && a.instructions === b.instructions &&
    a.registers.every((byte, n) => byte === b.registers[n]);
}

/** A state as a person reads it. */
function named({ registers, instructions, why }: State) {
  const view = new DataView(registers.buffer);
  return {
    why,
    instructions,
    registers: Array.from(
      NAMES,
      (name, n) =>
        `${name.toString(16)}: ${
          view.getBigUint64(n * 16 + 8, true).toString(16)
        } ${view.getBigUint64(n * 16, true).toString(16)}`,
    ),
  };
}

/** What programs are made of, and from when on one is left alone. */
interface Kind {
  readonly name: string;
  readonly bits: readonly Bits[];
  readonly programs: number;
  readonly most: number;
  readonly slices: readonly number[];
  readonly program: (seed: number, bits: Bits) => Uint8Array;
  readonly fill: (random: Prng, data: Uint32Array) => void;
  /** 64-bit code sees its data's pages in another order. */
  readonly scattered: boolean;
}

const KINDS: readonly Kind[] = [
  {
    name: "random programs",
    bits: [16],
    programs: PROGRAMS,
    most: MOST,
    slices: [1, 10, 100, 1000, 1000],
    program: (seed, bits) => randomProgram(seed, bits, { code: OFFSET }).code,
    fill: (random, data) => {
      if (random.chance(60)) numbers(random, data);
    },
    scattered: true,
  },
  {
    name: "walks to the end of a segment",
    bits: [16],
    programs: Math.ceil(PROGRAMS / 10),
    most: 20_000,
    slices: [1000, 5000],
    program: walk,
    fill: () => {},
    scattered: false,
  },
  ...(["SSE", "x87"] as const).map((family): Kind => ({
    name: `loops of ${family} instructions`,
    bits: [64, 32],
    programs: Math.ceil(PROGRAMS / 4),
    most: Infinity,
    slices: [100, 1000, 1000, 5000],
    program: (seed, bits) =>
      floatingLoop(new Prng(seed, family), bits === 64, family === "x87"),
    fill: loopData,
    scattered: false,
  })),
];

async function sameBothWays(kind: Kind, bits: Bits): Promise<void> {
  const open = async () => [
    await Side.open("never"),
    await Side.open("always"),
  ];
  let sides = await open();
  let all = 0n, translated = 0n;
  const close = () => {
    const { soft } = sides[1];
    all += soft.clock.instructions();
    translated += soft.counters().translated;
    for (const side of sides) side.close();
  };
  for (let seed = SEED; seed < SEED + kind.programs; seed++) {
    const program = kind.program(seed, bits);
    const slices = new Prng(seed, "slices");
    const longest = slices.pick(kind.slices);
    for (const side of sides) side.load(program, bits, seed, kind);
    let why = "canceled";
    for (let done = 0; done < kind.most && why === "canceled";) {
      const n = 1 + slices.int(longest);
      done += n;
      const ends = [];
      for (const side of sides) {
        ends.push({ why: await side.run(n), ...side.state() });
      }
      const reproduction =
        `seed ${seed}, ${bits} bits, after ${done} instructions: ` +
        `ICEBP_FUZZ_SEED=${seed} ICEBP_FUZZ_PROGRAMS=1; code ${program.toHex()}`;
      if (!same(ends)) {
        assertEquals(named(ends[1]), named(ends[0]), reproduction);
      }
      assertEquals(difference(sides[1], sides[0]), -1, reproduction);
      why = ends[0].why;
    }
    // what was shut down executes nothing more
    if (why === "unrecoverable") {
      close();
      sides = await open();
    }
  }
  close();
  const share = Number(translated) / Number(all);
  console.log(
    `${kind.name}, ${bits} bits: ${
      (share * 100).toFixed(1)
    } % of ${all} instructions ran translated`,
  );
}

for (const kind of KINDS) {
  for (const bits of kind.bits) {
    Deno.test(
      `${kind.name} of ${bits} bits run as they do interpreted`,
      () => sameBothWays(kind, bits),
    );
  }
}
