// Files of an icebp whose devices keep their states otherwise: one line, and code 4.

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  ContainerError,
  encodeHead,
  encodeSection,
  FileKind,
  sectionsOf,
} from "../../src/history/container.ts";
import {
  applyImage,
  captureImage,
  decodeImage,
  encodeImage,
  type MachineImage,
} from "../../src/history/image.ts";
import type { BoardState } from "../../src/machine/saved.ts";
import { PageSet } from "../../src/history/pages.ts";
import { command, icebp } from "../cli/icebp.ts";
import { LongMode, RAM } from "../debug/long_mode.ts";
import { testPlatform } from "../util/platform.ts";
import { requireTool } from "../util/tools.ts";
import { digest } from "./digest.ts";
import { WORK } from "./work.ts";

const soft = testPlatform() === "soft" &&
  Deno.env.get("ICEBP_TEST_BREAKPOINTS") !== "memory";
const decoder = new TextDecoder(), encoder = new TextEncoder();

/** As the board's state is where a device has another form. */
function otherwise(board: BoardState, device: string): BoardState {
  const { [device]: own, ...others } = board.devices;
  return {
    ...board,
    devices: { ...others, [device]: { ...own, version: "00000000" } },
  };
}

const WHY = "saved by another icebp, whose mc146818 keeps its state otherwise";

Deno.test({
  name: "a snapshot of other devices is refused, and nothing changes",
  ignore: !requireTool("gcc", "ld", "nm", "objcopy") || !soft,
  async fn() {
    const guest = await LongMode.start(WORK, 2);
    const first = captureImage(guest.machine, [], false, null);
    guest.machine.ports.write(0x70, 1, 0x32);
    guest.machine.memory.writeByte(0x300000, 1);
    const now = await digest(guest.machine);
    assertThrows(
      () =>
        applyImage(guest.machine, [], {
          ...first,
          board: otherwise(first.board, "mc146818"),
        }),
      ContainerError,
      WHY,
    );
    assertEquals(await digest(guest.machine), now);
    applyImage(guest.machine, [], first);
    assert(await digest(guest.machine) !== now);
    guest.close();
  },
});

Deno.test({
  name: "a snapshot with fields that are none is refused, and nothing changes",
  ignore: !requireTool("gcc", "ld", "nm", "objcopy") || !soft,
  async fn() {
    const guest = await LongMode.start(WORK, 2);
    const first = captureImage(guest.machine, [], false, null);
    guest.machine.memory.writeByte(0x300000, 1);
    const now = await digest(guest.machine);
    const { board, processors } = first;
    const last = Object.keys(board.devices).at(-1)!;
    const broken = { ...board.devices[last], state: { none: 1 } };
    const beyond = Uint32Array.of(RAM / 4096);
    const cases: [Partial<Record<keyof MachineImage, unknown>>, string][] = [
      [{ quiet: 1 }, "saved state head.quiet: true or false expected"],
      [{ disks: [{}] }, "saved state head.disks[0]: a field label expected"],
      [{ processors: { ...processors, time: "soon" } }, "its time is none"],
      [
        {
          processors: { ...processors, turn: { ...processors.turn, owner: 2 } },
        },
        "the saved processors have another turn",
      ],
      [
        { processors: { ...processors, core: processors.core.subarray(8) } },
        "the saved processors are others",
      ],
      [{ board: null }, "saved state: a board with devices expected"],
      [
        { board: { ...board, devices: { ...board.devices, [last]: broken } } },
        `saved state ${last}: `,
      ],
      [
        { pages: [...first.pages, PageSet.from(beyond, () => {})] },
        "it has more memory than the machine",
      ],
    ];
    for (const [changed, why] of cases) {
      const file = await new Blob(
        [...encodeImage(
          { ...first, ...changed } as MachineImage,
        )] as BlobPart[],
      ).bytes();
      const error = assertThrows(
        () => applyImage(guest.machine, [], decodeImage(file)),
        ContainerError,
        why,
      );
      assert(!error.message.includes("\n"), error.message);
      assertEquals(await digest(guest.machine), now, why);
    }
    const notJson = [
      encodeHead(FileKind.snapshot),
      encodeSection({ name: "head", bytes: encoder.encode("{") }),
      encodeSection({ name: "vcpu", bytes: processors.core }),
      encodeSection({ name: "bord", bytes: encoder.encode("{}") }),
      encodeSection({ name: "end ", bytes: new Uint8Array(0) }),
    ];
    const file = await new Blob(notJson as BlobPart[]).bytes();
    assertThrows(
      () => decodeImage(file),
      ContainerError,
      "its head is no JSON",
    );
    guest.close();
  },
});

/** mov dx, 3F8; mov al, '!'; out dx, al */
const SAYS = [0xba, 0xf8, 0x03, 0xb0, 0x21, 0xee];
const STAYS = [0xeb, 0xfe], ENDS = [0xe6, 0xf4];

Deno.test({
  name: "--restore and replay of what another icebp wrote: a line, code 4",
  ignore: !soft || Deno.build.os === "windows",
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      const at = (name: string) => `${folder}/${name}`;
      await Deno.writeFile(at("stays"), Uint8Array.from([...SAYS, ...STAYS]));
      await Deno.writeFile(at("ends"), Uint8Array.from([...SAYS, ...ENDS]));
      const soft16 = ["--platform", "soft", "--flat", "0x7000,16"];

      const saves = ["--save-at-exit", at("snapshot")];
      const child = command([...soft16, ...saves, at("stays")]).spawn();
      const reader = child.stdout.getReader();
      assertEquals(decoder.decode((await reader.read()).value), "!");
      child.kill("SIGTERM");
      await reader.cancel();
      await child.stderr.cancel();
      assertEquals((await child.status).code, 130);
      const image = decodeImage(await Deno.readFile(at("snapshot")));
      const board = otherwise(image.board, "mc146818");
      const snapshot = [...encodeImage({ ...image, board })];
      await Deno.writeFile(at("other"), ReadableStream.from(snapshot));
      assertEquals(await icebp(["--restore", at("other")]), {
        code: 4,
        out: "",
        err: `icebp: ${at("other")}: ${WHY}\n`,
      });

      const records = ["--record", at("recording")];
      const ran = await icebp([...soft16, ...records, at("ends")]);
      assertEquals([ran.out, ran.err], ["!", ""]);
      const recording = await Deno.readFile(at("recording"));
      let found = 0;
      const sections = [...sectionsOf(recording, FileKind.recording)]
        .map((section) => {
          if (section.name !== "segm") return section;
          found++;
          const { board, ...others } = JSON.parse(
            decoder.decode(section.bytes),
          );
          return {
            ...section,
            bytes: encoder.encode(JSON.stringify({
              ...others,
              board: otherwise(board, "mc146818"),
            })),
          };
        });
      assert(found > 0);
      const parts = [
        encodeHead(FileKind.recording),
        ...sections.map(encodeSection),
      ];
      await Deno.writeFile(at("run"), ReadableStream.from(parts));
      assertEquals(await icebp(["replay", at("run")]), {
        code: 4,
        out: "",
        err: `icebp: ${at("run")}: ${WHY}\n`,
      });
      assertEquals((await icebp(["replay", at("recording")])).out, "!");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
