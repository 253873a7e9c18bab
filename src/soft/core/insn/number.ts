// Numbers as types: handlers in the table take only the record, so what a
// family of handlers differs in (an operation, a condition) is a type argument,
// and num<K>() is the constant it stands for. The classes never exist at run
// time.

@unmanaged
export class N0 {}

@unmanaged
export class N1 {
  a: u8;
}

@unmanaged
export class N2 {
  a: u16;
}

@unmanaged
export class N3 {
  a: u16;
  b: u8;
}

@unmanaged
export class N4 {
  a: u32;
}

@unmanaged
export class N5 {
  a: u32;
  b: u8;
}

@unmanaged
export class N6 {
  a: u32;
  b: u16;
}

@unmanaged
export class N7 {
  a: u32;
  b: u16;
  c: u8;
}

@unmanaged
export class N8 {
  a: u64;
}

@unmanaged
export class N9 {
  a: u64;
  b: u8;
}

@unmanaged
export class N10 {
  a: u64;
  b: u16;
}

@unmanaged
export class N11 {
  a: u64;
  b: u16;
  c: u8;
}

@unmanaged
export class N12 {
  a: u64;
  b: u32;
}

@unmanaged
export class N13 {
  a: u64;
  b: u32;
  c: u8;
}

@unmanaged
export class N14 {
  a: u64;
  b: u32;
  c: u16;
}

@unmanaged
export class N15 {
  a: u64;
  b: u32;
  c: u16;
  d: u8;
}

/** The number that K stands for. */
@inline
export function num<K>(): u32 {
  return <u32> offsetof<K>();
}
