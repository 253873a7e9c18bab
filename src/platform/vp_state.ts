// A processor's state that is no register: its local APIC's, and what XSAVE saves. Hosts
// of different ages have different calls for it: of those that are there the newest one
// that the host does not refuse is used.

import type { WinHvPlatformFunctions } from "../../ffi/mod.ts";
import {
  APIC_PACKED_STATE,
  APIC_PACKED_STATE_SIZE,
  APIC_STATE,
  APIC_STATE_SIZE,
} from "../../ffi/apic.ts";
import { VirtualProcessorStateType } from "../../ffi/enums.ts";
import { HResult } from "../../ffi/hresult.ts";
import { Reg } from "../../ffi/registers.ts";
import { alignedPages, viewOf } from "./aligned.ts";
import { isRefusal, PlatformError } from "./errors.ts";
import { need } from "./optional.ts";

const GET_APIC = "WHvGetVirtualProcessorInterruptControllerState";
const SET_APIC = "WHvSetVirtualProcessorInterruptControllerState";
const GET_XSAVE = "WHvGetVirtualProcessorXsaveState";
const SET_XSAVE = "WHvSetVirtualProcessorXsaveState";
const { InterruptControllerState2, XsaveState } = VirtualProcessorStateType;
/** Bytes of XSAVE state where the host does not say how many there are. */
const FIRST_TRY = 65536;

/** One way to move a state: an HRESULT. */
interface Way {
  readonly call: string;
  move(buffer: Uint8Array | null, bytes: number): number;
}

/** The processor whose state it is. */
interface Owner {
  readonly index: number;
  get(register: number): bigint;
  set(register: number, value: bigint): void;
}

/** Reads and writes one processor's state. */
export class VpState {
  readonly #functions: WinHvPlatformFunctions;
  readonly #handle: bigint;
  readonly #owner: Owner;
  readonly #written = new Uint32Array(1);

  constructor(
    functions: WinHvPlatformFunctions,
    handle: bigint,
    owner: Owner,
  ) {
    this.#functions = functions;
    this.#handle = handle;
    this.#owner = owner;
  }

  /** The local APIC's registers as a page (APIC_STATE). */
  getLapic(): Uint8Array {
    const page = alignedPages(APIC_STATE_SIZE).subarray(0, APIC_STATE_SIZE);
    const ways = this.#gets(InterruptControllerState2, `${GET_APIC}2`);
    const read = (way: Way) => way.move(page, page.length);
    if (this.#newest(ways, read, this.#functions[GET_APIC] === null)) {
      return page.slice();
    }
    return this.#readOld(page) ? this.#unpack(page) : page.slice();
  }

  /** Sets the local APIC's registers from a page (APIC_STATE). */
  setLapic(state: Uint8Array): void {
    if (state.length < APIC_STATE_SIZE) {
      this.#fail(SET_APIC, HResult.E_INVALIDARG);
    }
    const ways = this.#sets(InterruptControllerState2, `${SET_APIC}2`);
    const write = (way: Way) => this.#write(way, state);
    if (this.#newest(ways, write, this.#functions[SET_APIC] === null)) return;
    // How the older call has it only its own answer tells.
    const packed = this.#readOld(alignedPages(APIC_STATE_SIZE));
    const set = need(this.#functions[SET_APIC], SET_APIC);
    const pages = alignedPages(APIC_STATE_SIZE);
    const bytes = packed ? APIC_PACKED_STATE_SIZE : APIC_STATE_SIZE;
    pages.set(packed ? pack(state) : state.subarray(0, bytes));
    const hresult = set(
      this.#handle,
      this.#owner.index,
      pages.subarray(0, bytes),
      bytes,
    );
    if (hresult < 0) this.#fail(SET_APIC, hresult);
    if (packed) {
      this.#owner.set(Reg.Cr8, BigInt(APIC_STATE.Tpr.get(viewOf(state)) >> 4));
    }
  }

  /** What XSAVE saves, in the compacted format. */
  getXsave(): Uint8Array {
    const ways = this.#gets(XsaveState, GET_XSAVE);
    let state = alignedPages(FIRST_TRY);
    const read = ({ move }: Way): number => {
      // How much it is depends on what the processor has: with AMX 11 KB.
      const asked = move(null, 0) === HResult.WHV_E_INSUFFICIENT_BUFFER
        ? this.#written[0]
        : 0;
      state = alignedPages(Math.max(asked, FIRST_TRY));
      const bytes = asked || state.length;
      return move(state.subarray(0, bytes), bytes);
    };
    if (!this.#newest(ways, read)) need(null, GET_XSAVE);
    return state.slice(0, this.#written[0]);
  }

  /** Sets what XSAVE restores, from the compacted format. */
  setXsave(state: Uint8Array): void {
    const ways = this.#sets(XsaveState, SET_XSAVE);
    if (!this.#newest(ways, (way) => this.#write(way, state))) {
      need(null, SET_XSAVE);
    }
  }

  /** The state by its type, then by functions of its own. */
  #gets(
    type: number,
    ...names: (typeof GET_XSAVE | `${typeof GET_APIC}2`)[]
  ): Way[] {
    const functions = this.#functions;
    const handle = this.#handle, { index } = this.#owner;
    const ways: Way[] = [];
    const call = "WHvGetVirtualProcessorState";
    const byType = functions[call];
    if (byType !== null) {
      ways.push({
        call,
        move: (buffer, bytes) =>
          byType(handle, index, type, buffer, bytes, this.#written),
      });
    }
    for (const call of names) {
      const get = functions[call];
      if (get === null) continue;
      ways.push({
        call,
        move: (buffer, bytes) =>
          get(handle, index, buffer, bytes, this.#written),
      });
    }
    return ways;
  }

  /** As #gets(). */
  #sets(
    type: number,
    ...names: (typeof SET_XSAVE | `${typeof SET_APIC}2`)[]
  ): Way[] {
    const functions = this.#functions;
    const handle = this.#handle, { index } = this.#owner;
    const ways: Way[] = [];
    const call = "WHvSetVirtualProcessorState";
    const byType = functions[call];
    if (byType !== null) {
      ways.push({
        call,
        move: (buffer, bytes) => byType(handle, index, type, buffer, bytes),
      });
    }
    for (const call of names) {
      const set = functions[call];
      if (set === null) continue;
      ways.push({
        call,
        move: (buffer, bytes) => set(handle, index, buffer, bytes),
      });
    }
    return ways;
  }

  /** Uses the first way that the host does not refuse; false without one. Where it is
   * `all` that there is, a refusal is thrown. */
  #newest(
    ways: readonly Way[],
    use: (way: Way) => number,
    all = true,
  ): boolean {
    let refusal: readonly [string, number] | null = null;
    for (const way of ways) {
      const hresult = use(way);
      if (hresult >= 0) return true;
      if (!isRefusal(hresult)) this.#fail(way.call, hresult);
      refusal ??= [way.call, hresult];
    }
    if (all && refusal !== null) this.#fail(...refusal);
    return false;
  }

  #write(way: Way, state: Uint8Array): number {
    const pages = alignedPages(state.length);
    pages.set(state);
    return way.move(pages.subarray(0, state.length), state.length);
  }

  /** Reads the APIC by the first release's call; true if the state is packed. */
  #readOld(into: Uint8Array): boolean {
    const get = need(this.#functions[GET_APIC], GET_APIC);
    const page = into.subarray(0, APIC_STATE_SIZE).fill(0);
    const hresult = get(
      this.#handle,
      this.#owner.index,
      page,
      page.length,
      this.#written,
    );
    if (hresult < 0) this.#fail(GET_APIC, hresult);
    const view = viewOf(page);
    // A register page has nothing below its ID.
    if (isVersion(APIC_PACKED_STATE.Version.get(view))) return true;
    if (isVersion(APIC_STATE.Version.get(view))) return false;
    throw new PlatformError(GET_APIC, HResult.E_NOTIMPL, {
      detail: `VP ${this.#owner.index}`,
      meaning: "the host's form of the local APIC's state is not known",
    });
  }

  #unpack(packed: Uint8Array): Uint8Array {
    const page = new Uint8Array(APIC_STATE_SIZE);
    const from = viewOf(packed), to = viewOf(page);
    for (const name of PACKED) {
      APIC_STATE[name].set(to, APIC_PACKED_STATE[name].get(from));
    }
    APIC_STATE.Tpr.set(to, Number(this.#owner.get(Reg.Cr8)) << 4);
    return page;
  }

  #fail(call: string, hresult: number): never {
    throw new PlatformError(call, hresult, {
      detail: `VP ${this.#owner.index}`,
    });
  }
}

/** The registers that both forms have. */
const PACKED = (Object.keys(APIC_PACKED_STATE) as string[]).filter((
  name,
): name is Exclude<
  keyof typeof APIC_PACKED_STATE & keyof typeof APIC_STATE,
  "size" | "offset"
> => name !== "size" && name !== "offset" && name in APIC_STATE);

function pack(page: Uint8Array): Uint8Array {
  const packed = new Uint8Array(APIC_PACKED_STATE_SIZE);
  const from = viewOf(page), to = viewOf(packed);
  for (const name of PACKED) {
    APIC_PACKED_STATE[name].set(to, APIC_STATE[name].get(from));
  }
  return packed;
}

/** Whether a word is the version register of an APIC inside a processor: 0x1X, and
 * some entries of the local vector table. */
function isVersion(word: number): boolean {
  return (word & 0xf0) === 0x10 && (word >> 16 & 0xff) !== 0;
}
