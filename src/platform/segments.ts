// Segment and table registers as JavaScript objects.

import {
  WHV_X64_SEGMENT_REGISTER as SEGMENT,
  WHV_X64_TABLE_REGISTER as TABLE,
} from "../../ffi/values.ts";
import type { Segment, Table } from "../x86/segments.ts";

/** A segment register read from where the platform wrote it. */
export class SegmentView implements Segment {
  readonly #view: DataView;
  readonly #at: number;
  constructor(view: DataView, at: number) {
    this.#view = view;
    this.#at = at;
  }
  get base(): bigint {
    return SEGMENT.Base.get(this.#view, this.#at);
  }
  get limit(): number {
    return SEGMENT.Limit.get(this.#view, this.#at);
  }
  get selector(): number {
    return SEGMENT.Selector.get(this.#view, this.#at);
  }
  get attributes(): number {
    return SEGMENT.Attributes.get(this.#view, this.#at);
  }
}

/** Reads a segment register's value at `at`. */
export function readSegment(view: DataView, at = 0): Segment {
  return {
    base: SEGMENT.Base.get(view, at),
    limit: SEGMENT.Limit.get(view, at),
    selector: SEGMENT.Selector.get(view, at),
    attributes: SEGMENT.Attributes.get(view, at),
  };
}

/** Writes a segment register's value at `at`. */
export function writeSegment(view: DataView, segment: Segment, at = 0): void {
  SEGMENT.Base.set(view, segment.base, at);
  SEGMENT.Limit.set(view, segment.limit, at);
  SEGMENT.Selector.set(view, segment.selector, at);
  SEGMENT.Attributes.set(view, segment.attributes, at);
}

/** Reads a table register's value at `at`. */
export function readTable(view: DataView, at = 0): Table {
  return { base: TABLE.Base.get(view, at), limit: TABLE.Limit.get(view, at) };
}

/** Writes a table register's value at `at`. */
export function writeTable(view: DataView, table: Table, at = 0): void {
  view.setBigUint64(at, 0n, true);
  TABLE.Base.set(view, table.base, at);
  TABLE.Limit.set(view, table.limit, at);
}
