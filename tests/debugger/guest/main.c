/*
 * The debugger's test guest. Both processors work for ever, or for `turns`
 * turns each; then what they did is counted up and the exit code says whether
 * it was exactly what it had to be. On the way it uses for itself everything a
 * debugger likes to take: INT3, TF, the debug registers.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

#define NOINLINE __attribute__((noinline, noclone))
#define INLINE __attribute__((always_inline)) inline
#define HANDLER __attribute__((interrupt))

struct frame {
    u64 ip, cs, flags, sp, ss;
};

/* How many turns each processor makes. A debugger may change it. */
volatile u64 turns = ~0ul;

volatile u64 locked_count;          /* by both, with LOCK */
volatile u64 own_count[2];          /* by each its own, without */
volatile u64 int3_hits, tf_hits, dr_hits, ticks, faults;
volatile u64 int3_wanted, tf_wanted, dr_wanted;
volatile u32 second_ready, second_done;
volatile u64 watched, read_only;
volatile int result;
volatile u32 tf_left;

static INLINE void out8(u16 port, u8 value) {
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static INLINE u8 in8(u16 port) {
    u8 value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static void say(const char *text) {
    for (; *text; text++) {
        while (!(in8(0x3fd) & 0x20)) {
        }
        out8(0x3f8, *text);
    }
}

static void leave(u32 code) {
    __asm__ volatile("outl %0, %1" : : "a"(code), "Nd"((u16)0xf4));
    for (;;) __asm__ volatile("cli; hlt");
}

/* ---- interrupts ---- */

static struct {
    u16 low, selector, flags, middle;
    u32 high, zero;
} idt[256] __attribute__((aligned(16)));

static void gate(int vector, void *handler) {
    u64 at = (u64)handler;
    idt[vector].low = at;
    idt[vector].selector = 8;
    idt[vector].flags = 0x8e00;
    idt[vector].middle = at >> 16;
    idt[vector].high = at >> 32;
}

static volatile u32 *const lapic = (volatile u32 *)0xfee00000;

static u64 get_dr6(void) {
    u64 value;
    __asm__ volatile("mov %%dr6, %0" : "=r"(value));
    return value;
}

static void set_dr6(u64 value) {
    __asm__ volatile("mov %0, %%dr6" : : "r"(value));
}

HANDLER static void on_debug(struct frame *frame) {
    u64 dr6 = get_dr6();
    if (dr6 & (1 << 14)) {
        __sync_fetch_and_add(&tf_hits, 1);
        if (--tf_left == 0) frame->flags &= ~0x100ul;
    }
    if (dr6 & 1) __sync_fetch_and_add(&dr_hits, 1);
    set_dr6(0xffff0ff0);
}

HANDLER static void on_int3(struct frame *frame) {
    (void)frame;
    __sync_fetch_and_add(&int3_hits, 1);
}

HANDLER static void on_fault(struct frame *frame, u64 error) {
    u64 address;
    __asm__ volatile("mov %%cr2, %0" : "=r"(address));
    (void)error;
    faults++;
    /* The only fault that is meant: see page_fault_test(). */
    if (address != 0x7fff00001000ul) leave(14);
    frame->ip += 3;
}

HANDLER static void on_tick(struct frame *frame) {
    (void)frame;
    ticks++;
    lapic[0xb0 / 4] = 0;
}

static void load_idt(void) {
    struct {
        u16 limit;
        u64 base;
    } __attribute__((packed)) pointer = {sizeof idt - 1, (u64)idt};
    __asm__ volatile("lidt %0" : : "m"(pointer));
}

/* ---- what the processor does for itself ---- */

NOINLINE void int3_test(void) {
    __sync_fetch_and_add(&int3_wanted, 1);
    __asm__ volatile("int3");
}

/* Three instructions after POPF end in a trap; the third trap clears TF. */
NOINLINE void tf_test(void) {
    tf_left = 3;
    __sync_fetch_and_add(&tf_wanted, 3);
    __asm__ volatile(
        "pushfq\n"
        "orq $0x100, (%%rsp)\n"
        "popfq\n"
        "nop\n"
        "nop\n"
        "nop\n"
        "nop\n" : : : "memory", "cc");
}

NOINLINE void dr_test(void) {
    static volatile u64 cell;
    dr_wanted++;
    __asm__ volatile("mov %0, %%dr0" : : "r"(&cell));
    __asm__ volatile("mov %0, %%dr7" : : "r"(0x00090401ul));
    cell = 1;
    __asm__ volatile("mov %0, %%dr7" : : "r"(0x400ul));
}

NOINLINE void page_fault_test(void) {
    __asm__ volatile("movb $0, (%0)" : : "r"(0x7fff00001000ul) : "memory");
}

/* ---- shapes for a source-level debugger ---- */

NOINLINE int add(int a, int b) {
    int sum = a + b;
    return sum;
}

NOINLINE int fibonacci(int n) {
    if (n < 2) return n;
    int one = fibonacci(n - 1);
    int two = fibonacci(n - 2);
    return add(one, two);
}

NOINLINE int loop(int count) {
    int total = 0;
    for (int i = 0; i < count; i++) {
        total += i;
    }
    return total;
}

NOINLINE void shapes(void) {
    result = add(2, 3);
    result = fibonacci(6);
    result = loop(1000);
    watched = 1;
    watched = 2;
    result = (int)read_only;
}

/* Every instruction here exits to the machine. */
NOINLINE void exits(void) {
    u32 a = 0, b, c = 0, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    __asm__ volatile("rdmsr" : "=a"(a), "=d"(d) : "c"(0x1b));
    __asm__ volatile("wrmsr" : : "a"(a), "d"(d), "c"(0x1b));
    a = in8(0x3fd);
    out8(0x80, a);
    a = lapic[0x20 / 4];
    lapic[0xb0 / 4] = 0;
    static const char text[4] = "...\n";
    const char *from = text;
    u64 count = 4;
    __asm__ volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(0x80));
}

/* Called at an address that is mapped only now. */
NOINLINE void high_function(void) {
    result++;
}

extern u64 top_table[], high_table[];

NOINLINE void map_high(void) {
    top_table[511] = (u64)high_table + 3;
    void (*high)(void) =
        (void (*)(void))((u64)high_function + 0xffffffff80000000ul);
    high();
}

/* ---- work ---- */

NOINLINE void work(int cpu) {
    __sync_fetch_and_add(&locked_count, 1);
    own_count[cpu]++;
}

static void run(int cpu) {
    for (u64 turn = 0; turn < turns; turn++) {
        work(cpu);
        if (turn % 64 == 13) int3_test();
        if (cpu == 1 && turn % 64 == 29) tf_test();
        if (cpu == 0 && turn % 64 == 45) dr_test();
    }
}

void second_main(void) {
    load_idt();
    lapic[0xf0 / 4] = 0x1ff;
    second_ready = 1;
    run(1);
    second_done = 1;
    for (;;) __asm__ volatile("cli; hlt");
}

static void start_second(void) {
    lapic[0xf0 / 4] = 0x1ff;
    lapic[0x310 / 4] = 1 << 24;
    lapic[0x300 / 4] = 0x4500;      /* INIT */
    for (volatile int i = 0; i < 1000; i++) {
    }
    lapic[0x310 / 4] = 1 << 24;
    lapic[0x300 / 4] = 0x4608;      /* SIPI at 0x8000 */
}

void first_main(void) {
    gate(1, on_debug);
    gate(3, on_int3);
    gate(14, on_fault);
    gate(0x40, on_tick);
    load_idt();
    out8(0x21, 0xff);               /* no interrupts from the PICs */
    out8(0xa1, 0xff);
    say("guest: started\r\n");
    shapes();
    exits();
    map_high();
    page_fault_test();
    start_second();
    u64 wait = 0;
    while (!second_ready && ++wait < 3000000) __asm__ volatile("pause");
    lapic[0x3e0 / 4] = 3;           /* timer: divide by 16 */
    lapic[0x320 / 4] = 0x20040;     /* periodic, vector 0x40 */
    lapic[0x380 / 4] = 100000;
    __asm__ volatile("sti");
    run(0);
    for (wait = 0; !ticks && wait < 3000000; wait++) {
        __asm__ volatile("pause");
    }
    __asm__ volatile("cli");
    u64 processors = second_ready ? 2 : 1;
    while (second_ready && !second_done) __asm__ volatile("pause");
    if (locked_count != processors * turns) leave(2);
    if (own_count[0] != turns) leave(3);
    if (second_ready && own_count[1] != turns) leave(4);
    if (int3_hits != int3_wanted) leave(5);
    if (tf_hits != tf_wanted) leave(6);
    if (dr_hits != dr_wanted) leave(7);
    if (faults != 1) leave(8);
    if (ticks == 0) leave(9);
    say("guest: all counts are exact\r\n");
    leave(0);
}
