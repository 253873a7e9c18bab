// The decoder: instruction bytes to records (record.ts), driven by the
// instruction table (optable.ts). It executes nothing, so a translator can use
// it as well.
import { GP, raiseErr } from "../cpu/fault";
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
import { makePoint, pointAt } from "../system/points";
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

const MAX_BLOCK: u32 = 128;

let udHandler: u32 = 0;
let endHandler: u32 = 0;

export function decodeInit(ud: u32, end: u32): void {
  udHandler = ud;
  endHandler = end;
}

const MORE: i32 = 0;
const TOOLONG: i32 = -1;

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

/**
 * Decodes one instruction from `avail` bytes at `s` into the record at `p`;
 * `off` is its offset in the page. Returns its length, MORE, or TOOLONG.
 */
export function decodeOne(s: usize, avail: u32, off: u32, p: usize): i32 {
  const key = load<u8>(CODEKEY);
  const long = key == 2;
  memory.fill(p, 0, REC);
  store<u16>(p, <u16> off, 12);
  ended = false;
  let n: u32 = 0;
  let flags: u32 = 0;
  let seg: u32 = 0xff;
  let opsize = false;
  let adsize = false;
  let rex: u32 = 0;
  let b: u32;
  // legacy prefixes, then REX
  while (true) {
    if (n >= 15) return TOOLONG;
    if (n >= avail) return MORE;
    b = load<u8>(s + n++);
    if (b == 0x66) {
      opsize = true;
      rex = 0;
    } else if (b == 0x67) {
      adsize = true;
      rex = 0;
    } else if (b == 0xf0) {
      flags |= RF_LOCK;
      rex = 0;
    } else if (b == 0xf3) {
      flags = (flags & ~RF_REPNE) | RF_REP;
      rex = 0;
    } else if (b == 0xf2) {
      flags = (flags & ~RF_REP) | RF_REPNE;
      rex = 0;
    } else if ((b & 0xe7) == 0x26) {
      if (!long) seg = (b >> 3) & 3;
      rex = 0;
    } else if (b == 0x64 || b == 0x65) {
      seg = b - 0x60;
      rex = 0;
    } else if (long && (b & 0xf0) == 0x40) {
      rex = b;
    } else break;
  }
  if (opsize) flags |= RF_OPSIZE;
  if (adsize) flags |= RF_ADDR;
  let map: u32 = 0;
  let pfx: u32 = flags & RF_REP ? 2 : flags & RF_REPNE ? 3 : opsize ? 1 : 0;
  let vvvv: u32 = 0;
  let vex = false;
  if (b == 0x0f) {
    if (n >= avail) return MORE;
    b = load<u8>(s + n++);
    map = 1;
    if (b == 0x38 || b == 0x3a) {
      map = b == 0x38 ? 2 : 3;
      if (n >= avail) return MORE;
      b = load<u8>(s + n++);
    }
  } else if (b == 0xc4 || b == 0xc5) {
    if (n >= avail) return MORE;
    const v = load<u8>(s + n);
    if (long || (v >= 0xc0 && load<u8>(MODE) >= MODE_PROT)) {
      vex = true;
      // VEX after 66, F2, F3, LOCK or REX is undefined
      if (rex || flags & (RF_LOCK | RF_REP | RF_REPNE | RF_OPSIZE)) {
        return undefined_(p, off, n);
      }
      n++;
      let m: u32 = 1;
      let inv: u32 = v;
      rex = (v & 0x80) ? 0 : 4;
      if (b == 0xc4) {
        m = v & 31;
        if (!(v & 0x40)) rex |= 2;
        if (!(v & 0x20)) rex |= 1;
        if (n >= avail) return MORE;
        inv = load<u8>(s + n++);
        if (inv & 0x80) rex |= 8;
      }
      if (!long) rex &= 8;
      if (rex & 8 && !long) rex = 0;
      vvvv = (~(inv >> 3)) & (long ? 15 : 7);
      if (inv & 4) flags |= RF_VEXL;
      pfx = inv & 3; // VEX.pp counts as P_NONE, P_66, P_F3, P_F2 do
      if (m < 1 || m > 3) return undefined_(p, off, n);
      map = M_VEX0F + m - 1;
      if (n >= avail) return MORE;
      b = load<u8>(s + n++);
    }
  }
  let sp = <usize> load<u32>(opCell(map, pfx, b));
  if (sp == 0) {
    if (n > 15) return TOOLONG;
    return undefined_(p, off, n);
  }
  let sf = load<u32>(sp);
  let mod: u32 = 3;
  let rm: u32 = 0;
  let reg: u32 = 0;
  if (sf & MODRM) {
    if (n >= avail) return MORE;
    const m = load<u8>(s + n++);
    store<u8>(p, m, 11);
    mod = sf & NOMOD ? 3 : m >> 6;
    rm = m & 7;
    reg = (m >> 3) & 7;
    if (sf & IS_GROUP) {
      const t = <usize> load<u32>(sp, 24);
      sp = load<u32>(t + (mod == 3 ? 32 : 0) + (reg << 2));
      if (sp == 0) return undefined_(p, off, n);
      sf = load<u32>(sp);
    }
    if (rex & 4) reg |= 8;
  }
  if (sf & (long ? INV64 : ONLY64)) return undefined_(p, off, n);
  if (
    vex && (flags & RF_VEXL || (!(sf & VVVV) && vvvv != 0))
  ) return undefined_(p, off, n);
  if (sf & (mod == 3 ? MEMONLY : REGONLY) && sf & MODRM) {
    return undefined_(p, off, n);
  }
  // operand size
  const rexw = (rex & 8) != 0;
  if (rexw) flags |= RF_REXW;
  let osz: u32;
  if (key == 0) osz = opsize ? 2 : 1;
  else if (key == 1) osz = opsize ? 1 : 2;
  else if (sf & SZ_F64) osz = 3;
  else if (rexw) osz = 3;
  else if (sf & SZ_D64) osz = opsize ? 1 : 3;
  else osz = opsize ? 1 : 2;
  if (sf & SZ_Y && osz == 1) osz = 2;
  const six = sf & SZ_B ? 0 : sf & (SZ_V | SZ_D64 | SZ_F64 | SZ_Y) ? osz : 2;
  // address size and default segment
  let eak: u32;
  if (long) eak = adsize ? EAK_64A32 : EAK_64;
  else eak = (key == 1) != adsize ? EAK_32 : EAK_16;
  let dseg = S_DS;
  let base: u32 = R_ZERO;
  let index: u32 = R_ZERO;
  let scale: u32 = 0;
  let disp: i64 = 0;
  let ripRel = false;
  let mem = false;
  if (sf & MODRM && mod != 3) {
    mem = true;
    if (eak == EAK_16) {
      if (mod == 0 && rm == 6) {
        if (n + 2 > avail) return MORE;
        disp = <i64> load<u16>(s + n);
        n += 2;
      } else {
        // bx+si bx+di bp+si bp+di si di bp bx
        if (rm <= 3) {
          base = rm & 2 ? 5 << 3 : 3 << 3;
          index = rm & 1 ? 7 << 3 : 6 << 3;
        } else {
          base = rm == 4
            ? 6 << 3
            : rm == 5
            ? 7 << 3
            : rm == 6
            ? 5 << 3
            : 3 << 3;
        }
        if (rm == 2 || rm == 3 || rm == 6) dseg = S_SS;
        if (mod == 1) {
          if (n >= avail) return MORE;
          disp = <i64> load<i8>(s + n++);
        } else if (mod == 2) {
          if (n + 2 > avail) return MORE;
          disp = <i64> load<i16>(s + n);
          n += 2;
        }
      }
    } else {
      let disp32 = mod == 2;
      if (rm == 4) {
        if (n >= avail) return MORE;
        const sib = load<u8>(s + n++);
        scale = sib >> 6;
        const ix = ((sib >> 3) & 7) | (rex & 2 ? 8 : 0);
        const bs = (sib & 7) | (rex & 1 ? 8 : 0);
        if (ix != 4) index = ix << 3;
        else scale = 0;
        if ((sib & 7) == 5 && mod == 0) disp32 = true;
        else {
          base = bs << 3;
          if (bs == 4 || bs == 5) dseg = S_SS;
        }
      } else if (rm == 5 && mod == 0) {
        disp32 = true;
        if (long) {
          ripRel = true;
          base = R_CODEBASE;
        }
      } else {
        const bs = rm | (rex & 1 ? 8 : 0);
        base = bs << 3;
        if (bs == 5) dseg = S_SS;
      }
      if (disp32) {
        if (n + 4 > avail) return MORE;
        disp = <i64> load<i32>(s + n);
        n += 4;
      } else if (mod == 1) {
        if (n >= avail) return MORE;
        disp = <i64> load<i8>(s + n++);
      }
    }
  }
  // immediates
  let imm: i32 = 0;
  const ik = sf & IMM_MASK;
  if (ik) {
    if (ik == IMM_B || ik == REL8) {
      if (n >= avail) return MORE;
      imm = <i32> load<i8>(s + n++);
    } else if (ik == IMM_Z || ik == RELZ) {
      if (osz == 1 && !(ik == RELZ && long)) {
        if (n + 2 > avail) return MORE;
        imm = <i32> load<i16>(s + n);
        n += 2;
      } else {
        if (n + 4 > avail) return MORE;
        imm = load<i32>(s + n);
        n += 4;
      }
    } else if (ik == IMM_V) {
      const w: u32 = (<u32> 1) << osz;
      if (n + w > avail) return MORE;
      disp = osz == 1
        ? <i64> load<u16>(s + n)
        : osz == 2
        ? <i64> load<u32>(s + n)
        : load<i64>(s + n);
      n += w;
    } else if (ik == IMM_W) {
      if (n + 2 > avail) return MORE;
      imm = load<u16>(s + n);
      n += 2;
    } else if (ik == IMM_WB) {
      if (n + 3 > avail) return MORE;
      imm = load<u16>(s + n);
      disp = load<u8>(s + n, 2);
      n += 3;
    } else if (ik == IMM_FAR) {
      const w: u32 = osz == 1 ? 2 : 4;
      if (n + w + 2 > avail) return MORE;
      disp = osz == 1 ? <i64> load<u16>(s + n) : <i64> load<u32>(s + n);
      imm = load<u16>(s + n + w);
      n += w + 2;
    } else if (ik == IMM_MOFFS) {
      const w: u32 = eak == EAK_64 ? 8 : eak == EAK_16 ? 2 : 4;
      if (n + w > avail) return MORE;
      disp = w == 8
        ? load<i64>(s + n)
        : w == 2
        ? <i64> load<u16>(s + n)
        : <i64> load<u32>(s + n);
      n += w;
      mem = true;
    } else if (ik == IMM_BB) {
      if (n + 2 > avail) return MORE;
      imm = load<u8>(s + n);
      disp = load<u8>(s + n, 1);
      n += 2;
    }
  }
  if (n > 15) return TOOLONG;
  if (flags & RF_LOCK && !(mem && sf & LOCKOK)) return undefined_(p, off, n);
  const h = load<u16>(sp + (mem ? 16 : 8) + (<usize> six << 1));
  if (h == 0) return undefined_(p, off, n);
  // segment and EA kind
  if (seg == 0xff) seg = dseg;
  else if (long && seg >= S_FS && eak == EAK_64) eak = EAK_64SEG;
  if (ripRel) disp += <i64> (off + n);
  if (mem) flags |= RF_MEM;
  store<u16>(p, h);
  store<u8>(p, <u8> (n | (scale << 6)), 2);
  store<u8>(p, <u8> flags, 15);
  if (sf & OPREG) {
    const r = (b & 7) | (rex & 1 ? 8 : 0);
    store<u8>(p, sf & REG8 ? byteReg(r, rex != 0) : <u8> (r << 3), 4);
  } else {
    store<u8>(p, sf & REG8 ? byteReg(reg, rex != 0) : <u8> (reg << 3), 4);
    rm |= rex & 1 ? 8 : 0;
    if (!mem) {
      store<u8>(p, sf & RM8 ? byteReg(rm, rex != 0) : <u8> (rm << 3), 5);
    }
  }
  store<u8>(p, <u8> base, 6);
  store<u8>(p, <u8> index, 7);
  store<u8>(p, <u8> (seg | (osz << 4)), 9);
  store<u8>(p, <u8> eak, 10);
  store<u8>(p, <u8> b, 14);
  if (!mem || eak == EAK_64) {
    store<u8>(p, load<u8>(sp + (mem ? 36 : 32) + six), 3);
  }
  store<i64>(p, disp, 16);
  store<i32>(p, imm, 24);
  if (vex) store<u32>(p, vvvv << 3, 28);
  if (sf & END) ended = true;
  return <i32> n;
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
        raiseErr(GP, 0);
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
    raiseErr(GP, 0);
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
