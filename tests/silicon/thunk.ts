/**
 * The native executor's machine code: a loop over a batch of cases, and the
 * signal handler that ends each case.
 *
 * Every case ends in a fault (its own, or that of the HLT after it). The
 * kernel's signal frame then holds the whole state, including the FXSAVE
 * image; the handler copies it out and resumes at `exit`, which restores the
 * scratch region and goes on with the next case. Frame layout: Linux
 * asm/sigcontext.h and asm/ucontext.h.
 *
 * @module
 */
import { Emitter } from "./emit.ts";
import {
  Case,
  CS,
  DATA,
  DATA_BYTES,
  DS,
  ES,
  FS,
  FX_BYTES,
  GS,
  RAX,
  RBX,
  RCX,
  RDI,
  RDX,
  Result,
  RSI,
  RSP,
  Selector,
  SS,
} from "./layout.ts";

/** Fixed places of the executor's own memory, apart from the cases'. */
export const Place = {
  control: 0x2000_0000,
  thunk: 0x2000_1000,
  pristine: 0x2001_0000,
  altStack: 0x2002_0000,
  altStackBytes: 0x2_0000,
  input: 0x2100_0000,
  inputBytes: 0x0200_0000,
  output: 0x2400_0000,
  outputBytes: 0x0200_0000,
} as const;

/** Fields of the control page. */
export const Control = {
  input: Place.control + 0x00,
  output: Place.control + 0x08,
  remaining: Place.control + 0x10,
  fx: Place.control + 0x18,
  inCase: Place.control + 0x20,
  hostRsp: Place.control + 0x28,
  hostFs: Place.control + 0x30,
  caseRsp: Place.control + 0x38,
  caseRip: Place.control + 0x40,
  mxcsr: Place.control + 0x48,
} as const;

const R8 = 8;
const R9 = 9;

/** Where ucontext_t keeps RAX, RCX, ... R15, in our register order. */
const CONTEXT_GPR = [
  144,
  152,
  136,
  128,
  160,
  120,
  112,
  104,
  40,
  48,
  56,
  64,
  72,
  80,
  88,
  96,
];
const CONTEXT_RIP = 168;
const CONTEXT_EFLAGS = 176;
const CONTEXT_CS = 184;
const CONTEXT_SS = 190;
const CONTEXT_ERR = 192;
const CONTEXT_TRAPNO = 200;
const CONTEXT_CR2 = 216;
const CONTEXT_FPSTATE = 224;

const E = 4;
const NE = 5;
const B = 2;

/** The thunks' bytes, and the linear addresses to call and to install. */
export interface Thunk {
  bytes: Uint8Array<ArrayBuffer>;
  run: number;
  handler: number;
}

/** Builds the executor. Exit code 97 means: a signal outside of any case. */
export function buildThunk(): Thunk {
  const e = new Emitter(Place.thunk);
  const wrfsbase = (reg: number) => e.bytes(0xf3, 0x48, 0x0f, 0xae, 0xd0 | reg);
  const wrgsbase = (reg: number) => e.bytes(0xf3, 0x48, 0x0f, 0xae, 0xd8 | reg);
  const rdfsbase = (reg: number) => e.bytes(0xf3, 0x48, 0x0f, 0xae, 0xc0 | reg);
  const rdgsbase = (reg: number) => e.bytes(0xf3, 0x48, 0x0f, 0xae, 0xc8 | reg);

  // void run(void), System V: save the callee-saved registers.
  e.label("run");
  e.bytes(0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57);
  e.bytes(0x48, 0x83, 0xec, 0x08); // sub rsp, 8
  e.store(Control.hostRsp, RSP);
  e.absolute([0x0f, 0xae], 3, Control.mxcsr, false); // stmxcsr
  rdfsbase(RAX);
  e.store(Control.hostFs, RAX);

  e.label("next");
  e.load(RAX, Control.remaining);
  e.bytes(0x48, 0x85, 0xc0).jcc(E, "done"); // test rax, rax
  e.load(RBX, Control.input);
  e.based([0x8b], R8, RBX, Case.patchCount, false);
  e.based([0x8d], RSI, RBX, Case.fx);
  e.load(RAX, Control.fx);
  e.bytes(0x48, 0x85, 0xc0).jcc(E, "patches");
  e.based([0x0f, 0xae], 1, RBX, Case.fx); // fxrstor64
  e.bytes(0x48, 0x81, 0xc6).imm32(FX_BYTES); // add rsi, 512
  e.label("patches");
  e.bytes(0x45, 0x85, 0xc0).jcc(E, "enter"); // test r8d, r8d
  e.bytes(0x8b, 0x3e, 0x8b, 0x4e, 0x04); // mov edi,[rsi]; mov ecx,[rsi+4]
  e.bytes(0x48, 0x83, 0xc6, 0x08, 0xf3, 0xa4); // add rsi, 8; rep movsb
  e.bytes(0x48, 0x83, 0xc6, 0x07, 0x48, 0x83, 0xe6, 0xf8); // round rsi up
  e.bytes(0x41, 0xff, 0xc8).jmp("patches"); // dec r8d

  e.label("enter");
  for (const reg of [ES, DS, FS, GS, SS]) { // MOV Sreg, [rbx + ..]
    e.based([0x8e], reg, RBX, Case.segments + 2 * reg, false);
  }
  // Only a flat CS has bases of its own; others have them from selectors.
  e.based([0x0f, 0xb7], RCX, RBX, Case.segments + 2 * CS, false); // movzx
  e.bytes(0x83, 0xf9, Selector.userCs).jcc(NE, "bases"); // cmp ecx, imm8
  e.loadFrom(RAX, RBX, Case.fsBase);
  wrfsbase(RAX);
  e.loadFrom(RAX, RBX, Case.gsBase);
  wrgsbase(RAX);
  e.label("bases");
  e.loadFrom(RAX, RBX, Case.gpr + 8 * RSP);
  e.store(Control.caseRsp, RAX);
  e.based([0x8b], RAX, RBX, Case.rip, false);
  e.absolute([0x89], RAX, Control.caseRip, false);
  e.absolute([0x89], RCX, Control.caseRip + 4, false);
  e.constant(RAX, 1).store(Control.inCase, RAX);
  e.bytes(0xff, 0xb3).imm32(Case.rflags).bytes(0x9d); // push [rbx+..]; popfq
  for (let reg = 0; reg < 16; reg++) {
    if (reg === RBX || reg === RSP) continue;
    e.loadFrom(reg, RBX, Case.gpr + 8 * reg);
  }
  e.loadFrom(RBX, RBX, Case.gpr + 8 * RBX);
  e.load(RSP, Control.caseRsp);
  e.bytes(0xff, 0x2c, 0x25).imm32(Control.caseRip); // jmp far [caseRip]

  // void handler(int, siginfo_t *, ucontext_t *rdx)
  e.label("handler");
  e.load(RAX, Control.inCase);
  e.bytes(0x48, 0x85, 0xc0).jcc(E, "stray");
  e.bytes(0x31, 0xc0).store(Control.inCase, RAX);
  e.load(R9, Control.output);
  rdfsbase(RAX);
  e.storeTo(R9, Result.fsBase, RAX);
  rdgsbase(RAX);
  e.storeTo(R9, Result.gsBase, RAX);
  const selector = (from: number, segment: number) => {
    e.based([0x0f, 0xb7], RAX, RDX, from, false);
    e.based([0x66, 0x89], RAX, R9, Result.segments + 2 * segment, false);
  };
  selector(CONTEXT_CS, CS);
  selector(CONTEXT_SS, SS);
  for (const reg of [ES, DS, FS, GS]) { // MOV [r9 + ..], Sreg
    e.based([0x8c], reg, R9, Result.segments + 2 * reg, false);
  }
  e.bytes(0x31, 0xc0); // xor eax, eax
  for (const reg of [ES, DS, FS, GS]) e.bytes(0x8e, 0xc0 | reg << 3);
  wrgsbase(RAX);
  e.load(RAX, Control.hostFs);
  wrfsbase(RAX);
  e.constant(RAX, Selector.userCs);
  e.based([0x66, 0x89], RAX, RDX, CONTEXT_CS, false);
  e.constant(RAX, Selector.userSs);
  e.based([0x66, 0x89], RAX, RDX, CONTEXT_SS, false);
  const copy = (from: number, to: number) => {
    e.loadFrom(RAX, RDX, from);
    e.storeTo(R9, to, RAX);
  };
  e.loadFrom(RAX, RDX, CONTEXT_TRAPNO);
  e.based([0x89], RAX, R9, Result.vector, false);
  e.loadFrom(RAX, RDX, CONTEXT_ERR);
  e.based([0x89], RAX, R9, Result.errorCode, false);
  copy(CONTEXT_CR2, Result.cr2);
  copy(CONTEXT_RIP, Result.rip);
  copy(CONTEXT_EFLAGS, Result.rflags);
  CONTEXT_GPR.forEach((from, reg) => copy(from, Result.gpr + 8 * reg));
  e.load(RAX, Control.fx);
  e.bytes(0x48, 0x85, 0xc0).jcc(E, "resume");
  e.loadFrom(RSI, RDX, CONTEXT_FPSTATE);
  e.based([0x8d], RDI, R9, Result.fx);
  e.constant(RCX, FX_BYTES / 8).bytes(0xf3, 0x48, 0xa5); // rep movsq
  e.label("resume");
  e.addressOf(RAX, "exit");
  e.storeTo(RDX, CONTEXT_RIP, RAX);
  e.load(RAX, Control.hostRsp);
  e.storeTo(RDX, CONTEXT_GPR[RSP], RAX);
  e.constant(RAX, 0x202);
  e.storeTo(RDX, CONTEXT_EFLAGS, RAX);
  e.bytes(0xc3);
  e.label("stray");
  e.constant(RAX, 231).constant(RDI, 97).bytes(0x0f, 0x05); // exit_group(97)

  // The scratch region against its pristine copy; report and restore.
  e.label("exit");
  e.bytes(0xdb, 0xe3); // fninit
  e.absolute([0x0f, 0xae], 2, Control.mxcsr, false); // ldmxcsr
  e.load(R9, Control.output);
  e.based([0x8d], R8, R9, Result.fx);
  e.load(RAX, Control.fx);
  e.bytes(0x48, 0x85, 0xc0).jcc(E, "scan");
  e.bytes(0x49, 0x81, 0xc0).imm32(FX_BYTES); // add r8, 512
  e.label("scan");
  e.bytes(0x4d, 0x89, 0xc3); // mov r11, r8
  e.constant(RSI, Place.pristine).constant(RDX, DATA);
  e.bytes(0x31, 0xc9); // xor ecx, ecx
  e.label("compare");
  e.bytes(0x66, 0x0f, 0x6f, 0x04, 0x0e); // movdqa xmm0, [rsi+rcx]
  e.bytes(0x66, 0x0f, 0x76, 0x04, 0x0a); // pcmpeqd xmm0, [rdx+rcx]
  e.bytes(0x66, 0x0f, 0xd7, 0xc0); // pmovmskb eax, xmm0
  e.bytes(0x3d).imm32(0xffff).jcc(NE, "differs");
  e.label("advance");
  e.bytes(0x83, 0xc1, 0x10, 0x81, 0xf9).imm32(DATA_BYTES); // add; cmp ecx
  e.jcc(B, "compare");
  e.bytes(0x4c, 0x89, 0xc0, 0x4c, 0x29, 0xd8); // mov rax, r8; sub rax, r11
  e.bytes(0xc1, 0xe8, 0x03); // shr eax, 3
  e.based([0x89], RAX, R9, Result.diffCount, false);
  e.bytes(0x44, 0x89, 0xc0, 0x44, 0x29, 0xc8); // mov eax, r8d; sub eax, r9d
  e.based([0x89], RAX, R9, Result.recordBytes, false);
  e.store(Control.output, R8);
  e.load(RBX, Control.input);
  e.based([0x8b], RAX, RBX, Case.recordBytes, false);
  e.bytes(0x48, 0x01, 0xc3).store(Control.input, RBX); // add rbx, rax
  e.load(RAX, Control.remaining);
  e.bytes(0x48, 0xff, 0xc8).store(Control.remaining, RAX); // dec rax
  e.jmp("next");

  e.label("differs");
  for (let k = 0; k < 4; k++) {
    e.bytes(0x8b, 0x44, 0x0a, 4 * k); // mov eax, [rdx+rcx+4k]
    e.bytes(0x44, 0x8b, 0x54, 0x0e, 4 * k); // mov r10d, [rsi+rcx+4k]
    e.bytes(0x44, 0x39, 0xd0).jcc(E, `same${k}`); // cmp eax, r10d
    e.bytes(0x8d, 0x79, 4 * k); // lea edi, [rcx+4k]
    e.based([0x89], RDI, R8, 0, false).based([0x89], RAX, R8, 4, false);
    e.bytes(0x49, 0x83, 0xc0, 0x08); // add r8, 8
    e.bytes(0x44, 0x89, 0x54, 0x0a, 4 * k); // mov [rdx+rcx+4k], r10d
    e.label(`same${k}`);
  }
  e.jmp("advance");

  e.label("done");
  e.bytes(0x48, 0x83, 0xc4, 0x08);
  e.bytes(0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xc3);

  const bytes = e.finish();
  return { bytes, run: e.address("run"), handler: e.address("handler") };
}
