// AssemblyScript's names of number types, for what TypeScript takes from core/layout.ts and
// core/shared.ts.
// Its casts are type assertions here, so only values that fit a number belong there.
declare global {
  type usize = number;
  type u32 = number;
  type u64 = number;
}
export {};
