// The debugger on the built-in demo, over TCP, on whatever platform: what a machine
// can be asked that has neither gdb nor a compiler.

import { DEMO_ELF, demoFile } from "../../src/boot/demo/mod.ts";
import { elfSymbol } from "../../src/boot/elf_symbols.ts";
import { Client, littleEndian, type StopReply } from "../debugger/client.ts";

const SIGINT = 2, SIGTRAP = 5;
const RIP = 16, RFLAGS = 17;
const RFLAGS_TF = 0x100n;

function symbol(name: string): bigint {
  const value = elfSymbol(demoFile(DEMO_ELF), name);
  if (value === undefined) throw new Error(`the demo has no ${name}`);
  return value;
}

/** Fails with what was found. */
function expect(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

const at = (name: string) => `${symbol(name).toString(16)},1`;

function expectStop(stop: StopReply, signal: number, what: string): void {
  expect(stop.signal === signal, `${what}: stopped with ${stop.signal}`);
}

async function register(client: Client, number: number): Promise<bigint> {
  return littleEndian(await client.ask(`p${number.toString(16)}`));
}

async function expectAt(client: Client, name: string): Promise<void> {
  const rip = await register(client, RIP);
  expect(rip === symbol(name), `at 0x${rip.toString(16)}, not at ${name}`);
}

/** Runs to a place, the breakpoint being taken away afterwards. */
async function runTo(client: Client, name: string): Promise<StopReply> {
  await client.must(`Z0,${at(name)}`);
  const stop = await client.resume("vCont;c");
  expectStop(stop, SIGTRAP, name);
  await expectAt(client, name);
  await client.must(`z0,${at(name)}`);
  return stop;
}

/** A check; they are made in order, in one session. */
export interface Check {
  readonly name: string;
  run(client: Client): Promise<void>;
}

/** What a debugger does. */
export const CHECKS: readonly Check[] = [
  {
    name: "a breakpoint is hit in the interrupt handler, ten times",
    async run(client) {
      await client.must(`Z0,${at("tick")}`);
      for (let hit = 0; hit < 10; hit++) {
        expectStop(await client.resume("vCont;c"), SIGTRAP, `hit ${hit}`);
        await expectAt(client, "tick");
      }
      await client.must(`z0,${at("tick")}`);
    },
  },
  {
    name: "both processors hit one breakpoint",
    async run(client) {
      await client.must(`Z0,${at("collatz_steps")}`);
      let seen = 0;
      for (let hit = 0; hit < 2000 && seen !== 3; hit++) {
        const { fields } = await client.resume("vCont;c");
        seen |= 1 << Number(fields.get("core"));
      }
      await client.must(`z0,${at("collatz_steps")}`);
      expect(seen === 3, `processors seen: ${seen}`);
    },
  },
  {
    name: "500 steps are 500 instructions, and leave no trap flag",
    async run(client) {
      const { fields } = await runTo(client, "collatz_steps");
      const thread = fields.get("thread");
      let last = await register(client, RIP);
      let moved = 0;
      for (let step = 0; step < 500; step++) {
        expectStop(await client.resume(`vCont;s:${thread}`), SIGTRAP, "step");
        const rip = await register(client, RIP);
        if (rip !== last) moved++;
        last = rip;
        const flags = await register(client, RFLAGS);
        expect((flags & RFLAGS_TF) === 0n, `TF after step ${step}`);
      }
      expect(moved > 490, `RIP moved in ${moved} of 500 steps`);
    },
  },
  {
    name: "a range step leaves the function",
    async run(client) {
      const { fields } = await runTo(client, "collatz_steps");
      const start = symbol("collatz_steps"), end = symbol("record");
      const range = `${start.toString(16)},${end.toString(16)}`;
      await client.resume(`vCont;r${range}:${fields.get("thread")}`);
      const rip = await register(client, RIP);
      expect(rip < start || rip >= end, `still at 0x${rip.toString(16)}`);
    },
  },
  {
    name: "a condition is evaluated where it is hit",
    async run(client) {
      // rdi == 27: reg 5, const8 27, equal, end.
      await client.must(`Z0,${at("collatz_steps")};X7,260005221b1327`);
      const next = symbol("next_number");
      await client.write64(next, 20n);
      expectStop(await client.resume("vCont;c"), SIGTRAP, "condition");
      expect(await register(client, 5) === 27n, "RDI is not 27");
      await client.must(`z0,${at("collatz_steps")}`);
    },
  },
  {
    name: "a watchpoint stops at the write",
    async run(client) {
      const ticks = symbol("ticks");
      const place = `Z2,${ticks.toString(16)},8`;
      await client.must(place);
      const before = await client.read64(ticks);
      const { fields } = await client.resume("vCont;c");
      expect(
        fields.get("watch") === ticks.toString(16),
        `watch: ${fields.get("watch")}`,
      );
      const after = await client.read64(ticks);
      expect(after === before + 1n, `${before} became ${after}`);
      await client.must(place.replace("Z", "z"));
    },
  },
  {
    name: "a hardware breakpoint",
    async run(client) {
      await client.must(`Z1,${at("tick")}`);
      for (let hit = 0; hit < 5; hit++) {
        expectStop(await client.resume("vCont;c"), SIGTRAP, `hit ${hit}`);
        await expectAt(client, "tick");
      }
      await client.must(`z1,${at("tick")}`);
    },
  },
  {
    name: "registers and memory are written and read back",
    async run(client) {
      for (const number of [0, 3, 12, 15]) {
        const old = await client.ask(`p${number.toString(16)}`);
        await client.must(`P${number.toString(16)}=efcdab8967452301`);
        const value = await register(client, number);
        expect(value === 0x0123456789abcdefn, `register ${number}: ${value}`);
        await client.must(`P${number.toString(16)}=${old}`);
      }
      const place = symbol("longest");
      const old = await client.read64(place);
      await client.write64(place, 0x1122334455667788n);
      expect(
        await client.read64(place) === 0x1122334455667788n,
        "memory is not what was written",
      );
      await client.write64(place, old);
    },
  },
  {
    name: "200 stops by interrupt, with nothing lost",
    async run(client) {
      for (let stop = 0; stop < 200; stop++) {
        await client.send("vCont;c");
        await client.interrupt();
        expectStop(await client.stopped(), SIGINT, `interrupt ${stop}`);
      }
    },
  },
  {
    name: "the guest works on: its counts go up on both processors",
    async run(client) {
      const counts = symbol("numbers_checked");
      const both = async () => [
        await client.read64(counts),
        await client.read64(counts + 8n),
      ];
      const before = await both();
      let after = before;
      const goesUp = () => after.every((count, i) => count > before[i]);
      // A busy host may give all of a moment to one of them.
      for (let i = 0; i < 100 && !goesUp(); i++) {
        await client.send("vCont;c");
        await new Promise((done) => setTimeout(done, 20));
        await client.interrupt();
        expectStop(await client.stopped(), SIGINT, `interrupt ${i}`);
        after = await both();
      }
      expect(goesUp(), `${before} became ${after}`);
    },
  },
  {
    name: "no breakpoint is left in memory",
    async run(client) {
      for (const name of ["tick", "collatz_steps", "record"]) {
        const byte = await client.ask(`m${at(name)}`);
        expect(byte !== "f1", `0xF1 at ${name}`);
      }
    },
  },
];

/** How a check went. */
export interface Outcome {
  readonly name: string;
  /** Null if it passed. */
  readonly error: string | null;
}

/** Longer than this a session hangs. */
const PATIENCE_MS = 120_000;

/** icebp with the demo, waiting for a debugger. */
class Session {
  readonly port: number;
  readonly #icebp: Deno.ChildProcess;
  readonly #patience: number;

  constructor(platform: string) {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = listener.addr.port;
    listener.close();
    this.#icebp = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--no-check",
        new URL("../../mod.ts", import.meta.url).href,
        `--gdb=127.0.0.1:${this.port}`,
        `--platform=${platform}`,
        "--cpus=2",
        "--serial=null",
      ],
      stdin: "null",
      stdout: "null",
      stderr: "inherit",
    }).spawn();
    this.#patience = Number(
      setTimeout(() => this.#icebp.kill(), PATIENCE_MS),
    );
  }

  /** Waits for its end; the exit code. */
  async ended(): Promise<number> {
    const { code } = await this.#icebp.status;
    clearTimeout(this.#patience);
    return code;
  }

  /** Ends it in any case. */
  async end(): Promise<void> {
    try {
      this.#icebp.kill();
    } catch (error) {
      // It has ended, as it should.
      if (!(error instanceof TypeError)) throw error;
    }
    await this.ended();
  }
}

async function outcomeOf(
  name: string,
  run: () => Promise<void>,
): Promise<Outcome> {
  try {
    await run();
    return { name, error: null };
  } catch (error) {
    return { name, error: (error as Error).message };
  }
}

/** Runs icebp with the demo on `platform` and makes every check, then detaches,
 * attaches again and kills the guest. */
export async function checkDebugger(platform: string): Promise<Outcome[]> {
  const session = new Session(platform);
  const outcomes: Outcome[] = [];
  const check = async (name: string, run: () => Promise<void>) =>
    void outcomes.push(await outcomeOf(name, run));
  let client: Client | null = null;
  await check("a debugger attaches", async () => {
    client = await Client.connect(session);
    const reply = await client.ask("?");
    expect(reply.startsWith("T05"), reply);
  });
  for (const { name, run } of client === null ? [] : CHECKS) {
    await check(name, () => run(client!));
  }
  await check(
    "after a detach another one attaches, and ends the guest",
    async () => {
      expect(client !== null, "nobody was attached");
      await client!.must("D");
      client!.close();
      const second = await Client.connect(session);
      await second.ask("?");
      await second.send("k");
      second.close();
      const code = await session.ended();
      expect(code === 0, `exit code ${code}`);
    },
  );
  await session.end();
  return outcomes;
}

/** What gdb is told, and what it has to answer, in order. */
const GDB_COMMANDS = [
  "break tick",
  "continue",
  "bt",
  "info threads",
  // Else the other processor's tick may come first.
  "set scheduler-locking on",
  "stepi",
  "next",
  "next",
  "next",
  "print ticks[0] + ticks[1] > 0",
  "set scheduler-locking off",
  "watch ticks[0]",
  "delete 1",
  "continue",
  "kill",
];
const GDB_ANSWERS = [
  /hit Breakpoint 1, tick/,
  /#1 +<signal handler called>/,
  / in worker \(/,
  /CPU0/,
  /CPU1/,
  /= 1\r?\n/,
  /watchpoint 2: ticks\[0\]/,
  /New value/,
  /killed/,
];

/** The real gdb on the demo; null where there is none. */
export async function checkGdb(platform: string): Promise<Outcome | null> {
  const folder = await Deno.makeTempDir();
  const image = `${folder}/${DEMO_ELF}`;
  await Deno.writeFile(image, demoFile(DEMO_ELF));
  const session = new Session(platform);
  try {
    // gdb does not wait for a server that is not there yet.
    const client = await Client.connect(session);
    client.close();
    const lines = [`target remote 127.0.0.1:${session.port}`, ...GDB_COMMANDS];
    const { stdout } = await new Deno.Command("gdb", {
      args: ["-nx", "-batch", ...lines.flatMap((line) => ["-ex", line]), image],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).output();
    const said = new TextDecoder().decode(stdout);
    return await outcomeOf("gdb", () => {
      let rest = said;
      for (const answer of GDB_ANSWERS) {
        const found = answer.exec(rest);
        expect(found !== null, `${answer} is missing in: ${said}`);
        rest = rest.slice(found!.index + found![0].length);
      }
      return Promise.resolve();
    });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  } finally {
    await session.end();
    await Deno.remove(folder, { recursive: true });
  }
}
