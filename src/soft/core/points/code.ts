// Points before instructions: a record with the point handler precedes each
// instruction that has one (code/decode.ts).
import { F_POINT, FAULT, PASS, RIP } from "../layout";
import { DebugAccess } from "../whv/names";
import { ipOf, linearIp } from "../code/ip";
import { isRepeated, isRepeatedInMemory, REC, rOpcode } from "../code/record";
import { liveAt, UNTOLD } from "./addresses";
import { noteHit } from "./hits";
import {
  PASS_REP,
  PASS_SPIN,
  PASS_STEP,
  PASS_UNTOLD,
  PASSING,
  passOn,
} from "./pass";
import { judge } from "./repeat";

let pointHandler: u32 = 0;

export function pointsInit(handler: u32): void {
  pointHandler = handler;
}

/**
 * Moves the instruction's record from p to p + REC and puts a point in its
 * place.
 */
export function makePoint(p: usize, host: u32): void {
  memory.copy(p + REC, p, REC);
  store<u16>(p, <u16> pointHandler);
  store<u8>(p, 0, 3);
  store<u32>(p, host, 24);
}

/**
 * The record of the instruction itself, where p may be of the point before it.
 */
export function withoutPoint(p: usize): usize {
  return load<u16>(p) == <u16> pointHandler ? p + REC : p;
}

/**
 * The handler of a record that makePoint made: exits, or executes the
 * instruction.
 */
export function pointReached(p: usize): usize {
  const ip = ipOf(p);
  const own = p + REC;
  let pass = load<u8>(PASS) & ~PASSING;
  let judged = false;
  if (!load<u8>(PASS)) {
    const lin = linearIp(ip);
    const id = liveAt(lin, load<u32>(p, 24));
    if (id == UNTOLD) {
      pass = PASS_UNTOLD;
      judged = isRepeatedInMemory(own);
    } else if (id) {
      noteHit(id - 1, DebugAccess.Execute, lin, 0, 0, 0);
      store<u32>(FAULT, F_POINT);
      return 0;
    }
  }
  if (judged) judge(p);
  const next = call_indirect<usize>(load<u16>(own), own);
  if (judged) judge(0);
  if (load<u32>(FAULT) || pass >= PASS_STEP || judged) return next;
  if (next == 0 && isRepeated(own)) passOn(PASS_REP);
  else if (
    pass >= PASS_UNTOLD && (rOpcode(own) | 2) == 0xeb &&
    (next == p || (next == 0 && load<u64>(RIP) == ip))
  ) passOn(PASS_SPIN);
  return next;
}
