/**
 * The child process in which cases run on the host's own silicon. It takes
 * batches on standard input and gives results on standard output; that a case
 * faults is normal, and a case that kills the process costs only the process.
 * Linux x86-64 with glibc only.
 *
 * Request: u32 cases, u32 fx, u32 input bytes, u32 slots; pristine scratch region;
 * code slots; case records. Reply: u32 bytes; result records.
 *
 * @module
 */
import {
  CODE,
  CODE_BYTES,
  DATA,
  DATA_BYTES,
  FIRST_SLOT,
  HLT,
  READ_ONLY,
  READ_ONLY_BYTES,
  SLOT_BYTES,
} from "./layout.ts";
import { userDescriptors } from "./ldt.ts";
import { readOnlyPage } from "./pages.ts";
import { buildThunk, Control, Place } from "./thunk.ts";

const PROT_READ = 1;
const PROT_WRITE = 2;
const PROT_EXEC = 4;
/** MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE. */
const MAP_FLAGS = 0x2 | 0x20 | 0x4000 | 0x10_0000;
/** SA_SIGINFO | SA_ONSTACK | SA_NODEFER. */
const SA_FLAGS = 0x4 | 0x0800_0000 | 0x4000_0000;
const SIGACTION_BYTES = 152;
const SIGACTION_FLAGS = 136;
/** SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV. */
const SIGNALS = [4, 5, 7, 8, 11];
const SYS_MODIFY_LDT = 154n;
const AT_HWCAP2 = 26n;
const HWCAP2_FSGSBASE = 2n;

/** Says what the host lacks and ends (native_cpu.ts: whyNoSilicon). */
function lacks(what: string): never {
  console.error(what);
  Deno.exit(3);
}

const LIBC = {
  mmap: {
    parameters: ["u64", "usize", "i32", "i32", "i32", "i64"],
    result: "u64",
  },
  mprotect: { parameters: ["u64", "usize", "i32"], result: "i32" },
  sigaction: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  sigaltstack: { parameters: ["buffer", "buffer"], result: "i32" },
  getauxval: { parameters: ["u64"], result: "u64" },
  syscall: { parameters: ["i64", "i64", "buffer", "usize"], result: "i64" },
} as const;

function openLibc() {
  try {
    return Deno.dlopen("libc.so.6", LIBC).symbols;
  } catch {
    return lacks("they need glibc");
  }
}
const libc = openLibc();

function check(call: string, result: number): void {
  if (result !== 0) throw new Error(`${call}: ${result}`);
}

function pointerTo<T>(address: number): Deno.PointerObject<T> {
  const pointer = Deno.UnsafePointer.create<T>(BigInt(address));
  if (pointer === null) throw new Error("null pointer");
  return pointer;
}

function map(address: number, bytes: number, protection: number): Uint8Array {
  const got = libc.mmap(
    BigInt(address),
    BigInt(bytes),
    protection,
    MAP_FLAGS,
    -1,
    0n,
  );
  if (got !== BigInt(address)) {
    throw new Error(`mmap of 0x${address.toString(16)}: 0x${got.toString(16)}`);
  }
  return new Uint8Array(
    Deno.UnsafePointerView.getArrayBuffer(pointerTo(address), bytes),
  );
}

const RW = PROT_READ | PROT_WRITE;
const control = new DataView(map(Place.control, 0x1000, RW).buffer);
const thunkPage = map(Place.thunk, 0x1000, RW | PROT_EXEC);
const pristine = map(Place.pristine, DATA_BYTES, RW);
map(Place.altStack, Place.altStackBytes, RW);
const input = map(Place.input, Place.inputBytes, RW);
const output = map(Place.output, Place.outputBytes, RW);
const data = map(DATA, DATA_BYTES, RW);
const code = map(CODE, CODE_BYTES, RW | PROT_EXEC);
map(READ_ONLY, READ_ONLY_BYTES, RW).set(readOnlyPage());
check(
  "mprotect",
  libc.mprotect(BigInt(READ_ONLY), BigInt(READ_ONLY_BYTES), PROT_READ),
);
code.fill(HLT);

if ((libc.getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE) === 0n) {
  lacks("this kernel does not let user mode write FS and GS bases");
}
// Reading it first tells a kernel without the call from one that refuses an entry.
if (libc.syscall(SYS_MODIFY_LDT, 0n, new Uint32Array(4), 16n) < 0n) {
  lacks("this kernel has no modify_ldt");
}
for (const entry of userDescriptors()) {
  const call = libc.syscall(
    SYS_MODIFY_LDT,
    1n,
    entry,
    BigInt(entry.byteLength),
  );
  const is16bit = (entry[3] & 1) === 0;
  if (call !== 0n && is16bit) lacks("this kernel has no 16-bit segments");
  check("modify_ldt", Number(call));
}

const thunk = buildThunk();
thunkPage.set(thunk.bytes);
const run = new Deno.UnsafeFnPointer(
  pointerTo<{ parameters: []; result: "void" }>(thunk.run),
  { parameters: [], result: "void" },
);

const ourAction = new Uint8Array(SIGACTION_BYTES);
new DataView(ourAction.buffer).setBigUint64(0, BigInt(thunk.handler), true);
new DataView(ourAction.buffer).setInt32(SIGACTION_FLAGS, SA_FLAGS, true);
const ourStack = new BigUint64Array([
  BigInt(Place.altStack),
  0n,
  BigInt(Place.altStackBytes),
]);
const theirActions = SIGNALS.map(() => new Uint8Array(SIGACTION_BYTES));
const theirStack = new BigUint64Array(3);

/** Runs the batch in place; our signal handlers live only meanwhile. */
function runBatch(cases: number, fx: boolean): number {
  control.setBigUint64(
    Control.input - Place.control,
    BigInt(Place.input),
    true,
  );
  control.setBigUint64(
    Control.output - Place.control,
    BigInt(Place.output),
    true,
  );
  control.setBigUint64(Control.remaining - Place.control, BigInt(cases), true);
  control.setBigUint64(Control.fx - Place.control, fx ? 1n : 0n, true);
  check("sigaltstack", libc.sigaltstack(ourStack, theirStack));
  SIGNALS.forEach((signal, i) =>
    check("sigaction", libc.sigaction(signal, ourAction, theirActions[i]))
  );
  run.call();
  SIGNALS.forEach((signal, i) =>
    check("sigaction", libc.sigaction(signal, theirActions[i], null))
  );
  check("sigaltstack", libc.sigaltstack(theirStack, null));
  const end = control.getBigUint64(Control.output - Place.control, true);
  return Number(end) - Place.output;
}

async function readFully(into: Uint8Array): Promise<boolean> {
  for (let at = 0; at < into.length;) {
    const got = await Deno.stdin.read(into.subarray(at));
    if (got === null) return false;
    at += got;
  }
  return true;
}

async function writeFully(from: Uint8Array): Promise<void> {
  for (let at = 0; at < from.length;) {
    at += await Deno.stdout.write(from.subarray(at));
  }
}

const header = new Uint32Array(4);
const reply = new Uint32Array(1);
while (await readFully(new Uint8Array(header.buffer))) {
  const [cases, fx, inputBytes, slotCount] = header;
  code.fill(HLT);
  const slots = FIRST_SLOT - CODE;
  await readFully(pristine);
  await readFully(code.subarray(slots, slots + slotCount * SLOT_BYTES));
  await readFully(input.subarray(0, inputBytes));
  data.set(pristine);
  reply[0] = runBatch(cases, fx !== 0);
  await writeFully(new Uint8Array(reply.buffer));
  await writeFully(output.subarray(0, reply[0]));
}
