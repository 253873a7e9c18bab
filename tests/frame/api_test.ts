// The public API's documentation: an example for every export, which
// `deno test --doc` runs (tests/run.ts), and @throws where something throws.

import { assert, assertEquals } from "@std/assert";

const ROOT = new URL("../../", import.meta.url);

/** What is used of `deno doc --json`. */
interface Documented {
  readonly name: string;
  readonly kind?: string;
  readonly accessibility?: string;
  readonly location: { readonly filename: string; readonly line: number };
  readonly jsDoc?: {
    readonly doc?: string;
    readonly tags?: readonly { readonly kind: string; readonly doc?: string }[];
  };
}

interface Declaration extends Documented {
  readonly def: {
    readonly constructors?: readonly Documented[];
    readonly methods?: readonly Documented[];
  };
}

interface Export {
  readonly name: string;
  readonly declarations: readonly Declaration[];
}

async function exports(): Promise<readonly Export[]> {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--json", "mod.ts"],
    cwd: ROOT,
    stdin: "null",
    stderr: "inherit",
  }).output();
  assertEquals(code, 0);
  const { nodes } = JSON.parse(new TextDecoder().decode(stdout));
  return (Object.values(nodes)[0] as { symbols: Export[] }).symbols;
}

const API = await exports();

const tagsOf = (documented: Documented, kind: string): string[] =>
  (documented.jsDoc?.tags ?? []).filter((tag) => tag.kind === kind)
    .map((tag) => tag.doc ?? "");

Deno.test("every export of mod.ts has an example that runs, or is in one", () => {
  const examplesOf = ({ declarations }: Export) =>
    declarations.flatMap((declaration) => tagsOf(declaration, "example"));
  const examples = API.flatMap(examplesOf);
  assert(examples.length > 100);
  // `ts ignore` and its like would not run.
  assertEquals(examples.filter((text) => !/^```ts$/m.test(text)), []);
  const shown = new Set(
    examples.flatMap((text) =>
      [...text.matchAll(/^import (?:type )?\{([^}]*)\} from "@icebp\/icebp"/gm)]
        .flatMap(([, names]) =>
          names.split(",").map((name) => name.replace("type ", "").trim())
        )
    ),
  );
  const missing = API.filter((symbol) =>
    examplesOf(symbol).length === 0 && !shown.has(symbol.name)
  );
  assertEquals(missing.map(({ name }) => name), []);
});

/** The source of a function or member, from its first line to its end. */
function sourceOf({ location }: Documented, indent: string): string {
  const lines = Deno.readTextFileSync(new URL(location.filename)).split("\n");
  const first = location.line - 1;
  if (/[;}]$/.test(lines[first])) return lines[first];
  const end = lines.findIndex((line, at) =>
    at > first && (line === `${indent}}` || line === `${indent}};`)
  );
  return lines.slice(first, end + 1).join("\n");
}

/** What throws by itself: an error, or the check of a platform's result. */
const THROWS = /\bthrow new \w|\bcheck\(|#check\(|#fail\(/;

Deno.test("what throws says so by @throws", () => {
  const wrong: string[] = [];
  let throwing = 0;
  const look = (name: string, documented: Documented, indent: string) => {
    if (documented.accessibility === "private") return;
    const tagged = tagsOf(documented, "throws").length > 0;
    const said = /\b[Tt]hrows\b/.test(documented.jsDoc?.doc ?? "");
    const throws = THROWS.test(sourceOf(documented, indent));
    if (throws) throwing++;
    if ((throws || said) && !tagged) wrong.push(name);
  };
  for (const { name, declarations } of API) {
    for (const declaration of declarations) {
      const { kind, def } = declaration;
      if (kind === "function") look(name, declaration, "");
      if (kind !== "class" && kind !== "interface") continue;
      const members = [...def.constructors ?? [], ...def.methods ?? []];
      for (const member of members) {
        if (kind === "interface") {
          const said = /\b[Tt]hrows\b/.test(member.jsDoc?.doc ?? "");
          if (said && tagsOf(member, "throws").length === 0) {
            wrong.push(`${name}.${member.name}`);
          }
        } else look(`${name}.${member.name}`, member, "  ");
      }
    }
  }
  assert(throwing > 20);
  assertEquals(wrong, []);
});
