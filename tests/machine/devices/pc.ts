// A whole board on a bench, without a machine around it.
import { MmioBus, PortBus } from "../../../src/machine/bus.ts";
import type {
  InterruptRequest,
  PowerEvent,
} from "../../../src/machine/device.ts";
import { Board } from "../../../src/machine/devices/board.ts";
import { bench, Wire } from "./harness.ts";

/** With its clock at `time`, guest ns, whose alarms may come late. */
export function board(time = 0n, realTime = false) {
  const { clock, timers } = bench(realTime);
  clock.set(time);
  const ports = new PortBus();
  const mmio = new MmioBus();
  const sent: InterruptRequest[] = [];
  const extInt = new Wire();
  const power: PowerEvent[] = [];
  let text = "";
  const pc = new Board({
    ports,
    mmio,
    timers,
    clock,
    cpus: 2,
    ramBytes: 64 << 20,
    startTime: 0n,
    requestInterrupt: (request) => sent.push(request),
    extInt,
    power: (event) => power.push(event),
    where: () => "",
    stubEntry: () => null,
    serialOut: (bytes) => text += String.fromCharCode(...bytes),
  });
  const ioapic = (register: number, value: number) => {
    mmio.write(0xfec00000, 4, BigInt(register));
    mmio.write(0xfec00010, 4, BigInt(value));
  };
  return {
    pc,
    ports,
    mmio,
    sent,
    extInt,
    power,
    clock,
    timers,
    text: () => text,
    ioapic,
  };
}
