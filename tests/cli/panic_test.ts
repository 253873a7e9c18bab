// A Linux kernel's panic is found in what it prints, whatever the pieces.
import { assertEquals } from "@std/assert";
import { PanicWatch } from "../../src/cli/panic.ts";
import { icebp } from "./icebp.ts";

const PANIC = "Kernel panic - not syncing: Fatal exception in interrupt";

/** What a watch tells of a text that comes in pieces of some length. */
function told(text: string, length: number): string[] {
  const events: string[] = [];
  const watch = new PanicWatch(
    (line) => events.push(`begins ${line}`),
    (line) => events.push(`ends ${line}`),
  );
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; at += length) {
    watch.push(bytes.subarray(at, at + length));
  }
  return events;
}

Deno.test("a panic's first and last line are told once", () => {
  const text = `Linux\r\n[    4.125496] ${PANIC}\r\nCPU: 0\r\n` +
    `${"x".repeat(3000)}\r\n[   14.130959] ---[ end ${PANIC} ]---\r\n`;
  for (const length of [1, 7, 64, 10_000]) {
    assertEquals(told(text, length), [`begins ${PANIC}`, `ends ${PANIC}`]);
  }
  const reboots = `${PANIC}\n[    1.000000] Rebooting in 5 seconds..\n`;
  assertEquals(told(reboots, 3), [`begins ${PANIC}`, `ends ${PANIC}`]);
});

Deno.test("a line that is not complete, or of something else, is no panic", () => {
  assertEquals(told(PANIC, 5), []);
  assertEquals(told("panic\nRebooting in 5 seconds..\n", 5), []);
});

Deno.test("--stop-on-panic is not for a replay", async () => {
  const { code, err } = await icebp(["replay", "x", "--stop-on-panic"]);
  assertEquals(code, 2);
  assertEquals(
    err.split(" (")[0],
    "icebp: replay repeats a run: --stop-on-panic is not for it",
  );
});
