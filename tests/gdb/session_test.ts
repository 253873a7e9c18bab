/** The conversation itself: acknowledgements, order, stops, disconnecting. */
import { assertEquals, assertMatch } from "@std/assert";
import { PACKET_SIZE } from "../../src/gdb/packet.ts";
import { TargetError } from "../../src/debug/target.ts";
import { Client, frame } from "./client.ts";
import { FakeTarget } from "./fake_target.ts";

const STEPPED = /^T0506:0{16};07:0{16};10:0100100{10};thread:p1\.1;core:0;$/;

function pair(processors = 2): { target: FakeTarget; client: Client } {
  const target = new FakeTarget(processors);
  const client = new Client(target);
  client.handshake();
  return { target, client };
}

Deno.test("packets are acknowledged until the other side wants it no more", () => {
  const client = new Client(new FakeTarget());
  assertEquals(client.raw(frame("qAttached")), ["+", "$1"]);
  assertEquals(client.raw(frame("QStartNoAckMode")), ["+", "$OK"]);
  assertEquals(client.raw("+"), []);
  assertEquals(client.raw(frame("qAttached")), ["$1"]);
});

Deno.test("a wrong checksum is refused and not acted upon", () => {
  const target = new FakeTarget();
  const client = new Client(target);
  assertEquals(client.raw("$k#00"), ["-"]);
  assertEquals(target.calls, []);
  assertEquals(client.raw(frame("qC")), ["+", "$QC1"]);
});

Deno.test("a refused reply is sent again", () => {
  const client = new Client(new FakeTarget());
  client.raw(frame("qAttached"));
  assertEquals(client.raw("-"), ["$1"]);
  assertEquals(client.raw("-"), ["$1"]);
});

Deno.test("without acknowledgements the checksum is not looked at", () => {
  const { client } = pair();
  assertEquals(client.raw("$qAttached#00"), ["$1"]);
});

Deno.test("unknown packets get an empty reply", () => {
  const { client } = pair();
  for (
    const packet of ["", "vMustReplyEmpty", "qTStatus", "y", "qXfer:a:read"]
  ) {
    assertEquals(client.ask(packet), "", packet);
  }
});

Deno.test("a packet that is too long is an unknown one", () => {
  const { client } = pair();
  const long = frame("m".padEnd(PACKET_SIZE + 1, "0"));
  assertEquals(client.raw(long), ["$"]);
  assertEquals(client.ask("qC"), "QCp1.1");
});

Deno.test("several packets in one portion are answered in order", () => {
  const { client } = pair();
  const stream = ["qAttached", "qC", "vCont?"].flatMap((p) => [...frame(p)]);
  assertEquals(client.raw(Uint8Array.from(stream)), [
    "$1",
    "$QCp1.1",
    "$vCont;c;C;s;S;t;r",
  ]);
});

Deno.test("the reply to a step comes when it is done", async () => {
  const { target, client } = pair();
  assertEquals(client.raw(frame("vCont;s:p1.1")), []);
  assertEquals(target.stop, null);
  await Promise.resolve();
  assertEquals(client.announced, 1);
  const [reply] = client.output();
  assertMatch(reply.slice(1), STEPPED);
});

Deno.test("a target that stops at once is answered once", () => {
  const { target, client } = pair();
  target.synchronous = true;
  assertMatch(client.ask("vCont;s:p1.1"), STEPPED);
  assertEquals(client.announced, 0);
});

Deno.test("packets while the guest runs wait for the stop, in order", async () => {
  const { target, client } = pair();
  target.breakpoints.push({
    kind: "software",
    address: 0x100010n,
    length: 1,
    conditions: [],
  });
  const stream = ["vCont;c", "p10", "vCont;s:p1.1", "p10", "qC"]
    .flatMap((p) => [...frame(p)]);
  assertEquals(client.raw(Uint8Array.from(stream)), []);
  for (let i = 0; i < 4; i++) await Promise.resolve();
  const replies = client.output();
  assertEquals(replies.map((r) => r.slice(0, 3)), [
    "$T0",
    "$10",
    "$T0",
    "$11",
    "$QC",
  ]);
});

Deno.test("the same with a target that stops at once", () => {
  const { target, client } = pair();
  target.synchronous = true;
  client.raw(frame("vCont;c"));
  const stream = ["p10", "vCont;s:p1.1", "vCont;s:p1.1", "p10"]
    .flatMap((p) => [...frame(p)]);
  assertEquals(client.raw(Uint8Array.from(stream)), []);
  target.stopNow({ kind: "interrupted" });
  assertEquals(client.output().map((r) => r.slice(0, 3)), [
    "$T0",
    "$00",
    "$T0",
    "$T0",
    "$02",
  ]);
  assertEquals(client.announced, 1);
});

Deno.test("an interrupt stops a running guest, also amid packets", () => {
  const { target, client } = pair();
  target.synchronous = true;
  assertEquals(client.raw(frame("vCont;c")), []);
  const stream = [...frame("qC"), 3, ...frame("qAttached")];
  const replies = client.raw(Uint8Array.from(stream));
  assertMatch(replies[0], /^\$T02/);
  assertEquals(replies.slice(1), ["$QCp1.1", "$1"]);
});

Deno.test("an interrupt for a stopped guest is none", () => {
  const { target, client } = pair();
  assertEquals(client.raw("\x03"), []);
  assertEquals(target.calls, []);
});

Deno.test("more packets than anybody sends end the connection", () => {
  const { target, client } = pair();
  target.synchronous = true;
  client.raw(frame("vCont;c"));
  for (let i = 0; i < 300; i++) client.raw(frame("g"));
  assertEquals(client.session.closed, true);
});

Deno.test("after a stop the packets mean the processor that stopped", () => {
  const { target, client } = pair();
  target.synchronous = true;
  target.setRip(1, 0x100077n);
  client.raw(frame("vCont;c"));
  target.stopNow({ kind: "breakpoint" }, 1);
  assertMatch(client.output()[0], /thread:p1\.2;core:1;swbreak:;$/);
  assertEquals(client.ask("p10"), "7700100000000000");
});

Deno.test("stop reasons as gdb names them", () => {
  const { target, client } = pair();
  target.synchronous = true;
  const ending = (reason: Parameters<FakeTarget["stopNow"]>[0]) => {
    client.raw(frame("vCont;c"));
    target.stopNow(reason);
    const reply = client.output().at(-1) ?? "";
    return reply.slice(1, 4) + reply.slice(reply.indexOf("core:0;") + 7);
  };
  assertEquals(ending({ kind: "breakpoint" }), "T05swbreak:;");
  assertEquals(ending({ kind: "hardwareBreakpoint" }), "T05hwbreak:;");
  const address = 0xffff_8000_0000_1230n;
  const at = (access: "write" | "read" | "access") =>
    ending({ kind: "watchpoint", access, address });
  assertEquals(at("write"), "T05watch:ffff800000001230;");
  assertEquals(at("read"), "T05rwatch:ffff800000001230;");
  assertEquals(at("access"), "T05awatch:ffff800000001230;");
  assertEquals(ending({ kind: "exception", vector: 14 }), "T0b");
  assertEquals(ending({ kind: "exception", vector: 6 }), "T04");
  assertEquals(ending({ kind: "exception", vector: 0 }), "T08");
  assertEquals(ending({ kind: "interrupted" }), "T02");
});

Deno.test("swbreak and hwbreak only for those who know them", () => {
  const target = new FakeTarget();
  const client = new Client(target);
  client.handshake("xmlRegisters=i386");
  target.synchronous = true;
  for (const kind of ["breakpoint", "hardwareBreakpoint"] as const) {
    client.raw(frame("vCont;c"));
    target.stopNow({ kind });
    assertMatch(client.output()[0], /thread:1;core:0;$/);
  }
});

Deno.test("a failed platform call is told in words before the stop", () => {
  const { target, client } = pair();
  target.synchronous = true;
  client.raw(frame("vCont;c"));
  target.stopNow({ kind: "failed", message: "no" });
  const [words, stop] = client.output();
  assertEquals(words, "$O6e6f0a");
  assertMatch(stop, /^\$T06/);
});

Deno.test("the end of the guest, with its code", () => {
  const { target, client } = pair();
  target.synchronous = true;
  client.raw(frame("vCont;c"));
  target.stopNow({ kind: "exited", code: 0x103 });
  assertEquals(client.output(), ["$W03;process:1"]);
  assertEquals(client.ask("?"), "W03;process:1");
  assertEquals(client.ask("vCont;c"), "W03;process:1");
});

Deno.test("a stop is told although its registers cannot be read", () => {
  const { target, client } = pair();
  target.synchronous = true;
  client.raw(frame("vCont;c"));
  target.failure = new TargetError("gone");
  target.stopNow({ kind: "interrupted" });
  assertEquals(client.output(), ["$T02thread:p1.1;core:0;"]);
});

Deno.test("what the target cannot do is an error with its words", () => {
  const { target, client } = pair();
  target.failure = new TargetError("WHvGetVirtualProcessorRegisters\nfailed");
  assertEquals(client.ask("g"), "E.WHvGetVirtualProcessorRegisters failed");
  assertEquals(
    client.ask("P10=0000000000000000"),
    "E.WHvGetVirtualProcessorRegisters failed",
  );
  target.failure = null;
  assertEquals(client.ask("g").length, 1216);
});

Deno.test("an unexpected fault of a call is an error too, and no more", () => {
  const { target, client } = pair();
  target.failure = new RangeError("oops");
  assertEquals(client.ask("m100000,4"), "E.oops");
  target.failure = null;
  assertEquals(client.ask("m100000,4"), "00000000");
});

Deno.test("a resume that fails is an error, and the guest still stands", () => {
  const { target, client } = pair();
  target.failure = new TargetError("no");
  assertEquals(client.ask("vCont;c"), "E.no");
  target.failure = null;
  target.synchronous = true;
  assertMatch(client.ask("vCont;s:p1.1"), STEPPED);
});

Deno.test("who connects to a running guest stops it", () => {
  const target = new FakeTarget();
  target.stop = null;
  const client = new Client(target);
  assertEquals(target.calls, ["interrupt"]);
  assertMatch(client.raw(frame("?"))[1], /^\$T02/);
});

Deno.test("a slow stop at connecting keeps the first packets waiting", () => {
  const target = new FakeTarget();
  target.stop = null;
  target.interrupt = () => {};
  const client = new Client(target);
  assertEquals(client.raw(frame("qC")), ["+"]);
  target.stopNow({ kind: "interrupted" }, 1);
  assertEquals(client.output(), ["$QC2"]);
});

Deno.test("a stop of a guest that nobody watched is there for the next", () => {
  const target = new FakeTarget();
  target.stop = { processor: 1, reason: { kind: "breakpoint" } };
  const client = new Client(target);
  client.handshake();
  assertMatch(client.ask("?"), /^T05.*thread:p1\.2;core:1;swbreak:;$/);
});

Deno.test("a connection that ends lets the guest go, by option", () => {
  for (const after of ["run", "stay"] as const) {
    const target = new FakeTarget();
    target.stop = { processor: 0, reason: { kind: "step" } };
    const client = new Client(target, { afterDisconnect: after });
    client.raw(frame("Z0,100000,1"));
    client.session.disconnect();
    client.session.disconnect();
    assertEquals(target.calls, [`detach and ${after}`]);
    assertEquals(target.breakpoints, []);
    assertEquals(target.onStop.size, 0);
  }
});

Deno.test("a guest that waits goes on waiting when a connection ends", () => {
  const target = new FakeTarget();
  const client = new Client(target, { afterDisconnect: "run" });
  client.raw(frame("Z0,100000,1"));
  client.session.disconnect();
  assertEquals(target.calls, ["detach and stay"]);
  assertEquals(target.breakpoints, []);
  const other = new Client(target, { afterDisconnect: "run" });
  other.raw(frame("D"));
  assertEquals(target.calls, ["detach and stay", "detach and run"]);
});

Deno.test("nothing is said any more after the end", () => {
  const { target, client } = pair();
  client.raw(frame("vCont;c"));
  client.session.disconnect();
  target.stopNow({ kind: "step" });
  assertEquals(client.raw(frame("g")), []);
});

Deno.test("where gdb sees no breakpoint, none is told", () => {
  for (
    const [kind, field] of [
      ["breakpoint", "swbreak"],
      ["hardwareBreakpoint", "hwbreak"],
    ] as const
  ) {
    const { target, client } = pair();
    for (const base of [0n, 0x7c00n]) {
      target.codeBase = base;
      client.raw(frame("vCont;c"));
      target.stopNow({ kind });
      assertEquals(client.output()[0].includes(field), base === 0n);
    }
  }
});

Deno.test("a description read makes the registers its own", () => {
  const { target, client } = pair();
  const read = () => client.ask("qXfer:features:read:target.xml:0,fffff");
  assertMatch(read(), /<architecture>i386:x86-64</);
  assertEquals(client.ask("g").length, 2 * 608);
  target.taken = "i386";
  target.bits = 16;
  assertEquals(client.ask("g").length, 2 * 608, "not read yet");
  assertMatch(read(), /<architecture>i8086</);
  assertEquals(client.ask("g").length, 2 * 344);
  target.setRip(0, 0x1_2345_6789n);
  assertEquals(client.ask("p8"), "89674523", "eip");
  assertMatch(client.ask("?"), /^T0505:0+;|^T0504:/);
  // Said once, and before the stop it is about.
  for (const [bits, said] of [[32, 1], [32, 0], [64, 1], [64, 0]] as const) {
    target.bits = bits;
    client.raw(frame("vCont;c"));
    target.stopNow({ kind: "step" });
    const output = client.output();
    assertEquals(output.length, 1 + said);
    if (said) assertMatch(output[0], /^\$O/);
  }
  target.taken = "x86-64";
  assertMatch(read(), /<architecture>i386:x86-64</);
  assertEquals(client.ask("g").length, 2 * 608);
});
