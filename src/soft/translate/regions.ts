// What is translated together: blocks of one page that lead to each other by direct
// branches, by falling through, and by returning from calls.

import { KEY_16, REC } from "../core/shared.ts";
import { type Block, type Records } from "./records.ts";

export const MOST_BLOCKS = 40;
const MOST_INSTRUCTIONS = 512;

/**
 * The region that the block at record `p` begins; in an order in which most branches go
 * forward. Empty if that block is not to be translated.
 */
export function formRegion(records: Records, p: number): Block[] {
  const found = new Map<number, Block>();
  const queue = [p];
  let instructions = 0;
  for (let next; (next = queue.shift()) !== undefined;) {
    if (found.has(next) || found.size === MOST_BLOCKS) continue;
    const block = records.block(next);
    if (block === null || block.instructions.length === 0) continue;
    if (found.size > 0 && !sameCode(block, found.get(p)!)) continue;
    if (block.key === KEY_16) continue;
    instructions += block.instructions.length;
    if (found.size > 0 && instructions > MOST_INSTRUCTIONS) break;
    found.set(next, block);
    queue.push(...successors(records, block));
  }
  if (!found.has(p)) return [];
  return ordered(records, found, p);
}

function sameCode(a: Block, b: Block): boolean {
  return a.key === b.key && a.host >>> 12 === b.host >>> 12;
}

/** Records that control may go to: where the block's branches led, and what follows it. */
function successors(records: Records, block: Block): number[] {
  const to: number[] = [];
  for (const i of block.instructions) {
    // other instructions keep something else there
    if (i.link >= REC && isBranch(i.opcode)) to.push(i.link);
  }
  const last = block.instructions.at(-1)!;
  const behind = last.offset + last.length;
  if (behind < 0x1000) {
    const page = (block.host & ~0xfff) >>> 0;
    const next = records.find(page + behind, block.key);
    if (next !== 0) to.push(next);
  }
  return to;
}

/** Jcc, JMP, CALL, LOOP and JrCXZ have a link; their opcodes, of either map. */
function isBranch(opcode: number): boolean {
  return (opcode & 0xf0) === 0x70 || (opcode & 0xf0) === 0x80 ||
    opcode >= 0xe0 && opcode <= 0xe3 || opcode === 0xe8 || opcode === 0xe9 ||
    opcode === 0xeb;
}

/** Reverse postorder of a depth-first search. */
function ordered(
  records: Records,
  found: ReadonlyMap<number, Block>,
  p: number,
): Block[] {
  const seen = new Set<number>();
  const order: Block[] = [];
  const visit = (head: number) => {
    const block = found.get(head);
    if (block === undefined || seen.has(head)) return;
    seen.add(head);
    for (const next of successors(records, block).toReversed()) visit(next);
    order.push(block);
  };
  visit(p);
  for (const head of found.keys()) visit(head);
  return order.toReversed();
}
