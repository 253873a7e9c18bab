/**
 * Breakpoints as 0xF1 (INT1; trap.ts) in guest memory while the guest runs: the way of
 * every platform.
 *
 * A breakpoint is its linear address. It goes through four states:
 *
 *     cleared --insert--> set-pending --write--> set --remove--> clear-pending
 *        ^                  |      ^             |  (last owner)    |
 *        +-----remove-------+      +--last stop--+                  |
 *        +-----------------------last stop--------------------------+
 *
 * Inserting and removing are O(1): they only change the state. The bytes are
 * written when the first processor starts and taken back when the last one has
 * stopped. A page that is not mapped leaves its breakpoints pending.
 *
 * A few can be lent debug registers, which compare linear addresses and change no
 * byte. They go to those that memory serves worst: where nothing is mapped yet;
 * in pages of programs, for the next program at that address may be another one;
 * in code that can be written, for a guest that copies, decompresses or patches it
 * would write over the 0xF1, or see it (Linux' ftrace turns itself off then). Where
 * guests use the trap themselves, to any other, too.
 *
 * A program's breakpoint is written only into frames that carry the bytes that the
 * program had there when it was set. What is mapped for supervisors is the
 * kernel's, the same for all.
 */
import type { GuestMemory } from "../../machine/memory.ts";
import { PAGE_BYTES, PAGE_OFFSET } from "../../x86/paging.ts";
import { BreakpointTable, SoftwareBreakpoint } from "./table.ts";
import { decode, Kind, newDecoded } from "../../x86/decode.ts";
import { INT1, type Trap } from "./trap.ts";
import type { PageWalker, Paging } from "../paging/walk.ts";

export type BreakpointState =
  | "cleared"
  | "set-pending"
  | "set"
  | "clear-pending";

/** A byte of guest memory that holds 0xF1 while the guest runs. */
interface Site {
  readonly gpa: number;
  original: number;
  /** Breakpoints here: the same frame may be mapped at several addresses. */
  uses: number;
  /** The original is there for a moment. */
  lifted: boolean;
}

export class MemoryBreakpoint extends SoftwareBreakpoint {
  readonly page: Page;
  state: BreakpointState = "cleared";
  /** Where it is in memory now. */
  readonly sites: Site[] = [];
  /** Those of them that only a plant() needs. */
  readonly planted: Site[] = [];
  /** The bytes around it in the page that it was set in; none while that is not
   * known. */
  readonly signature: number[] = [];

  constructor(address: bigint, page: Page) {
    super(address);
    this.page = page;
  }
}

/** A frame that a linear page is in. */
interface Frame {
  readonly gpa: number;
  /** Programs (CPL 3) can reach it. */
  readonly user: boolean;
  /** Found in an address space that no processor is in now. */
  readonly old: boolean;
}

/** How badly a page's breakpoints need debug registers. */
enum Need {
  /** Code that only a kernel sees, and cannot write to. */
  None,
  /** Code that can be written. */
  Writable,
  /** Programs' addresses. */
  User,
  /** Nothing is mapped there. */
  Unmapped,
}

/** The breakpoints of one linear page, translated together. */
class Page {
  readonly address: bigint;
  readonly breakpoints = new Set<MemoryBreakpoint>();
  /** Frames that the page is in, found at the last start. */
  readonly frames: Frame[] = [];
  /** Address spaces that have it, newest first. */
  readonly known: Paging[] = [];
  need = Need.Unmapped;

  constructor(address: bigint) {
    this.address = address;
  }
}

/** How many bytes tell that a page is the one it was. */
const SIGNATURE_BYTES = 16;
/** How many address spaces a page remembers. */
const KNOWN_LIMIT = 4;
/** How long a MOV SS can be: a prefix or two, ModRM, SIB and an address. */
const LOAD_SS_BYTES = 9;

export class MemoryBreakpoints extends BreakpointTable<MemoryBreakpoint> {
  /** What is written. */
  readonly trap: Trap;
  readonly #memory: GuestMemory;
  readonly #walker: PageWalker;
  readonly #pages = new Map<bigint, Page>();
  readonly #sites = new Map<number, Site>();
  readonly #before = new Uint8Array(LOAD_SS_BYTES);
  readonly #decoded = newDecoded();
  #lent: bigint[] = [];
  #waiting = false;

  constructor(memory: GuestMemory, walker: PageWalker, trap = INT1) {
    super();
    this.trap = trap;
    this.#memory = memory;
    this.#walker = walker;
  }

  /** Those that the last set() did not write, for debug registers to watch. */
  get lent(): readonly bigint[] {
    return this.#lent;
  }

  /** Whether the last set() found some nowhere, and no debug register for them. */
  get waiting(): boolean {
    return this.#waiting;
  }

  protected override make(
    address: bigint,
    before?: MemoryBreakpoint,
  ): MemoryBreakpoint {
    const pageAddress = address & ~PAGE_OFFSET;
    let page = this.#pages.get(pageAddress);
    if (page === undefined) {
      page = before?.page ?? new Page(pageAddress);
      this.#pages.set(pageAddress, page);
    }
    const breakpoint = new MemoryBreakpoint(address, page);
    // Put back at another program's stop it is still the first one's.
    if (before !== undefined) breakpoint.signature.push(...before.signature);
    breakpoint.state = "set-pending";
    page.breakpoints.add(breakpoint);
    return breakpoint;
  }

  override insert(...args: Parameters<BreakpointTable["insert"]>): void {
    super.insert(...args);
    const breakpoint = this.at(args[0])!;
    if (breakpoint.state === "clear-pending") breakpoint.state = "set";
  }

  /** One that is in memory stays in the table until it has been taken out. */
  protected override unused(breakpoint: MemoryBreakpoint): boolean {
    if (breakpoint.state !== "set") return false;
    breakpoint.state = "clear-pending";
    return true;
  }

  /** Writes 0xF1 at once where a step of one processor will end, whatever is there in
   * the address spaces given; false if it is mapped in none. Every success needs a
   * pull(). */
  override plant(address: bigint, spaces: readonly Paging[]): boolean {
    const breakpoint = this.take(address);
    let mapped = false;
    for (const space of spaces) {
      const gpa = this.#walker.translate(space, address);
      if (gpa < 0 || this.#memory.offsetOf(gpa) < 0) continue;
      mapped = true;
      const site = this.#place(breakpoint, gpa);
      if (site !== null) breakpoint.planted.push(site);
    }
    if (!mapped) {
      this.release(breakpoint);
      return false;
    }
    if (breakpoint.state === "clear-pending") breakpoint.state = "set";
    breakpoint.plants++;
    return true;
  }

  /** The end of a plant(). */
  override pull(address: bigint): void {
    const breakpoint = this.at(address);
    if (breakpoint === undefined || breakpoint.plants === 0) return;
    breakpoint.plants--;
    if (breakpoint.plants > 0) return;
    if (breakpoint.owners.length === 0) return this.#takeOut(breakpoint);
    for (const site of breakpoint.planted) {
      breakpoint.sites.splice(breakpoint.sites.indexOf(site), 1);
      this.#leave(site);
    }
    breakpoint.planted.length = 0;
  }

  /** Takes out what was removed since the start, while all are held. */
  prune(): void {
    this.#forgetPending();
    for (const breakpoint of [...this.all()]) {
      if (breakpoint.state === "clear-pending") this.#takeOut(breakpoint);
    }
  }

  #takeOut(breakpoint: MemoryBreakpoint): void {
    for (const site of breakpoint.sites) this.#leave(site);
    breakpoint.sites.length = breakpoint.planted.length = 0;
    this.drop(breakpoint);
  }

  #leave(site: Site): void {
    if (--site.uses > 0) return;
    this.#restore(site);
    this.#sites.delete(site.gpa);
  }

  protected override drop(breakpoint: MemoryBreakpoint): void {
    breakpoint.state = "cleared";
    super.drop(breakpoint);
    breakpoint.page.breakpoints.delete(breakpoint);
    if (breakpoint.page.breakpoints.size === 0) {
      this.#pages.delete(breakpoint.page.address);
    }
  }

  /** Writes 0xF1 for every pending breakpoint that is mapped in one of the
   * address spaces, or in one where it was found before; but leaves `registers`
   * of them at most to debug registers, those that need it most. `chosen` are the
   * address spaces that a debugger has looked at, the first that has the page being the
   * program that a breakpoint is set in. `now` is guest time in ns. */
  set(
    spaces: readonly Paging[],
    registers = 0,
    now = 0n,
    chosen: readonly Paging[] = spaces,
  ): void {
    this.#setPending(spaces, registers, chosen);
    for (const breakpoint of this.all()) {
      if (breakpoint.owners.length > 0) {
        breakpoint.hold(this.#howHeld(breakpoint), now);
      }
    }
  }

  #howHeld({ address, sites, page }: MemoryBreakpoint): string {
    if (sites.length > 0) {
      return `${this.trap.name} at physical ${
        sites.map(({ gpa }) => `0x${gpa.toString(16)}`).join(", ")
      }`;
    }
    if (this.#lent.includes(address)) return "a debug register";
    return page.need === Need.Unmapped
      ? "nothing: its code is not mapped"
      : "nothing: what is mapped is not the program it was set in";
  }

  #setPending(
    spaces: readonly Paging[],
    registers: number,
    chosen: readonly Paging[],
  ): void {
    this.#forgetPending();
    const pending: MemoryBreakpoint[] = [];
    for (const page of this.#pages.values()) {
      this.#translate(page, spaces);
      for (const breakpoint of page.breakpoints) {
        if (breakpoint.owners.length === 0) continue;
        if (breakpoint.state !== "set-pending") continue;
        this.#choose(breakpoint, chosen);
        pending.push(breakpoint);
      }
    }
    pending.sort((a, b) => b.page.need - a.page.need);
    for (const breakpoint of pending) {
      const needed = breakpoint.page.need !== Need.None || this.trap.isGuests;
      if (needed && !this.#followsLoadSs(breakpoint)) {
        if (this.#lend(breakpoint, registers)) continue;
      }
      if (!this.#write(breakpoint)) this.#waiting = true;
    }
  }

  #forgetPending(): void {
    this.#lent = [];
    this.#waiting = false;
  }

  #lend({ address }: MemoryBreakpoint, registers: number): boolean {
    if (this.#lent.length >= registers) return false;
    this.#lent.push(address);
    return true;
  }

  /** Whether there may be a MOV SS or POP SS before it: that holds debug registers back
   * for one instruction. */
  #followsLoadSs({ address, page }: MemoryBreakpoint): boolean {
    const [frame] = page.frames;
    if (frame === undefined) return false;
    const offset = Number(address & PAGE_OFFSET);
    const length = Math.min(offset, LOAD_SS_BYTES);
    const bytes = this.#before.subarray(0, length);
    for (let i = 0; i < length; i++) {
      bytes[i] = this.#original(frame.gpa + offset - length + i);
    }
    for (let at = 0; at < length; at++) {
      for (const bits of [16, 32, 64] as const) {
        if (
          decode(bytes, at, bits, this.#decoded) &&
          this.#decoded.kind === Kind.LoadSs &&
          at + this.#decoded.length === length
        ) return true;
      }
    }
    return false;
  }

  #translate(page: Page, spaces: readonly Paging[]): void {
    page.frames.length = 0;
    page.need = Need.Unmapped;
    for (const space of spaces) {
      if (this.#found(page, space, false)) remember(page, space);
    }
    for (const space of page.known) {
      if (!spaces.some((now) => sameSpace(now, space))) {
        this.#found(page, space, true);
      }
    }
  }

  #found(page: Page, space: Paging, old: boolean): boolean {
    const walker = this.#walker;
    const gpa = walker.translate(space, page.address);
    if (gpa < 0 || this.#memory.offsetOf(gpa) < 0) return false;
    const user = walker.pageUser;
    const need = user
      ? Need.User
      : walker.pageWritable
      ? Need.Writable
      : Need.None;
    page.need = page.need === Need.Unmapped ? need : Math.max(page.need, need);
    if (!page.frames.some((f) => f.gpa === gpa)) {
      page.frames.push({ gpa, user, old });
    }
    return true;
  }

  /** A breakpoint that has not been set in any program yet is set in one of these. */
  #choose(breakpoint: MemoryBreakpoint, spaces: readonly Paging[]): void {
    for (const space of spaces) {
      if (breakpoint.signature.length > 0) return;
      const gpa = this.#walker.translate(space, breakpoint.page.address);
      if (gpa >= 0 && this.#memory.offsetOf(gpa) >= 0) {
        this.#sign(breakpoint, gpa);
      }
    }
  }

  /** False if it is nowhere in memory. */
  #write(breakpoint: MemoryBreakpoint): boolean {
    const offset = Number(breakpoint.address & PAGE_OFFSET);
    const { frames } = breakpoint.page;
    for (const { gpa, user, old } of frames) {
      if (!user && !old) continue;
      if (this.#signatureFits(breakpoint, gpa)) {
        this.#place(breakpoint, gpa + offset);
      }
    }
    for (const { gpa, user, old } of frames) {
      if (user || old) continue;
      this.#sign(breakpoint, gpa);
      this.#place(breakpoint, gpa + offset);
    }
    if (breakpoint.sites.length === 0) return false;
    // What a plant() has found is the breakpoint's now.
    breakpoint.planted.length = 0;
    breakpoint.state = "set";
    return true;
  }

  /** Null where it is already. */
  #place(breakpoint: MemoryBreakpoint, gpa: number): Site | null {
    let site = this.#sites.get(gpa);
    if (site !== undefined && breakpoint.sites.includes(site)) return null;
    if (site === undefined) {
      site = {
        gpa,
        original: this.#memory.readByte(gpa),
        uses: 0,
        lifted: false,
      };
      this.#sites.set(gpa, site);
      this.#memory.writeByte(gpa, this.trap.opcode);
    }
    site.uses++;
    breakpoint.sites.push(site);
    return site;
  }

  /** A byte as the guest wrote it. */
  #original(gpa: number): number {
    const site = this.#sites.get(gpa);
    return site === undefined ? this.#memory.readByte(gpa) : site.original;
  }

  #sign({ address, signature }: MemoryBreakpoint, frame: number): void {
    const from = frame + signatureAt(address);
    signature.length = 0;
    for (let i = 0; i < SIGNATURE_BYTES; i++) {
      signature.push(this.#original(from + i));
    }
  }

  #signatureFits(
    { address, signature }: MemoryBreakpoint,
    frame: number,
  ): boolean {
    const from = frame + signatureAt(address);
    return signature.length > 0 &&
      signature.every((byte, i) => this.#original(from + i) === byte);
  }

  /** Takes every 0xF1 back. Where the guest wrote something else meanwhile,
   * that stays. */
  clear(): void {
    this.#forgetPending();
    for (const site of this.#sites.values()) this.#restore(site);
    this.#sites.clear();
    for (const breakpoint of [...this.all()]) {
      breakpoint.sites.length = breakpoint.planted.length = 0;
      if (breakpoint.owners.length === 0) this.drop(breakpoint);
      else if (breakpoint.state === "set") breakpoint.state = "set-pending";
    }
  }

  #restore(site: Site): void {
    if (this.#memory.readByte(site.gpa) === this.trap.opcode) {
      this.#memory.writeByte(site.gpa, site.original);
    }
  }

  /** Takes one breakpoint's bytes back while all processors are held. */
  lift(breakpoint: MemoryBreakpoint): void {
    for (const site of breakpoint.sites) {
      this.#restore(site);
      site.lifted = true;
    }
  }

  /** The end of lift(), if there was one. The guest may have changed the byte meanwhile. */
  settle(breakpoint: MemoryBreakpoint): void {
    for (const site of breakpoint.sites) {
      if (!site.lifted) continue;
      site.lifted = false;
      site.original = this.#memory.readByte(site.gpa);
      this.#memory.writeByte(site.gpa, this.trap.opcode);
    }
  }

  /** Whether there is no 0xF1 in memory. */
  get isClear(): boolean {
    return this.#sites.size === 0;
  }

  /** Whether a breakpoint's 0xF1 is at `gpa`. */
  isAt(breakpoint: MemoryBreakpoint, gpa: number): boolean {
    return breakpoint.sites.some((site) => site.gpa === gpa);
  }

  /** The breakpoint whose 0xF1 is at `gpa`, by whatever address it was asked for. */
  heldAt(gpa: number): MemoryBreakpoint | undefined {
    const site = this.#sites.get(gpa);
    if (site === undefined) return undefined;
    for (const breakpoint of this.all()) {
      if (breakpoint.sites.includes(site)) return breakpoint;
    }
    return undefined;
  }

  /** Undoes what the 0xF1s hide in `bytes`, read from `gpa` on. */
  hide(gpa: number, bytes: Uint8Array): void {
    if (this.#sites.size === 0) return;
    for (let i = 0; i < bytes.length; i++) {
      if (bytes[i] !== this.trap.opcode) continue;
      const site = this.#sites.get(gpa + i);
      if (site !== undefined) bytes[i] = site.original;
    }
  }
}

/** Where in its page a breakpoint's signature begins: with it, or before where the page
 * ends too soon. */
function signatureAt(address: bigint): number {
  return Math.min(Number(address & PAGE_OFFSET), PAGE_BYTES - SIGNATURE_BYTES);
}

function sameSpace(a: Paging, b: Paging): boolean {
  return a.cr3 === b.cr3 && a.cr0 === b.cr0 && a.cr4 === b.cr4 &&
    a.efer === b.efer;
}

function remember(page: Page, space: Paging): void {
  const known = page.known;
  if (known.length > 0 && known[0].cr3 === space.cr3) return;
  const at = known.findIndex((k) => k.cr3 === space.cr3);
  if (at > 0) known.unshift(...known.splice(at, 1));
  else {
    const { cr0, cr3, cr4, efer } = space;
    known.unshift({ cr0, cr3, cr4, efer });
    if (known.length > KNOWN_LIMIT) known.pop();
  }
}
