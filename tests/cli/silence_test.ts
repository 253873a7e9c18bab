// What a guest does in silence, and icebp says: once, with the place.
import { assertEquals, assertMatch } from "@std/assert";
import { command, icebp } from "./icebp.ts";
import * as sectors from "./sectors.ts";

const POWER_OFF = [...sectors.out(0x604, 0x2000, 2), 0xfa, 0xf4];

async function withFile(
  sector: Uint8Array,
  use: (file: string) => Promise<void>,
): Promise<void> {
  const file = await Deno.makeTempFile({ suffix: ".bin" });
  try {
    await Deno.writeFile(file, sector);
    await use(file);
  } finally {
    await Deno.remove(file);
  }
}

/** The code segment of --flat ADDRESS,32. */
const CODE32 = 8;

/** Runs code that ends; returns the lines on standard error. */
async function said(code: number[], ...args: string[]): Promise<string[]> {
  let lines: string[] = [];
  await withFile(sectors.bootSector(...code), async (file) => {
    const { code, err } = await icebp([file, ...args]);
    assertEquals(code, 0);
    lines = err.split("\n").filter((line) => line !== "");
  });
  return lines;
}

/** Runs code that does not end until so many lines are on standard error. */
async function firstLines(
  sector: Uint8Array,
  count: number,
  ...args: string[]
): Promise<string[]> {
  let lines: string[] = [];
  await withFile(sector, async (file) => {
    const child = command([file, ...args]).spawn();
    const limit = setTimeout(() => child.kill("SIGKILL"), 30_000);
    let text = "";
    for await (const bytes of child.stderr) {
      text += new TextDecoder().decode(bytes);
      lines = text.split("\n").slice(0, -1);
      if (lines.length >= count) break;
    }
    clearTimeout(limit);
    child.kill("SIGTERM");
    await child.stdout.cancel();
    await child.status;
  });
  return lines;
}

Deno.test("all processors halted with interrupts off", async () => {
  const [line] = await firstLines(sectors.haltForEver, 1, "--cpus", "2");
  assertEquals(
    line,
    "icebp: warning machine: all processors are halted with interrupts off, and " +
      "nothing wakes them: CPU0 at RIP 0x7c02, CPU1 waits for a SIPI",
  );
});

Deno.test("the same while the timer's interrupts come, and are not taken", async () => {
  const sector = sectors.bootSector(
    ...[0xb0, 0x34, 0xe6, 0x43, 0x30, 0xc0, 0xe6, 0x40, 0xe6, 0x40], // PIT
    ...[0xfa, 0xf4],
  );
  for (const clock of ["virtual", "host"]) {
    const [line] = await firstLines(sector, 1, "--clock", clock);
    assertMatch(line, /nothing wakes them: CPU0 at RIP 0x7c0c$/);
  }
});

Deno.test("not where interrupts are on, as ever", async () => {
  // sti; hlt until the timer has come; its vector 8 is 0:7c40.
  const open = [
    ...[0xc7, 0x06, 0x20, 0, 0x40, 0x7c, 0xc7, 0x06, 0x22, 0, 0, 0],
    ...[0xb0, 0x34, 0xe6, 0x43, 0x30, 0xc0, 0xe6, 0x40, 0xe6, 0x40],
    ...[0xfb, 0xf4, 0xeb, 0xfd],
  ];
  const end = (code: number[]) => [
    ...code,
    ...new Array(64 - code.length).fill(0x90),
    ...POWER_OFF,
  ];
  assertEquals(await said(end(open)), []);
});

Deno.test("not where the IOAPIC makes NMIs of the timer's interrupts", async () => {
  const { u32 } = sectors;
  const base = 0x100000, idt = 0x100, handler = 0x80;
  const image = new Uint8Array(0x200);
  image.set([
    0xfa,
    ...[0x0f, 0x01, 0x1d, ...u32(base + idt - 8)], //       lidt
    ...[0xb0, 0x34, 0xe6, 0x43, 0x30, 0xc0, 0xe6, 0x40, 0xe6, 0x40], // PIT
    ...[0xbb, ...u32(0xfec00000)], //                       mov ebx, ...
    ...[0xc7, 0x03, ...u32(0x14), 0xc7, 0x43, 0x10, ...u32(0x400)],
    ...[0xf4, 0xeb, 0xfd],
  ]);
  image.set(sectors.out32(0x604, 0x2000, 2), handler);
  image.set([0x17, 0, ...u32(base + idt)], idt - 8);
  const at = base + handler;
  image.set(
    [at & 0xff, at >> 8 & 0xff, CODE32, 0, 0, 0x8e, at >> 16, 0],
    idt + 16,
  );
  await withFile(image, async (file) => {
    const result = await icebp([file, "--flat", `${base},32`]);
    assertEquals(result, { code: 0, out: "", err: "" });
  });
});

Deno.test("software interrupts that no BIOS serves", async () => {
  const lines = await said([
    ...[0xb8, 0x41, 0x0e, 0xcd, 0x10], // mov ax, 0e41h; int 10h
    ...[0xb9, 3, 0], //                   mov cx, 3
    ...[0xb8, 0x01, 0x02, 0xcd, 0x13, 0xe2, 0xf9], // int 13h, three times
    0xcc, //                              int3
    ...POWER_OFF,
  ]);
  const does = ": there is no BIOS, it does nothing";
  assertEquals(lines, [
    `icebp: warning machine: INT 0x10 with AH 0x0e (CPU0 at RIP 0x7c03)${does}`,
    `icebp: warning machine: INT 0x13 with AH 0x02 (CPU0 at RIP 0x7c0b)${does}`,
    `icebp: warning machine: INT 0x03 with AH 0x02 (CPU0 at RIP 0x7c0f)${does}`,
  ]);
});

Deno.test("many different software interrupts are told of sixteen times", async () => {
  // mov ah, n; int 15h for 40 n, in another code segment
  const lines = await said([
    ...[0xea, 5, 0, 0xc0, 0x07], //        jmp 07c0:5
    ...[0xb4, 0, 0xcd, 0x15, 0xfe, 0xc4, 0x80, 0xfc, 40, 0x75, 0xf7],
    ...POWER_OFF,
  ]);
  assertEquals(lines.length, 17);
  assertMatch(
    lines[0],
    /INT 0x15 with AH 0x00 \(CPU0 at CS:RIP 0x7c0:0x7 \(linear 0x7c07\)\)/,
  );
  assertMatch(lines[16], /further ones are not told/);
});

Deno.test("an exception that comes again and again, for nobody handles it", async () => {
  const sector = sectors.bootSector(0x31, 0xc9, 0xf7, 0xf1); // div cx
  const [line] = await firstLines(sector, 1);
  assertEquals(
    line,
    "icebp: warning machine: exception 0x00 (CPU0 at RIP 0x7c02): it has no " +
      "handler, and comes again and again",
  );
});

Deno.test("a sleep state that is not there is told of once", async () => {
  const sleep = sectors.out(0x604, 0x2400, 2);
  const lines = await said([...sleep, ...sleep, ...POWER_OFF]);
  assertEquals(lines, [
    "icebp: warning machine: the guest asks for a sleep state (SLP_TYP 1, CPU0 " +
    "at RIP 0x7c0c): there is only S5, which is 0, so it stays awake",
  ]);
});

/** mov cx, count; dx, port; in al, dx; loop */
const polls = (port: number, count: number) => [
  ...[0xb9, count & 0xff, count >> 8, 0xba, port & 0xff, port >> 8],
  ...[0xec, 0xe2, 0xfd],
];

Deno.test("many accesses to nothing, once for each range", async () => {
  const lines = await said([
    ...polls(0x1f7, 999),
    ...polls(0x177, 3000),
    ...polls(0x1f6, 1),
    ...POWER_OFF,
  ], "--stats");
  const warned = lines.filter((line) => line.startsWith("icebp: warning"));
  assertEquals(warned, [
    "icebp: warning machine: 1000 accesses to ports 0x170-0x17f, where nothing " +
    "is; now CPU0 at RIP 0x7c0f",
    "icebp: warning machine: 1000 accesses to ports 0x1f0-0x1ff, where nothing " +
    "is; now CPU0 at RIP 0x7c18",
  ]);
  const stats = lines.filter((line) => line.includes("nothing at"));
  assertMatch(stats[0], /nothing at ports 0x170-0x17f 3000 /);
  assertMatch(stats[1], /nothing at ports 0x1f0-0x1ff 1000 /);
});

Deno.test("a search through all ports is told of once, too", async () => {
  // in al, dx for dx from 0x1000 to 0x7fff
  const lines = await said([
    ...[0xba, 0, 0x10, 0xec, 0x42, 0x81, 0xfa, 0, 0x80, 0x75, 0xf8],
    ...POWER_OFF,
  ]);
  assertEquals(lines, [
    "icebp: warning machine: 10000 accesses to many ports where nothing is; now " +
    "0x370f, CPU0 at RIP 0x7c03",
  ]);
});
