// Written from src/x86/events.ts by `deno task build`.
// deno-lint-ignore-file no-namespace

/** EventType of src/x86. */
export namespace EventType {
  export const Interrupt: u32 = 0x0;
  export const Nmi: u32 = 0x2;
  export const Exception: u32 = 0x3;
  export const SoftwareInterrupt: u32 = 0x4;
  export const PrivilegedSoftwareException: u32 = 0x5;
  export const SoftwareException: u32 = 0x6;
}
