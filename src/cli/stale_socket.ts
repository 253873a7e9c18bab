/** A unix socket's file outlives a program that was killed. */

/** Removes the socket at `path` if nobody listens there; returns whether it did.
 * What is no socket is left alone. Throws what looking and removing throw. */
export async function removeStaleSocket(path: string): Promise<boolean> {
  if (!(await Deno.lstat(path)).isSocket) return false;
  try {
    const conn = await Deno.connect({ transport: "unix", path });
    conn.close();
    return false;
  } catch (error) {
    // Anything else comes from somebody who lives.
    if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
  }
  await Deno.remove(path);
  return true;
}
