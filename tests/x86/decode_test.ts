import { assert, assertEquals } from "@std/assert";
import { decode, Kind, newDecoded } from "../../src/x86/decode.ts";
import { requireTool, runTool } from "../util/tools.ts";

const decoded = newDecoded();

function of(hex: string, bits: 16 | 32 | 64 = 64): string {
  const bytes = Uint8Array.fromHex(hex.replaceAll(" ", ""));
  const known = decode(bytes, 0, bits, decoded);
  assertEquals(known, decoded.length > 0);
  return `${Kind[decoded.kind]} ${decoded.length}`;
}

Deno.test("instructions that a step must know", () => {
  assertEquals(of("9c"), "Pushf 1");
  assertEquals(of("66 9c"), "Pushf 2");
  assertEquals(decoded.operandBytes, 2);
  assertEquals(of("9d"), "Popf 1");
  assertEquals(of("48 cf"), "Iret 2");
  assertEquals(of("cc"), "Interrupt 1");
  assertEquals(decoded.vector, 3);
  assertEquals(of("cd 80"), "Interrupt 2");
  assertEquals(decoded.vector, 0x80);
  assertEquals(of("ce", 32), "Interrupt 1");
  assertEquals(of("ce", 64), "Unknown 0");
  assertEquals(of("f1"), "Interrupt 1");
  assertEquals(decoded.vector, 1);
  assertEquals(of("0f 05"), "Syscall 2");
  assertEquals(of("48 0f 07"), "Sysret 3");
  assertEquals(of("0f 34"), "Sysenter 2");
  assertEquals(of("0f 35"), "Sysexit 2");
  assertEquals(of("f4"), "Halt 1");
  assertEquals(of("fb"), "Sti 1");
  assertEquals(of("8e d0"), "LoadSs 2");
  assertEquals(of("8e d8"), "Plain 2");
  assertEquals(of("17", 32), "LoadSs 1");
  assertEquals(of("17", 64), "Unknown 0");
  assertEquals(of("0f 23 f8"), "MoveDr 3");
  assertEquals(of("0f 21 3d"), "MoveDr 3", "mod is ignored");
  assertEquals(of("44 0f 23 c0"), "MoveDr 4");
  assertEquals(decoded.rex, 0x44);
});

Deno.test("instructions that may change what comes next", () => {
  const system = [
    "0f 22 c0", // MOV CR0, CR3, CR4
    "0f 22 d8",
    "0f 22 e0",
    "0f 30", // WRMSR
    "0f 37", // GETSEC
    "0f 00 d0", // LLDT, LTR
    "0f 00 d8",
    "0f 01 10", // LGDT, LIDT, INVLPG
    "0f 01 18",
    "0f 01 38",
    "0f 01 f0", // LMSW
    "0f 01 30",
    "0f 01 c1", // VMCALL, VMLAUNCH
    "0f 01 c2",
    "0f 01 d1", // XSETBV
    "0f 01 d8", // VMRUN
    "66 0f 38 82 08", // INVPCID
  ];
  for (const hex of system) {
    assertEquals(of(hex), `System ${hex.split(" ").length}`, hex);
  }
  const plain = [
    "0f 20 c0", // MOV from CR0
    "44 0f 22 c0", // MOV CR8
    "0f 32", // RDMSR
    "0f 00 c0", // SLDT, STR
    "0f 00 c8",
    "0f 01 00", // SGDT, SMSW
    "0f 01 e0",
    "0f 01 d0", // XGETBV
    "0f 01 f8", // SWAPGS, RDTSCP
    "0f 01 f9",
    "66 0f 38 00 c1", // PSHUFB
    "c4 e2 79 82 c1", // with VEX, that opcode is none of those
  ];
  for (const hex of plain) {
    assertEquals(of(hex), `Plain ${hex.split(" ").length}`, hex);
  }
  assertEquals(of("c7 f8 10 00 00 00"), "Branch 6"); // XBEGIN
  assertEquals(decoded.target, 0x16);
  assertEquals(of("f3 0f 01 ec"), "Leave 4"); // UIRET
});

Deno.test("where jumps go", () => {
  assertEquals(of("eb fe"), "Jump 2");
  assertEquals(decoded.target, 0);
  assertEquals(of("75 10"), "Branch 2");
  assertEquals(decoded.target, 0x12);
  assertEquals(of("e9 00 01 00 00"), "Jump 5");
  assertEquals(decoded.target, 0x105);
  assertEquals(of("e9 fd ff", 16), "Jump 3");
  assertEquals(decoded.target, 0);
  assertEquals(of("66 e9 fa ff ff ff", 16), "Jump 6");
  assertEquals(decoded.target, 0);
  assertEquals(of("0f 84 fa ff ff ff"), "Branch 6");
  assertEquals(decoded.target, 0);
  assertEquals(of("0f 84 fc ff", 16), "Branch 4");
  assertEquals(decoded.target, 0);
  assertEquals(of("66 0f 84 f9 ff ff ff"), "Branch 7");
  assertEquals(decoded.target, 0);
  assertEquals(of("e2 fe"), "Branch 2");
  assertEquals(of("e8 00 00 00 00"), "Call 5");
  assertEquals(of("ff d0"), "Call 2");
  assertEquals(of("ff e0"), "Leave 2");
  assertEquals(of("ff 30"), "Plain 2");
  assertEquals(of("c3"), "Leave 1");
  assertEquals(of("f3 c3"), "Leave 2");
  assertEquals(of("c2 08 00"), "Leave 3");
});

Deno.test("lengths by mode, prefix and operand", () => {
  assertEquals(of("48 b8 11 22 33 44 55 66 77 88"), "Plain 10");
  assertEquals(of("b8 11 22 33 44"), "Plain 5");
  assertEquals(of("b8 11 22", 16), "Plain 3");
  assertEquals(of("66 b8 11 22", 32), "Plain 4");
  assertEquals(of("a0 11 22 33 44 55 66 77 88"), "Plain 9");
  assertEquals(of("67 a0 11 22 33 44"), "Plain 6");
  assertEquals(of("8b 84 24 11 22 33 44"), "Plain 7");
  assertEquals(of("8b 04 25 11 22 33 44"), "Plain 7");
  assertEquals(of("8b 06 11 22", 16), "Plain 4");
  assertEquals(of("f6 05 11 22 33 44 55"), "Plain 7");
  assertEquals(of("f6 15 11 22 33 44"), "Plain 6");
  assertEquals(of("c5 f9 6f 00"), "Plain 4");
  assertEquals(of("c5 f8 77"), "Plain 3");
  assertEquals(of("c5 00", 32), "Plain 2", "LDS");
  assertEquals(of("62 f1 7c 48 10 00"), "Plain 6");
  assertEquals(of("0f 38 00 c1"), "Plain 4");
  assertEquals(of("66 0f 3a 0f c1 08"), "Plain 6");
  assertEquals(of("48 8b"), "Unknown 0", "cut off");
  assertEquals(of("6666666666666666666666666666 90"), "Plain 15");
  assertEquals(of("666666666666666666666666666666 90"), "Unknown 0");
});

Deno.test({
  name: "lengths and targets agree with objdump over the C library",
  ignore: !requireTool("objdump"),
  fn() {
    const library = "/lib/x86_64-linux-gnu/libc.so.6";
    const text = runTool("objdump", [
      "-dw",
      "--insn-width=16",
      "-j.text",
      library,
    ]);
    const padded = new Uint8Array(32);
    let count = 0;
    for (const line of text.split("\n")) {
      const match = /^\s*([0-9a-f]+):\t([0-9a-f ]+?)\s*\t(.*)$/.exec(line);
      if (match === null || match[3].includes("(bad)")) continue;
      const bytes = Uint8Array.fromHex(match[2].replaceAll(" ", ""));
      padded.fill(0).set(bytes);
      decode(padded, 0, 64, decoded);
      assertEquals(decoded.length, bytes.length, line);
      if (decoded.kind === Kind.Jump || decoded.kind === Kind.Branch) {
        const target = parseInt(match[1], 16) + decoded.target;
        assert(match[3].includes(target.toString(16)), line);
      }
      count++;
    }
    assert(count > 100_000, `${count} instructions`);
  },
});
