/* SSE on four floats and four integers at a time, as compilers vectorize loops. */
#include "guest.h"

typedef float floats __attribute__((vector_size(16)));
typedef int ints __attribute__((vector_size(16)));
enum { N = 1024 };
static floats a[N], b[N];
static ints c[N];

u32 main(void)
{
	ints sum = { 0 };
	for (int i = 0; i < N; i++) {
		a[i] = (floats){ i, i + 1, i + 2, i + 3 };
		b[i] = (floats){ 1, 2, 3, 4 };
		c[i] = (ints){ i, -i, i * 3, i ^ 5 };
	}
	for (u32 turn = 0; turn < TURNS; turn++)
		for (int i = 0; i < N; i++) {
			a[i] = a[i] * 0.5f + b[i];
			b[i] = b[i] - a[i] * 0.001f;
			c[i] = (c[i] << 1) + (c[i] ^ sum);
			sum += c[i] & (ints)(a[i] > b[i]);
		}
	return sum[0] ^ sum[1] ^ sum[2] ^ sum[3];
}
