/* SHA-256 (FIPS 180-4) of what is in memory: arithmetic and rotations of 32 bits, many of
 * them between two branches. */
#include "guest.h"

enum { SIZE = 1 << 16 };

static u8 text[SIZE];

/* The first 32 bits of the fractions of square and cube roots of the first primes. */
static u32 state[8];
static u32 rounds[64];

/* floor(2^32 * (root(x) - floor(root(x)))), by bits; `power` is 2 or 3. */
static u32 fraction(u32 x, int power)
{
	typedef unsigned __int128 wide;
	word r = 0; /* root(x) * 2^32 */
	for (int bit = 36; bit >= 0; bit--) {
		word t = r | (word)1 << bit;
		wide square = (wide)t * t;
		/* of cubes the low 16 bits of the square matter too little */
		int fits = power == 2
			? square <= (wide)x << 64
			: (square >> 16) * t <= (wide)x << 80;
		if (fits)
			r = t;
	}
	return r;
}

static inline u32 right(u32 x, int n)
{
	return x >> n | x << (32 - n);
}

static inline u32 big(const u8 *p)
{
	return __builtin_bswap32(*(const u32 *)p);
}

static void block(const u8 *p)
{
	u32 w[64];
	for (int i = 0; i < 16; i++)
		w[i] = big(p + 4 * i);
	for (int i = 16; i < 64; i++) {
		u32 x = w[i - 15], y = w[i - 2];
		w[i] = w[i - 16] + w[i - 7] +
			(right(x, 7) ^ right(x, 18) ^ x >> 3) +
			(right(y, 17) ^ right(y, 19) ^ y >> 10);
	}
	u32 a = state[0], b = state[1], c = state[2], d = state[3];
	u32 e = state[4], f = state[5], g = state[6], h = state[7];
	for (int i = 0; i < 64; i++) {
		u32 s = h + (right(e, 6) ^ right(e, 11) ^ right(e, 25)) +
			(g ^ (e & (f ^ g))) + rounds[i] + w[i];
		u32 t = (right(a, 2) ^ right(a, 13) ^ right(a, 22)) +
			((a & b) | (c & (a | b)));
		h = g, g = f, f = e, e = d + s;
		d = c, c = b, b = a, a = s + t;
	}
	state[0] += a, state[1] += b, state[2] += c, state[3] += d;
	state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

int main(void)
{
	u32 seed = 1;
	for (int i = 0; i < SIZE; i++)
		text[i] = next(&seed);
	int found = 0;
	for (u32 n = 2; found < 64; n++) {
		int prime = 1;
		for (u32 k = 2; k * k <= n; k++)
			prime &= n % k != 0;
		if (!prime)
			continue;
		rounds[found] = fraction(n, 3);
		if (found < 8)
			state[found] = fraction(n, 2);
		found++;
	}
	for (int turn = 0; turn < TURNS; turn++)
		for (int i = 0; i < SIZE; i += 64)
			block(text + i);
	return state[0] ^ state[7];
}
