// A platform of toy processors: enough real-mode instructions, written plainly,
// to try run control on: TF and shadow, the exception bitmap, port exits, HLT,
// several processors at once, a cancel that is remembered, and any call failing.

import type {
  CallbackHandle,
  WinHvEmulationFunctions,
  WinHvPlatform,
  WinHvPlatformFunctions,
} from "../../ffi/mod.ts";
import { WHV_RUN_VP_EXIT_CONTEXT as EXIT } from "../../ffi/exits.ts";
import { ExitReason, PartitionPropertyCode } from "../../ffi/enums.ts";
import { HResult } from "../../ffi/hresult.ts";
import { Reg } from "../../ffi/registers.ts";
import { noExtensions } from "../../ffi/mod.ts";
import { winhvplatform } from "../../ffi/winhvplatform.ts";

export const TF = 0x100, IF = 0x200, ZF = 0x40, RF = 0x10000;
const BS = 0x4000n;
/** Instructions a processor makes before the others get their turn. */
const SLICE = 40;

class ToyVp {
  readonly registers = new Map<number, Uint8Array>();
  canceled = false;
  running = false;
  /** Instructions completed. */
  instructions = 0;
  turn = 0;

  value(name: number): DataView {
    let bytes = this.registers.get(name);
    if (bytes === undefined) {
      bytes = new Uint8Array(16);
      this.registers.set(name, bytes);
    }
    return new DataView(bytes.buffer);
  }
  get(name: number): number {
    return this.value(name).getUint32(0, true);
  }
  set(name: number, value: number): void {
    this.value(name).setUint32(0, value, true);
  }
}

/** What an instruction did. */
type Effect =
  | "next"
  | "jumped"
  | { fault: number; software?: boolean }
  | "exit";

export class ToyPlatform implements WinHvPlatform {
  readonly name = "toy";
  readonly memory: Uint8Array;
  readonly vps: ToyVp[] = [];
  readonly calls: string[] = [];
  bitmap = 0n;
  /** Exceptions that can be intercepted. */
  interceptable = 0xffffffffn;
  /** Calls from now on until one fails; null for never. */
  failIn: number | null = null;
  failed: string | null = null;
  /** Whether a debug register's hit is in DR6. */
  tellsHits = true;
  timeRuns = true;
  /** An interrupt that processor 0 takes as soon as it may. */
  interrupt: number | null = null;
  readonly platform: WinHvPlatformFunctions;
  readonly emulation: WinHvEmulationFunctions;
  readonly extensions = noExtensions;
  readonly events = null;

  constructor(bytes: number) {
    this.memory = new Uint8Array(bytes);
    this.emulation = {
      WHvEmulatorCreateEmulator: () => HResult.S_OK,
      WHvEmulatorDestroyEmulator: () => HResult.S_OK,
      WHvEmulatorTryIoEmulation: () => HResult.E_NOTIMPL,
      WHvEmulatorTryMmioEmulation: () => HResult.E_NOTIMPL,
    };
    this.platform = this.#functions();
  }

  callback(): CallbackHandle {
    return { address: 1n, close() {} };
  }

  close(): void {}

  #call(
    name: string,
    effect: () => void = () => {},
    refusal: () => number = () => HResult.S_OK,
  ): number {
    this.calls.push(name);
    const refused = refusal();
    if (refused < 0) return refused;
    if (this.failIn !== null && this.failIn-- === 0) {
      this.failIn = null;
      this.failed = name;
      return HResult.E_UNEXPECTED;
    }
    effect();
    return HResult.S_OK;
  }

  #functions(): WinHvPlatformFunctions {
    const none = Object.fromEntries(
      Object.keys(winhvplatform).map((name) => [name, null]),
    ) as unknown as WinHvPlatformFunctions;
    const view = (v: ArrayBufferView | null) =>
      new DataView(v!.buffer, v!.byteOffset, v!.byteLength);
    return {
      ...none,
      WHvCreatePartition: (handle) =>
        this.#call(
          "WHvCreatePartition",
          () => view(handle).setBigUint64(0, 1n, true),
        ),
      WHvSetupPartition: () => this.#call("WHvSetupPartition"),
      WHvDeletePartition: () => this.#call("WHvDeletePartition"),
      WHvMapGpaRange: () => this.#call("WHvMapGpaRange"),
      WHvSetPartitionProperty: (_p, code, value) =>
        this.#call("WHvSetPartitionProperty", () => {
          if (code !== PartitionPropertyCode.ExceptionExitBitmap) return;
          if (this.vps.some((vp) => vp.running)) {
            throw new Error("ExceptionExitBitmap set while a VP runs");
          }
          this.bitmap = view(value).getBigUint64(0, true);
        }, () => {
          const refused = code === PartitionPropertyCode.ExceptionExitBitmap &&
            (view(value).getBigUint64(0, true) & ~this.interceptable) !== 0n;
          return refused ? HResult.E_INVALIDARG : HResult.S_OK;
        }),
      WHvCreateVirtualProcessor: (_p, index) =>
        this.#call("WHvCreateVirtualProcessor", () => {
          this.vps[index] = new ToyVp();
        }),
      WHvDeleteVirtualProcessor: () => this.#call("WHvDeleteVirtualProcessor"),
      WHvSuspendPartitionTime: () =>
        this.#call("WHvSuspendPartitionTime", () => this.#time(false)),
      WHvResumePartitionTime: () =>
        this.#call("WHvResumePartitionTime", () => this.#time(true)),
      WHvCancelRunVirtualProcessor: (_p, index) =>
        this.#call("WHvCancelRunVirtualProcessor", () => {
          this.vps[index].canceled = true;
        }),
      WHvGetVirtualProcessorRegisters: (_p, index, names, count, values) =>
        this.#call(
          "WHvGetVirtualProcessorRegisters",
          () => this.#registers(index, names!, count, values!, false),
        ),
      WHvSetVirtualProcessorRegisters: (_p, index, names, count, values) =>
        this.#call(
          "WHvSetVirtualProcessorRegisters",
          () => this.#registers(index, names!, count, values!, true),
        ),
      WHvRunVirtualProcessor: (_p, index, context) => {
        let failed = 0;
        failed = this.#call("WHvRunVirtualProcessor");
        if (failed < 0) return Promise.resolve(failed);
        return this.#run(this.vps[index], view(context));
      },
    };
  }

  #time(runs: boolean): void {
    if (this.vps.some((vp) => vp.running)) throw new Error("a VP runs");
    this.timeRuns = runs;
  }

  #registers(
    index: number,
    names: ArrayBufferView,
    count: number,
    values: ArrayBufferView,
    write: boolean,
  ): void {
    const vp = this.vps[index];
    if (vp.running) throw new Error(`registers of VP ${index}, which runs`);
    const list = new Uint32Array(names.buffer, names.byteOffset, count);
    const bytes = new Uint8Array(
      values.buffer,
      values.byteOffset,
      values.byteLength,
    );
    list.forEach((name, i) => {
      const own = new Uint8Array(vp.value(name).buffer);
      if (write) own.set(bytes.subarray(i * 16, i * 16 + 16));
      else bytes.set(own, i * 16);
    });
  }

  async #run(vp: ToyVp, context: DataView): Promise<number> {
    if (vp.running) throw new Error("runs already");
    // As hosts do.
    this.timeRuns = true;
    vp.running = true;
    try {
      for (;;) {
        // The event loop gets its turn also if every instruction exits.
        while (++vp.turn % SLICE !== 0) {
          if (vp.canceled) {
            vp.canceled = false;
            this.#exit(vp, context, ExitReason.Canceled);
            return HResult.S_OK;
          }
          if (vp.get(Reg.InternalActivityState) !== 0) break;
          if (this.#step(vp, context)) return HResult.S_OK;
        }
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
    } finally {
      vp.running = false;
    }
  }

  #exit(vp: ToyVp, context: DataView, reason: number): void {
    for (let i = 0; i < context.byteLength; i++) context.setUint8(i, 0);
    EXIT.ExitReason.set(context, reason);
    EXIT.VpContext.Rip.set(context, BigInt(vp.get(Reg.Rip)));
    EXIT.VpContext.Rflags.set(context, BigInt(vp.get(Reg.Rflags)));
    EXIT.VpContext.Cs.Attributes.set(context, 0x9b);
  }

  #linear(vp: ToyVp, name: number, offset: number): number {
    return Number(vp.value(name).getBigUint64(0, true)) + offset;
  }

  /** One instruction or event; true if it exited. */
  #step(vp: ToyVp, context: DataView): boolean {
    const event = vp.value(Reg.PendingEvent);
    if ((event.getUint8(0) & 1) !== 0) {
      const vector = event.getUint16(2, true);
      event.setUint8(0, 0);
      this.#deliver(vp, vector);
      return false;
    }
    const shadow = vp.get(Reg.InterruptState) & 1;
    const flags = vp.get(Reg.Rflags);
    if (
      this.interrupt !== null && vp === this.vps[0] && shadow === 0 &&
      (flags & IF) !== 0
    ) {
      const vector = this.interrupt;
      this.interrupt = null;
      this.#deliver(vp, vector);
      return false;
    }
    const rip = vp.get(Reg.Rip);
    const at = this.#linear(vp, Reg.Cs, rip);
    const length = { value: 1, shadow: 0, holdsTrap: false };
    const hits = (flags & RF) === 0 ? this.#codeHits(vp, at) : 0n;
    if (hits !== 0n) {
      if (!this.tellsHits) return this.#exception(vp, 1, context);
      const dr6 = vp.value(Reg.Dr6);
      dr6.setBigUint64(0, dr6.getBigUint64(0, true) & ~15n | hits, true);
      return this.#exception(vp, 1, context);
    }
    const effect = this.#execute(vp, at, rip, length, context);
    if (effect === "exit") return true;
    if (typeof effect === "object") {
      return this.#exception(vp, effect.fault, context, effect.software);
    }
    if (effect === "next") vp.set(Reg.Rip, rip + length.value);
    vp.set(Reg.InterruptState, vp.get(Reg.InterruptState) & ~1 | length.shadow);
    vp.instructions++;
    vp.set(Reg.Rflags, vp.get(Reg.Rflags) & ~RF);
    if ((flags & TF) !== 0 && !length.holdsTrap) {
      const dr6 = vp.value(Reg.Dr6);
      dr6.setBigUint64(0, dr6.getBigUint64(0, true) | BS, true);
      return this.#exception(vp, 1, context, false);
    }
    return false;
  }

  /** The debug registers that are for the instruction at a linear address. */
  #codeHits(vp: ToyVp, at: number): bigint {
    const dr7 = vp.get(Reg.Dr7);
    let hits = 0n;
    for (let i = 0; i < 4; i++) {
      const enabled = (dr7 >> 2 * i & 3) !== 0;
      const forCode = (dr7 >> 16 + 4 * i & 15) === 0;
      if (enabled && forCode && vp.get(Reg.Dr0 + i) === at) {
        hits |= 1n << BigInt(i);
      }
    }
    return hits;
  }

  #exception(
    vp: ToyVp,
    vector: number,
    context: DataView,
    software = false,
  ): boolean {
    if ((this.bitmap & (1n << BigInt(vector))) !== 0n) {
      this.#exit(vp, context, ExitReason.Exception);
      EXIT.VpException.ExceptionType.set(context, vector);
      EXIT.VpException.ExceptionInfo.SoftwareException.set(
        context,
        software ? 1 : 0,
      );
      return true;
    }
    if (software) vp.set(Reg.Rip, vp.get(Reg.Rip) + 1);
    this.#deliver(vp, vector);
    return false;
  }

  #push(vp: ToyVp, value: number): void {
    const sp = (vp.get(Reg.Rsp) - 2) & 0xffff;
    vp.set(Reg.Rsp, sp);
    const at = this.#linear(vp, Reg.Ss, sp);
    new DataView(this.memory.buffer).setUint16(at, value & 0xffff, true);
  }

  #pop(vp: ToyVp): number {
    const sp = vp.get(Reg.Rsp);
    vp.set(Reg.Rsp, (sp + 2) & 0xffff);
    const at = this.#linear(vp, Reg.Ss, sp);
    return new DataView(this.memory.buffer).getUint16(at, true);
  }

  #deliver(vp: ToyVp, vector: number): void {
    const flags = vp.get(Reg.Rflags);
    this.#push(vp, flags);
    this.#push(vp, 0);
    this.#push(vp, vp.get(Reg.Rip));
    vp.set(Reg.Rflags, flags & ~(TF | IF));
    const data = new DataView(this.memory.buffer);
    vp.set(Reg.Rip, data.getUint16(vector * 4, true));
  }

  #execute(
    vp: ToyVp,
    at: number,
    rip: number,
    length: { value: number; shadow: number; holdsTrap: boolean },
    context: DataView,
  ): Effect {
    const code = this.memory;
    const flags = vp.get(Reg.Rflags);
    const short = (taken: boolean): Effect => {
      vp.set(Reg.Rip, rip + 2 + (taken ? (code[at + 1] << 24) >> 24 : 0));
      return "jumped";
    };
    const addAx = (by: number): Effect => {
      const ax = (vp.get(Reg.Rax) + by) & 0xffff;
      vp.set(Reg.Rax, ax);
      vp.set(Reg.Rflags, ax === 0 ? flags | ZF : flags & ~ZF);
      return "next";
    };
    switch (code[at]) {
      case 0x90:
        return "next";
      case 0x40:
        return addAx(1);
      case 0x48:
        return addAx(-1);
      case 0x75:
        return short((flags & ZF) === 0);
      case 0xeb:
        return short(true);
      case 0x9c:
        this.#push(vp, flags);
        return "next";
      case 0x9d:
        vp.set(Reg.Rflags, this.#pop(vp) | 2);
        return "next";
      case 0xcf: {
        vp.set(Reg.Rip, this.#pop(vp));
        this.#pop(vp);
        vp.set(Reg.Rflags, this.#pop(vp) | 2);
        return "jumped";
      }
      case 0xcc:
      case 0xcd: {
        const three = code[at] === 0xcc;
        vp.set(Reg.Rip, rip + (three ? 1 : 2));
        this.#deliver(vp, three ? 3 : code[at + 1]);
        return "jumped";
      }
      case 0xf1:
        return { fault: 1, software: true };
      case 0x8e: // MOV SS, AX: the value does not matter here
        length.value = 2;
        length.shadow = 1;
        length.holdsTrap = true;
        return "next";
      case 0xfb:
        vp.set(Reg.Rflags, flags | IF);
        if ((flags & IF) === 0) length.shadow = 1;
        return "next";
      case 0xf0: { // LOCK INC word [disp16]
        const place = code[at + 3] | (code[at + 4] << 8);
        const data = new DataView(code.buffer);
        data.setUint16(place, data.getUint16(place, true) + 1, true);
        length.value = 5;
        return "next";
      }
      case 0xf4:
        vp.set(Reg.Rip, rip + 1);
        vp.set(Reg.InternalActivityState, 2);
        return "jumped";
      case 0xe4:
      case 0xe6:
        this.#exit(vp, context, ExitReason.X64IoPortAccess);
        EXIT.VpContext.InstructionLength.set(context, 2);
        EXIT.IoPortAccess.PortNumber.set(context, code[at + 1]);
        EXIT.IoPortAccess.AccessInfo.AccessSize.set(context, 1);
        EXIT.IoPortAccess.AccessInfo.IsWrite.set(
          context,
          code[at] === 0xe6 ? 1 : 0,
        );
        EXIT.IoPortAccess.Rax.set(context, BigInt(vp.get(Reg.Rax)));
        return "exit";
      case 0x0f:
        if (code[at + 1] === 0xa2) {
          this.#exit(vp, context, ExitReason.X64Cpuid);
          return "exit";
        }
        return { fault: 6 };
      default:
        return { fault: 6 };
    }
  }
}
