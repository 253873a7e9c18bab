// AssemblyScript's compiler as used here. Its own declarations make its number types global,
// which src/soft/number_types.ts does for the few files that need them.

export interface APIOptions {
  stdout?: { write(s: string): void };
  stderr?: { write(s: string): void };
  readFile?: (name: string, baseDir: string) => string | null;
  writeFile?: (
    name: string,
    data: Uint8Array | string,
    baseDir: string,
  ) => void;
  listFiles?: (name: string, baseDir: string) => string[] | null;
}

export interface APIResult {
  error: Error | null;
}

declare const asc: {
  main(argv: string[], options: APIOptions): Promise<APIResult>;
};
export default asc;
