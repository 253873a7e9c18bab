// Compiles a C program against the mingw-w64 Windows headers with the host's
// own gcc, and runs it: layouts are the same, since the headers say __LONG32
// where an LP64 compiler would differ and -mms-bitfields packs as Windows does.

import { runTool } from "../util/tools.ts";

/** Where Debian's mingw-w64-common has the headers. */
export const HEADERS = "/usr/share/mingw-w64/include";

/** True if the headers are installed; says so on the console if not. */
export function haveHeaders(): boolean {
  try {
    Deno.statSync(`${HEADERS}/winhvplatform.h`);
    return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.warn(`SKIPPED: no ${HEADERS} (mingw-w64-common; see .ci/run)`);
    return false;
  }
}

const WINDOWS = [
  "-mms-bitfields",
  "-fshort-wchar",
  "-D_WIN32",
  "-D_WIN64",
  "-D__MINGW32__",
  "-D__MINGW64__",
  "-D__MSVCRT__",
  "-D_AMD64_",
  "-D__int64=long long",
  "-D__stdcall=",
  "-D__cdecl=",
  "-D__fastcall=",
  "-D__declspec(x)=__attribute__((x))",
  "-U__linux__",
];

const PRELUDE = `
#include <windef.h>
#include <winbase.h>
#include <winhvplatform.h>
#include <winhvemulation.h>
int printf(const char *, ...);

static void bits(const char *name, const void *value, int size) {
  const unsigned char *bytes = value;
  int first = -1, count = 0;
  for (int i = 0; i < size * 8; i++)
    if (bytes[i / 8] >> (i % 8) & 1) {
      if (first < 0) first = i;
      count++;
    }
  printf("%s %d:%d\\n", name, first, count);
}
/* A member is where filling it sets bits. */
#define MEMBER(name, T, m) { T v; memset(&v, 0, sizeof v); \\
  memset(&v.m, 0xff, sizeof v.m); bits(name, &v, sizeof v); }
#define BITS(name, T, m) { T v; memset(&v, 0, sizeof v); \\
  v.m = ~0ull; bits(name, &v, sizeof v); }
#define VALUE(name, x) printf("%s %lld\\n", name, (long long)(x));
`;

/** Runs a program of statements that print lines of a name and a value. */
export function runC(statements: string): Map<string, string> {
  const folder = Deno.makeTempDirSync();
  try {
    Deno.writeTextFileSync(
      `${folder}/layout.c`,
      `${PRELUDE}\nint main(void) {\n${statements}\nreturn 0;\n}\n`,
    );
    const own = runTool("gcc", ["-print-file-name=include"]).trim();
    runTool("gcc", [
      "-w",
      "-nostdinc",
      "-isystem",
      own,
      "-isystem",
      HEADERS,
      ...WINDOWS,
      "layout.c",
      "-o",
      "layout",
    ], { cwd: folder });
    const lines = runTool(`${folder}/layout`, []).trim().split("\n");
    return new Map(lines.map((line) => {
      const space = line.lastIndexOf(" ");
      return [line.slice(0, space), line.slice(space + 1)];
    }));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** The text of both headers, without the branches for other processors. */
export function headerText(): string {
  return ["winhvplatformdefs.h", "winhvplatform.h", "winhvemulation.h"].map(
    (name) => Deno.readTextFileSync(`${HEADERS}/${name}`),
  ).join("\n").replace(
    /#ifdef __x86_64__\n([^]*?)(?:#else\n[^]*?)?#endif\n/g,
    "$1",
  );
}
