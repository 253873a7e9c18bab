/* Follows pointers over 64 MiB, a cache line each, in one cycle through all of them. */
#include "guest.h"

enum { NODES = 1 << 20 };
struct node {
	struct node *next;
	word value;
	u8 rest[64 - 2 * sizeof(word)];
};

u32 main(void)
{
	struct node *nodes = (struct node *)HEAP, *at = nodes;
	word sum = 0;
	u32 seed = 1;
	for (u32 i = 0; i < NODES; i++) {
		nodes[i].next = &nodes[i];
		nodes[i].value = i;
	}
	/* exchanging with an earlier one each makes a single cycle */
	for (u32 i = NODES - 1; i > 0; i--) {
		u32 j = next(&seed) % i;
		struct node *t = nodes[i].next;
		nodes[i].next = nodes[j].next;
		nodes[j].next = t;
	}
	for (u32 turn = 0; turn < TURNS; turn++)
		for (u32 i = 0; i < NODES / 4; i++) {
			sum = sum * 3 + at->value;
			at = at->next;
		}
	return sum;
}
