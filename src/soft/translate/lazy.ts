/** Flags that are yet to be computed: what of, times four, plus the operands' size. */
export const Lazy = {
  ADD: 1,
  SUB: 2,
  LOGIC: 3,
  /** CF in the first operand, OF in the second, the others from the result. */
  SET: 4,
  /** CF is in its variable: all kinds from here on. */
  INC: 5,
  DEC: 6,
} as const;
export type Lazy = typeof Lazy[keyof typeof Lazy];
