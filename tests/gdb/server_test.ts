/** The server with real sockets. */
import { assertEquals, assertMatch } from "@std/assert";
import { type Address, GdbServer } from "../../src/gdb/server.ts";
import { frame, parseOutput } from "./client.ts";
import { FakeTarget } from "./fake_target.ts";

const ANY: Address = { transport: "tcp", hostname: "127.0.0.1", port: 0 };

function serve(target: FakeTarget, address = ANY): GdbServer {
  return new GdbServer({ target, address, afterDisconnect: "stay" });
}

function connect(server: GdbServer): Promise<Deno.Conn> {
  const address = server.address;
  if (address.transport === "tcp") {
    return Deno.connect({ hostname: address.hostname, port: address.port });
  }
  if (address.transport === "unix") {
    return Deno.connect({ transport: "unix", path: address.path });
  }
  throw new TypeError(address.transport);
}

/** Reads until `count` packets or signs are there, or the end. */
async function receive(conn: Deno.Conn, count: number): Promise<string[]> {
  const buffer = new Uint8Array(1 << 20);
  let filled = 0;
  for (;;) {
    const got = await conn.read(buffer.subarray(filled));
    if (got === null) return parseOutput(buffer.subarray(0, filled));
    filled += got;
    try {
      const items = parseOutput(buffer.subarray(0, filled));
      if (items.length >= count) return items;
    } catch {
      // Not whole yet.
    }
  }
}

async function ask(conn: Deno.Conn, payload: string): Promise<string[]> {
  await conn.write(frame(payload));
  return receive(conn, 2);
}

/** Waits for something another part of the program does. */
async function until(what: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !what(); i++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assertEquals(what(), true);
}

Deno.test("requests over TCP, and a stop that comes later", async () => {
  const target = new FakeTarget();
  const server = serve(target);
  const conn = await connect(server);
  assertEquals(await ask(conn, "qC"), ["+", "$QC1"]);
  await conn.write(frame("c"));
  assertEquals(await receive(conn, 1), ["+"]);
  target.stopNow({ kind: "interrupted" });
  assertMatch((await receive(conn, 1))[0], /^\$T02/);
  conn.close();
  await server.close();
});

Deno.test("requests over a unix socket, which is gone afterwards", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/gdb`;
  const server = serve(new FakeTarget(), { transport: "unix", path });
  const conn = await connect(server);
  assertEquals(await ask(conn, "qC"), ["+", "$QC1"]);
  conn.close();
  await server.close();
  await Deno.remove(folder);
});

Deno.test("a large reply arrives whole", async () => {
  const target = new FakeTarget();
  target.memory.forEach((_, i) => target.memory[i] = i * i >> 3);
  const server = serve(target);
  const conn = await connect(server);
  const [, reply] = await ask(conn, "m100000,20000");
  assertEquals(reply.length, 1 + 0x40000);
  conn.close();
  await server.close();
});

Deno.test("a second debugger waits its turn, the first not disturbed", async () => {
  const server = serve(new FakeTarget());
  const first = await connect(server);
  assertEquals(await ask(first, "qC"), ["+", "$QC1"]);
  const impatient = await connect(server);
  await impatient.write(frame("qC"));
  const second = await connect(server);
  await second.write(frame("qC"));
  impatient.close();
  assertEquals(await ask(first, "qC"), ["+", "$QC1"]);
  first.close();
  assertEquals(await receive(second, 2), ["+", "$QC1"]);
  assertEquals(await ask(second, "qC"), ["+", "$QC1"]);
  second.close();
  await server.close();
});

Deno.test("who waits is sent away when the server closes", async () => {
  const server = serve(new FakeTarget());
  const first = await connect(server);
  assertEquals(await ask(first, "qC"), ["+", "$QC1"]);
  const second = await connect(server);
  await new Promise((resolve) => setTimeout(resolve, 20));
  first.close();
  assertEquals(await ask(second, "qC"), ["+", "$QC1"]);
  const third = await connect(server);
  await new Promise((resolve) => setTimeout(resolve, 20));
  await server.close();
  assertEquals(await receive(third, 1), []);
  second.close();
  third.close();
});

Deno.test("who says nothing does not touch the guest", async () => {
  for (const running of [false, true]) {
    const target = new FakeTarget();
    if (running) target.stop = null;
    const server = new GdbServer({
      target,
      address: ANY,
      afterDisconnect: "run",
    });
    (await connect(server)).close();
    // The next one is served after the first.
    const conn = await connect(server);
    assertEquals(target.calls, []);
    assertEquals(await ask(conn, "qC"), ["+", "$QC1"]);
    assertEquals(target.calls, running ? ["interrupt"] : []);
    conn.close();
    await server.close();
  }
});

Deno.test("who detaches may attach again at once", async () => {
  const server = serve(new FakeTarget());
  for (let turn = 0; turn < 50; turn++) {
    const conn = await connect(server);
    assertEquals(await ask(conn, "D"), ["+", "$OK"]);
    conn.close();
  }
  await server.close();
});

Deno.test("who hangs up lets the guest go, and may come again", async () => {
  const target = new FakeTarget();
  const server = serve(target);
  for (let turn = 1; turn <= 5; turn++) {
    const conn = await connect(server);
    assertEquals(await ask(conn, "Z0,100000,1"), ["+", "$OK"]);
    assertEquals(target.breakpoints.length, 1);
    // In the middle of a packet.
    await conn.write(frame("m100000,8").subarray(0, 5));
    conn.close();
    await until(() => target.onStop.size === 0);
    assertEquals(target.breakpoints.length, 0);
    assertEquals(target.calls.length, turn);
  }
  await server.close();
});

Deno.test("after D the server hangs up when the reply is sent", async () => {
  const target = new FakeTarget();
  const server = serve(target);
  const conn = await connect(server);
  await conn.write(frame("D"));
  assertEquals(await receive(conn, 9), ["+", "$OK"]);
  assertEquals(target.calls, ["detach and run"]);
  conn.close();
  await server.close();
});

Deno.test("closing the server hangs up", async () => {
  const target = new FakeTarget();
  const server = serve(target);
  const conn = await connect(server);
  assertEquals(await ask(conn, "qC"), ["+", "$QC1"]);
  await server.close();
  assertEquals(await receive(conn, 1), []);
  conn.close();
});

Deno.test("the last word is sent before the server closes", async () => {
  const target = new FakeTarget();
  const server = serve(target);
  const conn = await connect(server);
  await conn.write(frame("c"));
  await receive(conn, 1);
  target.stopNow({ kind: "exited", code: 3 });
  await server.close();
  assertEquals(await receive(conn, 9), ["$W03"]);
  conn.close();
});

Deno.test("the server tells of extended mode, and when somebody is gone", async () => {
  let gone = 0;
  const server = new GdbServer({
    target: new FakeTarget(),
    address: ANY,
    afterDisconnect: "stay",
    onGone: () => gone++,
  });
  assertEquals(server.mayRestart, false);
  const conn = await connect(server);
  assertEquals(await ask(conn, "!"), ["+", "$OK"]);
  assertEquals(server.mayRestart, true);
  conn.close();
  await until(() => gone === 1);
  assertEquals(server.mayRestart, false);
  await server.close();
});
