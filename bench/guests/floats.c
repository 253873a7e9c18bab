/* A set of Mandelbrot's and the sum of a series, in REAL: long double is the x87's, double
 * SSE's. */
#include "guest.h"

u32 main(void)
{
	u32 inside = 0;
	REAL sum = 0;
	for (u32 turn = 0; turn < TURNS; turn++) {
		for (int py = 0; py < 48; py++)
			for (int px = 0; px < 64; px++) {
				REAL cx = (px - 44) / (REAL)22;
				REAL cy = (py - 24) / (REAL)18, x = 0, y = 0;
				int n = 0;
				for (; n < 50 && x * x + y * y < 4; n++) {
					REAL t = x * x - y * y + cx;
					y = 2 * x * y + cy;
					x = t;
				}
				inside += n;
			}
		for (int i = 1; i < 20000; i++)
			sum += (i & 1 ? 1 : -1) / (REAL)i;
	}
	return inside + (u32)(sum * 1000);
}
