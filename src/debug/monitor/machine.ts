/** The monitor's commands for the machine as a whole, and for whether it runs. */
import { InterruptType } from "../../../ffi/enums.ts";
import type { Commands } from "./command.ts";

export const machineCommands: Commands = {
  reset: {
    usage: "reset",
    help: "reset the machine and load the guest anew",
    run({ time }) {
      time.restart();
      return "the machine is reset\n";
    },
  },
  nmi: {
    usage: "nmi",
    help: "send the current processor an NMI",
    run({ guest, course, time }, _words, processor) {
      course.needStopped();
      time.changing();
      guest.machine.requestInterrupt({
        type: InterruptType.Nmi,
        destinationMode: 0,
        triggerMode: 0,
        destination: processor,
        vector: 0,
      });
      return `NMI for CPU${processor}\n`;
    },
  },
};

/** In QEMU's way: without a word, and without gdb knowing. */
export const runCommands: Commands = {
  stop: {
    usage: "stop",
    help: "stop the guest; it stands whenever this is asked",
    run: () => "",
  },
  cont: {
    usage: "cont",
    help: "let the guest run until anything is asked, without gdb knowing",
    run({ run, time }) {
      time.resume(run.everybody());
      return "";
    },
  },
  system_reset: {
    usage: "system_reset",
    help: "reset, in QEMU's way: without a word",
    run({ time }) {
      time.restart();
      return "";
    },
  },
  quit: {
    usage: "quit",
    help: "end the guest and icebp",
    run({ time, quit }) {
      time.kill();
      quit();
      return "the guest has ended\n";
    },
  },
};
