// @std/cli/parse-args as used here; see ./assert.ts for why.
// @ts-types="./parse_args.d.ts"
export * from "deno-std/cli/parse-args";
