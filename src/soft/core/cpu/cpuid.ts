// CPUID: exactly what this processor has. Source: Intel SDM vol. 2, "CPUID".
import { noExecute } from "./control";
import { LAPIC_MODE_DISABLED, lapicMode } from "../lapic/state";
import { CR4, lapicOf, M_MISC, VPINDEX } from "../layout";
import { SIGNATURE } from "./reset";
import { cpuidMasked, cpuidResult } from "../whv/lists";
import { AMD, HYPERVISOR_BIT, NO_TSC_LEAVES, variant } from "../whv/variants";
import { apicMode, vpCount } from "../system/processors";
import { MAXPHYADDR } from "../memory/walk";
import { CR4_OSXSAVE } from "../x86/control_registers";
import { MISC_ENABLE_LIMIT_CPUID } from "../x86/msrs";
import { ApicMode } from "../whv/names";

/** Results of cpuid(): EAX, EBX, ECX, EDX. */
/** What CPUID gives. */
@unmanaged
export class CpuidResult {
  eax: u32 = 0;
  ebx: u32 = 0;
  ecx: u32 = 0;
  edx: u32 = 0;
}

const RESULT: usize = memory.data(offsetof<CpuidResult>(), 4);

const LAST_BASIC: u32 = 0x16;
const FIRST_HYPERVISOR: u32 = 0x40000000;
const LAST_HYPERVISOR: u32 = 0x400000ff;
const LAST_EXTENDED: u32 = 0x80000008;

// Leaf 1, EDX: FPU VME DE PSE TSC MSR PAE MCE CX8 SEP MTRR PGE MCA CMOV PAT
// PSE36 CLFSH MMX FXSR SSE SSE2
const F1_EDX: u32 = 0x078bf9ff;
const F1_EDX_APIC: u32 = 1 << 9;
const F1_EDX_HTT: u32 = 1 << 28;
// Leaf 1, ECX: SSE3 PCLMULQDQ SSSE3 CX16 PCID SSE4.1 SSE4.2 MOVBE POPCNT AES
// XSAVE RDRAND
const F1_ECX: u32 = 0x46da2203;
const F1_ECX_HYPERVISOR: u32 = 0x80000000;
const F1_ECX_X2APIC: u32 = 1 << 21;
const F1_ECX_TSC_DEADLINE: u32 = 1 << 24;
const F1_ECX_OSXSAVE: u32 = 1 << 27;
// Leaf 7, EBX: FSGSBASE TSC_ADJUST BMI1 SMEP BMI2 ERMS INVPCID RDSEED ADX SMAP
// CLFLUSHOPT CLWB
const F7_EBX: u32 = 0x019c078b;
const F7_ECX_UMIP: u32 = 4;
const F7_EDX_ARCH_CAPABILITIES: u32 = 1 << 29;
// Leaf 80000001: LAHF LZCNT PREFETCHW; SYSCALL NX 1GB RDTSCP LM
const FE_ECX: u32 = 0x121;
const FE_EDX: u32 = 0x2c100800;
const FE_EDX_NX: u32 = 1 << 20;

// "icebp soft  "
const HYPERVISOR: usize = memory.data<u8>([
  0x69,
  0x63,
  0x65,
  0x62,
  0x70,
  0x20,
  0x73,
  0x6f,
  0x66,
  0x74,
  0x20,
  0x20,
]);
// "icebp software processor @ 1.00GHz", 48 bytes with its end
const BRAND: usize = memory.data<u8>([
  0x69,
  0x63,
  0x65,
  0x62,
  0x70,
  0x20,
  0x73,
  0x6f,
  0x66,
  0x74,
  0x77,
  0x61,
  0x72,
  0x65,
  0x20,
  0x70,
  0x72,
  0x6f,
  0x63,
  0x65,
  0x73,
  0x73,
  0x6f,
  0x72,
  0x20,
  0x40,
  0x20,
  0x31,
  0x2e,
  0x30,
  0x30,
  0x47,
  0x48,
  0x7a,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
]);

function set(a: u32, b: u32, c: u32, d: u32): void {
  const result = changetype<CpuidResult>(RESULT);
  result.eax = a;
  result.ebx = b;
  result.ecx = c;
  result.edx = d;
}

/**
 * The last basic leaf that is told: IA32_MISC_ENABLE can limit it, for software
 * of the time when there were three.
 */
function lastBasic(): u32 {
  return load<u64>(M_MISC) & MISC_ENABLE_LIMIT_CPUID ? 2 : LAST_BASIC;
}

/** Bits that number `count` things. */
function bits(count: u32): u32 {
  return count < 2 ? 0 : 32 - clz<u32>(count - 1);
}

function features(): void {
  const vp = load<u32>(VPINDEX);
  let c = F1_ECX;
  if (variant(HYPERVISOR_BIT)) c |= F1_ECX_HYPERVISOR;
  let d = F1_EDX;
  if (apicMode) {
    c |= F1_ECX_TSC_DEADLINE;
    if (apicMode == ApicMode.X2Apic) c |= F1_ECX_X2APIC;
    if (lapicMode(lapicOf(vp)) != LAPIC_MODE_DISABLED) d |= F1_EDX_APIC;
  } else d |= F1_EDX_APIC;
  if (load<u64>(CR4) & CR4_OSXSAVE) c |= F1_ECX_OSXSAVE;
  if (vpCount > 1) d |= F1_EDX_HTT;
  // 64-byte lines for CLFLUSH
  set(SIGNATURE, (vp << 24) | (vpCount << 16) | (8 << 8), c, d);
}

/** Leaf 4: 32 KiB L1 data and code, 256 KiB L2, 4 MiB shared L3. */
function caches(index: u32): void {
  if (index > 3) {
    set(0, 0, 0, 0);
    return;
  }
  const type: u32 = index == 0 ? 1 : index == 1 ? 2 : 3;
  const level: u32 = index < 2 ? 1 : index;
  const cores = (<u32> 1 << bits(vpCount)) - 1;
  const sharing: u32 = index == 3 ? cores : 0;
  const ways: u32 = index == 3 ? 16 : 8;
  const sets: u32 = index < 2 ? 64 : index == 2 ? 512 : 4096;
  set(
    type | (level << 5) | (1 << 8) | (sharing << 14) | (cores << 26),
    63 | ((ways - 1) << 22),
    sets - 1,
    0,
  );
}

function topology(index: u32): void {
  const vp = load<u32>(VPINDEX);
  if (index == 0) set(0, 1, 1 << 8, vp);
  else if (index == 1) set(bits(vpCount), vpCount, (2 << 8) | 1, vp);
  else set(0, 0, index & 0xff, vp);
}

/** Leaf 0DH: x87 and SSE, 576 bytes, whatever of them is enabled. */
function xsave(index: u32): void {
  if (index == 0) set(3, 576, 576, 0);
  else set(0, 0, 0, 0);
}

/** The result that lies at `at`. */
function words(at: usize): void {
  memory.copy(RESULT, at, offsetof<CpuidResult>());
}

function extended(leaf: u32): void {
  switch (leaf) {
    case 0x80000000:
      set(LAST_EXTENDED, 0, 0, 0);
      break;
    case 0x80000001:
      set(0, 0, FE_ECX, noExecute() ? FE_EDX : FE_EDX & ~FE_EDX_NX);
      break;
    case 0x80000002:
    case 0x80000003:
    case 0x80000004:
      words(BRAND + (<usize> (leaf - 0x80000002) << 4));
      break;
    case 0x80000006:
      set(0, 0, (256 << 16) | (6 << 12) | 64, 0);
      break;
    case 0x80000007:
      set(0, 0, 0, 1 << 8); // invariant TSC
      break;
    case 0x80000008:
      set(MAXPHYADDR | (48 << 8), 0, 0, 0);
      break;
    default:
      set(0, 0, 0, 0);
  }
}

function basic(leaf: u32, index: u32): void {
  switch (leaf) {
    case 0:
      // "AuthenticAMD", "GenuineIntel"
      if (variant(AMD)) set(lastBasic(), 0x68747541, 0x444d4163, 0x69746e65);
      else set(lastBasic(), 0x756e6547, 0x6c65746e, 0x49656e69);
      break;
    case 1:
      features();
      break;
    case 2:
      set(0x00ff01, 0, 0, 0); // see leaf 4
      break;
    case 4:
      caches(index);
      break;
    case 6:
      set(4, 0, 0, 0); // the APIC timer always runs
      break;
    case 7:
      if (index == 0) {
        set(0, F7_EBX, F7_ECX_UMIP, F7_EDX_ARCH_CAPABILITIES);
      } else set(0, 0, 0, 0);
      break;
    case 0xb:
      topology(index);
      break;
    case 0xd:
      xsave(index);
      break;
    case 0x15:
      if (variant(NO_TSC_LEAVES)) set(0, 0, 0, 0);
      else set(1, 1, 1000000000, 0); // TSC = crystal = 1 GHz
      break;
    case 0x16:
      if (variant(NO_TSC_LEAVES)) set(0, 0, 0, 0);
      else set(1000, 1000, 100, 0);
      break;
    default:
      set(0, 0, 0, 0);
  }
}

/**
 * CPUID's default result for a leaf: this processor's, as the caller's lists
 * change it. It holds until the next one.
 */
export function cpuid(leaf: u32, index: u32): CpuidResult {
  unmasked(leaf, index);
  const result = changetype<CpuidResult>(RESULT);
  const given = cpuidMasked(leaf, index);
  if (!given) return result;
  set(
    masked(result.eax, given),
    masked(result.ebx, given + 4),
    masked(result.ecx, given + 8),
    masked(result.edx, given + 12),
  );
  return result;
}

/**
 * `v` with the bits of the mask 16 bytes after an output taken from the output.
 */
function masked(v: u32, output: usize): u32 {
  const mask = load<u32>(output, 16);
  return (v & ~mask) | (load<u32>(output) & mask);
}

/** A hypervisor's own leaves: none is seen, unless the caller makes it so. */
function hypervisor(leaf: u32): void {
  if (leaf != FIRST_HYPERVISOR || !variant(HYPERVISOR_BIT)) {
    set(0, 0, 0, 0);
    return;
  }
  set(
    FIRST_HYPERVISOR,
    load<u32>(HYPERVISOR),
    load<u32>(HYPERVISOR, 4),
    load<u32>(HYPERVISOR, 8),
  );
}

function unmasked(leaf: u32, index: u32): void {
  const given = cpuidResult(leaf);
  if (given) {
    words(given);
    return;
  }
  if (leaf >= FIRST_HYPERVISOR && leaf <= LAST_HYPERVISOR) hypervisor(leaf);
  else if (leaf >= 0x80000000 && leaf <= LAST_EXTENDED) extended(leaf);
  else basic(leaf > LAST_BASIC ? LAST_BASIC : leaf, index);
}
