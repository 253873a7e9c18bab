/** The protocol machine alone: bytes in, bytes out, no sockets, no guest. */
import { commands } from "../src/gdb/commands/mod.ts";
import { Session } from "../src/gdb/session.ts";
import { frame } from "../tests/gdb/client.ts";
import { FakeTarget } from "../tests/gdb/fake_target.ts";

const target = new FakeTarget();
target.synchronous = true;
// Half of the memory like code, half like tables: runs and no runs.
target.memory.forEach((_, i) => {
  target.memory[i] = i & 0x8000 ? (i & 7 ? 0 : i) : Math.imul(i, 0x9e3779b1);
});
const session = new Session({
  commands,
  target,
  afterDisconnect: "run",
  onOutput: () => {},
});

function request(payload: string): () => void {
  const bytes = frame(payload);
  return () => {
    session.receive(bytes);
    session.take();
  };
}

request("qSupported:multiprocess+;swbreak+;hwbreak+")();
request("QStartNoAckMode")();

Deno.bench("qAttached", request("qAttached"));
Deno.bench("g", request("g"));
Deno.bench("p10", request("p10"));
Deno.bench("m, 8 bytes", request("m100000,8"));
Deno.bench("m, 32 KiB, no runs", request("m100000,8000"));
Deno.bench("m, 32 KiB, runs", request("m108000,8000"));
Deno.bench("x, 32 KiB, no runs", request("x100000,8000"));
Deno.bench("x, 32 KiB, runs", request("x108000,8000"));
Deno.bench("X, 32 KiB", request(`X100000,8000:${"x".repeat(0x8000)}`));
Deno.bench("vCont;s", request("vCont;s:p1.1"));
const insert = request("Z0,100010,1"), remove = request("z0,100010,1");
Deno.bench("Z0 and z0", () => {
  insert();
  remove();
});
