// The platform that a test's guest runs on where any will do.

/** What ICEBP_TEST_PLATFORM names (`whp`, or a library's path), else `soft`. */
export function testPlatform(): string {
  return Deno.env.get("ICEBP_TEST_PLATFORM") ?? "soft";
}
