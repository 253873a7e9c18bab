// Starts the command as a user does: another process, through mod.ts.

const MOD = new URL("../../mod.ts", import.meta.url).pathname;
const decoder = new TextDecoder();

export interface Result {
  code: number;
  out: string;
  err: string;
}

/** The command, with Deno's permissions before its own arguments. */
export function command(
  args: string[],
  permissions: string[] = ["-A"],
  stdin: "null" | "piped" = "null",
  env: Record<string, string> = {},
): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...permissions, MOD, ...args],
    env,
    stdin,
    stdout: "piped",
    stderr: "piped",
  });
}

/** Runs the command to its end. */
export async function icebp(
  args: string[],
  permissions?: string[],
): Promise<Result> {
  const { code, stdout, stderr } = await command(args, permissions).output();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}
