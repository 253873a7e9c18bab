/**
 * Asks a host what only a guest finds out, by a machine with one processor, as any
 * guest gets it, and a few instructions in real mode. Whoever gets an answer knows
 * that machines can be made and run there.
 */
import { Reg } from "../../ffi/registers.ts";
import type { WinHvPlatform } from "../../ffi/mod.ts";
import { HResult } from "../../ffi/hresult.ts";
import { readCapabilities } from "../platform/capabilities.ts";
import { PlatformError, refused } from "../platform/errors.ts";
import type { Exit } from "../platform/exits.ts";
import type { VirtualProcessor } from "../platform/virtual_processor.ts";
import { Vector } from "./events.ts";
import type { CpuidAnswer, HostClocks, HostFacts } from "./host.ts";
import { Machine } from "./machine.ts";

const WASM_PAGE = 65536;
const RAM_BYTES = 16 * WASM_PAGE;
const CODE = 0x1000, HANDLER = 0x1100;
/** A port that nobody listens at. */
const PORT = 0x80;
const OUT = [0xe6, PORT];
const INT1 = [0xf1], CPUID = [0x0f, 0xa2];
const DEBUG_EXCEPTION = 1n << BigInt(Vector.DB);

/** Host time after which instructions that do not end are given up. */
const PATIENCE_MS = 3000;
/** Host time for which the TSC is watched where the platform does not know its
 * frequency. */
const WATCH_MS = 20;

/** "GenuineIntel" in EBX, EDX, ECX. */
const INTEL = [0x756e6547, 0x49656e69, 0x6c65746e] as const;

/** Memory that a platform can map. */
function ownMemory(): Uint8Array {
  const pages = RAM_BYTES / WASM_PAGE;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  return new Uint8Array(memory.buffer);
}

/**
 * Makes a machine on a platform that nobody uses, runs what tells, and takes the
 * machine away. `memory` is 1 MiB that the platform can map, if not any can be. Throws a
 * PlatformError where that cannot be.
 */
export async function askHost(
  platform: WinHvPlatform,
  memory: Uint8Array = ownMemory(),
): Promise<HostFacts> {
  const machine = new Machine({
    platform,
    guestMemory: memory,
    clock: { now: () => 0n, setAlarm() {} },
    entropy: { fill() {} },
    cpus: 1,
    ramBytes: RAM_BYTES,
  });
  try {
    const guest = new Guest(machine);
    const clocks = await hostClocks(platform, guest);
    return { int1Exits: await int1Exits(machine, guest), clocks };
  } finally {
    await machine.close();
  }
}

/** A few instructions at a time. */
class Guest {
  readonly machine: Machine;
  readonly vp: VirtualProcessor;

  constructor(machine: Machine) {
    this.machine = machine;
    this.vp = machine.processors[0].vp;
    machine.memory.write(HANDLER, Uint8Array.from(OUT));
    const vectors = new Uint8Array(4 * (Vector.DB + 1));
    new DataView(vectors.buffer).setUint32(4 * Vector.DB, HANDLER, true);
    machine.memory.write(0, vectors);
    this.vp.setSegment(Reg.Cs, {
      ...this.vp.getSegment(Reg.Cs),
      base: 0n,
      selector: 0,
    });
    this.vp.set(Reg.Rsp, BigInt(CODE));
  }

  /** Runs some code, which ends with an OUT, to its exit. */
  async run(...code: number[]): Promise<Exit> {
    this.machine.memory.write(CODE, Uint8Array.from([...code, ...OUT]));
    this.vp.set(Reg.Rip, BigInt(CODE));
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.vp.cancel();
    }, PATIENCE_MS);
    try {
      for (;;) {
        const exit = await this.vp.run();
        // Some hosts cancel runs unasked.
        if (exit.reason !== "canceled") return exit;
        if (late) throw unusable("does not end");
      }
    } finally {
      clearTimeout(timer);
    }
  }
}

function unusable(what: string): PlatformError {
  return new PlatformError("WHvRunVirtualProcessor", HResult.E_UNEXPECTED, {
    detail: "the first instructions of a guest",
    meaning: `running them ${what}`,
    remedy: "use --platform soft",
  });
}

/** Whether an exit is of the OUT. */
function isOut(exit: Exit): boolean {
  return exit.reason === "ioPort" && exit.port === PORT;
}

async function int1Exits(
  machine: Machine,
  guest: Guest,
): Promise<boolean | null> {
  try {
    machine.setExceptionBitmap(DEBUG_EXCEPTION);
  } catch (error) {
    if (!refused(error)) throw error;
    return null;
  }
  const exit = await guest.run(...INT1);
  if (isOut(exit)) return false;
  if (exit.reason === "exception" && exit.vector === Vector.DB) return true;
  throw unusable(`made an exit: ${exit.reason}`);
}

async function cpuid(guest: Guest, leaf: number): Promise<CpuidAnswer> {
  const { vp } = guest;
  vp.set(Reg.Rax, BigInt(leaf));
  vp.set(Reg.Rcx, 0n);
  const exit = await guest.run(...CPUID);
  const low = (value: bigint) => Number(value & 0xffffffffn);
  // It is nobody's wish, but a host may have every leaf exit.
  if (exit.reason === "cpuid") {
    const { defaultRax, defaultRbx, defaultRcx, defaultRdx } = exit;
    return [low(defaultRax), low(defaultRbx), low(defaultRcx), low(defaultRdx)];
  }
  if (!isOut(exit)) throw unusable(`made an exit: ${exit.reason}`);
  const [a, b, c, d] = [Reg.Rax, Reg.Rbx, Reg.Rcx, Reg.Rdx]
    .map((name) => low(vp.get(name)));
  return [a, b, c, d];
}

async function hostClocks(
  platform: WinHvPlatform,
  guest: Guest,
): Promise<HostClocks> {
  const [most, ...vendor] = await cpuid(guest, 0);
  const leaf = async (number: number) =>
    number <= most ? await cpuid(guest, number) : null;
  const { processorClockFrequency, interruptClockFrequency } = readCapabilities(
    platform,
  );
  const [b, c, d] = vendor;
  return {
    isIntel: [b, d, c].every((value, i) => value === INTEL[i]),
    crystal: await leaf(0x15),
    frequency: await leaf(0x16),
    tscHz: known(processorClockFrequency) ?? await watchTsc(guest),
    apicHz: known(interruptClockFrequency),
  };
}

/** A frequency that a capability tells; null where it does not. */
function known(hertz: bigint | null): number | null {
  return hertz === null || hertz === 0n ? null : Number(hertz);
}

/** The TSC's frequency by the host's clock, in Hz; null where it stands. */
async function watchTsc({ vp, machine }: Guest): Promise<number | null> {
  machine.resumeTime();
  const look = () => {
    const before = performance.now();
    const tsc = vp.get(Reg.Tsc);
    return { tsc, ms: (before + performance.now()) / 2 };
  };
  const first = look();
  await new Promise((resolve) => setTimeout(resolve, WATCH_MS));
  const last = look();
  const ticks = Number(last.tsc - first.tsc);
  return ticks <= 0 ? null : Math.round(ticks / (last.ms - first.ms) * 1000);
}
