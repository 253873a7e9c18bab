/* The PC the demo guest runs on: ports, local APIC, page tables, serial text. */
#include "machine.h"

#include <stdarg.h>

#define COM1 0x3f8
#define TRAMPOLINE 0x8000
#define LAPIC ((volatile uint32_t *)0xfee00000)
#define PIT_HZ 1193182

enum lapic_register {
    LAPIC_EOI = 0x0b0 / 4,
    LAPIC_SPURIOUS = 0x0f0 / 4,
    LAPIC_ICR = 0x300 / 4,
    LAPIC_TIMER = 0x320 / 4,
    LAPIC_TIMER_INITIAL = 0x380 / 4,
    LAPIC_TIMER_CURRENT = 0x390 / 4,
    LAPIC_TIMER_DIVIDE = 0x3e0 / 4,
};

enum vector {
    VECTOR_PROTECTION = 13,
    VECTOR_PAGE_FAULT = 14,
    VECTOR_TIMER = 32,
    VECTOR_SPURIOUS = 255,
};

struct gate {
    uint16_t offset_low, selector, attributes, offset_middle;
    uint32_t offset_high, reserved;
};

struct table_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

extern char trampoline[], trampoline_end[];
extern char stacks[];
extern uint64_t page_map[512];
extern volatile unsigned processors_started;
void page_fault_entry(void);
void protection_entry(void);
void timer_entry(void);
void unexpected_entry(void);
void spurious_entry(void);

static struct gate interrupt_table[256];
static uint64_t lazy_pointers[512] __attribute__((aligned(4096)));
static uint64_t lazy_directory[512] __attribute__((aligned(4096)));
static uint64_t lazy_table[512] __attribute__((aligned(4096)));
static uint8_t lazy_memory[16][4096] __attribute__((aligned(4096)));
static volatile uint32_t print_lock;

static inline void outb(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void outw(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline void outl(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static void put_character(char character)
{
    while (!(inb(COM1 + 5) & 0x20))
        __builtin_ia32_pause();
    outb(COM1, character);
}

static void put_number(uint64_t number, unsigned base)
{
    char digits[20];
    unsigned count = 0;
    do {
        digits[count++] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number);
    while (count)
        put_character(digits[--count]);
}

void print(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    lock(&print_lock);
    for (; *format; format++) {
        if (*format != '%') {
            if (*format == '\n')
                put_character('\r');
            put_character(*format);
            continue;
        }
        switch (*++format) {
        case 'u':
            put_number(va_arg(values, uint64_t), 10);
            break;
        case 'x':
            put_number(va_arg(values, uint64_t), 16);
            break;
        case 's':
            for (const char *text = va_arg(values, const char *); *text; text++)
                put_character(*text);
            break;
        }
    }
    unlock(&print_lock);
    va_end(values);
}

void power_off(void)
{
    outw(0x604, 0x2000);
    for (;;)
        __asm__ volatile("cli; hlt");
}

void debug_exit(uint32_t value)
{
    outl(0xf4, value);
    for (;;)
        __asm__ volatile("cli; hlt");
}

static void set_gate(unsigned vector, void (*entry)(void))
{
    uint64_t offset = (uint64_t)entry;
    interrupt_table[vector] = (struct gate){
        .offset_low = offset,
        .selector = 0x18,
        .attributes = 0x8e00,
        .offset_middle = offset >> 16,
        .offset_high = offset >> 32,
    };
}

void load_interrupt_table(void)
{
    struct table_pointer pointer = {sizeof interrupt_table - 1,
                                    (uint64_t)interrupt_table};
    __asm__ volatile("lidt %0" : : "m"(pointer));
    LAPIC[LAPIC_SPURIOUS] = 0x100 | VECTOR_SPURIOUS;
}

void set_up_machine(void)
{
    for (unsigned vector = 0; vector < 32; vector++)
        set_gate(vector, unexpected_entry);
    set_gate(VECTOR_PROTECTION, protection_entry);
    set_gate(VECTOR_PAGE_FAULT, page_fault_entry);
    set_gate(VECTOR_TIMER, timer_entry);
    set_gate(VECTOR_SPURIOUS, spurious_entry);
    load_interrupt_table();
    outb(0x21, 0xff); /* the PICs stay silent: only the APICs interrupt */
    outb(0xa1, 0xff);
    outb(COM1 + 3, 0x03); /* 8 bits, no parity, one stop bit */
    outb(COM1 + 2, 0x07); /* FIFOs on and empty */
    page_map[(LAZY_BASE >> 39) & 511] = (uint64_t)lazy_pointers | 3;
    lazy_pointers[(LAZY_BASE >> 30) & 511] = (uint64_t)lazy_directory | 3;
    lazy_directory[(LAZY_BASE >> 21) & 511] = (uint64_t)lazy_table | 3;
}

/* Waits by the interval timer's counter 2; `count` clocks of PIT_HZ. */
static void wait_pit(unsigned count)
{
    outb(0x61, inb(0x61) & ~3);
    outb(0x43, 0xb0); /* counter 2, both bytes, mode 0 */
    outb(0x42, count);
    outb(0x42, count >> 8);
    outb(0x61, inb(0x61) | 1);
    /* Ports are slow to read in a virtual machine: not more often than this. */
    while (!(inb(0x61) & 0x20))
        for (unsigned i = 0; i < 500; i++)
            __builtin_ia32_pause();
}

uint32_t calibrate_timer(unsigned ticks_per_second)
{
    LAPIC[LAPIC_TIMER_DIVIDE] = 3; /* by 16 */
    LAPIC[LAPIC_TIMER] = 0x10000 | VECTOR_TIMER;
    LAPIC[LAPIC_TIMER_INITIAL] = 0xffffffff;
    wait_pit(PIT_HZ / ticks_per_second);
    return 0xffffffff - LAPIC[LAPIC_TIMER_CURRENT];
}

void start_timer(uint32_t period)
{
    LAPIC[LAPIC_TIMER_DIVIDE] = 3;
    LAPIC[LAPIC_TIMER] = 0x20000 | VECTOR_TIMER; /* periodic */
    LAPIC[LAPIC_TIMER_INITIAL] = period;
}

void end_of_interrupt(void)
{
    LAPIC[LAPIC_EOI] = 0;
}

/* Stacks lie one after the other, so the stack tells the processor. */
unsigned this_processor(void)
{
    return ((uint64_t)__builtin_frame_address(0) - (uint64_t)stacks) / 16384;
}

void start_other_processors(void)
{
    for (unsigned i = 0; i < trampoline_end - trampoline; i++)
        ((volatile char *)TRAMPOLINE)[i] = trampoline[i];
    LAPIC[LAPIC_ICR] = 0xc4500; /* INIT to all but this one */
    wait_pit(PIT_HZ / 100);
    LAPIC[LAPIC_ICR] = 0xc4600 | TRAMPOLINE >> 12; /* start-up */
    wait_pit(PIT_HZ / 100);
}

/* Page `page` of the lazy window, which may not be there yet. */
void touch_lazy_page(uint64_t page)
{
    volatile uint64_t *word =
        (volatile uint64_t *)(LAZY_BASE + page * 4096 % LAZY_BYTES);
    *word = page;
}

/* Gives `address` one of the few frames and takes it from who had it. */
void map_lazy_page(uint64_t address)
{
    static unsigned next_frame;
    static uint64_t owner[16];
    unsigned frame = next_frame++ % 16;
    if (owner[frame]) {
        lazy_table[(owner[frame] >> 12) & 511] = 0;
        __asm__ volatile("invlpg (%0)" : : "r"(owner[frame]) : "memory");
    }
    owner[frame] = address & ~0xfffull;
    lazy_table[(address >> 12) & 511] = (uint64_t)lazy_memory[frame] | 3;
}

uint64_t number_option(const struct multiboot_info *info, const char *option)
{
    if (!(info->flags & 4))
        return 0;
    const char *line = (const char *)(uint64_t)info->command_line;
    for (; *line; line++) {
        unsigned length = 0;
        while (option[length] && line[length] == option[length])
            length++;
        if (option[length])
            continue;
        uint64_t number = 0;
        for (line += length; *line >= '0' && *line <= '9'; line++)
            number = number * 10 + (*line - '0');
        return number;
    }
    return 0;
}
