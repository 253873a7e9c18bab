// Text of guests: how a PC's programs set up its interrupt controller.

/** The PIC's interrupts 0 to 7 come at `vector` and behind, but those of `mask`. Changes
 * AL. Source: 8259A datasheet, "Initialization Command Words". */
export function picAt(vector: number, mask: number): string {
  return `
        mov $0x11, %al
        out %al, $0x20
        mov $${vector}, %al
        out %al, $0x21
        mov $4, %al
        out %al, $0x21
        mov $1, %al
        out %al, $0x21
        mov $${mask}, %al
        out %al, $0x21
`;
}
