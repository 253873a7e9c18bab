// Assembly that starts a second processor, from 64-bit mode into 64-bit mode.

/** Has processor 1 begin at `ap64`: INIT and SIPI; before SECOND_PROCESSOR. */
export const START_SECOND = `
_start: mov $tramp, %esi
        mov $0x8000, %edi
        mov $tramp_end - tramp, %ecx
        rep movsb
        mov %cr3, %rax
        mov %eax, 0x7f00
        sgdt 0x7f10
        mov %cs, 0x7f20
        mov $0xfee00300, %esi
        movl $0x01000000, 0x10(%rsi)
        movl $0x4500, (%rsi)
        movl $0x01000000, 0x10(%rsi)
        movl $0x4608, (%rsi)
`;

/** What it comes through; `ap64` follows. */
export const SECOND_PROCESSOR = `
        .code16
tramp:  xor %ax, %ax
        mov %ax, %ds
        lgdtl 0x7f10
        mov $0x620, %eax
        mov %eax, %cr4
        mov 0x7f00, %eax
        mov %eax, %cr3
        mov $0xc0000080, %ecx
        rdmsr
        or $0x100, %eax
        wrmsr
        mov $0x80000033, %eax
        mov %eax, %cr0
        movl $ap64, 0x7f24
        mov 0x7f20, %ax
        mov %ax, 0x7f28
        ljmpl *0x7f24
tramp_end:
        .code64
`;
