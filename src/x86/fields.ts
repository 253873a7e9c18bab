/** Bits of a register, named as in the Intel SDM: the one place that says where they
 * are; masks are made of it. */

/** A bit's number, or the first and the last of several. */
export type Field = number | readonly [first: number, last: number];

/** A register's fields, from the lowest. */
export type Fields = Readonly<Record<string, Field>>;

/** The mask of a field. */
export function mask(field: Field): bigint {
  const [first, last] = typeof field === "number" ? [field, field] : field;
  return ((1n << BigInt(last - first + 1)) - 1n) << BigInt(first);
}

/** The mask of all of a register's fields. */
export function maskOf(fields: Fields): bigint {
  return Object.values(fields).reduce<bigint>(
    (bits, field) => bits | mask(field),
    0n,
  );
}
