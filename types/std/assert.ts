// @std/assert as used here: the npm build of the standard library, which has
// no type declarations, joined with the few that this project needs. Where JSR
// can be reached, `"@std/assert": "jsr:@std/assert@1"` in deno.json does the
// same.
// @ts-types="./assert.d.ts"
export * from "deno-std/assert";
