/**
 * INIT and start-up IPIs that exit instead of being sent: what the ICR asks for,
 * as requests to the platform's local APICs (Intel SDM volume 3, APIC chapter,
 * "Interrupt Command Register"; bits 63:56 are the destination in xAPIC mode,
 * 63:32 in x2APIC mode). A processor's APIC ID is its index.
 */
import {
  InterruptDestinationMode,
  InterruptTriggerMode,
  InterruptType,
} from "../../ffi/enums.ts";
import type { InterruptRequest } from "../platform/partition.ts";
import { DeliveryMode, Icr, IcrShorthand } from "../x86/lapic.ts";

/** An INIT or a start-up IPI. */
export interface StartupIpi {
  readonly isInit: boolean;
  /** What has the platform deliver it; nothing where the ICR asks for nothing. */
  readonly requests: readonly InterruptRequest[];
  /** Processors that may be meant, by index; with a logical destination all. */
  readonly targets: readonly number[];
}

/** What processor `sender` of `cpus` asks for with `icr`, in x2APIC mode or not. */
export function startupIpi(
  icr: bigint,
  sender: number,
  cpus: number,
  x2apic: boolean,
): StartupIpi {
  const low = Number(icr & 0xffffffffn);
  const high = Number(icr >> 32n & 0xffffffffn);
  const isInit = (low >> 8 & 7) === DeliveryMode.Init;
  const all = Array.from({ length: cpus }, (_, i) => i);
  const level = (low & Icr.Level) !== 0;
  const request = (destination: number, destinationMode: number) => ({
    type: isInit ? InterruptType.Init : InterruptType.Sipi,
    destinationMode,
    triggerMode: level ? InterruptTriggerMode.Level : InterruptTriggerMode.Edge,
    destination,
    vector: low & 0xff,
  });
  // The end of a level-triggered INIT means nothing since the Pentium.
  if (level && (low & Icr.Assert) === 0) {
    return { isInit, requests: [], targets: [] };
  }
  switch (low >> 18 & 3) {
    case IcrShorthand.None: {
      const destination = x2apic ? high : high >>> 24;
      if ((low & Icr.Logical) !== 0) {
        const { Logical } = InterruptDestinationMode;
        return {
          isInit,
          requests: [request(destination, Logical)],
          targets: all,
        };
      }
      const everyone = destination === (x2apic ? 0xffffffff : 0xff);
      return {
        isInit,
        requests: [request(destination, InterruptDestinationMode.Physical)],
        targets: everyone ? all : all.filter((i) => i === destination),
      };
    }
    case IcrShorthand.Others: {
      const targets = all.filter((i) => i !== sender);
      const { Physical } = InterruptDestinationMode;
      return {
        isInit,
        requests: targets.map((i) => request(i, Physical)),
        targets,
      };
    }
    default:
      // Neither can be sent to oneself by a shorthand.
      return { isInit, requests: [], targets: [] };
  }
}
