/* Runs SSE instructions of the host on batches of operands; an unmasked
 * exception arrives as SIGFPE and is noted. Built by the tests with
 * gcc -O2 -shared -fPIC. Layouts as in src/soft/core/fp/selftest.ts. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

struct in {
  uint32_t control, pad;
  uint8_t a[16], b[16];
};
struct out {
  uint8_t r[12];
  uint32_t status;
  uint8_t s[16];
};

static const uint32_t plain = 0x1f80;
static volatile uint64_t resume;
static volatile uint32_t faulted;

static void on_fpe(int number, siginfo_t *info, void *context) {
  ucontext_t *u = context;
  (void)number, (void)info;
  faulted = 0x100;
  u->uc_mcontext.gregs[REG_RIP] = (greg_t)resume;
}

#define OPEN \
  "leaq 1f(%%rip), %%rcx\n\tmovq %%rcx, %[resume]\n\t" \
  "movups %[a], %%xmm0\n\tmovups %[b], %%xmm1\n\tldmxcsr %[mx]\n\t"
#define CLOSE "\n1:\tstmxcsr %[sw]\n\tldmxcsr %[plain]\n\t"
#define OUTS [x] "=m"(x), [sw] "=m"(sw), [resume] "=m"(resume)
#define INS \
  [a] "m"(c->a), [b] "m"(c->b), [mx] "m"(c->control), [plain] "m"(plain)
#define CLOBBERS "xmm0", "xmm1", "rcx", "memory"

/* xmm0 = f(xmm0, xmm1) */
#define XMM(n, text) \
  case n: \
    asm volatile(OPEN text CLOSE "movups %%xmm0, %[x]" \
                 : OUTS : INS : CLOBBERS); \
    break;
/* rdx = f(xmm0) */
#define INT(n, text) \
  case n: \
    asm volatile(OPEN text CLOSE \
                 : OUTS, [v] "+d"(v) : INS : CLOBBERS); \
    memset(x, 0, 16); \
    memcpy(x, &v, 8); \
    break;
/* EFLAGS */
#define FLAGS(n, text) \
  case n: \
    asm volatile("xorl %k[v], %k[v]\n\t" OPEN text \
                 "\n\tpushfq\n\tpopq %[v]" CLOSE "movups %%xmm0, %[x]" \
                 : OUTS, [v] "+d"(v) : INS : CLOBBERS, "cc"); \
    extra = (uint32_t)(v & 0x45) << 16; \
    break;
#define ARITHMETIC(n, t) \
  XMM(n, "add" t " %%xmm1, %%xmm0") \
  XMM(n + 1, "sub" t " %%xmm1, %%xmm0") \
  XMM(n + 2, "mul" t " %%xmm1, %%xmm0") \
  XMM(n + 3, "div" t " %%xmm1, %%xmm0") \
  XMM(n + 4, "sqrt" t " %%xmm1, %%xmm0") \
  XMM(n + 5, "min" t " %%xmm1, %%xmm0") \
  XMM(n + 6, "max" t " %%xmm1, %%xmm0") \
  XMM(n + 10, "cmp" t " $0, %%xmm1, %%xmm0") \
  XMM(n + 11, "cmp" t " $1, %%xmm1, %%xmm0") \
  XMM(n + 12, "cmp" t " $2, %%xmm1, %%xmm0") \
  XMM(n + 13, "cmp" t " $3, %%xmm1, %%xmm0") \
  XMM(n + 14, "cmp" t " $4, %%xmm1, %%xmm0") \
  XMM(n + 15, "cmp" t " $5, %%xmm1, %%xmm0") \
  XMM(n + 16, "cmp" t " $6, %%xmm1, %%xmm0") \
  XMM(n + 17, "cmp" t " $7, %%xmm1, %%xmm0")
#define ROUND(n, t) \
  XMM(n, "round" t " $0, %%xmm1, %%xmm0") \
  XMM(n + 1, "round" t " $1, %%xmm1, %%xmm0") \
  XMM(n + 2, "round" t " $2, %%xmm1, %%xmm0") \
  XMM(n + 3, "round" t " $3, %%xmm1, %%xmm0") \
  XMM(n + 4, "round" t " $4, %%xmm1, %%xmm0") \
  XMM(n + 8, "round" t " $8, %%xmm1, %%xmm0") \
  XMM(n + 9, "round" t " $9, %%xmm1, %%xmm0") \
  XMM(n + 12, "round" t " $12, %%xmm1, %%xmm0")

void silicon_sse(uint32_t op, uint32_t count, const struct in *c,
                 struct out *o) {
  struct sigaction action, before;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = on_fpe;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGFPE, &action, &before);
  for (uint32_t i = 0; i < count; i++, c++, o++) {
    uint32_t sw = 0, extra = 0;
    uint64_t v = 0xcccccccccccccccc;
    uint8_t x[16];
    faulted = 0;
    memset(o, 0, sizeof *o);
    switch (op) {
      ARITHMETIC(100, "sd")
      FLAGS(107, "comisd %%xmm1, %%xmm0")
      FLAGS(108, "ucomisd %%xmm1, %%xmm0")
      ARITHMETIC(120, "ss")
      FLAGS(127, "comiss %%xmm1, %%xmm0")
      FLAGS(128, "ucomiss %%xmm1, %%xmm0")
      XMM(140, "cvtss2sd %%xmm1, %%xmm0")
      XMM(141, "cvtsd2ss %%xmm1, %%xmm0")
      INT(142, "cvtsd2si %%xmm0, %%edx")
      INT(143, "cvtsd2si %%xmm0, %%rdx")
      INT(144, "cvttsd2si %%xmm0, %%edx")
      INT(145, "cvttsd2si %%xmm0, %%rdx")
      INT(146, "cvtss2si %%xmm0, %%edx")
      INT(147, "cvtss2si %%xmm0, %%rdx")
      INT(148, "cvttss2si %%xmm0, %%edx")
      INT(149, "cvttss2si %%xmm0, %%rdx")
      XMM(150, "cvtsi2sdl %[b], %%xmm0")
      XMM(151, "cvtsi2sdq %[b], %%xmm0")
      XMM(152, "cvtsi2ssl %[b], %%xmm0")
      XMM(153, "cvtsi2ssq %[b], %%xmm0")
      ROUND(160, "sd")
      ROUND(180, "ss")
      ARITHMETIC(200, "pd")
      ARITHMETIC(220, "ps")
      XMM(240, "cvtps2dq %%xmm1, %%xmm0")
      XMM(241, "cvttpd2dq %%xmm1, %%xmm0")
      XMM(242, "cvtpd2ps %%xmm1, %%xmm0")
      XMM(243, "cvtdq2ps %%xmm1, %%xmm0")
    }
    memcpy(o->r, x, 8);
    memcpy(o->s, x + 8, 8);
    o->status = (sw & 0x3f) | faulted | extra;
  }
  sigaction(SIGFPE, &before, 0);
}
