// @std/streams as used here; see ./assert.ts for why.
// @ts-types="./streams.d.ts"
export * from "deno-std/streams";
