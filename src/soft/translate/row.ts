// Registers what is told in terms of the machine that emits.

import type { Form, Operand } from "../instructions/forms.ts";
import type { RowOptions } from "../instructions/table.ts";
import { on } from "./encodings.ts";
import { Emission } from "./machine.ts";

/** Has forms be emitted as `meaning` tells. */
export function row(
  forms: readonly Form[],
  meaning: (m: Emission, first: Operand, second: Operand) => void,
  { anyPrefix = false, stack = false, counts = false }: RowOptions = {},
): void {
  for (const { map, opcode, digit, sizes, operands } of forms) {
    const [first, second] = operands;
    on(map, opcode, digit, sizes, (g, i, size, memory) => {
      const m = new Emission(g, i, size, memory);
      if (
        stack && size !== g.stackSize || counts && !m.isUsualCount(second)
      ) g.callHandler(i);
      else meaning(m, first, second);
    }, { anyPrefix });
  }
}
