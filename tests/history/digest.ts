// What a machine is at a moment, in a few characters.

import { identifyMemory } from "../../src/history/image.ts";
import type { Machine } from "../../src/machine/machine.ts";
import { saveRegisters } from "../../src/machine/reset.ts";

/** Of memory, the processors' registers and local APICs, and the devices; the counts and
 * guest time in clear. */
export async function digest(machine: Machine): Promise<string> {
  const time = machine.options.platform.timeTravel!;
  const place = `${time.instructions()} ${time.time()}`;
  const text = JSON.stringify(
    [
      machine.save({ memory: false }).board,
      machine.processors.map(({ vp }) => [
        saveRegisters(vp),
        vp.getLapic().toHex(),
        vp.getXsave().toHex(),
      ]),
    ],
    (_, value) => typeof value === "bigint" ? `${value}n` : value,
  );
  // Now: the guest may be about to go on.
  const memory = identifyMemory(machine.options.guestMemory).slice(0, 16);
  const hash = await crypto.subtle.digest(
    "SHA-256",
    new TextEncoder().encode(text),
  );
  return [
    place,
    new Uint8Array(hash, 0, 8).toHex(),
    memory,
  ].join(" ");
}
