/**
 * The library's C interface driven by threads of a C program's own (driver/): also with
 * AddressSanitizer, which ends the program if anybody uses memory that was freed.
 */
import { assertEquals } from "@std/assert";
import { canBuild, program } from "./libraries.ts";

const TESTS: Readonly<Record<string, string>> = {
  storm: "10,000 cancels of eight processors at random times, none lost",
  exits: "eight processors exit while other calls of every kind are made",
  mapping: "memory comes, goes, and is in two places",
  code: "code that the host changes while it runs",
  emulators: "emulators' callbacks wait for each other",
  life: "nothing is deleted under a processor that runs; time stands still",
};

for (const asan of [false, true]) {
  for (const [test, what] of Object.entries(TESTS)) {
    Deno.test({
      name: `native${asan ? ", AddressSanitizer" : ""}: ${what}`,
      ignore: !canBuild,
      fn: async () => {
        const { code, stdout, stderr } = await new Deno.Command(
          await program("driver", asan),
          { args: [test] },
        ).output();
        const said = new TextDecoder().decode(stderr);
        assertEquals([code, said], [0, ""]);
        assertEquals(new TextDecoder().decode(stdout), `${test}: ok\n`);
      },
    });
  }
}
