// Where INT1 does not exit breakpoints are INT3, and the guest's own INT3 is given back
// to it: run and stepped, it finds on its stack what it finds without a debugger.

import { assertEquals } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { requireTool } from "../util/tools.ts";
import { LongMode, NO_INT1 } from "./long_mode.ts";

const ignore = !requireTool("gcc", "ld", "nm", "objcopy");

/** Every handler waits; what is on its stack is looked at. */
const GUEST = (instruction: string) => `
start:  nop
own:    ${instruction}
        nop
        jmp .
vector3: mov $3, %r9d
        jmp .
vector11: mov $11, %r9d
        jmp .
vector13: mov $13, %r9d
        jmp .
elsewhere: nop
`;

const IDT = 0x5000, GATE = IDT + 3 * 16, TSS_RSP0 = 4, RSP0 = 0x90000;
const USER = 4;

/** What a guest is like before it runs. */
interface Case {
  readonly name: string;
  readonly instruction?: string;
  /** Current privilege level. */
  readonly cpl?: 0 | 3;
  /** The gate's sixth byte. */
  readonly gate?: number;
  /** IDTR's limit. */
  readonly limit?: number;
  /** The vector that comes. */
  readonly comes: number;
}

const CASES: readonly Case[] = [
  { name: "in the kernel", comes: 3 },
  { name: "with prefixes", instruction: ".byte 0x66, 0x40, 0xcc", comes: 3 },
  { name: "in a program that may", cpl: 3, gate: 0xee, comes: 3 },
  { name: "in a program that may not", cpl: 3, comes: 13 },
  { name: "with a gate that is not present", gate: 0x0e, comes: 11 },
  {
    name: "in a program, not present",
    cpl: 3,
    gate: 0x0e,
    comes: 13,
  },
  { name: "with a gate that is none", gate: 0x82, comes: 13 },
];

function prepare(guest: LongMode, { cpl = 0, gate = 0x8e }: Case): void {
  const { memory, processors } = guest.machine;
  const { vp } = processors[0];
  memory.writeByte(GATE + 5, gate);
  vp.set(Reg.R9, 0n);
  if (cpl === 0) return;
  for (const table of [0x1000, 0x2000]) {
    memory.writeByte(table, memory.readByte(table) | USER);
  }
  memory.writeByte(0x3000, memory.readByte(0x3000) | USER);
  const rsp0 = new Uint8Array(8);
  new DataView(rsp0.buffer).setBigUint64(0, BigInt(RSP0), true);
  memory.write(TSS_RSP0, rsp0);
  for (const [name, selector] of [[Reg.Cs, 0x1b], [Reg.Ss, 0x23]] as const) {
    const segment = vp.getSegment(name);
    vp.setSegment(name, {
      ...segment,
      selector,
      attributes: segment.attributes | 0x60,
    });
  }
}

/** What the handler finds: its vector and its stack. */
async function found(
  which: Case,
  use: (guest: LongMode) => Promise<void>,
): Promise<string[]> {
  const guest = await LongMode.start(
    GUEST(which.instruction ?? "int3"),
    1,
    { breakpoints: "memory", host: NO_INT1 },
  );
  try {
    prepare(guest, which);
    await use(guest);
    // A busy host may not have begun by then.
    do {
      const stopped = guest.run();
      setTimeout(() => guest.debugger.interrupt(), 10);
      assertEquals((await stopped).reason.kind, "interrupted");
    } while (guest.reg(Reg.R9) === 0n);
    const rsp = Number(guest.reg(Reg.Rsp));
    const { view } = guest.machine.memory;
    const data = new DataView(view.buffer, view.byteOffset);
    const frame = Array.from(
      { length: 6 },
      (_, i) => data.getBigUint64(rsp + 8 * i, true).toString(16),
    );
    return [`vector ${guest.reg(Reg.R9)}`, rsp.toString(16), ...frame];
  } finally {
    guest.close();
  }
}

for (const which of CASES) {
  Deno.test({
    name: `the guest's own INT3 is its own: ${which.name}`,
    ignore,
    async fn() {
      const alone = await found(which, () => Promise.resolve());
      assertEquals(alone[0], `vector ${which.comes}`);
      const armed = await found(which, (guest) => {
        guest.break("elsewhere");
        return Promise.resolve();
      });
      assertEquals(armed, alone, "run");
      const stepped = await found(which, async (guest) => {
        for (let i = 0; i < 2; i++) await guest.resume("step");
        assertEquals(
          guest.rip(),
          guest.symbol(`vector${which.comes}`),
          "a step ends at the handler",
        );
      });
      assertEquals(stepped, alone, "stepped");
      const stopped = await found(which, async (guest) => {
        // More than debug registers can hold.
        for (const i of [1, 2, 3, 4]) guest.break(0x200000 + i);
        guest.break("own");
        assertEquals((await guest.run()).reason, { kind: "breakpoint" });
        assertEquals(guest.rip(), guest.symbol("own"));
        guest.unbreak("own");
      });
      assertEquals(stopped, alone, "stopped at");
    },
  });
}

Deno.test({
  name: "the first four are in debug registers, then INT3 is in memory",
  ignore,
  async fn() {
    const guest = await LongMode.start(
      `
start:  mov $5, %ecx
a0:     nop
a1:     nop
a2:     nop
a3:     nop
a4:     nop
a5:     nop
        int3
        loop a0
        hlt
vector3: incq int3s
        iretq
        .align 8
int3s:  .quad 0
`,
      1,
      { breakpoints: "memory", host: NO_INT1 },
    );
    const names = ["a0", "a1", "a2", "a3", "a4", "a5"];
    for (const name of names) guest.break(name);
    for (let turn = 0; turn < 5; turn++) {
      for (const name of names) {
        assertEquals((await guest.run()).reason, { kind: "breakpoint" });
        assertEquals(guest.rip(), guest.symbol(name));
      }
    }
    assertEquals(guest.quad("int3s"), 4n);
    const held = await guest.debugger.monitor("breakpoints", 0);
    assertEquals(held.match(/: a debug register,/g)?.length, 4, held);
    assertEquals(held.match(/: INT3 at physical 0x/g)?.length, 2, held);
    assertEquals(
      guest.machine.memory.readByte(guest.symbol("a5")),
      0x90,
      "while it stands",
    );
    guest.close();
  },
});
