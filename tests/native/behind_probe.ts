/**
 * icebp begins with a machine of its own that asks the host (askHost). The quirk
 * fail=FUNCTION:HRESULT:N counts every call; tests that mean the guest's machine count
 * from behind that one.
 */
import { askHost } from "../../src/machine/probe.ts";
import { openNative } from "../../src/platform/mod.ts";

type Calls = ReadonlyMap<string, number>;

/** The same functions, counted by name. */
function counted(functions: object, calls: Map<string, number>): object {
  const all = Object.entries(functions).map(([name, fn]) => {
    if (typeof fn !== "function") return [name, fn];
    const call = (...args: unknown[]) => {
      calls.set(name, (calls.get(name) ?? 0) + 1);
      return fn(...args);
    };
    return [name, call];
  });
  return Object.fromEntries(all);
}

async function count(path: string): Promise<Calls> {
  const calls = new Map<string, number>();
  const platform = openNative(path);
  try {
    await askHost(Object.create(platform, {
      platform: { value: counted(platform.platform, calls) },
      emulation: { value: counted(platform.emulation, calls) },
    }));
  } finally {
    platform.close();
  }
  // Opening the platform asks for them, too, and before.
  calls.delete("WHvGetCapability");
  return calls;
}

const known = new Map<string, Promise<Calls>>();

/** Words of ICEBP_NATIVE, their N-th calls counted behind the probe. */
export async function behindProbe(
  path: string,
  quirks: string,
): Promise<string> {
  if (!quirks.includes("fail=")) return quirks;
  if (!known.has(path)) known.set(path, count(path));
  const calls = await known.get(path)!;
  return quirks.replaceAll(
    /\bfail=(\w+):(\w+):(\d+)/g,
    (_, call, hresult, nth) =>
      `fail=${call}:${hresult}:${(calls.get(call) ?? 0) + Number(nth)}`,
  );
}
