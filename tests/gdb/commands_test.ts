/** Every command, one after the other. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { CommandTable, needing } from "../../src/gdb/command.ts";
import { commands } from "../../src/gdb/commands/mod.ts";
import { registerNumber, registers } from "../../src/debug/guest/registers.ts";
import { type DebugTarget, TargetError } from "../../src/debug/target.ts";
import { Client, frame, hex } from "./client.ts";
import { FakeTarget, MEMORY_BYTES } from "./fake_target.ts";

function pair(processors = 2): { target: FakeTarget; client: Client } {
  const target = new FakeTarget(processors);
  const client = new Client(target);
  client.handshake();
  return { target, client };
}

Deno.test("qSupported says what is there", () => {
  const client = new Client(new FakeTarget());
  const said = client.handshake().split(";");
  assertEquals(
    said,
    [
      "PacketSize=40000",
      "multiprocess+",
      "QStartNoAckMode+",
      "binary-upload+",
      "vContSupported+",
      "swbreak+",
      "hwbreak+",
      "ConditionalBreakpoints+",
      "qXfer:features:read+",
      "qXfer:threads:read+",
      "qXfer:memory-map:read+",
    ].toSorted((a, b) => said.indexOf(a) - said.indexOf(b)),
  );
});

Deno.test("what a target cannot do is neither advertised nor known", () => {
  const bare: DebugTarget = Object.assign(new FakeTarget(), {
    monitor: undefined,
    restart: undefined,
    regionAt: undefined,
    readPhysical: undefined,
    writePhysical: undefined,
  });
  const client = new Client(bare);
  client.handshake();
  for (
    const packet of [
      `qRcmd,${hex("help")}`,
      "vRun;",
      "qMemoryRegionInfo:0",
      "qqemu.PhyMemMode",
      "Qqemu.PhyMemMode:1",
    ]
  ) assertEquals(client.ask(packet), "", packet);
  assertEquals(client.ask("qqemu.Supported"), "sstepbits;sstep");
});

Deno.test("commands advertise what they need of a target only where it is", () => {
  const table = new CommandTable([
    needing(["monitor"], {
      name: "qFirst",
      features: ["First+"],
      handle: (_session, _packet, reply, target) =>
        reply.text(`${target.monitor("x", 0)}`),
    }),
    { name: "qSecond", features: ["Second+"], handle: () => {} },
  ]);
  const able = new FakeTarget();
  assertEquals(table.for(able).features, ["First+", "Second+"]);
  const bare = Object.create(able, { monitor: { value: undefined } });
  assertEquals(table.for(bare).features, ["Second+"]);
  assertEquals(table.for(bare).names, ["qSecond"]);
});

Deno.test("every advertised transfer is answered", () => {
  const { client } = pair();
  for (const feature of commands.features) {
    const name = feature.match(/^(qXfer:.*):read\+$/)?.[1];
    if (name === undefined) continue;
    const annex = name === "qXfer:features" ? "target.xml" : "";
    assertMatch(client.ask(`${name}:read:${annex}:0,ffff`), /^l<\?xml/);
  }
});

Deno.test("commands are found by whole words", () => {
  const find = (packet: string) =>
    commands.find(Uint8Array.from(packet, (c) => c.charCodeAt(0)))?.name;
  assertEquals(find("vCont?"), "vCont?");
  assertEquals(find("vCont;c"), "vCont");
  assertEquals(find("vContinue"), undefined);
  assertEquals(find("qC"), "qC");
  assertEquals(find("qCRC:1,2"), "qCRC");
  assertEquals(find("qThreadStopInfo1"), "qThreadStopInfo");
  assertEquals(find("m1,2"), "m");
  assertEquals(find(""), undefined);
  assertEquals(new Set(commands.names).size, commands.names.length);
});

Deno.test("g and G carry QEMU's registers", () => {
  const { target, client } = pair();
  target.setRip(0, 0x123456n);
  const before = client.ask("g");
  assertEquals(before.length, 1216);
  assertEquals(before.slice(256, 272), "5634120000000000");
  const all = Uint8Array.from({ length: 608 }, (_, i) => i);
  // Registers that are narrower than they look keep zeros above.
  const digits = Array.from(all, (b) => b.toString(16).padStart(2, "0"));
  assertEquals(client.ask(`G${digits.join("")}`), "OK");
  assertEquals(client.ask("g").slice(0, 272), digits.join("").slice(0, 272));
  assertEquals(client.ask("p31"), digits.slice(348, 364).join(""));
});

Deno.test("G may be short, but ends with a whole register", () => {
  const { client } = pair();
  assertEquals(client.ask(`G${"11".repeat(16)}`), "OK");
  assertEquals(client.ask("p1"), "11".repeat(8));
  assertEquals(client.ask("p2"), "00".repeat(8));
  for (const bad of ["", "1", "11", "zz", "11".repeat(609)]) {
    assertEquals(client.ask(`G${bad}`), "E22", bad);
  }
});

Deno.test("p and P reach every register by number", () => {
  const { client } = pair();
  for (const [number, { name, bytes, width }] of registers.entries()) {
    const value = "a5".repeat(width).padEnd(2 * bytes, "0");
    assertEquals(client.ask(`P${number.toString(16)}=${value}`), "OK");
    if (name === "ftag") continue;
    assertEquals(client.ask(`p${number.toString(16)}`), value, name);
  }
});

Deno.test("p and P refuse what is no register and no value", () => {
  const { client } = pair();
  const none = registers.length.toString(16);
  for (const bad of [`p${none}`, "p", "pzz", `P${none}=00`, "P0=00", "P0"]) {
    assertEquals(client.ask(bad), "E22", bad);
  }
});

Deno.test("a register that a platform has not is shown as unavailable", () => {
  const { target, client } = pair();
  target.failure = new TargetError("no XCR0");
  const number = registerNumber("xcr0").toString(16);
  assertEquals(client.ask(`p${number}`), "x".repeat(16));
});

Deno.test("m reads what is mapped, as far as it is", () => {
  const { target, client } = pair();
  target.memory.set([1, 2, 0xab]);
  assertEquals(client.ask("m100000,3"), "0102ab");
  assertEquals(client.ask("m0000000000100002,1"), "ab");
  const end = (0x100000 + MEMORY_BYTES - 2).toString(16);
  assertEquals(client.ask(`m${end},10`), "0000");
  assertEquals(client.ask("mffffffffffffffff,1"), "E14");
  assertEquals(client.ask("m0,8"), "E14");
});

Deno.test("m and x answer malformed requests with an error", () => {
  const { client } = pair();
  for (const bad of ["m", "m,", "m1", "m1,", "mz,1", "m1,ffffffffffffffff"]) {
    assertEquals(client.ask(bad), "E22", bad);
    assertEquals(client.ask(bad.replace("m", "x")), "E22", bad);
  }
  assertEquals(client.ask("m11111111111111111,1"), "E22");
});

Deno.test("a read of more than fits gives what fits", () => {
  const { client } = pair();
  assertEquals(client.ask("m100000,fffff").length, 0x40000);
});

Deno.test("x reads in binary, with all bytes", () => {
  const { target, client } = pair();
  for (let i = 0; i < 512; i++) target.memory[i] = i >> 1;
  const reply = client.ask("x100000,200");
  assertEquals(reply[0], "b");
  assertEquals(
    Array.from(reply.slice(1), (c) => c.charCodeAt(0)),
    Array.from(target.memory.subarray(0, 512)),
  );
  assertEquals(client.ask("x100000,0"), "b");
  assertEquals(client.ask("x0,4"), "E14");
});

Deno.test("M and X write, whole or not at all", () => {
  const { target, client } = pair();
  assertEquals(client.ask("M100004,2:beef"), "OK");
  const data = Uint8Array.of(
    ...new TextEncoder().encode("X100006,4:"),
    35,
    36,
    42,
    125,
  );
  assertEquals(client.ask(data), "OK");
  assertEquals(
    Array.from(target.memory.subarray(4, 10)),
    [0xbe, 0xef, 35, 36, 42, 125],
  );
  const end = (0x100000 + MEMORY_BYTES - 1).toString(16);
  assertEquals(client.ask(`M${end},2:ffff`), "E14");
  assertEquals(target.memory.at(-1), 0);
  assertEquals(client.ask("X0,0:"), "OK");
  for (const bad of ["M1,2:ff", "M1,1", "M1:ff", "M1,1:f", "X1,2:a", "X1"]) {
    assertEquals(client.ask(bad), "E22", bad);
  }
});

Deno.test("physical memory by QEMU's switch", () => {
  const { target, client } = pair();
  assertEquals(client.ask("qqemu.PhyMemMode"), "0");
  assertEquals(client.ask("Qqemu.PhyMemMode:1"), "OK");
  assertEquals(client.ask("qqemu.PhyMemMode"), "1");
  assertEquals(client.ask("Mff000,1:77"), "OK");
  assertEquals(target.memory[0], 0x77);
  assertEquals(client.ask("mff000,1"), "77");
  assertEquals(client.ask("Qqemu.PhyMemMode:2"), "E22");
  assertEquals(client.ask("Qqemu.PhyMemMode:0"), "OK");
  assertEquals(client.ask("mff000,1"), "E14");
});

Deno.test("a search finds the first place, also across pieces", () => {
  const { target, client } = pair();
  const all = MEMORY_BYTES.toString(16);
  target.memory.set([1, 2, 3], 5);
  assertEquals(
    client.ask(`qSearch:memory:100000;${all};\x01\x02\x03`),
    "1,100005",
  );
  assertEquals(client.ask(`qSearch:memory:100006;1000;\x01\x02\x03`), "0");
  assertEquals(client.ask(`qSearch:memory:100000;7;\x01\x02\x03`), "0");
  assertEquals(client.ask(`qSearch:memory:100000;8;\x01\x02\x03`), "1,100005");
  assertEquals(client.ask(`qSearch:memory:0;8;\x01`), "E14");
  assertEquals(client.ask(`qSearch:memory:100000;fffff;\x09`), "E14");
  assertEquals(client.ask("qSearch:memory:100000;8;"), "E22");
});

Deno.test("a search sees a match that lies across two reads", () => {
  const target = new FakeTarget();
  // Reads of 16 bytes, whatever is asked: the rest is "not mapped".
  const client = new Client(target);
  client.handshake();
  const big = new Uint8Array(0x80000);
  big.set([7, 8, 9, 10], 0x40000 - 2);
  target.readMemory = (_processor, address, into) => {
    into.set(big.subarray(Number(address), Number(address) + into.length));
    return into.length;
  };
  assertEquals(
    client.ask("qSearch:memory:0;80000;\x07\x08\x09\x0a"),
    "1,3fffe",
  );
});

Deno.test("qCRC is the one of compare-sections", () => {
  const { target, client } = pair();
  target.memory.set(new TextEncoder().encode("123456789"));
  // The check value of CRC-32/MPEG-2.
  assertEquals(client.ask("qCRC:100000,9"), "C376e6e7");
  assertEquals(client.ask("qCRC:100000,fffff"), "E14");
  assertEquals(client.ask("qCRC:100000"), "E22");
});

Deno.test("threads are processors", () => {
  const { client } = pair(3);
  assertEquals(client.ask("qfThreadInfo"), "mp1.1,p1.2,p1.3");
  assertEquals(client.ask("qsThreadInfo"), "l");
  assertEquals(client.ask("qThreadExtraInfo,p1.2"), hex("CPU1 [running]"));
  assertEquals(client.ask("Tp1.3"), "OK");
  assertEquals(client.ask("Tp1.4"), "E22");
  assertEquals(client.ask("Tp2.1"), "E22");
  const xml = client.ask("qXfer:threads:read::0,ffff");
  assertStringIncludes(xml, '<thread id="p1.3" core="2" name="CPU2">');
});

Deno.test("thread ids without processes, for those who know none", () => {
  const client = new Client(new FakeTarget());
  client.handshake("swbreak+");
  assertEquals(client.ask("qfThreadInfo"), "m1,2");
  assertEquals(client.ask("qC"), "QC1");
});

Deno.test("Hg chooses whose registers are meant", () => {
  const { target, client } = pair();
  target.setRip(1, 0x55n);
  for (const [packet, reply] of [["Hgp1.2", "5500"], ["Hg1", "0000"]]) {
    assertEquals(client.ask(packet), "OK");
    assertEquals(client.ask("p10").slice(0, 4), reply);
  }
  assertEquals(client.ask("Hg2"), "OK");
  assertEquals(client.ask("Hg0"), "OK");
  assertEquals(client.ask("qC"), "QCp1.2");
  for (const bad of ["H", "Hx1", "Hg", "Hg3", "Hgp3.1"]) {
    assertEquals(client.ask(bad), "E22", bad);
  }
});

Deno.test("vCont makes a plan: of several actions the first that fits", () => {
  const { target, client } = pair(3);
  const CONTINUE = { kind: "continue" };
  const STEP = { kind: "step" };
  const STAY = { kind: "stay" };
  const range = { kind: "range", start: 0x10n, end: 0x20n };
  const cases: [string, unknown[]][] = [
    ["vCont;c", [CONTINUE, CONTINUE, CONTINUE]],
    ["vCont;s:p1.2;c", [CONTINUE, STEP, CONTINUE]],
    ["vCont;s:p1.2", [STAY, STEP, STAY]],
    ["vCont;s:1;t:2;c", [STEP, STAY, CONTINUE]],
    ["vCont;r10,20:p1.3;c:p1.-1", [CONTINUE, CONTINUE, range]],
    ["vCont;S05:1;C0a", [STEP, CONTINUE, CONTINUE]],
    ["vCont;c:p1.2;s:2;c:-1", [CONTINUE, CONTINUE, CONTINUE]],
    ["vCont;s:0", [STEP, STAY, STAY]],
    ["c", [CONTINUE, CONTINUE, CONTINUE]],
    ["s", [STEP, CONTINUE, CONTINUE]],
    ["C05", [CONTINUE, CONTINUE, CONTINUE]],
    ["S05", [STEP, CONTINUE, CONTINUE]],
  ];
  target.synchronous = true;
  for (const [packet, plan] of cases) {
    client.raw(frame(packet));
    assertEquals(target.plans.at(-1), plan as never, packet);
    if (target.stop === null) target.stopNow({ kind: "interrupted" });
    client.output();
  }
});

Deno.test("Hc narrows the older packets", () => {
  const { target, client } = pair();
  target.synchronous = true;
  client.ask("Hc2");
  client.raw(frame("s"));
  assertEquals(target.plans.at(-1), [{ kind: "stay" }, { kind: "step" }]);
  client.ask("Hc-1");
  client.raw(frame("c"));
  assertEquals(target.plans.at(-1), [
    { kind: "continue" },
    { kind: "continue" },
  ]);
});

Deno.test("s and S may carry an address", () => {
  const { target, client } = pair();
  target.synchronous = true;
  client.ask("s2000");
  assertEquals(target.rip(0), 0x2001n);
  client.ask("S05;3000");
  assertEquals(target.rip(0), 0x3001n);
});

Deno.test("a plan in which nobody moves is answered at once", () => {
  const { target, client } = pair();
  assertMatch(client.ask("vCont;t"), /^T05/);
  assertEquals(target.plans, []);
});

Deno.test("malformed resumes are errors", () => {
  const { target, client } = pair();
  for (
    const bad of [
      "vCont",
      "vCont;",
      "vCont;x",
      "vCont;c:9",
      "vCont;r1",
      "vCont;r1,",
      "vCont;Czz",
      "vCont;c;;",
      "szz",
      "C",
    ]
  ) {
    assertEquals(client.ask(bad), "E22", bad);
  }
  assertEquals(target.plans, []);
});

Deno.test("Z and z insert and remove, each kind", () => {
  const { target, client } = pair();
  const kinds = ["software", "hardware", "write", "read", "access"];
  for (const [type, kind] of kinds.entries()) {
    assertEquals(client.ask(`Z${type},100010,4`), "OK");
    assertEquals(target.breakpoints.length, 1);
    assertEquals(target.breakpoints[0].kind, kind as never);
    assertEquals(target.breakpoints[0].address, 0x100010n);
    assertEquals(target.breakpoints[0].length, 4);
    assertEquals(client.ask(`z${type},100010,4`), "OK");
    assertEquals(target.breakpoints.length, 0);
  }
  assertEquals(client.ask("Z5,100010,1"), "");
  for (const bad of ["Z", "Z0", "Z0,", "Z0,1", "Z0,1,1;Y", "Z0,1,1;X3,ff"]) {
    assertEquals(client.ask(bad), "E22", bad);
  }
});

Deno.test("inserting twice is inserting once, removing twice no error", () => {
  const { target, client } = pair();
  assertEquals(client.ask("Z0,100010,1"), "OK");
  assertEquals(
    client.ask("Z0,100010,1;X2,2227"),
    "E.the expression has no end",
  );
  assertEquals(client.ask("Z0,100010,1;X3,220127"), "OK");
  assertEquals(target.breakpoints.length, 1);
  assertEquals(target.breakpoints[0].conditions.length, 1);
  assertEquals(client.ask("z0,100010,1"), "OK");
  assertEquals(client.ask("z0,100010,1"), "OK");
  assertEquals(target.breakpoints.length, 0);
});

Deno.test("several conditions, with or without separators", () => {
  const { target, client } = pair();
  for (const list of [";X3,220127X3,220027", ";X3,220127;X3,220027"]) {
    assertEquals(client.ask(`Z0,100010,1${list}`), "OK");
    assertEquals(
      target.breakpoints[0].conditions.map((c) => [...c.bytes]),
      [[0x22, 1, 0x27], [0x22, 0, 0x27]],
    );
  }
});

Deno.test("without a free debug register an error says so", () => {
  const { client } = pair();
  for (let i = 0; i < 4; i++) assertEquals(client.ask(`Z2,10000${i},1`), "OK");
  assertEquals(client.ask("Z2,100008,1"), "E.no free debug register");
  assertEquals(client.ask("z2,100000,1"), "OK");
  assertEquals(client.ask("Z2,100008,1"), "OK");
});

Deno.test("documents come in portions", () => {
  const { client } = pair();
  const whole = client.ask("qXfer:features:read:target.xml:0,fffff").slice(1);
  let pieces = "";
  for (let at = 0;; at += 100) {
    const reply = client.ask(
      `qXfer:features:read:target.xml:${at.toString(16)},64`,
    );
    pieces += reply.slice(1);
    if (reply[0] === "l") break;
  }
  assertEquals(pieces, whole);
  for (const [number, { name, bytes }] of registers.entries()) {
    assertMatch(
      whole,
      new RegExp(
        `<reg name="${name}" bitsize="${8 * bytes}" .*regnum="${number}"`,
      ),
    );
  }
  assertEquals(client.ask("qXfer:features:read:other.xml:0,10"), "E00");
  assertEquals(client.ask("qXfer:features:read:target.xml:fffff,10"), "E22");
  assertEquals(client.ask("qXfer:features:read:target.xml"), "E22");
});

Deno.test("monitor commands answer in hexadecimal text", () => {
  const { client } = pair();
  client.ask("Hg2");
  assertEquals(client.ask(`qRcmd,${hex("help")}`), hex("help on CPU1\n"));
  assertEquals(client.ask(`qRcmd,${hex("quiet")}`), "OK");
  assertEquals(
    client.ask(`qRcmd,${hex("fail")}`),
    hex("no such command: fail\n"),
  );
  assertEquals(client.ask("qRcmd,x"), "E22");
});

Deno.test("D lets the guest go and ends the conversation", () => {
  for (const packet of ["D", "D;1"]) {
    const { target, client } = pair();
    client.ask("Z0,100010,1");
    assertEquals(client.ask(packet), "OK");
    assertEquals(client.session.closed, true);
    client.session.disconnect();
    assertEquals(target.calls, ["detach and run"]);
    assertEquals(target.breakpoints, []);
  }
});

Deno.test("D while the guest runs, with a packet waiting", () => {
  const { client } = pair();
  client.raw(frame("vCont;c"));
  client.raw(frame("g"));
  assertEquals(client.raw(frame("D")), ["$E22", "$OK"]);
});

Deno.test("in extended mode one can detach and attach again", () => {
  const { target, client } = pair();
  assertEquals(client.ask("!"), "OK");
  assertEquals(client.ask("D;1"), "OK");
  assertEquals(client.session.closed, false);
  assertEquals(client.ask("?"), "W00;process:1");
  assertEquals(client.ask("qfThreadInfo"), "l");
  assertEquals(client.raw("\x03"), []);
  assertMatch(client.ask("vAttach;1"), /^T02/);
  assertEquals(client.ask("qfThreadInfo"), "mp1.1,p1.2");
  assertEquals(target.calls, ["detach and run", "interrupt"]);
});

Deno.test("k ends the guest without a reply", () => {
  const { target, client } = pair();
  assertEquals(client.raw(frame("k")), []);
  assertEquals(client.session.closed, true);
  client.session.disconnect();
  assertEquals(target.calls, ["kill"]);
});

Deno.test("vKill and then R or vRun, in extended mode", () => {
  const { target, client } = pair();
  client.ask("!");
  assertEquals(client.ask("vKill;1"), "OK");
  assertEquals(client.ask("?"), "W00;process:1");
  assertEquals(client.raw(frame("R00")), []);
  assertMatch(client.ask("?"), /^T05/);
  client.ask("vKill;1");
  assertMatch(client.ask("vRun;"), /^T05/);
  assertEquals(target.calls, ["kill", "restart", "kill", "restart"]);
});

Deno.test("R outside of extended mode is unknown", () => {
  const { target, client } = pair();
  assertEquals(client.ask("R00"), "");
  assertEquals(target.calls, []);
});

Deno.test("lldb's suffixes choose the thread of a register packet", () => {
  const { target, client } = pair();
  target.setRip(1, 0x77n);
  assertEquals(client.ask("QThreadSuffixSupported"), "OK");
  assertEquals(client.ask("p10;thread:2;").slice(0, 2), "77");
  assertEquals(client.ask("p10;thread:1;").slice(0, 2), "00");
  assertEquals(client.ask("P10=8800000000000000;thread:0002;"), "OK");
  assertEquals(target.rip(1), 0x88n);
  assertEquals(client.ask("g;thread:2;").slice(256, 258), "88");
  assertEquals(client.ask("g;thread:9;"), "E22");
});

Deno.test("what lldb asks about machine, process and threads", () => {
  const { target, client } = pair();
  const triple = `triple:${hex("x86_64-unknown-none")};`;
  assertStringIncludes(client.ask("qHostInfo"), triple);
  assertStringIncludes(client.ask("qProcessInfo"), "pid:1;");
  assertEquals(client.ask("QListThreadsInStopReply"), "OK");
  assertStringIncludes(client.ask("?"), "threads:p1.1,p1.2;");
  assertMatch(client.ask("qThreadStopInfo1"), /^T05/);
  assertEquals(client.ask("qThreadStopInfo2"), "T00thread:2;");
  assertEquals(client.ask("qThreadStopInfo9"), "E22");
  target.failure = new TargetError("no");
  client.ask("QThreadSuffixSupported");
  assertEquals(client.ask("g"), "E14");
});

Deno.test("regions of memory, for lldb", () => {
  const { client } = pair();
  assertEquals(
    client.ask("qMemoryRegionInfo:123456"),
    "start:123000;size:1000;permissions:rx;",
  );
  assertEquals(client.ask("qMemoryRegionInfo:"), "OK");
  assertEquals(client.ask("qMemoryRegionInfo:x"), "E22");
});

Deno.test("what tools look for to know QEMU's system emulator", () => {
  const { target, client } = pair();
  for (const letter of ["q", "Q"]) {
    assertEquals(
      client.ask(`${letter}qemu.sstepbits`),
      "ENABLE=1,NOIRQ=2,NOTIMER=4",
    );
    assertEquals(client.ask(`${letter}qemu.sstep`), "0x7");
    for (const bits of [0, 1, 2, 3, 4, 5, 6, 7]) {
      assertEquals(client.ask(`${letter}qemu.sstep=${bits}`), "OK");
      assertEquals(client.ask(`${letter}qemu.sstep`), `0x${bits}`);
    }
    assertEquals(client.ask(`${letter}qemu.sstep=0x7`), "OK");
    assertEquals(client.ask(`${letter}qemu.sstep=f`), "E22");
  }
  const plans = [
    [7, { kind: "step" }],
    [3, { kind: "step" }],
    [5, { kind: "step", interrupts: true, holdTimers: true }],
    [1, { kind: "step", interrupts: true, holdTimers: false }],
    [6, { kind: "continue" }],
  ] as const;
  for (const [bits, action] of plans) {
    client.ask(`Qqemu.sstep=${bits}`);
    for (const packet of ["vCont;s:p1.1", "vCont;S05:p1.1", "s", "S05"]) {
      client.ask("Hcp1.1");
      target.plans.length = 0;
      target.synchronous = true;
      client.raw(frame(packet));
      if (target.stop === null) target.stopNow({ kind: "interrupted" });
      client.output();
      assertEquals(target.plans[0][0], action, `${bits} ${packet}`);
      assertEquals(target.plans[0][1], { kind: "stay" });
    }
  }
  client.ask("Qqemu.sstep=7");
  assertEquals(client.ask("qqemu.Supported"), "sstepbits;sstep;PhyMemMode");
  // A user-mode emulator would tell offsets.
  assertEquals(client.ask("qOffsets"), "");
});
