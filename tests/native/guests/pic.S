# Counts ticks of the PIT by the PIC's interrupt alone, waiting for them in three ways, and
# sends what the ACPI timer says of it through COM1: a letter, and 32 bits for each phase.
# A boot sector; the PICs are at 08h and 70h.

        .code16
        .set    TICKS, 90               # of each phase
        .set    DIVISOR, 1193           # 1 ms
        .set    PM_TIMER, 0x608         # 3.579545 MHz
        .set    COM1, 0x3f8

start:  cli
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %ss
        movw    $0x7c00, %sp
        movw    $(0x7c00 + tick - start), 4 * 8
        movw    %ax, 4 * 8 + 2
        movb    $0xfe, %al              # IRQ 0 alone
        outb    %al, $0x21
        movb    $0x34, %al              # counter 0, mode 2
        outb    %al, $0x43
        movb    $(DIVISOR & 0xff), %al
        outb    %al, $0x40
        movb    $(DIVISOR >> 8), %al
        outb    %al, $0x40

        call    begin
1:      sti                             # halts with interrupts on
        hlt
        cli
        cmpw    $TICKS, %bx
        jb      1b
        call    report

        call    begin
        sti
1:      cmpw    $TICKS, %bx             # makes no exits
        jb      1b
        cli
        call    report

        call    begin
1:      movw    $3, %cx                 # exits while interrupts are off, then halts
2:      outb    %al, $0xed
        loop    2b
        sti
        hlt
        cli
        cmpw    $TICKS, %bx
        jb      1b
        call    report

        movb    $0, %al                 # ends with code 1
        outb    %al, $0xf4
1:      cli
        hlt
        jmp     1b

# The ticks are %bx, the time of the first is %esi.
begin:  xorw    %bx, %bx
        movw    $PM_TIMER, %dx
        inl     %dx, %eax
        movl    %eax, %esi
        ret

report: movw    $PM_TIMER, %dx
        inl     %dx, %eax
        subl    %esi, %eax
        andl    $0xffffff, %eax         # as wide as the timer
        movw    $4, %cx
        movw    $COM1, %dx
1:      outb    %al, %dx
        shrl    $8, %eax
        loop    1b
        ret

tick:   pushw   %ax
        incw    %bx
        movb    $0x20, %al
        outb    %al, $0x20
        popw    %ax
        iret

        .org    510
        .word   0xaa55
