/**
 * `info pic` of QEMU's monitor: the IOAPIC and the two 8259A.
 * Source of facts: QEMU 7.2's monitor, asked.
 */
import { IOAPIC_VERSION, Redir } from "../../../machine/devices/ioapic.ts";
import type { Machine } from "../../../machine/machine.ts";
import type { MonitorContext } from "../command.ts";

const REDIRECTION = 0x10;
const MODES = ["fixed", "lowest", "SMI", "...", "NMI", "INIT", "...", "extINT"];
const PIN_COLUMNS = 11;

const hex = (value: number, digits: number) =>
  (value >>> 0).toString(16).padStart(digits, "0");

export function showPic(target: MonitorContext): string {
  target.course.needStopped();
  const { machine } = target.guest;
  return ioApic(machine) + pics(machine);
}

function ioApic({ board }: Machine): string {
  const { select, id, low, high, lines } = board.ioapic.shown;
  const pin = select < REDIRECTION
    ? ""
    : ` (redir[${select - REDIRECTION >> 1}])`;
  let text = `ioapic0: ver=0x${hex(IOAPIC_VERSION, 2)} id=0x${hex(id, 2)} ` +
    `sel=0x${hex(select, 2)}${pin}\n`;
  low.forEach((entry, pin) => {
    text += `  pin ${String(pin).padEnd(2)} ` +
      `0x${hex(high[pin], 8)}${hex(entry, 8)} ` +
      `dest=${hex(high[pin] >>> 24, 1).toUpperCase()} ` +
      `vec=${String(entry & 0xff).padEnd(3)} ` + [
      entry & Redir.activeLow ? "active-lo" : "active-hi",
      (entry & Redir.level ? "level" : "edge").padEnd(5),
      (entry & Redir.mask ? "masked" : "").padEnd(6),
      MODES[entry >> 8 & 7].padEnd(6),
      entry & Redir.logical ? "logical" : "physical",
    ].join(" ") + "\n";
  });
  // An edge is gone as soon as it is delivered.
  const asked = low.map((entry, pin) =>
    (entry & Redir.level) !== 0 && (lines >>> pin & 1) === 1
  );
  const remote = low.map((entry) => (entry & Redir.remoteIrr) !== 0);
  return text + pinList("  IRR", asked) + pinList("  Remote IRR", remote);
}

function pinList(title: string, set: readonly boolean[]): string {
  const pins = [...set.keys()].filter((pin) => set[pin]);
  return `${title.padEnd(PIN_COLUMNS - 1)} ` +
    (pins.length === 0
      ? "(none)"
      : pins.map((pin) => `${String(pin).padEnd(2)} `).join("")) +
    "\n";
}

function pics({ board }: Machine): string {
  const { master, slave } = board.pic.shown;
  return ([["pic1", slave], ["pic0", master]] as const).map(([name, chip]) =>
    `${name}: irr=${hex(chip.irr, 2)} imr=${hex(chip.imr, 2)} ` +
    `isr=${hex(chip.isr, 2)} hprio=${chip.lowest + 1 & 7} ` +
    `irq_base=${hex(chip.vectorBase, 2)} rr_sel=${chip.readIsr ? 1 : 0} ` +
    `elcr=${hex(chip.elcr, 2)} fnm=${chip.specialFullyNested ? 1 : 0}\n`
  ).join("");
}
