/**
 * What an instruction does to the stack pointer, as far as its bytes tell. Two
 * passes through the same code in one frame differ in nothing else: whether the one that
 * is met is an interrupt handler's, another task's or one's own is told by it.
 * (Intel SDM volume 2, appendix A, "Opcode Map".)
 */
import type { Decoded } from "../../x86/decode.ts";

const RSP = 4;
const REX_R = 4, REX_B = 1;

/** Bytes that the instruction at `bytes`[at], decoded as `d`, adds to the stack
 * pointer when it goes on with the next; null if that cannot be told. */
export function stackMove(
  d: Decoded,
  bytes: Uint8Array,
  at: number,
  bits: 16 | 32 | 64,
): number | null {
  const slot = bits === 64 && d.operandBytes !== 2 ? 8 : d.operandBytes;
  if (d.map === 0) return oneByteMove(d, bytes, at, slot, bits);
  if (d.map === 1 && !d.vex) {
    switch (d.opcode) {
      case 0xa0: // PUSH FS, GS
      case 0xa8:
        return -slot;
      case 0xa1:
      case 0xa9:
        return slot;
    }
  }
  return writesExtended(d) ? null : 0;
}

function oneByteMove(
  d: Decoded,
  bytes: Uint8Array,
  at: number,
  slot: number,
  bits: 16 | 32 | 64,
): number | null {
  const { opcode, modrm } = d;
  const operation = (modrm >> 3) & 7;
  if (opcode >= 0x50 && opcode <= 0x57) return -slot;
  if (opcode >= 0x58 && opcode <= 0x5f) {
    return isRsp(opcode & 7, d, REX_B) ? null : slot;
  }
  switch (opcode) {
    case 0x06: // PUSH and POP of ES, CS, SS, DS
    case 0x0e:
    case 0x16:
    case 0x1e:
      return -slot;
    case 0x07:
    case 0x17:
    case 0x1f:
      return slot;
    case 0x60: // PUSHA, POPA
      return -8 * slot;
    case 0x61:
      return 8 * slot;
    case 0x68:
    case 0x6a:
    case 0x9c: // PUSHF, POPF
      return -slot;
    case 0x9d:
      return slot;
    case 0x81:
    case 0x83: {
      if (!rmIsRsp(d) || operation === 7) return 0;
      // ADD and SUB, of all of it.
      if (d.operandBytes * 8 !== bits || (operation !== 0 && operation !== 5)) {
        return null;
      }
      const view = new DataView(bytes.buffer, bytes.byteOffset + at, d.length);
      const by = opcode === 0x83
        ? view.getInt8(d.length - 1)
        : bits === 16
        ? view.getInt16(d.length - 2, true)
        : view.getInt32(d.length - 4, true);
      return operation === 0 ? by : -by;
    }
    case 0x8f:
      return rmIsRsp(d) ? null : slot;
    case 0xc8: // ENTER, LEAVE
    case 0xc9:
      return null;
    case 0xff:
      if (operation === 6) return -slot;
  }
  return writes(d, operation) ? null : 0;
}

/** Whether register `number` of an instruction, with the REX bit that extends it, is the
 * stack pointer. */
function isRsp(number: number, { rex }: Decoded, extension: number): boolean {
  return number === RSP && (rex & extension) === 0;
}

function rmIsRsp(d: Decoded): boolean {
  return d.modrm >= 0xc0 && isRsp(d.modrm & 7, d, REX_B);
}

function regIsRsp(d: Decoded): boolean {
  return isRsp((d.modrm >> 3) & 7, d, REX_R);
}

/** Whether an instruction of the one-byte map has the stack pointer as destination. As a
 * byte (SPL) it can be named only with a REX prefix. */
function writes(d: Decoded, operation: number): boolean {
  const { opcode } = d;
  const byte = d.rex !== 0;
  if (opcode < 0x40) {
    // The last row compares.
    if (opcode >= 0x38) return false;
    switch (opcode & 7) {
      case 0:
        return byte && rmIsRsp(d);
      case 1:
        return rmIsRsp(d);
      case 2:
        return byte && regIsRsp(d);
      case 3:
        return regIsRsp(d);
    }
    return false;
  }
  switch (opcode) {
    case 0x44: // INC, DEC
    case 0x4c:
      return true;
    case 0x94: // XCHG, MOV: the register is in the opcode
    case 0xbc:
      return (d.rex & REX_B) === 0;
    case 0xb4:
      return byte && (d.rex & REX_B) === 0;
    case 0x63:
    case 0x87:
      return rmIsRsp(d) || regIsRsp(d);
    case 0x86:
      return byte && (rmIsRsp(d) || regIsRsp(d));
    case 0x69:
    case 0x6b:
    case 0x8b:
    case 0x8d:
    case 0xc4: // LES, LDS
    case 0xc5:
      return regIsRsp(d);
    case 0x8a:
      return byte && regIsRsp(d);
    case 0x89:
    case 0x8c:
    case 0xc1:
    case 0xc7:
    case 0xd1:
    case 0xd3:
      return rmIsRsp(d);
    case 0x80:
      return byte && operation !== 7 && rmIsRsp(d);
    case 0x88:
    case 0xc0:
    case 0xc6:
    case 0xd0:
    case 0xd2:
    case 0xfe:
      return byte && rmIsRsp(d);
    case 0xf6: // NOT, NEG
      return byte && (operation & 6) === 2 && rmIsRsp(d);
    case 0xf7:
      return (operation & 6) === 2 && rmIsRsp(d);
    case 0xff: // INC, DEC
      return operation < 2 && rmIsRsp(d);
  }
  return false;
}

/** As writes(), of the other maps. */
function writesExtended(d: Decoded): boolean {
  const { opcode, map, vex } = d;
  if (map === 2) {
    // MOVBE, CRC32, ADCX; with VEX some write the register that VEX names.
    if (vex) {
      if (opcode === 0xf3 || opcode === 0xf6) return true;
      return opcode >= 0xf2 && opcode <= 0xf7 && regIsRsp(d);
    }
    return (opcode === 0xf0 || opcode === 0xf1 || opcode === 0xf6) &&
      regIsRsp(d);
  }
  if (map === 3) {
    if (vex && opcode === 0xf0) return regIsRsp(d); // RORX
    return opcode >= 0x14 && opcode <= 0x17 && rmIsRsp(d); // PEXTR
  }
  if (map !== 1) return false;
  switch (opcode) {
    case 0x2c: // conversions to an integer
    case 0x2d:
    case 0x50: // masks of signs
    case 0xd7:
    case 0xc5: // PEXTRW
      return regIsRsp(d);
    case 0x7e: // MOVD
      return d.repeat === 0 && rmIsRsp(d);
  }
  return !vex && writesGeneral(d);
}

function writesGeneral(d: Decoded): boolean {
  const { opcode } = d;
  const operation = (d.modrm >> 3) & 7;
  const byte = d.rex !== 0;
  if (opcode >= 0x40 && opcode <= 0x4f) return regIsRsp(d); // CMOVcc
  if (opcode >= 0x90 && opcode <= 0x9f) return byte && rmIsRsp(d); // SETcc
  switch (opcode) {
    case 0x00: // SLDT, STR
      return operation < 2 && rmIsRsp(d);
    case 0x01: // SMSW
      return operation === 4 && rmIsRsp(d);
    case 0x1e: // RDSSP
    case 0xae: // RDFSBASE, RDGSBASE
      return d.repeat === 0xf3 && operation < 2 && rmIsRsp(d);
    case 0x02: // LAR, LSL
    case 0x03:
    case 0xaf: // IMUL
    case 0xb2: // LSS, LFS, LGS
    case 0xb4:
    case 0xb5:
    case 0xb6: // MOVZX, POPCNT, BSF, BSR, MOVSX
    case 0xb7:
    case 0xb8:
    case 0xbc:
    case 0xbd:
    case 0xbe:
    case 0xbf:
      return regIsRsp(d);
    case 0x20: // MOV from a control or debug register, whatever mod says
    case 0x21:
      return isRsp(d.modrm & 7, d, REX_B);
    case 0x78: // VMREAD
    case 0xa4: // SHLD, SHRD
    case 0xa5:
    case 0xac:
    case 0xad:
    case 0xab: // BTS, BTR, BTC
    case 0xb3:
    case 0xbb:
    case 0xb1: // CMPXCHG
    case 0xc7: // RDRAND, RDSEED, RDPID
      return rmIsRsp(d);
    case 0xba:
      return operation >= 5 && rmIsRsp(d);
    case 0xb0:
      return byte && rmIsRsp(d);
    case 0xc0: // XADD
      return byte && (rmIsRsp(d) || regIsRsp(d));
    case 0xc1:
      return rmIsRsp(d) || regIsRsp(d);
    case 0xcc: // BSWAP
      return (d.rex & REX_B) === 0;
  }
  return false;
}
