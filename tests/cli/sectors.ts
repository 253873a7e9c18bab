// Boot sectors in machine code (16-bit), for guests of a few instructions.

/** A boot sector with `code` at its beginning. */
export function bootSector(...code: number[]): Uint8Array {
  const sector = new Uint8Array(512);
  sector.set(code);
  sector.set([0x55, 0xaa], 510);
  return sector;
}

const CLI_HLT = [0xfa, 0xf4];

/** Little endian. */
export const u32 = (n: number) =>
  [n, n >> 8, n >> 16, n >> 24].map((b) => b & 0xff);

/** mov edx, port; mov eax, value; out dx, eax/ax/al */
export function out(port: number, value: number, size: 1 | 2 | 4): number[] {
  return [
    ...[0x66, 0xba, ...u32(port)],
    ...[0x66, 0xb8, ...u32(value)],
    ...(size === 1 ? [0xee] : size === 2 ? [0xef] : [0x66, 0xef]),
  ];
}

/** The same in 32 and 64-bit code. */
export function out32(port: number, value: number, size: 1 | 2 | 4): number[] {
  return [
    ...[0xba, ...u32(port)],
    ...[0xb8, ...u32(value)],
    ...(size === 1 ? [0xee] : size === 2 ? [0x66, 0xef] : [0xef]),
  ];
}

/** Writes the debug-exit port. */
export const debugExit = (value: number, size: 1 | 2 | 4) =>
  bootSector(...out(0xf4, value, size), ...CLI_HLT);

/** Powers off the ACPI way. */
export const powerOff = bootSector(...out(0x604, 0x2000, 2), ...CLI_HLT);

/** Prints a letter and resets; after the reset another, and powers off. The
 * ACPI timer tells: it goes on over a reset. */
export const resetOnce = bootSector(
  ...[0x66, 0xba, 0x08, 0x06, 0, 0], // mov edx, 0x608
  ...[0x66, 0xed], //                   in eax, dx
  ...[0x66, 0x3d, 0, 0, 1, 0], //       cmp eax, 0x10000
  ...[0x73, 0x1f], //                   jae after
  ...out(0x3f8, 0x41, 1), //            "A"
  ...[0x66, 0xba, 0x08, 0x06, 0, 0], // mov edx, 0x608
  ...[0x66, 0xed], //              wait: in eax, dx
  ...[0x66, 0x3d, 0, 0, 1, 0], //       cmp eax, 0x10000
  ...[0x72, 0xf6], //                   jb wait
  ...[0xb0, 0xfe, 0xe6, 0x64], //       out 0x64, 0xfe
  ...out(0x3f8, 0x42, 1), //      after: "B"
  ...out(0xb004, 0x2000, 2),
  ...CLI_HLT,
);

/** Sends back what comes in on COM1, in capitals, until a q. */
export const echo = bootSector(
  ...[0xba, 0xfd, 0x03], //       again: mov dx, 0x3fd
  ...[0xec], //                    poll: in al, dx
  ...[0xa8, 0x01, 0x74, 0xfb], //        test al, 1; jz poll
  ...[0xba, 0xf8, 0x03, 0xec], //        mov dx, 0x3f8; in al, dx
  ...[0x3c, 0x71, 0x74, 0x05], //        cmp al, 'q'; je end
  ...[0x24, 0xdf, 0xee], //              and al, 0xdf; out dx, al
  ...[0xeb, 0xeb], //                    jmp again
  ...out(0x604, 0x2000, 2), //      end:
  ...CLI_HLT,
);

/** Loads an IDT of length 0 and divides by zero: a triple fault. */
export const tripleFault = bootSector(
  ...[0x0f, 0x01, 0x1e, 0x10, 0x7c], // lidt [0x7c10]
  ...[0x31, 0xc0, 0xf7, 0xf0], //       xor ax, ax; div ax
);

/** Waits for ever. */
export const haltForEver = bootSector(...CLI_HLT, 0xeb, 0xfc);

/** Says "W" and waits for ever. */
export const saysAndHalts = bootSector(
  ...out(0x3f8, 0x57, 1),
  ...CLI_HLT,
  0xeb,
  0xfc,
);
