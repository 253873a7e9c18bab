/**
 * The parsers of packets, without a session: what is valid becomes a typed command;
 * what is torn or hostile becomes null (malformed) or undefined (unknown), and nothing
 * throws.
 */
import { assert, assertEquals } from "@std/assert";
import { toBytes } from "../../src/gdb/bytes.ts";
import { Packet, type Syntax } from "../../src/gdb/packet.ts";
import { parseInsert, parseRemove } from "../../src/gdb/packets/breakpoints.ts";
import { parseSupported } from "../../src/gdb/packets/handshake.ts";
import {
  parseMemoryRegionInfo,
  parseThreadStopInfo,
} from "../../src/gdb/packets/lldb.ts";
import * as memory from "../../src/gdb/packets/memory.ts";
import { parseMonitor } from "../../src/gdb/packets/monitor.ts";
import { parseSingleStep } from "../../src/gdb/packets/qemu.ts";
import * as registers from "../../src/gdb/packets/registers.ts";
import {
  parseOldResume,
  parseOldResumeSignal,
  parseResume,
} from "../../src/gdb/packets/resume.ts";
import { takeThread } from "../../src/gdb/packets/thread_id.ts";
import * as threads from "../../src/gdb/packets/threads.ts";
import { parseTransfer } from "../../src/gdb/packets/transfer.ts";

type Parser = (packet: Packet, syntax: Syntax) => unknown;

const GDB: Syntax = { threadSuffix: false };
const LLDB: Syntax = { threadSuffix: true };

function parse(
  parser: Parser,
  payload: string | Uint8Array,
  syntax = GDB,
): unknown {
  const packet = new Packet();
  packet.open(typeof payload === "string" ? toBytes(payload) : payload, 0);
  return parser(packet, syntax);
}

const bytes = (...values: number[]) => Uint8Array.from(values);

interface Case {
  readonly parser: Parser;
  readonly syntax?: Syntax;
  /** What stands behind the packet's name, and what it is. */
  readonly valid: readonly (readonly [string, unknown])[];
  readonly malformed?: readonly string[];
  readonly unknown?: readonly string[];
}

const CASES: Readonly<Record<string, Case>> = {
  "Z": {
    parser: parseInsert,
    valid: [
      ["0,1000,1", {
        kind: "software",
        address: 0x1000n,
        length: 1,
        conditions: [],
      }],
      ["4,ffffffffffffffff,8", {
        kind: "access",
        address: 0xffffffffffffffffn,
        length: 8,
        conditions: [],
      }],
      // The manual's way to list conditions, and gdb's.
      ["0,1,1;X2,2201;X1,27", {
        kind: "software",
        address: 1n,
        length: 1,
        conditions: [bytes(0x22, 1), bytes(0x27)],
      }],
      ["1,1,1;X2,2201X1,27", {
        kind: "hardware",
        address: 1n,
        length: 1,
        conditions: [bytes(0x22, 1), bytes(0x27)],
      }],
    ],
    malformed: [
      "",
      "0",
      "0,",
      "0,1000",
      "0,1000,",
      "0,,1",
      "0,10000000000000000,1",
      "0,1,1;X",
      "0,1,1;X2",
      "0,1,1;X2,22",
      "0,1,1;X2,22zz",
      "0,1,1;Xffffffff,22",
      "0,1,1;Y",
      "0,1,1 ",
    ],
    unknown: ["5,1000,1", "fffff,1000,1"],
  },
  "z": {
    parser: parseRemove,
    valid: [["2,10,4", { kind: "write", address: 0x10n, length: 4 }]],
    malformed: ["", ",", "2,10", "2;10,4", "-1,10,4"],
    unknown: ["9,10,4"],
  },
  "qSupported": {
    parser: parseSupported,
    valid: [
      [":multiprocess+;swbreak+", { features: ["multiprocess+", "swbreak+"] }],
      ["", { features: [""] }],
    ],
  },
  "qMemoryRegionInfo": {
    parser: parseMemoryRegionInfo,
    valid: [["", { address: null }], [":1000", { address: 0x1000n }]],
    malformed: [":x", "1000", ":10000000000000000"],
  },
  "qThreadStopInfo": {
    parser: parseThreadStopInfo,
    valid: [["1", { thread: 0 }], ["ffff", { thread: 0xfffe }]],
    malformed: ["", "x", "-"],
  },
  "m": {
    parser: memory.parseRange,
    valid: [
      ["1000,4", { address: 0x1000n, length: 4 }],
      ["0,fffffffffffff", { address: 0n, length: 2 ** 52 - 1 }],
    ],
    malformed: ["", "1000", "1000,", ",4", "1000;4", "0,ffffffffffffff"],
  },
  "qCRC": {
    parser: memory.parseCrc,
    valid: [[":1000,4", { address: 0x1000n, length: 4 }]],
    malformed: [":", ":1000"],
  },
  "M": {
    parser: memory.parseWriteHex,
    valid: [
      ["10,2:abCD", { address: 0x10n, bytes: bytes(0xab, 0xcd) }],
      ["10,0:", { address: 0x10n, bytes: bytes() }],
    ],
    malformed: ["10,2", "10,2:ab", "10,2:abcdef", "10,1:a", "10,1:zz", ":ab"],
  },
  "X": {
    parser: memory.parseWriteBinary,
    valid: [
      ["10,3:a;#", { address: 0x10n, bytes: toBytes("a;#") }],
      ["10,0:", { address: 0x10n, bytes: bytes() }],
    ],
    malformed: ["10,3:a", "10,fffffffffffff:a", "10,1", "x"],
  },
  "qSearch:memory": {
    parser: memory.parseSearch,
    valid: [
      [":0;100;ab;c", {
        address: 0n,
        length: 0x100,
        pattern: toBytes("ab;c"),
      }],
    ],
    malformed: [":0;100;", ":0;100", ":0,100;a", ":"],
  },
  "Qqemu.PhyMemMode": {
    parser: memory.parsePhysicalMode,
    valid: [[":0", { physical: false }], [":1", { physical: true }]],
    malformed: ["", ":", ":2", "1"],
  },
  "qRcmd": {
    parser: parseMonitor,
    valid: [[",68656c70", { line: "help" }], [",", { line: "" }]],
    malformed: [",6", ",zz"],
  },
  "qqemu.sstep": {
    parser: parseSingleStep,
    valid: [
      ["", { bits: null }],
      ["=0x5", { bits: 5 }],
      ["=7", { bits: 7 }],
      // What bits there are is the session's.
      ["=ff", { bits: 255 }],
    ],
    malformed: ["=", "=0x", "=5 ", "=-1"],
    unknown: ["bits", "x"],
  },
  "g": {
    parser: registers.parseReadAll,
    valid: [["", { thread: "current" }]],
  },
  "g of lldb": {
    parser: registers.parseReadAll,
    syntax: LLDB,
    valid: [["", { thread: "current" }], [";thread:2;", { thread: 1 }]],
    malformed: [";thread:", ";thread:x"],
  },
  "G": {
    parser: registers.parseWriteAll,
    valid: [["0102", { bytes: bytes(1, 2), thread: "current" }]],
    malformed: ["0", "zz"],
  },
  "G of lldb": {
    parser: registers.parseWriteAll,
    syntax: LLDB,
    valid: [["01;thread:1;", { bytes: bytes(1), thread: 0 }]],
    malformed: ["01;thread:"],
  },
  "p": {
    parser: registers.parseReadOne,
    valid: [["1f", { number: 31, thread: "current" }]],
    malformed: ["", "x", "ffffffffffffff"],
  },
  "P": {
    parser: registers.parseWriteOne,
    valid: [["0=11", { number: 0, bytes: bytes(0x11), thread: "current" }]],
    malformed: ["", "0", "=11", "0=1", "0:11"],
  },
  "P of lldb": {
    parser: registers.parseWriteOne,
    syntax: LLDB,
    valid: [["0=11;thread:3;", { number: 0, bytes: bytes(0x11), thread: 2 }]],
    malformed: ["0=11;thread:p"],
  },
  "vCont": {
    parser: parseResume,
    valid: [
      [";c", { actions: [{ action: { kind: "continue" }, thread: "all" }] }],
      [";s:p1.1;C05:-1;t:0", {
        actions: [
          { action: { kind: "step" }, thread: 0 },
          { action: { kind: "continue" }, thread: "all" },
          { action: { kind: "stay" }, thread: "any" },
        ],
      }],
      [";r10,20:2", {
        actions: [{
          action: { kind: "range", start: 0x10n, end: 0x20n },
          thread: 1,
        }],
      }],
    ],
    malformed: [
      "",
      ";",
      ";x",
      ";C",
      ";S",
      ";r",
      ";r10",
      ";r10,",
      ";c:",
      ";c;",
      "c",
      ";c:p2.1",
      ";cc",
    ],
  },
  "c": {
    parser: parseOldResume,
    valid: [["", { address: null }], ["1000", { address: 0x1000n }]],
    malformed: ["x", "1000x", "10000000000000000"],
  },
  "C": {
    parser: parseOldResumeSignal,
    valid: [["05", { address: null }], ["05;10", { address: 0x10n }]],
    malformed: ["", ";10", "05;", "05x", "05;10x"],
  },
  "H": {
    parser: threads.parseChoose,
    valid: [
      ["g0", { purpose: "g", thread: "any" }],
      ["c-1", { purpose: "c", thread: "all" }],
      ["gp1.2", { purpose: "g", thread: 1 }],
    ],
    malformed: ["", "g", "x1", "gp", "gp2.1", "g-"],
  },
  "T": {
    parser: threads.parseIsAlive,
    valid: [["2", { thread: 1 }]],
    malformed: ["", "q"],
  },
  "qThreadExtraInfo": {
    parser: threads.parseDescribe,
    valid: [[",p1.1", { thread: 0 }]],
    malformed: [",", ""],
  },
  "qXfer": {
    parser: parseTransfer,
    valid: [
      [":target.xml:0,fff", { annex: "target.xml", offset: 0, length: 4095 }],
      ["::10,20", { annex: "", offset: 16, length: 32 }],
    ],
    malformed: ["", ":", ":a", ":a:", ":a:0", ":a:0,", ":a:,1", ":a:0;1"],
  },
  "thread id": {
    parser: takeThread,
    valid: [
      ["1", 0],
      ["-1", "all"],
      ["0", "any"],
      ["p1", "all"],
      ["p-1.3", 2],
      ["p1.-1", "all"],
      ["p0.0", "any"],
    ],
    malformed: ["", "p", "p.", "p1.", "p2.1", "-", "-p1"],
  },
};

for (const [name, each] of Object.entries(CASES)) {
  const { parser, syntax, valid, malformed = [], unknown = [] } = each;
  Deno.test(`${name}: valid, malformed, torn`, () => {
    for (const [payload, expected] of valid) {
      assertEquals(parse(parser, payload, syntax), expected, payload);
    }
    for (const payload of malformed) {
      assertEquals(parse(parser, payload, syntax), null, payload);
    }
    for (const payload of unknown) {
      assertEquals(parse(parser, payload, syntax), undefined, payload);
    }
    // Torn anywhere: malformed, or what the shorter text says, but no exception.
    for (const [payload] of valid) {
      const torn = toBytes(payload);
      for (let length = 0; length < torn.length; length++) {
        parse(parser, torn.subarray(0, length), syntax);
      }
    }
  });
}

Deno.test("hostile packets: nothing throws, and nothing is read past the end", () => {
  let state = 88172645;
  const below = (limit: number) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
  const alphabet = toBytes("0123456789abcdefpXZ:;,=.-\0\xff");
  let parsed = 0;
  for (const { parser, syntax, valid } of Object.values(CASES)) {
    for (let round = 0; round < 400; round++) {
      const [seed] = valid[below(valid.length)];
      const payload = [...toBytes(seed)];
      for (let edits = 1 + below(4); edits > 0; edits--) {
        const at = below(payload.length + 1);
        const byte = alphabet[below(alphabet.length)];
        payload.splice(at, below(2), ...(below(3) > 0 ? [byte] : []));
      }
      const packet = new Packet();
      packet.open(Uint8Array.from(payload), 0);
      if (parser(packet, syntax ?? GDB) != null) parsed++;
      assert(packet.rest().length <= payload.length);
    }
  }
  // Both ways were gone.
  assert(parsed > 1000 && parsed < Object.keys(CASES).length * 400 - 1000);
});

Deno.test("a length beyond the packet takes nothing", () => {
  const long = "f".repeat(13);
  assertEquals(parse(memory.parseWriteBinary, `0,${long}:abc`), null);
  assertEquals(parse(memory.parseWriteHex, `0,${long}:abcd`), null);
  assertEquals(parse(parseInsert, `0,0,1;X${long},22`), null);
});
