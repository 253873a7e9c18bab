/* Sorts, counts words in a hash table, packs and unpacks (an LZ77 with a table of the last
 * places), as programs do; 32-bit arithmetic, so that it is the same program in both
 * sizes. */
#include "guest.h"

enum { N = 1 << 15, SLOTS = 1 << 14, TEXT = 1 << 16, HASHES = 1 << 12 };

static u32 numbers[N];
static struct { u32 key, count; } slots[SLOTS];
static u8 text[TEXT], packed[TEXT + TEXT / 8 + 16], unpacked[TEXT];
static u32 last[HASHES];

static void sort(u32 *a, int low, int high)
{
	while (low < high) {
		u32 pivot = a[(low + high) >> 1];
		int i = low, j = high;
		while (i <= j) {
			while (a[i] < pivot)
				i++;
			while (a[j] > pivot)
				j--;
			if (i <= j) {
				u32 t = a[i];
				a[i++] = a[j];
				a[j--] = t;
			}
		}
		if (j - low < high - i) {
			sort(a, low, j);
			low = i;
		} else {
			sort(a, i, high);
			high = j;
		}
	}
}

static u32 sorting(u32 seed)
{
	u32 sum = 0;
	for (int i = 0; i < N; i++)
		numbers[i] = next(&seed);
	sort(numbers, 0, N - 1);
	for (int i = 1; i < N; i++)
		sum += numbers[i - 1] > numbers[i] ? 0x80000000 : numbers[i] ^ i;
	return sum;
}

static u32 counting(u32 seed)
{
	u32 most = 0;
	for (int i = 0; i < SLOTS; i++)
		slots[i].count = 0;
	for (int i = 0; i < 8 * SLOTS; i++) {
		u32 key = next(&seed) % (SLOTS / 2), h = key * 2654435761u;
		for (h >>= 18; slots[h].count && slots[h].key != key;)
			h = (h + 1) & (SLOTS - 1);
		slots[h].key = key;
		if (++slots[h].count > most)
			most = slots[h].count;
	}
	return most;
}

/* A byte of eight flags, then for each a byte, or a length and a distance. */
static u32 pack(void)
{
	u32 out = 0, flags = 0, n = 8;
	for (int i = 0; i < HASHES; i++)
		last[i] = 0;
	for (u32 at = 0; at < TEXT;) {
		u32 length = 0, from = 0;
		if (n == 8) {
			flags = out++;
			packed[flags] = 0;
			n = 0;
		}
		if (at + 4 <= TEXT) {
			u32 h = text[at] | text[at + 1] << 8 | text[at + 2] << 16;
			h = h * 2654435761u >> 20;
			from = last[h];
			last[h] = at + 1;
			if (from && at + 1 - from < 0x10000)
				while (length < 255 && at + length < TEXT &&
				       text[from - 1 + length] == text[at + length])
					length++;
		}
		if (length > 3) {
			u32 back = at + 1 - from;
			packed[flags] |= 1 << n;
			packed[out++] = length;
			packed[out++] = back;
			packed[out++] = back >> 8;
			at += length;
		} else
			packed[out++] = text[at++];
		n++;
	}
	return out;
}

static void unpack(void)
{
	u32 in = 0, flags = 0, n = 8;
	for (u32 at = 0; at < TEXT; n++) {
		if (n == 8) {
			flags = packed[in++];
			n = 0;
		}
		if (flags >> n & 1) {
			u32 length = packed[in];
			u32 back = packed[in + 1] | packed[in + 2] << 8;
			in += 3;
			for (; length > 0; length--, at++)
				unpacked[at] = unpacked[at - back];
		} else
			unpacked[at++] = packed[in++];
	}
}

static u32 packing(u32 seed)
{
	u32 size, sum = 0;
	/* words of a small language */
	for (u32 at = 0; at < TEXT;) {
		u32 word = next(&seed) % 200, x = word;
		for (u32 i = word % 7 + 2; i > 0 && at < TEXT; i--)
			text[at++] = 'a' + next(&x) % 26;
		if (at < TEXT)
			text[at++] = ' ';
	}
	size = pack();
	unpack();
	for (u32 at = 0; at < TEXT; at++)
		sum += text[at] != unpacked[at];
	return size + (sum << 20);
}

u32 main(void)
{
	u32 sum = 0;
	for (u32 turn = 0; turn < TURNS; turn++)
		sum += sorting(turn) ^ counting(turn) ^ packing(turn);
	return sum ^ sum >> 6 ^ sum >> 12 ^ sum >> 24;
}
