/**
 * `icebp demo`: the built-in guest, the gdb server, and this program as the
 * debugger: what is said on the wire when a breakpoint is set and hit. Shows on
 * any machine that all of it works; no gdb is needed.
 */
import { DEMO_ELF, demoFile } from "../boot/demo/mod.ts";
import { elfSymbol } from "../boot/elf_symbols.ts";
import { loadGuest, startGuest } from "../boot/mod.ts";
import { Debugger } from "../debug/debugger.ts";
import { GdbServer } from "../gdb/server.ts";
import { Machine } from "../machine/machine.ts";
import { SeededEntropy } from "./entropy.ts";
import { makeOn, openChosen } from "./platform.ts";
import { RspClient } from "./rsp_client.ts";

const RAM_BYTES = 64 * 1024 * 1024;
const CPUS = 2;
/** Where the demo's breakpoint is, and what is looked at there. */
const FUNCTION = "tick", VARIABLE = "ticks";
const HITS = 5;

function symbol(name: string): bigint {
  const value = elfSymbol(demoFile(DEMO_ELF), name);
  if (value === undefined) throw new RangeError(`the demo has no ${name}`);
  return value;
}

/** A 64-bit number of gdb's memory replies: hexadecimal bytes, lowest first. */
function number64(reply: string): bigint {
  return BigInt(`0x${Uint8Array.fromHex(reply).reverse().toHex()}`);
}

/** Plays the demo; returns the exit code. */
export async function playDemo(say: (line: string) => void): Promise<number> {
  let line = "";
  const [machine] = await makeOn(
    await openChosen(undefined, RAM_BYTES, "virtual"),
    (opened) =>
      new Machine({
        platform: opened.platform,
        guestMemory: opened.guestMemory,
        clock: opened.clock,
        host: opened.host,
        entropy: new SeededEntropy(0n),
        cpus: CPUS,
        ramBytes: RAM_BYTES,
        onHostWrite: opened.onHostWrite,
        serialOut: (bytes) => {
          line += String.fromCharCode(...bytes);
          if (!line.endsWith("\n")) return;
          say(`  guest: ${line.trimEnd()}`);
          line = "";
        },
      }),
  );
  startGuest(
    machine,
    loadGuest({
      image: demoFile(DEMO_ELF),
      name: DEMO_ELF,
      commandLine: "",
      modules: [],
      ramBytes: RAM_BYTES,
      cpus: CPUS,
      virtioDevices: 0,
    }),
  );
  const guest = new Debugger(machine);
  const server = new GdbServer({
    target: guest,
    address: { transport: "tcp", hostname: "127.0.0.1", port: 0 },
    afterDisconnect: "stay",
  });
  const { port } = server.address as Deno.NetAddr;
  say(
    `A kernel for ${CPUS} processors on platform "${machine.options.platform.name}"; ` +
      `gdb's protocol on port ${port}.`,
  );
  const client = await RspClient.connect(port, say);
  try {
    const address = symbol(FUNCTION).toString(16);
    await client.ask("?", "why does it stand? (it has not started)");
    let thread = "1";
    await client.ask(`Z0,${address},1`, `a breakpoint on ${FUNCTION}()`);
    for (let hit = 1; hit <= HITS; hit++) {
      if (hit > 1) {
        // Who goes on at a breakpoint is told again: gdb steps off it first.
        await client.ask(`vCont;s:${thread}`, "step off the breakpoint");
      }
      const stop = await client.ask("vCont;c", "run");
      if (!stop.startsWith("T05")) throw new Error(`it stopped with ${stop}`);
      thread = /thread:([^;]+);/.exec(stop)?.[1] ?? thread;
      const ticks = number64(
        await client.ask(
          `m${symbol(VARIABLE).toString(16)},8`,
          `${VARIABLE}[0], 8 bytes`,
        ),
      );
      say(`Breakpoint hit ${hit}; ${VARIABLE}[0] is ${ticks}.`);
    }
    await client.ask(`z0,${address},1`, "the breakpoint goes");
    client.tell("k", "and so does the guest");
  } finally {
    client.close();
    await server.close();
  }
  say(
    "With gdb: icebp --gdb, and paste the line it prints. Other guests: --help.",
  );
  return 0;
}
