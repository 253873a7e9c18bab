import { assert, assertEquals, assertRejects } from "@std/assert";
import { removeStaleSocket } from "../../src/cli/stale_socket.ts";

// Windows' sockets are no files.
const ignore = Deno.build.os === "windows";

Deno.test({
  name: "a socket that nobody listens at is stale, and nothing else is",
  ignore,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/gdb`;
    await Deno.writeTextFile(path, "no socket");
    assertEquals(await removeStaleSocket(path), false);
    assertEquals(await Deno.readTextFile(path), "no socket");
    await Deno.remove(path);
    const listener = Deno.listen({ transport: "unix", path });
    assertEquals(await removeStaleSocket(path), false);
    assert((await Deno.lstat(path)).isSocket);
    // Under another name it stays, as after a program that was killed.
    const stale = `${folder}/stale`;
    await Deno.rename(path, stale);
    listener.close();
    assertEquals(await removeStaleSocket(stale), true);
    await assertRejects(() => Deno.lstat(stale), Deno.errors.NotFound);
    await Deno.remove(folder);
  },
});
