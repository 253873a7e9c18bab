/*
 * The demo guest: a small kernel with something to look at in a debugger.
 *
 * Every processor searches numbers for long Collatz sequences (worker) and is
 * interrupted a hundred times a second by its local APIC's timer (tick). One of
 * them touches memory that is mapped only when it is used, by the page fault
 * handler (handle_page_fault). Progress goes to the serial port once a second.
 *
 * Good places: tick, worker, collatz_steps, record, handle_page_fault.
 * Good data: ticks, numbers_checked, longest.
 *
 * Command line: ticks=N turns the machine off after N ticks.
 */
#include "machine.h"

#define MAX_PROCESSORS 16
#define TICKS_PER_SECOND 100

struct record {
    uint64_t number;
    unsigned steps;
    unsigned processor;
};

volatile unsigned processors_started = 1;
volatile uint64_t ticks[MAX_PROCESSORS];
volatile uint64_t numbers_checked[MAX_PROCESSORS];
volatile unsigned pages_mapped;
struct record longest;

static volatile uint64_t next_number = 1;
static volatile uint32_t record_lock;
static uint64_t last_tick;
static uint32_t timer_period;

/* How many steps the Collatz sequence of `number` takes down to 1. */
unsigned collatz_steps(uint64_t number)
{
    unsigned steps = 0;
    while (number != 1) {
        if (number & 1)
            number = 3 * number + 1;
        else
            number /= 2;
        steps++;
    }
    return steps;
}

/* Keeps the longest sequence found so far. */
void record(uint64_t number, unsigned steps, unsigned processor)
{
    lock(&record_lock);
    if (steps > longest.steps) {
        longest.number = number;
        longest.steps = steps;
        longest.processor = processor;
    }
    unlock(&record_lock);
}

/* What every processor does when nothing interrupts it. */
void worker(unsigned processor)
{
    for (;;) {
        uint64_t number = __atomic_fetch_add(&next_number, 1, __ATOMIC_RELAXED);
        unsigned steps = collatz_steps(number);
        if (steps > longest.steps)
            record(number, steps, processor);
        numbers_checked[processor]++;
        if (processor == 0 && number % 1024 == 0)
            touch_lazy_page(number / 1024);
    }
}

static void report(void)
{
    uint64_t checked = 0;
    for (unsigned i = 0; i < processors_started; i++)
        checked += numbers_checked[i];
    print("%u s: %u numbers checked, longest %u (%u steps, found by %u), "
          "%u pages mapped\n",
          ticks[0] / TICKS_PER_SECOND, checked, longest.number,
          (uint64_t)longest.steps, (uint64_t)longest.processor,
          (uint64_t)pages_mapped);
}

/* The timer interrupt, on every processor. */
void tick(void)
{
    unsigned processor = this_processor();
    uint64_t now = ++ticks[processor];
    if (processor == 0) {
        if (now % TICKS_PER_SECOND == 0)
            report();
        if (now == last_tick) {
            print("the demo ends\n");
            power_off();
        }
    }
    end_of_interrupt();
}

/* Maps a page of the lazy window; any other address is a bug. */
void handle_page_fault(uint64_t error, uint64_t address, uint64_t instruction)
{
    if (address < LAZY_BASE || address >= LAZY_BASE + LAZY_BYTES) {
        print("page fault at %x, error %x, by %x\n", address, error,
              instruction);
        debug_exit(1);
    }
    map_lazy_page(address);
    pages_mapped++;
}

void handle_protection_fault(uint64_t error, uint64_t unused,
                             uint64_t instruction)
{
    (void)unused;
    print("protection fault, error %x, by %x\n", error, instruction);
    debug_exit(1);
}

void handle_unexpected(uint64_t error, uint64_t unused, uint64_t instruction)
{
    (void)error, (void)unused;
    print("unexpected exception at %x\n", instruction);
    debug_exit(1);
}

/* Where the other processors arrive. */
void processor_main(unsigned processor)
{
    load_interrupt_table();
    start_timer(timer_period);
    print("processor %u works\n", (uint64_t)processor);
    enable_interrupts();
    worker(processor);
}

/* Where the first processor arrives from the loader. */
void kernel_main(uint32_t magic, const struct multiboot_info *info)
{
    set_up_machine();
    print("icebp demo: two gdb commands to begin with are "
          "'break tick' and 'info threads'\n");
    if (magic == MULTIBOOT_BOOTLOADER_MAGIC)
        last_tick = number_option(info, "ticks=");
    timer_period = calibrate_timer(TICKS_PER_SECOND);
    start_other_processors();
    processor_main(0);
}
