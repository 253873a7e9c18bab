/* REP MOVS and REP STOS of all lengths, and a memcpy without them. */
#include "guest.h"

static inline void stos(void *to, int value, word n)
{
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(value) : "memory");
}
static inline void movs(void *to, const void *from, word n)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}
static inline void movsq(void *to, const void *from, word n)
{
	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

/* By words, then by bytes. */
__attribute__((noinline))
static void copy(u8 *to, const u8 *from, word n)
{
	for (; n >= sizeof(word); n -= sizeof(word)) {
		*(word *)to = *(const word *)from;
		to += sizeof(word);
		from += sizeof(word);
	}
	while (n-- > 0)
		*to++ = *from++;
}

u32 main(void)
{
	u8 *a = HEAP, *b = HEAP + 0x100000;
	u32 sum = 0, seed = 7;
	for (u32 turn = 0; turn < TURNS; turn++) {
		for (u32 n = 1; n < 0x10000; n += n / 4 + 1) {
			u32 at = next(&seed) & 0xfff;
			stos(a + at, n, n);
			movs(b + (at ^ 5), a + at, n);
			movsq(a + 2 * at, b, n >> 3);
			copy(b + at, a + (at >> 1), n);
			sum = sum * 3 + b[at + n / 2];
		}
	}
	return sum;
}
