/* Calls and returns. */
#include "guest.h"

/* as it stands: a compiler that is let would put several calls into one */
__attribute__((noinline, noclone, optimize("O1")))
static u32 fibonacci(u32 n)
{
	return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

u32 main(void)
{
	u32 sum = 0;
	for (u32 turn = 0; turn < TURNS; turn++)
		sum += fibonacci(27 + (turn & 1));
	return sum;
}
