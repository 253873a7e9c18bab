// Going back in time as the protocol has it: what is advertised, the packets, the stop
// replies, and commands that take long.

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { ReverseAction, StopReason } from "../../src/debug/target.ts";
import { Subscribers } from "../../src/util/subscribers.ts";
import { Client, frame, hex } from "./client.ts";
import { FakeTarget } from "./fake_target.ts";

/** A target with a past; its monitor answers when a test says so. */
class Timed extends FakeTarget {
  readonly onNotice = new Subscribers<[line: string]>();
  readonly went: [ReverseAction, number][] = [];
  answer = Promise.withResolvers<string>();

  reverse(action: ReverseAction, processor: number): void {
    this.went.push([action, processor]);
    this.stop = null;
  }

  override monitor(command: string, processor: number) {
    if (command !== "goto 1") return super.monitor(command, processor);
    this.stop = null;
    return this.answer.promise as Promise<string> & string;
  }

  arrive(): void {
    this.stop = { processor: 0, reason: { kind: "step" } };
  }
}

function start(): { target: Timed; client: Client } {
  const target = new Timed();
  const client = new Client(target);
  client.handshake();
  return { target, client };
}

Deno.test("going back is advertised and known where the target can", () => {
  const can = new Client(new Timed()).handshake().split(";");
  assert(can.includes("ReverseStep+") && can.includes("ReverseContinue+"));
  const bare = new Client(new FakeTarget());
  assert(!bare.handshake().includes("Reverse"));
  assertEquals([bare.ask("bs"), bare.ask("bc")], ["", ""]);
});

Deno.test("bs and bc are for the thread that Hc chose, or the last stop's", () => {
  const { target, client } = start();
  const go = (packet: string, processor = 0) => {
    assertEquals(client.raw(frame(packet)), []);
    target.stopNow({ kind: "step" }, processor);
    assertMatch(client.output().join(), /^\$T05.*thread:p1\.\d;core:\d;$/);
  };
  go("bs");
  client.ask("Hcp1.2");
  go("bs", 1);
  client.ask("Hcp1.-1");
  go("bc");
  client.ask("Hc0");
  go("bs");
  assertEquals(target.went, [
    ["step", 0],
    ["step", 1],
    ["continue", 1],
    ["step", 0],
  ]);
  assertEquals(client.ask("bsx"), "");
});

Deno.test("where Hc chooses none, gdb's user did with T, and looking at others did not", () => {
  const target = new Timed();
  const client = new Client(target);
  client.handshake("multiprocess+;vContSupported+");
  const answer = (packet: string) => {
    client.raw(frame(packet));
    target.stopNow({ kind: "step" }, target.went.at(-1)![1]);
    assertMatch(client.output().join(), /thread:p1\.\d/);
  };
  // info threads, reverse-stepi; thread 2, reverse-stepi; monitor
  for (const packet of ["Hgp1.2", "g", "Hcp1.0"]) client.ask(packet);
  answer("bs");
  client.ask("Tp1.2");
  answer("bs");
  client.ask("Hgp1.1");
  answer("bc");
  assertEquals(target.went, [["step", 0], ["step", 1], ["continue", 1]]);
  assertEquals(client.ask(`qRcmd,${hex("help")}`), hex("help on CPU1\n"));
});

Deno.test("stop replies name the ends of history, and hits on the way back", () => {
  const { target, client } = start();
  const reasons: [StopReason, RegExp][] = [
    [{ kind: "history", end: "begin" }, /core:0;replaylog:begin;$/],
    [{ kind: "history", end: "end" }, /core:0;replaylog:end;$/],
    [{ kind: "breakpoint" }, /swbreak:;$/],
    [
      { kind: "watchpoint", access: "write", address: 0x1234n },
      /watch:1234;$/,
    ],
  ];
  for (const [reason, pattern] of reasons) {
    client.raw(frame("bc"));
    target.stopNow(reason);
    const [reply, ...more] = client.output();
    assertMatch(reply, pattern);
    assertMatch(reply, /^\$T05/);
    assertEquals(more, []);
    assertMatch(client.ask("?"), pattern);
  }
});

Deno.test("a notice is shown once, with the next stop", () => {
  const { target, client } = start();
  target.onNotice.tell("The past was changed.");
  assertEquals(client.output(), []);
  for (const notices of [[`$O${hex("The past was changed.\n")}`], []]) {
    client.raw(frame("bs"));
    target.stopNow({ kind: "step" });
    assertEquals(client.output().slice(0, -1), notices);
  }
  client.session.disconnect();
  assertEquals(target.onNotice.size, 0);
});

Deno.test("a command that takes long is answered when it is done, others after it", async () => {
  const { target, client } = start();
  assertEquals(client.raw(frame(`qRcmd,${hex("goto 1")}`)), []);
  assertEquals(client.raw(frame("qC")), []);
  // Nobody asked for an end of it.
  assertEquals(target.calls, []);
  client.raw("\x03");
  assertEquals(target.calls, ["interrupt"]);
  target.arrive();
  assertEquals(client.raw(frame("qAttached")), []);
  target.answer.resolve("there");
  await target.answer.promise;
  await Promise.resolve();
  await Promise.resolve();
  assertEquals(client.output(), [`$${hex("there\n")}`, "$QCp1.1", "$1"]);
  assertEquals(client.announced, 1);
  assertEquals(client.ask("qC"), "QCp1.1");
});

Deno.test("a command that takes long and fails, and one that a detach overtakes", async () => {
  const { target, client } = start();
  client.raw(frame(`qRcmd,${hex("goto 1")}`));
  target.arrive();
  target.answer.reject(new Error("no such place"));
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(client.output(), ["$E.no such place"]);
  client.ask("!");
  target.answer = Promise.withResolvers();
  client.raw(frame(`qRcmd,${hex("goto 1")}`));
  assertEquals(client.raw(frame("D")), ["$E22", "$OK"]);
  target.answer.resolve("late");
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(client.output(), []);
});
