/**
 * Reading and writing registers. `g` and `G` carry those of QEMU's stub; the
 * others are read by number when somebody looks, so that a stop stays cheap.
 */
import { registerBytes } from "../../debug/guest/registers.ts";
import { TargetError } from "../../debug/target.ts";
import { type Command, parsed } from "../command.ts";
import { toBytes } from "../bytes.ts";
import { EINVAL } from "../packet.ts";
import {
  parseReadAll,
  parseReadOne,
  parseWriteAll,
  parseWriteOne,
} from "../packets/registers.ts";
import type { Session } from "../session.ts";

const all = new Uint8Array(1024);
const one = new Uint8Array(16);

/** What stands for a register that cannot be read. */
const UNAVAILABLE = toBytes("x".repeat(2 * one.length));

/** What `g` carries: how many, and from which of ours on. */
function generalOf({ registers }: Session) {
  return { general: registers.general, internal: registers.internal(0) };
}

export const readAll: Command = {
  name: "g",
  handle: parsed(parseReadAll, (session, { thread }, reply) => {
    const processor = session.processorOf(thread);
    if (processor === null) return reply.error(EINVAL);
    const { general, internal } = generalOf(session);
    session.target.readRegisters(processor, internal, general, all);
    reply.hex(all.subarray(0, registerBytes(internal, general)));
  }),
};

export const writeAll: Command = {
  name: "G",
  handle: parsed(parseWriteAll, (session, { bytes, thread }, reply) => {
    const processor = session.processorOf(thread);
    if (processor === null) return reply.error(EINVAL);
    const { general, internal } = generalOf(session);
    const { registers } = session.registers;
    // As many as were sent, if they end where a register ends.
    let count = 0, length = 0;
    while (count < general && length < bytes.length) {
      length += registers[count++].bytes;
    }
    if (count === 0 || length !== bytes.length) return reply.error(EINVAL);
    session.target.writeRegisters(processor, internal, count, bytes);
    reply.ok();
  }),
};

export const readOne: Command = {
  name: "p",
  handle: parsed(parseReadOne, (session, { number, thread }, reply) => {
    const processor = session.processorOf(thread);
    const set = session.registers;
    if (processor === null || number >= set.registers.length) {
      return reply.error(EINVAL);
    }
    const value = one.subarray(0, set.registers[number].bytes);
    try {
      session.target.readRegisters(processor, set.internal(number), 1, value);
    } catch (error) {
      if (!(error instanceof TargetError)) throw error;
      // A platform without this one must not spoil the list of all.
      reply.binary(UNAVAILABLE.subarray(0, 2 * value.length));
      return;
    }
    reply.hex(value);
  }),
};

export const writeOne: Command = {
  name: "P",
  handle: parsed(parseWriteOne, (session, request, reply) => {
    const { number, bytes } = request;
    const processor = session.processorOf(request.thread);
    const set = session.registers;
    if (
      processor === null || bytes.length !== set.registers[number]?.bytes
    ) return reply.error(EINVAL);
    session.target.writeRegisters(processor, set.internal(number), 1, bytes);
    reply.ok();
  }),
};
