// What keeps the rooms apart: imports point one way, and what a guest can see
// comes from nothing but the clock and the entropy handed in.

import { assert, assertEquals } from "@std/assert";

const ROOT = new URL("../../", import.meta.url);

/** The architecture's own facts: every room may import them, and they nothing. */
const FACTS = "src/x86";

/** The rooms that each room may import from, besides itself and FACTS. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  [FACTS]: [],
  "ffi": [],
  "src/platform": ["ffi"],
  "src/soft": ["ffi"],
  "src/util": [],
  "src/machine": ["src/platform", "src/util", "ffi"],
  "src/history": ["src/machine", "src/platform", "src/util", "ffi"],
  "src/boot": ["src/machine", "src/platform", "ffi"],
  "src/debug": [
    "src/history",
    "src/machine",
    "src/platform",
    "src/util",
    "ffi",
  ],
  "src/gdb": ["src/debug", "src/util"],
  "src/cli": [
    "src/gdb",
    "src/debug",
    "src/history",
    "src/boot",
    "src/machine",
    "src/soft",
    "src/platform",
    "src/util",
    "ffi",
  ],
};

/** The debugger's folders: each may import from those before it. */
const DEBUGGER = [
  "paging",
  "linux",
  "guest",
  "breakpoints",
  "stepping",
  "control",
  "monitor",
];

/** Where the host's time decides when the host acts, not what a guest sees. */
const HOST_TIME: Record<string, string> = {
  "src/soft/scheduler.ts":
    "gives the event loop its turn, and sleeps when all processors do",
  "src/soft/translate/translator.ts": "measures what it costs, for --stats",
  "src/machine/processor.ts": "tries a refused cancel again",
  "src/machine/probe.ts":
    "gives up a host that hangs, and measures its TSC; its guest is its own",
};

function sources(folder: string): string[] {
  const found: string[] = [];
  for (const entry of Deno.readDirSync(new URL(folder, ROOT))) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) found.push(...sources(path));
    else if (path.endsWith(".ts")) found.push(path);
  }
  return found;
}

function roomOf(path: string): string | undefined {
  return Object.keys(MAY_IMPORT).find((room) => path.startsWith(`${room}/`));
}

/** The source without its comments; strings with // are left short. */
function code(path: string): string {
  return Deno.readTextFileSync(new URL(path, ROOT))
    .replace(/\/\*[^]*?\*\//g, "").replace(/\/\/.*$/gm, "");
}

/** What a file imports or exports again, by its place. */
function importsOf(path: string): string[] {
  return [
    ...code(path).matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g),
  ].map(([, target]) =>
    new URL(target, new URL(path, ROOT)).href.slice(ROOT.href.length)
  );
}

Deno.test("imports point one way between the rooms", () => {
  const wrong: string[] = [];
  let seen = 0;
  for (const [room, allowed] of Object.entries(MAY_IMPORT)) {
    for (const path of sources(room)) {
      for (const target of importsOf(path)) {
        seen++;
        const to = roomOf(target);
        // deno.json, for the version, is in no room.
        if (target === "deno.json") continue;
        if (to === room || to === FACTS || (to && allowed.includes(to))) {
          continue;
        }
        wrong.push(`${path} imports ${target}`);
      }
    }
  }
  assert(seen > 50);
  assertEquals(wrong, []);
});

Deno.test("imports point one way between the debugger's folders", () => {
  const level = (path: string) =>
    DEBUGGER.findIndex((folder) => path.startsWith(`src/debug/${folder}/`));
  const files = sources("src/debug").filter((path) => level(path) >= 0);
  const wrong = files.flatMap((path) =>
    importsOf(path).filter((target) => level(target) > level(path))
      .map((target) => `${path} imports ${target}`)
  );
  assertEquals(wrong, []);
  const known = [...Deno.readDirSync(new URL("src/debug", ROOT))]
    .filter((entry) => entry.isDirectory).map(({ name }) => name);
  assertEquals(known.sort(), [...DEBUGGER].sort());
});

Deno.test("a guest cannot see the host's time or randomness", () => {
  const host =
    /\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b|\bMath\.random\b|\bgetRandomValues\b|\bsetTimeout\b|\bsetInterval\b/;
  const wrong = ["src/machine", "src/soft"].flatMap(sources)
    .filter((path) => !(path in HOST_TIME))
    .filter((path) => host.test(code(path)));
  assertEquals(wrong, []);
});

Deno.test("logging is set up in one file", () => {
  const setUp = /import[^;]*\bconfigure(?:Sync)?\b[^;]*"@logtape\/logtape"/;
  const wrong = Object.keys(MAY_IMPORT).flatMap(sources)
    .filter((path) => path !== "src/cli/log.ts" && setUp.test(code(path)));
  assertEquals(wrong, []);
});

Deno.test("the architecture's facts stand in src/x86 alone", () => {
  // A number under a name that begins with a register's, or is one of these;
  // AssemblyScript's have a type.
  const fact =
    /\bconst (?:(?:CR[0-4]|EFER|DR[67]|RFLAGS|MXCSR|APIC_BASE|MISC_ENABLE)_\w+|PAGE(?:_BYTES|_SIZE)?|SECTOR(?:_BYTES)?|UPPER_HALF|CS_LONG)(?:: u(?:32|64))?\s*=\s*[\d(]/;
  const facts = (path: string) => path.startsWith(`${FACTS}/`);
  // What is written from them for the core: src/soft/build checks that it is.
  const written = (path: string) => path.startsWith("src/soft/core/x86/");
  const found = Object.keys(MAY_IMPORT).flatMap(sources)
    .filter((path) => fact.test(code(path)));
  assert(found.some(facts) && found.some(written));
  assertEquals(
    found.filter((path) => !facts(path) && !written(path)),
    [],
  );
});
