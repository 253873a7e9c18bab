// A guest with two address spaces: the same low GiB, and at 1 GiB a page of each.

import { LongMode } from "./long_mode.ts";

const PML4 = 0x1000, PDPT = 0x2000, PD = 0x3000;
/** The second space's top table. */
export const SECOND = 0x10000;
/** Where both programs are. */
export const PROGRAM = 0x40000000;

/** It calls the one and the other, for ever. `rights` are those of the programs'
 * pages: 3, or 7 for pages that programs can reach. */
export async function twoPrograms(
  first: string,
  second: string,
  rights = 3,
  options: Parameters<typeof LongMode.start>[2] = {},
): Promise<LongMode> {
  const guest = await LongMode.start(
    `
loop:   mov $${PML4}, %eax
        mov %rax, %cr3
        mov $${PROGRAM}, %ecx
        call *%rcx
        mov $${SECOND}, %eax
        mov %rax, %cr3
        mov $${PROGRAM}, %ecx
second: call *%rcx
turn:   jmp loop
        .org 0x1000
        ${first}
        .org 0x2000
        ${second}
`,
    1,
    options,
  );
  const { memory } = guest.machine;
  const entry = (at: number, value: number) => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
    memory.write(at, bytes);
  };
  const text = guest.rip();
  entry(PML4, PDPT | 7);
  entry(SECOND, 0x11007);
  entry(0x11000, PD | 3);
  entry(0x11008, 0x12007);
  entry(0x12000, 0x13007);
  entry(0x13000, (text + 0x2000) | rights);
  entry(PDPT + 8, 0x14007);
  entry(0x14000, 0x15007);
  entry(0x15000, (text + 0x1000) | rights);
  return guest;
}
