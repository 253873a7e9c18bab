/* What the demo guest asks of the PC it runs on; machine.c has it. */
#ifndef MACHINE_H
#define MACHINE_H

#include <stdint.h>

#define MULTIBOOT_BOOTLOADER_MAGIC 0x2badb002

/* Addresses without memory until the page fault handler gives them some. */
#define LAZY_BASE 0x8000000000
#define LAZY_BYTES 0x200000

struct multiboot_info {
    uint32_t flags, memory_lower, memory_upper, boot_device, command_line;
};

void set_up_machine(void);
void load_interrupt_table(void);
void start_other_processors(void);
uint32_t calibrate_timer(unsigned ticks_per_second);
void start_timer(uint32_t period);
void end_of_interrupt(void);
unsigned this_processor(void);
void touch_lazy_page(uint64_t page);
void map_lazy_page(uint64_t address);
uint64_t number_option(const struct multiboot_info *info, const char *option);
/* %u decimal, %x hexadecimal, both of 64 bits; %s text. */
void print(const char *format, ...);
void power_off(void) __attribute__((noreturn));
void debug_exit(uint32_t value) __attribute__((noreturn));

static inline void lock(volatile uint32_t *word)
{
    while (__atomic_exchange_n(word, 1, __ATOMIC_ACQUIRE))
        __builtin_ia32_pause();
}

static inline void unlock(volatile uint32_t *word)
{
    __atomic_store_n(word, 0, __ATOMIC_RELEASE);
}

static inline void enable_interrupts(void)
{
    __asm__ volatile("sti");
}

#endif
