// A condition of a debug point, as a platform is given it (IcebpSetDebugPointCondition):
// an expression over 64-bit values, each operator before its operands.

/** What a byte begins; numbers that follow are little endian. */
export const ConditionOp = {
  /** A u64 follows. */
  Constant: 0,
  /** A WHV_REGISTER_NAME (u32) follows: its low 64 bits. */
  Register: 1,
  /** Bytes (u8: 1, 2, 4 or 8), then the linear address: memory there, unsigned. */
  Load: 2,
  /** Bits (u8), then the value: its low bits, unsigned. */
  ZeroExtend: 3,
  /** Bits (u8), then the value: its low bits, signed. */
  SignExtend: 4,
  /** 1 if the value is 0, else 0. */
  LogicalNot: 5,
  Not: 6,
  Add: 7,
  Subtract: 8,
  Multiply: 9,
  ShiftLeft: 10,
  ShiftRightSigned: 11,
  ShiftRightUnsigned: 12,
  And: 13,
  Or: 14,
  Xor: 15,
  /** Comparisons: 1 or 0. */
  Equal: 16,
  LessSigned: 17,
  LessUnsigned: 18,
  /** A value, and two more: the first of them where it is not 0, else the other. */
  Choose: 19,
} as const;

/** Bytes of a condition at most. */
export const MAX_CONDITION_BYTES = 4096;
