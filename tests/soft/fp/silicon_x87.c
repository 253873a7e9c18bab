/* Runs x87 instructions of the host on batches of operands. Built by the
 * tests with gcc -O2 -shared -fPIC. Layouts as in src/soft/core/fp/selftest.ts. */
#include <stdint.h>
#include <string.h>

struct in {
  uint32_t control, pad;
  uint8_t a[16], b[16];
};
struct out {
  uint8_t r[12];
  uint32_t status;
  uint8_t s[16];
};

static const uint16_t plain = 0x037f;

#define OPEN "fninit\n\tfldt %[b]\n\tfldt %[a]\n\tfldcw %[cw]\n\t"
#define CLOSE "\n\tfnstsw %[sw]\n\tfnclex\n\tfldcw %[plain]\n\t"
#define OUTS \
  [r] "=m"(o->r), [s] "=m"(o->s), [sw] "=a"(sw)
#define INS \
  [a] "m"(*(const uint8_t(*)[16])c->a), [b] "m"(*(const uint8_t(*)[16])c->b), \
      [cw] "m"(c->control), [plain] "m"(plain)

/* st0 = f(st0, st1), one result */
#define UNARY(n, text) \
  case n: \
    asm volatile(OPEN text CLOSE "fstpt %[r]\n\tfninit" : OUTS : INS); \
    break;
/* two results: st0 in r, st1 in s */
#define PAIR(n, text) \
  case n: \
    asm volatile(OPEN text CLOSE "fstpt %[r]\n\tfstpt %[s]\n\tfninit" \
                 : OUTS : INS); \
    break;
/* store into r, which stays as it is when nothing is stored */
#define STORE(n, text) \
  case n: \
    memset(o->r, 0xcc, 10); \
    asm volatile(OPEN text CLOSE "fninit" \
                 : [s] "=m"(o->s), [sw] "=a"(sw), [r] "+m"(o->r) : INS \
                 : "memory"); \
    break;
/* EFLAGS results go to bits 16.. of the status */
#define FLAGS(n, text) \
  case n: \
    asm volatile(OPEN text "\n\tpushfq\n\tpopq %[f]" CLOSE "fstpt %[r]\n\tfninit" \
                 : OUTS, [f] "=r"(f) : INS); \
    extra = (uint32_t)(f & 0x45) << 16; \
    break;

void silicon_x87(uint32_t op, uint32_t count, const struct in *c,
                 struct out *o) {
  for (uint32_t i = 0; i < count; i++, c++, o++) {
    uint16_t sw = 0;
    uint64_t f = 0;
    uint32_t extra = 0;
    memset(o, 0, sizeof *o);
    switch (op) {
      UNARY(0, "fadd %%st(1), %%st")
      UNARY(1, "fsub %%st(1), %%st")
      UNARY(2, "fmul %%st(1), %%st")
      UNARY(3, "fdiv %%st(1), %%st")
      UNARY(4, "fsqrt")
      UNARY(5, "fprem")
      UNARY(6, "fprem1")
      UNARY(7, "fscale")
      UNARY(8, "frndint")
      PAIR(9, "fxtract")
      UNARY(10, "fcom %%st(1)")
      UNARY(11, "fucom %%st(1)")
      FLAGS(12, "fcomi %%st(1), %%st")
      FLAGS(13, "fucomi %%st(1), %%st")
      UNARY(14, "fadds %[b]")
      UNARY(15, "fsubl %[b]")
      UNARY(16, "fmuls %[b]")
      UNARY(17, "fdivl %[b]")
      UNARY(18, "fdivrs %[b]")
      UNARY(19, "fsubrl %[b]")
      UNARY(20, "fcoms %[b]")
      UNARY(21, "fcoml %[b]")
      UNARY(22, "flds %[b]")
      UNARY(23, "fldl %[b]")
      UNARY(24, "filds %[b]")
      UNARY(25, "fildl %[b]")
      UNARY(26, "fildll %[b]")
      UNARY(27, "fbld %[b]")
      UNARY(28, "fiadds %[b]")
      UNARY(29, "fidivrl %[b]")
      STORE(30, "fsts %[r]")
      STORE(31, "fstl %[r]")
      STORE(32, "fists %[r]")
      STORE(33, "fistl %[r]")
      STORE(34, "fistpll %[r]")
      STORE(35, "fisttps %[r]")
      STORE(36, "fisttpl %[r]")
      STORE(37, "fisttpll %[r]")
      STORE(38, "fbstp %[r]")
      UNARY(39, "f2xm1")
      UNARY(40, "fyl2x")
      UNARY(41, "fyl2xp1")
      PAIR(42, "fptan")
      UNARY(43, "fpatan")
      UNARY(44, "fsin")
      UNARY(45, "fcos")
      PAIR(46, "fsincos")
      UNARY(47, "ftst")
      UNARY(48, "fxam")
    }
    o->status = sw | extra;
  }
}
