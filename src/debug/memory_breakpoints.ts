/**
 * Breakpoints as 0xF1 (INT1) in guest memory while the guest runs: the way of every
 * platform.
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
 * A few that are pending can be lent debug registers. So can those of a kernel
 * that is still able to write its own code: as it starts it patches that, and
 * compares what it patches with what it expects (Linux' ftrace, for one, turns
 * itself off where it finds something else).
 */
import type { GuestMemory } from "../machine/memory.ts";
import { PAGE_BYTES, PAGE_OFFSET, UPPER_HALF } from "../x86/paging.ts";
import { BreakpointTable, SoftwareBreakpoint } from "./breakpoints.ts";
import type { PageWalker, Paging } from "./walk.ts";

/** The opcode of INT1. */
export const INT1 = 0xf1;

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
}

export class MemoryBreakpoint extends SoftwareBreakpoint {
  readonly page: Page;
  state: BreakpointState = "cleared";
  /** Where it is in memory now. */
  readonly sites: Site[] = [];
  /** The bytes that were there when it was last set: how an old page table
   * is known to be still the right one. */
  readonly signature: number[] = [];

  constructor(address: bigint, page: Page) {
    super(address);
    this.page = page;
  }
}

/** The breakpoints of one linear page, translated together. */
class Page {
  readonly address: bigint;
  readonly breakpoints = new Set<MemoryBreakpoint>();
  /** Frames that the page is in, found at the last start. */
  readonly frames: number[] = [];
  /** Frames found through an old CR3: breakpoints check their signature. */
  readonly oldFrames: number[] = [];
  /** Translations that found it, newest first. */
  readonly known: Paging[] = [];
  /** A kernel's, who can write to it. */
  patched = false;

  constructor(address: bigint) {
    this.address = address;
  }
}

/** How many bytes tell that a page is the one it was. */
const SIGNATURE_BYTES = 8;
/** How many address spaces a page remembers. */
const KNOWN_LIMIT = 4;

export class MemoryBreakpoints extends BreakpointTable<MemoryBreakpoint> {
  readonly #memory: GuestMemory;
  readonly #walker: PageWalker;
  readonly #pages = new Map<bigint, Page>();
  readonly #sites = new Map<number, Site>();
  #lent: bigint[] = [];
  #waiting = false;

  constructor(memory: GuestMemory, walker: PageWalker) {
    super();
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

  protected override make(address: bigint): MemoryBreakpoint {
    const pageAddress = address & ~PAGE_OFFSET;
    let page = this.#pages.get(pageAddress);
    if (page === undefined) {
      page = new Page(pageAddress);
      this.#pages.set(pageAddress, page);
    }
    const breakpoint = new MemoryBreakpoint(address, page);
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

  /** Writes 0xF1 at once where a step of one processor will end; false if the
   * address is not mapped. Every success needs a pull(). */
  override plant(address: bigint, spaces: readonly Paging[]): boolean {
    const breakpoint = this.take(address);
    if (breakpoint.sites.length === 0) {
      this.#translate(breakpoint.page, spaces);
      if (!this.#write(breakpoint)) {
        this.release(breakpoint);
        return false;
      }
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
    if (breakpoint.plants > 0 || breakpoint.owners.length > 0) return;
    this.#takeOut(breakpoint);
  }

  /** Takes out what was removed since the start, while all are held. */
  prune(): void {
    this.#forgetPending();
    for (const breakpoint of [...this.all()]) {
      if (breakpoint.state === "clear-pending") this.#takeOut(breakpoint);
    }
  }

  #takeOut(breakpoint: MemoryBreakpoint): void {
    for (const site of breakpoint.sites) {
      if (--site.uses > 0) continue;
      this.#restore(site);
      this.#sites.delete(site.gpa);
    }
    breakpoint.sites.length = 0;
    this.drop(breakpoint);
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
   * of them at most to debug registers, first of all those that are not mapped. `now` is
   * guest time in ns. */
  set(spaces: readonly Paging[], registers = 0, now = 0n): void {
    this.#setPending(spaces, registers);
    for (const breakpoint of this.all()) {
      if (breakpoint.owners.length > 0) {
        breakpoint.hold(this.#howHeld(breakpoint), now);
      }
    }
  }

  #howHeld({ address, sites }: MemoryBreakpoint): string {
    if (sites.length > 0) {
      return `INT1 at physical ${
        sites.map(({ gpa }) => `0x${gpa.toString(16)}`).join(", ")
      }`;
    }
    return this.#lent.includes(address)
      ? "a debug register"
      : "nothing: its code is not mapped";
  }

  #setPending(spaces: readonly Paging[], registers: number): void {
    this.#forgetPending();
    const patched: MemoryBreakpoint[] = [];
    for (const page of this.#pages.values()) {
      this.#translate(page, spaces);
      for (const breakpoint of page.breakpoints) {
        if (breakpoint.state !== "set-pending") continue;
        if (page.patched) patched.push(breakpoint);
        else if (!this.#write(breakpoint)) {
          if (!this.#lend(breakpoint, registers)) this.#waiting = true;
        }
      }
    }
    for (const breakpoint of patched) {
      if (!this.#lend(breakpoint, registers)) this.#write(breakpoint);
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

  #translate(page: Page, spaces: readonly Paging[]): void {
    page.frames.length = 0;
    page.oldFrames.length = 0;
    page.patched = false;
    for (const space of spaces) {
      const frame = this.#walker.translate(space, page.address);
      if (frame < 0 || this.#memory.offsetOf(frame) < 0) continue;
      page.patched ||= page.address >= UPPER_HALF && this.#walker.pageWritable;
      if (!page.frames.includes(frame)) page.frames.push(frame);
      remember(page, space);
    }
    for (const space of page.known) {
      if (spaces.some((now) => sameSpace(now, space))) continue;
      const frame = this.#walker.translate(space, page.address);
      if (frame < 0 || this.#memory.offsetOf(frame) < 0) continue;
      if (page.frames.includes(frame) || page.oldFrames.includes(frame)) {
        continue;
      }
      page.oldFrames.push(frame);
    }
  }

  /** False if it is nowhere in memory. */
  #write(breakpoint: MemoryBreakpoint): boolean {
    const offset = Number(breakpoint.address & PAGE_OFFSET);
    const { frames, oldFrames } = breakpoint.page;
    for (const frame of oldFrames) {
      if (this.#signatureFits(breakpoint, frame + offset)) {
        this.#place(breakpoint, frame + offset);
      }
    }
    for (const frame of frames) {
      this.#sign(breakpoint, frame + offset, offset);
      this.#place(breakpoint, frame + offset);
    }
    if (breakpoint.sites.length === 0) return false;
    breakpoint.state = "set";
    return true;
  }

  #place(breakpoint: MemoryBreakpoint, gpa: number): void {
    let site = this.#sites.get(gpa);
    if (site === undefined) {
      site = { gpa, original: this.#memory.readByte(gpa), uses: 0 };
      this.#sites.set(gpa, site);
      this.#memory.writeByte(gpa, INT1);
    }
    site.uses++;
    breakpoint.sites.push(site);
  }

  /** A byte as the guest wrote it. */
  #original(gpa: number): number {
    const site = this.#sites.get(gpa);
    return site === undefined ? this.#memory.readByte(gpa) : site.original;
  }

  #sign({ signature }: MemoryBreakpoint, gpa: number, offset: number): void {
    signature.length = 0;
    const length = Math.min(SIGNATURE_BYTES, PAGE_BYTES - offset);
    for (let i = 0; i < length; i++) signature.push(this.#original(gpa + i));
  }

  #signatureFits({ signature }: MemoryBreakpoint, gpa: number): boolean {
    return signature.length > 0 &&
      signature.every((byte, i) => this.#original(gpa + i) === byte);
  }

  /** Takes every 0xF1 back. Where the guest wrote something else meanwhile,
   * that stays. */
  clear(): void {
    this.#forgetPending();
    for (const site of this.#sites.values()) this.#restore(site);
    this.#sites.clear();
    for (const breakpoint of [...this.all()]) {
      breakpoint.sites.length = 0;
      if (breakpoint.owners.length === 0) this.drop(breakpoint);
      else if (breakpoint.state === "set") breakpoint.state = "set-pending";
    }
  }

  #restore(site: Site): void {
    if (this.#memory.readByte(site.gpa) === INT1) {
      this.#memory.writeByte(site.gpa, site.original);
    }
  }

  /** Takes one breakpoint's bytes back while all processors are held. */
  lift(breakpoint: MemoryBreakpoint): void {
    for (const site of breakpoint.sites) this.#restore(site);
  }

  /** The end of lift(). The guest may have changed the byte meanwhile. */
  settle(breakpoint: MemoryBreakpoint): void {
    for (const site of breakpoint.sites) {
      site.original = this.#memory.readByte(site.gpa);
      this.#memory.writeByte(site.gpa, INT1);
    }
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
      if (bytes[i] !== INT1) continue;
      const site = this.#sites.get(gpa + i);
      if (site !== undefined) bytes[i] = site.original;
    }
  }
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
