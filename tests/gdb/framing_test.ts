import { assertEquals } from "@std/assert";
import { Deframer, type FrameSink, Output } from "../../src/gdb/framing.ts";
import { frame, parseOutput } from "./client.ts";

function latin(bytes: Uint8Array): string {
  return Array.from(bytes, (b) => String.fromCharCode(b)).join("");
}

function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

class Recorder implements FrameSink {
  readonly events: string[] = [];
  packet(payload: Uint8Array, right: boolean): void {
    this.events.push(`${right ? "packet" : "wrong"} ${latin(payload)}`);
  }
  oversized(): void {
    this.events.push("oversized");
  }
  interrupt(): void {
    this.events.push("interrupt");
  }
  acknowledged(): void {
    this.events.push("+");
  }
  refused(): void {
    this.events.push("-");
  }
}

function deframe(input: string, limit = 100): string[] {
  const recorder = new Recorder();
  new Deframer(recorder, limit).push(bytes(input));
  return recorder.events;
}

Deno.test("packets, acknowledgements and interrupts are told apart", () => {
  assertEquals(deframe("+$g#67-\x03$qC#b4+"), [
    "+",
    "packet g",
    "-",
    "interrupt",
    "packet qC",
    "+",
  ]);
});

Deno.test("an escaped byte is data, and so is 0x03 inside a packet", () => {
  const payload = "X1000,5:#$}*\x03";
  assertEquals(deframe(latin(frame(payload))), [`packet ${payload}`]);
});

Deno.test("a wrong checksum and one that is no number are noticed", () => {
  assertEquals(deframe("$g#68$g#6x$g#67"), ["wrong g", "wrong g", "packet g"]);
});

Deno.test("an escaped byte counts in the checksum as it travels", () => {
  // 'X' + '}' + 0x03
  assertEquals(deframe("$X}\x03#d8"), ["packet X#"]);
});

Deno.test("a cut-off packet gives way to the next one, wherever it was cut", () => {
  for (const cut of ["$m10", "$m10}", "$m10#", "$m10#a", "$"]) {
    assertEquals(deframe(`${cut}$g#67`), ["packet g"], cut);
  }
});

Deno.test("packets arrive in any portions", () => {
  const stream = bytes("+$g#67\x03$m1,2#ff$qSupported:a+#45");
  const whole = deframe(latin(stream));
  for (let size = 1; size < 9; size++) {
    const recorder = new Recorder();
    const deframer = new Deframer(recorder, 100);
    for (let at = 0; at < stream.length; at += size) {
      deframer.push(stream.subarray(at, at + size));
    }
    assertEquals(recorder.events, whole);
  }
});

Deno.test("the limit is exact, and what follows is found again", () => {
  const fits = latin(frame("x".repeat(100)));
  const larger = latin(frame("x".repeat(101)));
  assertEquals(deframe(fits + larger + "$g#67"), [
    `packet ${"x".repeat(100)}`,
    "oversized",
    "packet g",
  ]);
});

Deno.test("a buffer that has to grow loses nothing", () => {
  const payload = Array.from({ length: 20000 }, (_, i) => i % 10).join("");
  assertEquals(deframe(latin(frame(payload)), 30000), [`packet ${payload}`]);
});

function encode(payload: string): string {
  const output = new Output();
  output.packet(bytes(payload));
  return latin(output.take());
}

Deno.test("plain text is framed as it is", () => {
  assertEquals(encode("OK"), "$OK#9a");
  assertEquals(encode(""), "$#00");
});

Deno.test("every run length comes out as it went in", () => {
  for (let n = 1; n < 320; n++) {
    const payload = `a${"0".repeat(n)}b`;
    assertEquals(parseOutput(bytes(encode(payload))), [`$${payload}`]);
  }
});

Deno.test("runs are short on the wire, without forbidden counts", () => {
  // 9 characters: 8 repetitions and 29 are a percent sign.
  assertEquals(encode("000000000").slice(1, -3), "0*%");
  assertEquals(encode("00000000").slice(1, -3), "00000000");
  for (let n = 1; n < 320; n++) {
    const body = encode("0".repeat(n)).slice(1, -3);
    for (const [, count] of body.matchAll(/\*(.)/g)) {
      assertEquals("#$}~".includes(count), false, `${n}: ${body}`);
    }
  }
  assertEquals(encode("0".repeat(96)).length, 4 + 3);
});

Deno.test("all bytes survive, also in runs", () => {
  for (let byte = 0; byte < 256; byte++) {
    for (const n of [1, 2, 5, 200]) {
      const payload = `b${String.fromCharCode(byte).repeat(n)}`;
      assertEquals(parseOutput(bytes(encode(payload))), [`$${payload}`]);
    }
  }
});

Deno.test("what was taken stays whole while more is written", () => {
  const output = new Output();
  output.packet(bytes("first"));
  const taken = output.take();
  for (let i = 0; i < 5000; i++) output.packet(bytes("second"));
  assertEquals(parseOutput(taken), ["$first"]);
  assertEquals(parseOutput(output.take()).length, 5000);
  assertEquals(output.length, 0);
});
