// The decoder: instruction bytes to records (record.ts), driven by the
// instruction table (optable.ts). It executes nothing, so a translator can use
// it as well.
import { raiseErr } from "../cpu/fault";
import {
  CODEKEY,
  CROSSING,
  FETCH,
  MODE,
  MODE_LONG,
  MODE_PROT,
  R_CODEBASE,
  R_ZERO,
  S_CS,
  S_DS,
  S_FS,
  S_SS,
  SEG_BASE,
  SEG_LIMIT,
  SEGS,
} from "../layout";
import {
  END,
  FUSED,
  IMM_B,
  IMM_BB,
  IMM_FAR,
  IMM_MASK,
  IMM_MOFFS,
  IMM_V,
  IMM_W,
  IMM_WB,
  IMM_Z,
  INV64,
  IS_GROUP,
  LOCKOK,
  M_VEX0F,
  MEMONLY,
  MODRM,
  NOMOD,
  ONLY64,
  opCell,
  OPREG,
  REG8,
  REGONLY,
  REL8,
  RELZ,
  RM8,
  SZ_B,
  SZ_D64,
  SZ_F64,
  SZ_V,
  SZ_Y,
  VVVV,
} from "./optable";
import {
  EAK_16,
  EAK_32,
  EAK_64,
  EAK_64A32,
  EAK_64SEG,
  REC,
  RF_ADDR,
  RF_LOCK,
  RF_MEM,
  RF_OPSIZE,
  RF_REP,
  RF_REPNE,
  RF_REXW,
  RF_VEXL,
} from "./record";
import { fetchHost } from "../memory/fetch";
import { Vector } from "../x86/vectors";
import { KEY_16, KEY_32, KEY_64 } from "../shared";
import { makePoint } from "../points/code";
import { pointAt } from "../points/addresses";

const MAX_BLOCK: u32 = 128;

let udHandler: u32 = 0;
let endHandler: u32 = 0;

export function decodeInit(ud: u32, end: u32): void {
  udHandler = ud;
  endHandler = end;
}

// What a part of decoding comes to.
const MORE: i32 = 0;
const TOOLONG: i32 = -1;
const UNDEFINED: i32 = -2;
const DECODED: i32 = 1;

@inline
function byteReg(n: u32, rex: bool): u8 {
  return <u8> (!rex && n >= 4 && n < 8 ? ((n - 4) << 3) + 1 : n << 3);
}

/** Whether the last decoded instruction ends its block. */
let ended: bool = false;

function undefined_(p: usize, off: u32, len: u32): i32 {
  store<u16>(p, <u16> udHandler);
  store<u8>(p, <u8> len, 2);
  store<u16>(p, <u16> off, 12);
  ended = true;
  return <i32> len;
}

// --- the instruction that is being decoded

/** Its bytes, how many there are, and how many have been read. */
let bytes: usize = 0;
let avail: u32 = 0;
let n: u32 = 0;
/** RF_*. */
let flags: u32 = 0;
/** What a prefix says, else 0xff. */
let segment: u32 = 0;
/** REX, or what VEX has of it. */
let rex: u32 = 0;
let opcode: u32 = 0;
/** Where the table has it: map and mandatory prefix. */
let map: u32 = 0;
let prefix: u32 = 0;
let vex: bool = false;
let vvvv: u32 = 0;
// its memory operand
let base: u32 = R_ZERO;
let index: u32 = R_ZERO;
let scale: u32 = 0;
let disp: i64 = 0;
let imm: i32 = 0;
let defaultSegment: u32 = S_DS;
let ripRelative: bool = false;

function begin(s: usize, room: u32): void {
  bytes = s;
  avail = room;
  n = 0;
  flags = 0;
  segment = 0xff;
  rex = 0;
  map = 0;
  vex = false;
  vvvv = 0;
  base = R_ZERO;
  index = R_ZERO;
  scale = 0;
  disp = 0;
  imm = 0;
  defaultSegment = S_DS;
  ripRelative = false;
}

/** Legacy prefixes, then REX, and the byte behind them. */
function prefixes(long: bool): i32 {
  while (true) {
    if (n >= 15) return TOOLONG;
    if (n >= avail) return MORE;
    const b: u32 = load<u8>(bytes + n++);
    if (b == 0x66) flags |= RF_OPSIZE;
    else if (b == 0x67) flags |= RF_ADDR;
    else if (b == 0xf0) flags |= RF_LOCK;
    else if (b == 0xf3) flags = (flags & ~RF_REPNE) | RF_REP;
    else if (b == 0xf2) flags = (flags & ~RF_REP) | RF_REPNE;
    else if ((b & 0xe7) == 0x26) {
      if (!long) segment = (b >> 3) & 3;
    } else if (b == 0x64 || b == 0x65) segment = b - 0x60;
    else if (long && (b & 0xf0) == 0x40) {
      rex = b;
      continue;
    } else {
      opcode = b;
      return DECODED;
    }
    rex = 0; // it was not the last prefix
  }
}

/** The opcode's map and mandatory prefix, from 0F, 0F 38, 0F 3A or VEX. */
function opcodeMap(long: bool): i32 {
  prefix = flags & RF_REP
    ? 2
    : flags & RF_REPNE
    ? 3
    : flags & RF_OPSIZE
    ? 1
    : 0;
  if (opcode == 0x0f) {
    if (n >= avail) return MORE;
    opcode = load<u8>(bytes + n++);
    map = 1;
    if (opcode == 0x38 || opcode == 0x3a) {
      map = opcode == 0x38 ? 2 : 3;
      if (n >= avail) return MORE;
      opcode = load<u8>(bytes + n++);
    }
  } else if (opcode == 0xc4 || opcode == 0xc5) {
    if (n >= avail) return MORE;
    const v = load<u8>(bytes + n);
    if (long || (v >= 0xc0 && load<u8>(MODE) >= MODE_PROT)) {
      return vexPrefix(v, long);
    }
  }
  return DECODED;
}

/** VEX, whose second byte is `v`. */
function vexPrefix(v: u32, long: bool): i32 {
  vex = true;
  // VEX after 66, F2, F3, LOCK or REX is undefined
  if (rex || flags & (RF_LOCK | RF_REP | RF_REPNE | RF_OPSIZE)) {
    return UNDEFINED;
  }
  n++;
  let m: u32 = 1;
  let inverse: u32 = v;
  rex = v & 0x80 ? 0 : 4;
  if (opcode == 0xc4) {
    m = v & 31;
    if (!(v & 0x40)) rex |= 2;
    if (!(v & 0x20)) rex |= 1;
    if (n >= avail) return MORE;
    inverse = load<u8>(bytes + n++);
    if (inverse & 0x80) rex |= 8;
  }
  if (!long) rex = 0;
  vvvv = (~(inverse >> 3)) & (long ? 15 : 7);
  if (inverse & 4) flags |= RF_VEXL;
  prefix = inverse & 3; // VEX.pp counts as P_NONE, P_66, P_F3, P_F2 do
  if (m < 1 || m > 3) return UNDEFINED;
  map = M_VEX0F + m - 1;
  if (n >= avail) return MORE;
  opcode = load<u8>(bytes + n++);
  return DECODED;
}

/** The operand's size, log2 of its bytes, by code size and prefixes. */
function operandSize(key: u32, spec: u32): u32 {
  const opsize = (flags & RF_OPSIZE) != 0;
  let size: u32;
  if (key == KEY_16) size = opsize ? 2 : 1;
  else if (key == KEY_32) size = opsize ? 1 : 2;
  else if (spec & SZ_F64 || flags & RF_REXW) size = 3;
  else if (spec & SZ_D64) size = opsize ? 1 : 3;
  else size = opsize ? 1 : 2;
  return spec & SZ_Y && size == 1 ? 2 : size;
}

/** A displacement of `size` bytes, sign-extended; false when it is cut off. */
function displacement(size: u32): bool {
  if (n + size > avail) return false;
  const at = bytes + n;
  disp = size == 1
    ? <i64> load<i8>(at)
    : size == 2
    ? <i64> load<i16>(at)
    : <i64> load<i32>(at);
  n += size;
  return true;
}

/** A memory operand with 16-bit addressing; false when it is cut off. */
function address16(mod: u32, rm: u32): bool {
  if (mod == 0 && rm == 6) {
    if (!displacement(2)) return false;
    disp &= 0xffff;
    return true;
  }
  // bx+si bx+di bp+si bp+di si di bp bx
  if (rm <= 3) {
    base = rm & 2 ? 5 << 3 : 3 << 3;
    index = rm & 1 ? 7 << 3 : 6 << 3;
  } else base = rm == 4 ? 6 << 3 : rm == 5 ? 7 << 3 : rm == 6 ? 5 << 3 : 3 << 3;
  if (rm == 2 || rm == 3 || rm == 6) defaultSegment = S_SS;
  return mod == 0 || displacement(mod);
}

/** A memory operand with 32- or 64-bit addressing; false when it is cut off. */
function address(mod: u32, rm: u32, long: bool): bool {
  let disp32 = mod == 2;
  if (rm == 4) {
    if (n >= avail) return false;
    const sib = load<u8>(bytes + n++);
    const ix = ((sib >> 3) & 7) | (rex & 2 ? 8 : 0);
    const bs = (sib & 7) | (rex & 1 ? 8 : 0);
    if (ix != 4) {
      scale = sib >> 6;
      index = ix << 3;
    }
    if ((sib & 7) == 5 && mod == 0) disp32 = true;
    else {
      base = bs << 3;
      if (bs == 4 || bs == 5) defaultSegment = S_SS;
    }
  } else if (rm == 5 && mod == 0) {
    disp32 = true;
    if (long) {
      ripRelative = true;
      base = R_CODEBASE;
    }
  } else {
    const bs = rm | (rex & 1 ? 8 : 0);
    base = bs << 3;
    if (bs == 5) defaultSegment = S_SS;
  }
  if (disp32) return displacement(4);
  return mod != 1 || displacement(1);
}

/** An unsigned number of 2, 4 or 8 bytes at `at`. */
function unsigned(at: usize, size: u32): i64 {
  return size == 8
    ? load<i64>(at)
    : size == 2
    ? <i64> load<u16>(at)
    : <i64> load<u32>(at);
}

/** An immediate of `kind` (IMM_*, REL*); false when it is cut off. */
function immediate(kind: u32, size: u32, eak: u32, long: bool): bool {
  const at = bytes + n;
  let length: u32 = 0;
  if (kind == IMM_B || kind == REL8) length = 1;
  else if (kind == IMM_Z || kind == RELZ) {
    length = size == 1 && !(kind == RELZ && long) ? 2 : 4;
  } else if (kind == IMM_V) length = (<u32> 1) << size;
  else if (kind == IMM_W || kind == IMM_BB) length = 2;
  else if (kind == IMM_WB) length = 3;
  else if (kind == IMM_FAR) length = size == 1 ? 4 : 6;
  else if (kind == IMM_MOFFS) {
    length = eak == EAK_64 ? 8 : eak == EAK_16 ? 2 : 4;
  }
  if (n + length > avail) return false;
  n += length;
  switch (kind) {
    case IMM_B:
    case REL8:
      imm = <i32> load<i8>(at);
      break;
    case IMM_Z:
    case RELZ:
      imm = length == 2 ? <i32> load<i16>(at) : load<i32>(at);
      break;
    case IMM_W:
      imm = load<u16>(at);
      break;
    case IMM_WB:
      imm = load<u16>(at);
      disp = load<u8>(at, 2);
      break;
    case IMM_BB:
      imm = load<u8>(at);
      disp = load<u8>(at, 1);
      break;
    case IMM_FAR:
      disp = unsigned(at, length - 2);
      imm = load<u16>(at + length - 2);
      break;
    case IMM_V:
    case IMM_MOFFS:
      disp = unsigned(at, length);
      break;
  }
  return true;
}

/**
 * Decodes one instruction from `room` bytes at `s` into the record at `p`;
 * `off` is its offset in the page. Returns its length, MORE, or TOOLONG.
 */
export function decodeOne(s: usize, room: u32, off: u32, p: usize): i32 {
  const key = load<u8>(CODEKEY);
  const long = key == KEY_64;
  memory.fill(p, 0, REC);
  store<u16>(p, <u16> off, 12);
  ended = false;
  begin(s, room);
  let result = prefixes(long);
  if (result == DECODED) result = opcodeMap(long);
  if (result == UNDEFINED) return undefined_(p, off, n);
  if (result != DECODED) return result;
  let sp = <usize> load<u32>(opCell(map, prefix, opcode));
  if (sp == 0) {
    if (n > 15) return TOOLONG;
    return undefined_(p, off, n);
  }
  let spec = load<u32>(sp);
  let mod: u32 = 3;
  let rm: u32 = 0;
  let reg: u32 = 0;
  if (spec & MODRM) {
    if (n >= avail) return MORE;
    const m = load<u8>(bytes + n++);
    store<u8>(p, m, 11);
    mod = spec & NOMOD ? 3 : m >> 6;
    rm = m & 7;
    reg = (m >> 3) & 7;
    if (spec & IS_GROUP) {
      const t = <usize> load<u32>(sp, 24);
      sp = load<u32>(t + (mod == 3 ? 32 : 0) + (reg << 2));
      if (sp == 0) return undefined_(p, off, n);
      spec = load<u32>(sp);
    }
    if (rex & 4) reg |= 8;
  }
  if (
    spec & (long ? INV64 : ONLY64) ||
    (vex && (flags & RF_VEXL || (!(spec & VVVV) && vvvv != 0))) ||
    (spec & (mod == 3 ? MEMONLY : REGONLY) && spec & MODRM)
  ) return undefined_(p, off, n);
  if (rex & 8) flags |= RF_REXW;
  const osz = operandSize(key, spec);
  const six = spec & SZ_B
    ? 0
    : spec & (SZ_V | SZ_D64 | SZ_F64 | SZ_Y)
    ? osz
    : 2;
  const adsize = (flags & RF_ADDR) != 0;
  let eak = long
    ? (adsize ? EAK_64A32 : EAK_64)
    : (key == KEY_32) != adsize
    ? EAK_32
    : EAK_16;
  let mem = false;
  if (spec & MODRM && mod != 3) {
    mem = true;
    if (!(eak == EAK_16 ? address16(mod, rm) : address(mod, rm, long))) {
      return MORE;
    }
  }
  const kind = spec & IMM_MASK;
  if (kind) {
    if (!immediate(kind, osz, eak, long)) return MORE;
    if (kind == IMM_MOFFS) mem = true;
  }
  if (n > 15) return TOOLONG;
  if (flags & RF_LOCK && !(mem && spec & LOCKOK)) return undefined_(p, off, n);
  const h = load<u16>(sp + (mem ? 16 : 8) + (<usize> six << 1));
  if (h == 0) return undefined_(p, off, n);
  // segment and EA kind
  if (segment == 0xff) segment = defaultSegment;
  else if (long && segment >= S_FS && eak == EAK_64) eak = EAK_64SEG;
  if (ripRelative) disp += <i64> (off + n);
  if (mem) flags |= RF_MEM;
  store<u16>(p, h);
  store<u8>(p, <u8> (n | (scale << 6)), 2);
  if (!mem || eak == EAK_64) {
    store<u8>(p, load<u8>(sp + (mem ? 36 : 32) + six), 3);
  }
  putRegisters(p, spec, mem, reg, rm);
  store<u8>(p, <u8> base, 6);
  store<u8>(p, <u8> index, 7);
  store<u8>(p, <u8> (segment | (osz << 4)), 9);
  store<u8>(p, <u8> eak, 10);
  store<u8>(p, <u8> opcode, 14);
  store<u8>(p, <u8> flags, 15);
  store<i64>(p, disp, 16);
  store<i32>(p, imm, 24);
  if (vex) store<u32>(p, vvvv << 3, 28);
  if (spec & END) ended = true;
  return <i32> n;
}

/** The registers of a record: ModRM's, or the one in the opcode. */
function putRegisters(p: usize, spec: u32, mem: bool, reg: u32, rm: u32): void {
  const high: u32 = rex & 1 ? 8 : 0;
  if (spec & OPREG) reg = (opcode & 7) | high;
  store<u8>(p, spec & REG8 ? byteReg(reg, rex != 0) : <u8> (reg << 3), 4);
  if (spec & OPREG || mem) return;
  rm |= high;
  store<u8>(p, spec & RM8 ? byteReg(rm, rex != 0) : <u8> (rm << 3), 5);
}

function endRecord(p: usize, off: u32): void {
  memory.fill(p, 0, REC);
  store<u16>(p, <u16> endHandler);
  store<u16>(p, <u16> off, 12);
}

/**
 * Decodes the block at a host address (linear address `linear`), whose page's
 * bytes are at `page`, into records from `first` on, with the debug points of
 * its variant. Returns their number; with bit 31 set, the address of a record
 * outside the pool, used once; or 0 with FAULT set.
 */
export function decodeBlock(
  host: u32,
  linear: u64,
  page: usize,
  first: usize,
  variant: u32,
): u32 {
  let off = host & 0xfff;
  let end: u32 = 0x1000;
  if (load<u8>(MODE) != MODE_LONG) {
    // nothing beyond the code segment's limit
    const cs = SEGS + (<usize> S_CS << 5);
    const room = <u64> load<u32>(cs, SEG_LIMIT) + 1 -
      (((linear - load<u64>(cs, SEG_BASE)) & 0xffffffff) - 0);
    if (<u64> off + room < <u64> end) end = off + <u32> room;
  }
  let p = first;
  let count: u32 = 0;
  let before: u32 = 0; // the previous record's own case
  while (true) {
    if (off >= 0x1000 || count >= MAX_BLOCK) {
      endRecord(p, off);
      return count + 1;
    }
    const n = decodeOne(page + off, end - off, off, p);
    if (n <= 0) {
      if (count > 0) {
        endRecord(p, off);
        return count + 1;
      }
      if (n == TOOLONG || end < 0x1000) {
        raiseErr(Vector.GP, 0);
        return 0;
      }
      return decodeCrossing(host, page, linear, off, variant);
    }
    if (variant) {
      const at = off - (host & 0xfff);
      if (pointAt(host + at, linear + at)) {
        makePoint(p, host + at);
        p += REC;
        count++;
        before = 0;
      }
    }
    const own = <u32> load<u8>(p, 3);
    const both = load<u8>(FUSED + (<usize> before << 8) + own);
    if (both) store<u8>(p - REC, both, 3);
    before = own;
    count++;
    off += <u32> n;
    p += REC;
    if (ended) return count;
  }
}

/**
 * The first instruction runs into the next page: decode it from a copy of its
 * bytes.
 */
function decodeCrossing(
  host: u32,
  page: usize,
  linear: u64,
  off: u32,
  variant: u32,
): u32 {
  const have = 0x1000 - off;
  let next = linear + have;
  if (load<u8>(MODE) != MODE_LONG) next &= 0xffffffff;
  const h2 = fetchHost(next);
  if (h2 == 0) return 0;
  memory.copy(FETCH, page + off, have);
  memory.copy(FETCH + have, h2, 16 - have);
  let avail: u32 = 16;
  if (load<u8>(MODE) != MODE_LONG) {
    const cs = SEGS + (<usize> S_CS << 5);
    const room = <u64> load<u32>(cs, SEG_LIMIT) + 1 -
      ((linear - load<u64>(cs, SEG_BASE)) & 0xffffffff);
    if (room < 16) avail = <u32> room;
  }
  const n = decodeOne(FETCH, avail, off, CROSSING);
  if (n <= 0) {
    raiseErr(Vector.GP, 0);
    return 0;
  }
  let end: usize = CROSSING + REC;
  if (variant && pointAt(host, linear)) {
    makePoint(CROSSING, host);
    end += REC;
  }
  endRecord(end, off + <u32> n);
  return 0x80000000 | <u32> CROSSING;
}
