// Which platform a run gets that names none: the host's where a machine can be made
// and run there, else the software one.
import { assertEquals, assertRejects } from "@std/assert";
import {
  makeOn,
  openChosen,
  type OpenedPlatform,
} from "../../src/cli/platform.ts";
import { PlatformError } from "../../src/platform/mod.ts";
import { HResult } from "../../ffi/hresult.ts";
import {
  cannotBeMade,
  cannotRun,
  EMULATION,
  ignore,
  inFolder,
  library,
  PLATFORM,
} from "../platform/tiny_library.ts";

const RAM = 1 << 20;

/** The name of what is used, where this library is the host's platform. */
async function used(
  preferred: string,
  make: (opened: OpenedPlatform) => void = () => {},
  choice?: string,
): Promise<string> {
  const chosen = await openChosen(choice, RAM, "virtual", undefined, preferred);
  const [, { platform }] = await makeOn(chosen, make);
  platform.close();
  return platform.name;
}

Deno.test({
  name: "without a choice the host's platform is used where it works",
  ignore,
  fn: inFolder(async (folder) => {
    const works = library(`${folder}/works.so`, PLATFORM + EMULATION);
    assertEquals(await used(works), works);
    const off = library(`${folder}/off.so`, PLATFORM + EMULATION, 0);
    const runs = library(`${folder}/runs.so`, cannotRun + EMULATION);
    const made = library(`${folder}/made.so`, cannotBeMade + EMULATION);
    for (const unfit of [off, runs, made, `${folder}/none.so`]) {
      assertEquals(await used(unfit), "soft", unfit);
      await assertRejects(
        () => used(works, undefined, unfit),
        PlatformError,
        undefined,
        "what is named is used or refused",
      );
    }
  }),
});

Deno.test({
  name: "a machine that cannot be made there is made in software",
  ignore,
  fn: inFolder(async (folder) => {
    const works = library(`${folder}/works.so`, PLATFORM + EMULATION);
    const tried: string[] = [];
    const make = ({ platform }: OpenedPlatform) => {
      tried.push(platform.name);
      if (platform.name !== "soft") {
        throw new PlatformError("WHvSetupPartition", HResult.E_INVALIDARG);
      }
    };
    assertEquals(await used(works, make), "soft");
    assertEquals(tried, [works, "soft"]);
    await assertRejects(() => used(works, make, works), PlatformError);
    await assertRejects(
      () =>
        used(works, () => {
          throw new RangeError("a fault of ours");
        }),
      RangeError,
    );
  }),
});
