/** Every command there is. What is not here is not advertised either. */
import { CommandTable } from "../command.ts";
import * as breakpoints from "./breakpoints.ts";
import * as handshake from "./handshake.ts";
import * as life from "./life.ts";
import * as lldb from "./lldb.ts";
import * as memory from "./memory.ts";
import * as monitor from "./monitor.ts";
import * as qemu from "./qemu.ts";
import * as registers from "./registers.ts";
import * as resume from "./resume.ts";
import * as reverse from "./reverse.ts";
import * as threads from "./threads.ts";
import * as transfer from "./transfer.ts";

export const commands: CommandTable = new CommandTable(
  [
    handshake,
    registers,
    memory,
    threads,
    resume,
    reverse,
    breakpoints,
    transfer,
    life,
    monitor,
    lldb,
    qemu,
  ].flatMap((module) => Object.values(module)),
);
